"""The segmented transcripts of CMU-MOSEI: one file a video, lines ``video___number___start___end___text``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mmfeat.corpora.found import Differences
from mmfeat.corpora.raw_tree import files_below, first_inside

_SEPARATOR = "___"
_N_FIELD = 5
_TOLERANCE_S = 0.011  # the transcripts round to hundredths what the labels keep


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """One line of a transcript."""

    number: str
    start_s: float
    end_s: float
    text: str

    def is_at(self, start_s: float, end_s: float) -> bool:
        """Return whether these are its times."""
        return abs(self.start_s - start_s) <= _TOLERANCE_S and abs(self.end_s - end_s) <= _TOLERANCE_S


def read_sentences(root: Path, found: Differences) -> dict[str, list[Sentence]]:
    """Return the sentences of each video; nothing where the tree has no transcripts."""
    folder = first_inside(root, ["Transcript", "Segmented", "Combined"], ["Transcript", "Segmented"], ["Transcript"])
    sentences: dict[str, list[Sentence]] = {}
    for path in () if folder is None else files_below(folder, {".txt"}):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            fields = line.split(_SEPARATOR, _N_FIELD - 1)
            try:
                video, number, start, end, spoken = fields
                sentence = Sentence(number=number.strip(), start_s=float(start), end_s=float(end), text=spoken.strip())
            except ValueError:
                if line.strip():
                    found.add("transcript line that is not video___number___start___end___text", path.name, line[:80])
                continue
            sentences.setdefault(video.strip(), []).append(sentence)
    return sentences
