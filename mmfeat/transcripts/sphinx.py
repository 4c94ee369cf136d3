"""The back end ``pocketsphinx``: a small recogniser of read English that works anywhere, without a download."""

from __future__ import annotations

from importlib.metadata import version

from mmfeat.errors import InputError
from mmfeat.transcripts.sphinx_model import Segment, SphinxDecoders, find_model
from mmfeat.transcripts.transcriber import SAMPLE_RATE, TranscriberOptions
from mmfeat.transcripts.transcript import TimedWord, Transcript
from mmfeat.types import Waveform


class SphinxTranscriber:
    """Transcribes with hidden Markov models and trigrams; much less exact than Whisper.

    There is no confidence: its posterior probabilities are 1 for nearly every word, right or wrong.

    Args:
        options: ``model`` is a folder, see ``find_model``; empty for the English one that comes with the package.

    Raises:
        MissingExtraError: pocketsphinx is not installed.
        InputError: the folder holds no model, or none with a language model.

    Source: Huggins-Daines et al., "PocketSphinx: a free, real-time continuous speech recognition system for hand-held
    devices", ICASSP 2006.
    """

    sample_rate = SAMPLE_RATE

    def __init__(self, options: TranscriberOptions) -> None:
        self._model = find_model(options.model, options.language)
        if self._model.language_model is None:
            raise InputError(f"{options.model}: expected a language model (.lm or .lm.bin), found none; add one")
        self._decoders = SphinxDecoders(self._model, {"lm": str(self._model.language_model)})
        self._decoders.get()
        self.settings = {
            "backend": "pocketsphinx",
            **self._model.facts,
            "version": version("pocketsphinx"),
            "language": options.language,
        }

    def transcribe(self, waveform: Waveform) -> Transcript:
        """Return what is said; the language is the model's."""
        segments = [segment for segment in self._decoders.get().decode(waveform) if segment.word]
        words = tuple(_word(segment, waveform.duration_s) for segment in segments)
        return Transcript(
            text=" ".join(word.text for word in words),
            language=self._model.language if words else None,
            words=words,
        )

    def close(self) -> None:
        """Nothing runs on."""


def _word(segment: Segment, duration_s: float) -> TimedWord:
    stop_s = min(segment.stop_s, duration_s)
    start_s = min(segment.start_s, stop_s)
    return TimedWord(text=segment.word, start_s=start_s, stop_s=stop_s)
