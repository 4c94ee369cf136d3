"""The texts of many clips, tokenised once and kept in a few flat arrays: some hundred bytes a clip.

A hidden word that the lexicon decides is hidden once; a word that is drawn at random is drawn anew whenever the text is
asked for.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

from mmfeat import Float32Array
from skesl.masking import SpokenText, TextMasker
from skesl.text import TokenisedText

Item = TypeVar("Item")
IntArray = npt.NDArray[np.int64]

_TEXTS_AT_ONCE = 1024


@dataclass(frozen=True, kw_only=True, eq=False)
class _Row:
    """One text: its ids, where its mask stands, its target, and the characters of each id where a word is drawn."""

    ids: tuple[int, ...]
    n_piece: int
    position: int = 0
    target: float = 0.0
    spans: tuple[tuple[int, int], ...] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class TextTable:
    """Texts by number.

    Args:
        masker: hides the words that are drawn.
        n_pieces: int64, shape (text,): word pieces of each text before anything was hidden or cut.
        ids: int32, shape (id,), of all texts one behind the other; without special tokens where a word is drawn.
        offsets: int64, shape (text + 1,): text ``i`` owns ids ``offsets[i]`` to ``offsets[i + 1]``.
        positions: int32, shape (text,): where the mask stands; 0 where nothing is hidden.
        targets: float32, shape (text,): score of the hidden word, 0 where it is drawn or nothing is hidden.
        spans: int32, shape (id, 2): characters of the ids of those texts whose word is drawn.
        first_spans: int64, shape (text,): where they begin, -1 for a text that is as it is.
    """

    masker: TextMasker
    n_pieces: IntArray
    ids: npt.NDArray[np.int32]
    offsets: IntArray
    positions: npt.NDArray[np.int32]
    targets: Float32Array
    spans: npt.NDArray[np.int32]
    first_spans: IntArray

    @classmethod
    def build(cls, texts: Iterable[str], masker: TextMasker, *, hides_words: bool) -> Self:
        """Return the tokenised texts.

        Args:
            texts: what is said.
            masker: tokenises, cuts, and hides words.
            hides_words: whether a word of each text is hidden.
        """
        rows = _rows(texts, masker, hides_words=hides_words)
        columns: list[dict[str, Any]] = [_columns(chunk) for chunk in chunks(rows)] or [_columns([])]
        whole = {name: np.concatenate([chunk[name] for chunk in columns]) for name in columns[0]}
        drawn = whole.pop("n_span") >= 0
        n_span = np.where(drawn, whole["n_id"], 0)
        return cls(
            masker=masker,
            offsets=np.concatenate([[0], np.cumsum(whole.pop("n_id"))]).astype(np.int64),
            first_spans=np.where(drawn, np.cumsum(n_span) - n_span, -1),
            **whole,
        )

    @property
    def max_tokens(self) -> int:
        """Length limit of a text, special tokens included."""
        return self.masker.max_tokens

    @property
    def lengths(self) -> IntArray:
        """Ids of each text, special tokens included; of a text whose word is drawn before anything is cut."""
        return np.diff(self.offsets) + np.where(self.first_spans >= 0, 2, 0)

    @property
    def n_byte(self) -> int:
        """Bytes of all arrays."""
        arrays = (self.n_pieces, self.ids, self.offsets, self.positions, self.targets, self.spans, self.first_spans)
        return sum(array.nbytes for array in arrays)

    def text(self, number: int, *, draw: tuple[int, ...]) -> tuple[IntArray, int]:
        """Return a text's ids with special tokens, and where its mask stands.

        Args:
            number: which text.
            draw: numbers from which a random word is drawn; equal ones draw the same word.
        """
        start, stop = int(self.offsets[number]), int(self.offsets[number + 1])
        first = int(self.first_spans[number])
        ids = self.ids[start:stop]
        if first < 0:
            return ids.astype(np.int64), int(self.positions[number])
        spans = self.spans[first : first + stop - start]
        plain = TokenisedText(ids=tuple(ids.tolist()), spans=tuple((a, b) for a, b in spans.tolist()))
        masked = self.masker.mask(SpokenText(pieces=plain, words=()), np.random.default_rng(draw))
        return np.asarray(masked.ids, dtype=np.int64), masked.position


def _rows(texts: Iterable[str], masker: TextMasker, *, hides_words: bool) -> Iterator[_Row]:
    rng = np.random.default_rng(0)
    untouched = rng.bit_generator.state
    for chunk in chunks(texts):
        for text in masker.prepare(chunk):
            n_piece = len(text.pieces.ids)
            if not hides_words:
                yield _Row(ids=masker.plain(text), n_piece=n_piece)
                continue
            masked = masker.mask(text, rng)
            if rng.bit_generator.state == untouched:
                yield _Row(ids=masked.ids, n_piece=n_piece, position=masked.position, target=masked.target)
            else:
                rng.bit_generator.state = untouched
                yield _Row(ids=text.pieces.ids, n_piece=n_piece, spans=text.pieces.spans)


def _columns(rows: list[_Row]) -> dict[str, Any]:
    """Return rows as flat arrays; ``n_span`` is -1 for a text that is as it is."""
    spans = [span for row in rows for span in row.spans or ()]
    return {
        "ids": np.fromiter((id_ for row in rows for id_ in row.ids), dtype=np.int32),
        "n_id": np.asarray([len(row.ids) for row in rows], dtype=np.int64),
        "n_pieces": np.asarray([row.n_piece for row in rows], dtype=np.int64),
        "positions": np.asarray([row.position for row in rows], dtype=np.int32),
        "targets": np.asarray([row.target for row in rows], dtype=np.float32),
        "spans": np.asarray(spans, dtype=np.int32).reshape(-1, 2),
        "n_span": np.asarray([-1 if row.spans is None else len(row.spans) for row in rows], dtype=np.int64),
    }


def chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Yield items, as many at once as are tokenised together."""
    iterator = iter(items)
    while chunk := list(itertools.islice(iterator, _TEXTS_AT_ONCE)):
        yield chunk
