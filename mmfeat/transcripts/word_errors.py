"""Word error rate: how far a recognised text is from what was said."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_WORD = re.compile(r"[^\W_](?:[^\W_]|'(?=[^\W_]))*")


@dataclass(frozen=True, kw_only=True)
class WordErrors:
    """The fewest changes that turn the words of a reference into those of a hypothesis.

    Args:
        n_substituted: words that became others.
        n_deleted: words of the reference that the hypothesis lacks.
        n_inserted: words that only the hypothesis has.
        n_word: words of the reference.
    """

    n_substituted: int
    n_deleted: int
    n_inserted: int
    n_word: int

    @property
    def rate(self) -> float:
        """Errors per word of the reference: 0 is perfect, more than 1 is possible; NaN without words."""
        n_error = self.n_substituted + self.n_deleted + self.n_inserted
        return n_error / self.n_word if self.n_word else float("nan")


def word_errors(references: Iterable[str], hypotheses: Iterable[str]) -> WordErrors:
    """Return the errors over all pairs of texts; of the whole, long texts count more than short ones.

    Case, punctuation and the kind of apostrophe do not count; numbers are compared as they are written.

    Args:
        references: what was said.
        hypotheses: what was recognised, as many.

    Raises:
        ValueError: there are not as many of both.
    """
    pairs = [_edits(_words(one), _words(other)) for one, other in zip(references, hypotheses, strict=True)]
    sums = [sum(column) for column in zip(*pairs, strict=True)] or [0, 0, 0, 0]
    return WordErrors(n_substituted=sums[0], n_deleted=sums[1], n_inserted=sums[2], n_word=sums[3])


def _words(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'"))


def _edits(reference: Sequence[str], hypothesis: Sequence[str]) -> tuple[int, int, int, int]:
    """Return (substituted, deleted, inserted, words of the reference) of a shortest way.

    Of several shortest ways one with the most substitutions is counted.
    Source: Levenshtein, "Binary codes capable of correcting deletions, insertions, and reversals", 1966.
    """
    row = [(n, 0, 0, n) for n in range(len(hypothesis) + 1)]  # errors, substituted, deleted, inserted
    for n_deleted, word in enumerate(reference, start=1):
        above, row = row, [(n_deleted, 0, n_deleted, 0)]
        for column, other in enumerate(hypothesis):
            n, substituted, deleted, inserted = above[column]
            step = int(word != other)
            ways = [(n + step, substituted + step, deleted, inserted)]
            n, substituted, deleted, inserted = above[column + 1]
            ways.append((n + 1, substituted, deleted + 1, inserted))
            n, substituted, deleted, inserted = row[column]
            ways.append((n + 1, substituted, deleted, inserted + 1))
            row.append(min(ways, key=lambda way: (way[0], -way[1])))
    _, substituted, deleted, inserted = row[-1]
    return substituted, deleted, inserted, len(reference)
