"""Sentiment Word Masking: hide the most sentimental word, predict its score.

Source: SKESL (ACL 2023 Findings), section 3.2: the target is the word's VADER score, scaled from [-4, 4] to the
labels' [-3, 3]. Words are matched whole and replaced by one mask token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from skesl.lexicon import SentimentWord
from skesl.text import TokenisedText

SCORE_SCALE = 0.75  # [-4, 4] to [-3, 3]


@dataclass(frozen=True, kw_only=True)
class SpecialTokens:
    """Ids of the tokens that stand around a text and in place of a hidden word."""

    start: int
    end: int
    mask: int


@dataclass(frozen=True, kw_only=True)
class MaskedText:
    """Ids with special tokens, the position of the mask among them, and its target in [-3, 3]."""

    ids: tuple[int, ...]
    position: int
    target: float


def mask_sentiment_word(
    text: TokenisedText,
    words: Sequence[SentimentWord],
    special: SpecialTokens,
    *,
    max_tokens: int,
    rng: np.random.Generator,
) -> MaskedText:
    """Return the text with its most sentimental word hidden.

    The strongest absolute score wins, ties go to the first. Without a sentiment word a random word piece is
    hidden and the target is 0; an empty text becomes a lone mask with target 0. A text that is too long is cut to
    a window that holds the mask.

    Args:
        text: word pieces without special tokens.
        words: the lexicon entries in the text.
        special: ids of start, end and mask.
        max_tokens: length limit, special tokens included.
        rng: draws the random word piece.
    """
    piece_spans = [(word, _pieces(text, word)) for word in words]
    candidates = [(word, span) for word, span in piece_spans if span is not None]
    if candidates:
        word, (first, last) = max(candidates, key=lambda pair: abs(pair[0].score))
        target = SCORE_SCALE * word.score
    else:
        first = int(rng.integers(len(text.ids))) if text.ids else 0
        last = first + 1 if text.ids else 0
        target = 0.0
    ids = [*text.ids[:first], special.mask, *text.ids[last:]]
    window = _window(len(ids), first, max_tokens - 2)
    return MaskedText(ids=(special.start, *ids[window], special.end), position=first - window.start + 1, target=target)


def plain_ids(text: TokenisedText, special: SpecialTokens, *, max_tokens: int) -> tuple[int, ...]:
    """Return the text's ids between the special tokens, cut at the right."""
    return (special.start, *text.ids[: max_tokens - 2], special.end)


def _pieces(text: TokenisedText, word: SentimentWord) -> tuple[int, int] | None:
    """Return the first and the last-but-one word piece that overlap a word's characters."""
    overlapping = [index for index, (start, end) in enumerate(text.spans) if start < word.end and end > word.start]
    return (overlapping[0], overlapping[-1] + 1) if overlapping else None


def _window(n_id: int, position: int, n_kept: int) -> slice:
    """Return a slice of at most ``n_kept`` ids with ``position`` near its middle."""
    start = max(0, min(position - n_kept // 2, n_id - n_kept))
    return slice(start, start + n_kept)
