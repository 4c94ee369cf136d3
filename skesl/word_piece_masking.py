"""Masking as the released code of SKESL does it: by word pieces, through text, with its own window.

Source: qianfan1996/SKESL at 4a415b1, data_loader.py:61-88. What would crash there (an empty text, "(" and "fed",
whose lines of the lexicon are split in the wrong place) does what the whole-word rule does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from skesl.lexicon import SentimentWord
from skesl.text import TokenisedText


class Draws(Protocol):
    """What draws whole numbers, as numpy's generators do."""

    def integers(self, high: int, /) -> Any:
        """Return a number from 0 to ``high - 1``."""


def find_sentiment_pieces(text: TokenisedText, tokenizer: Any, lexicon: Mapping[str, float]) -> list[SentimentWord]:
    """Return the word pieces that are keys of the lexicon, from left to right."""
    pieces = tokenizer.convert_ids_to_tokens(list(text.ids))
    return [
        SentimentWord(start=start, end=end, score=lexicon[piece], entry=piece)
        for piece, (start, end) in zip(pieces, text.spans, strict=True)
        if piece in lexicon
    ]


def mask_sentiment_piece(
    text: TokenisedText, words: Sequence[SentimentWord], tokenizer: Any, *, max_tokens: int, rng: Draws
) -> tuple[tuple[int, ...], int, float]:
    """Return ids with special tokens, the supervised position and the score of the hidden piece.

    Every occurrence of the strongest piece is hidden. Pieces become text and are cut again, as released, so that a
    piece behind a mask may turn into another. A supervised position beyond the limit shifts the text to the left.

    Args:
        text: word pieces without special tokens.
        words: what ``find_sentiment_pieces`` returned.
        tokenizer: of the text encoder.
        max_tokens: length limit, special tokens included; 39 as released.
        rng: draws the piece where none is in the lexicon.
    """
    pieces = tokenizer.convert_ids_to_tokens(list(text.ids))
    n_kept = max_tokens - 2
    if words:
        strongest = max(words, key=lambda word: abs(word.score))
        pieces = [tokenizer.mask_token if piece == strongest.entry else piece for piece in pieces]
        position, score = pieces.index(tokenizer.mask_token), strongest.score
        if position >= n_kept:
            n_before = (max_tokens + 1) // 2
            pieces = pieces[position - n_before : position + max_tokens // 2]
            position = n_before
    else:
        position, score = int(rng.integers(min(len(pieces), n_kept))) if pieces else 0, 0.0
        pieces[position : position + 1] = [tokenizer.mask_token]
    masked = tokenizer.convert_tokens_to_string(pieces)
    ids = tokenizer.encode(masked, add_special_tokens=False, verbose=False)[:n_kept]
    return (tokenizer.cls_token_id, *ids, tokenizer.sep_token_id), position + 1, score
