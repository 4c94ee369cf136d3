"""Word times of whole recordings, handed out to the clips by their texts.

The published word times of CMU-MOSI are one sequence for each video; which words belong to which clip is not said. The
texts of a video's clips, one after the other, are aligned with the words of its sequence. What then lies far from the
rest of its clip is a word that the clip's own speech happens to share with another place.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher

import numpy as np

from mmfeat.types import Float64Array, Words

_LONGEST_GAP_S = 5.0  # between words of one clip
_LEAST_SHARE = 0.5  # of the words of a clip
_PAUSES = frozenset(["sp", ""])
_MARKS = re.compile(r"[^\w]+|_")


def words_of_clips(texts: Sequence[str], tokens: Sequence[str], intervals_s: Float64Array) -> list[Words | None]:
    """Return the words of each clip that are in the sequence; None where fewer than half of them are.

    Args:
        texts: of the clips of one recording, in their order.
        tokens: the words of the recording, in their order.
        intervals_s: float64, shape (word, 2), start and end of each.

    Example:
        >>> times = np.arange(8.0).reshape(4, 2)
        >>> first, second = words_of_clips(["It was GOOD.", "Go!"], ["it", "was", "good", "go"], times)
        >>> first.tokens, second.intervals_s.tolist()
        (('it', 'was', 'good'), [[6.0, 7.0]])
    """
    kept = [index for index, token in enumerate(tokens) if token not in _PAUSES]
    heard = [_plain(tokens[index]) for index in kept]
    spoken = [(clip, word) for clip, text in enumerate(texts) for word in map(_plain, text.split()) if word]
    matcher = SequenceMatcher(None, [word for _, word in spoken], heard, autojunk=False)
    places: list[list[int]] = [[] for _ in texts]
    for block in matcher.get_matching_blocks():
        for offset in range(block.size):
            places[spoken[block.a + offset][0]].append(kept[block.b + offset])
    n_words = Counter(clip for clip, _ in spoken)
    return [_words(places[clip], n_words[clip], tokens, intervals_s) for clip in range(len(texts))]


def _words(places: Sequence[int], n_word: int, tokens: Sequence[str], intervals_s: Float64Array) -> Words | None:
    """Return the longest run of a clip's words without a long gap."""
    rows = np.asarray(places, dtype=np.int64)
    gaps_s = intervals_s[rows[1:], 0] - intervals_s[rows[:-1], 1]
    runs = np.split(rows, np.flatnonzero(gaps_s > _LONGEST_GAP_S) + 1)
    rows = max(runs, key=len)
    if rows.size < max(1, _LEAST_SHARE * n_word):
        return None
    return Words(tokens=tuple(tokens[row] for row in rows), intervals_s=intervals_s[rows])


def _plain(word: str) -> str:
    """Return a word without case and marks, as both sources write it."""
    return _MARKS.sub("", word.lower())
