"""What is said in clips, and when: speech recognisers behind one protocol, forced alignment, files of transcripts."""

from mmfeat.transcripts.align import SphinxAligner
from mmfeat.transcripts.table import TranscriptTable
from mmfeat.transcripts.transcriber import BACKENDS, Transcriber, TranscriberOptions, open_transcriber
from mmfeat.transcripts.transcript import TimedWord, Transcript
from mmfeat.transcripts.word_errors import WordErrors, word_errors

__all__ = [
    "BACKENDS",
    "SphinxAligner",
    "TimedWord",
    "Transcriber",
    "TranscriberOptions",
    "Transcript",
    "TranscriptTable",
    "WordErrors",
    "open_transcriber",
    "word_errors",
]
