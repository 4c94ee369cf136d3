"""The texts of many clips, tokenised once and kept in a few flat arrays: some hundred bytes a clip.

A hidden word that the lexicon decides is hidden once; a word that is drawn at random is drawn anew whenever the text is
asked for.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

from mmfeat import BoolArray, Float32Array
from skesl.masking import SpokenText, TextMasker
from skesl.text import TokenisedText

Item = TypeVar("Item")
IntArray = npt.NDArray[np.int64]

_TEXTS_AT_ONCE = 1024


@dataclass(frozen=True, kw_only=True, eq=False)
class _Row:
    """One text: its ids, where its mask stands, its target; whether its hidden word is drawn."""

    ids: tuple[int, ...]
    n_piece: int
    position: int = 0
    target: float = 0.0
    is_drawn: bool = False


class _Draw:
    """Draws whole numbers from some others: equal ones draw the same.

    A tenth of the time that a generator of numpy takes to be made.
    """

    def __init__(self, numbers: tuple[int, ...]) -> None:
        self._numbers = numbers

    def integers(self, high: int, /) -> int:
        """Return a number from 0 to ``high - 1``."""
        digest = hashlib.blake2b(repr(self._numbers).encode(), digest_size=8).digest()
        return int.from_bytes(digest, "little") % high


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
        is_drawn: bool, shape (text,): whether the hidden word is drawn whenever the text is asked for.
    """

    masker: TextMasker
    n_pieces: IntArray
    ids: npt.NDArray[np.int32]
    offsets: IntArray
    positions: npt.NDArray[np.int32]
    targets: Float32Array
    is_drawn: BoolArray

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
        offsets = np.concatenate([[0], np.cumsum(whole.pop("n_id"))]).astype(np.int64)
        return cls(masker=masker, offsets=offsets, **whole)

    @property
    def max_tokens(self) -> int:
        """Length limit of a text, special tokens included."""
        return self.masker.max_tokens

    @property
    def lengths(self) -> IntArray:
        """Ids of each text, special tokens included; of a text whose word is drawn before anything is cut."""
        return np.diff(self.offsets) + np.where(self.is_drawn, 2, 0)

    @property
    def n_byte(self) -> int:
        """Bytes of all arrays."""
        arrays = (self.n_pieces, self.ids, self.offsets, self.positions, self.targets, self.is_drawn)
        return sum(array.nbytes for array in arrays)

    def padded(
        self, numbers: IntArray, *, draw_of: Callable[[int], tuple[int, ...]]
    ) -> tuple[IntArray, BoolArray, IntArray]:
        """Return several texts as ids, shape (text, token), 0 behind each; where they are real; and their positions.

        Args:
            numbers: which texts.
            draw_of: returns the numbers from which the random word of a row is drawn; see ``text``.
        """
        starts, stops = self.offsets[numbers], self.offsets[numbers + 1]
        is_drawn = self.is_drawn[numbers]
        positions = self.positions[numbers].astype(np.int64)
        drawn = {row: self.text(int(numbers[row]), draw=draw_of(row)) for row in np.flatnonzero(is_drawn).tolist()}
        lengths = np.where(is_drawn, 0, stops - starts)
        n_token = max(1, int(lengths.max(initial=0)), *(len(ids) for ids, _ in drawn.values()))
        places = np.arange(n_token)
        is_real = places < lengths[:, None]
        ids = np.zeros(is_real.shape, dtype=np.int64)
        ids[is_real] = self.ids[(starts[:, None] + places)[is_real]]
        for row, (own, position) in drawn.items():
            ids[row, : len(own)], is_real[row, : len(own)], positions[row] = own, True, position
        return ids, is_real, positions

    def text(self, number: int, *, draw: tuple[int, ...]) -> tuple[IntArray, int]:
        """Return a text's ids with special tokens, and where its mask stands.

        Args:
            number: which text.
            draw: numbers from which a random word is drawn; equal ones draw the same word.
        """
        ids = self.ids[self.offsets[number] : self.offsets[number + 1]]
        if not self.is_drawn[number]:
            return ids.astype(np.int64), int(self.positions[number])
        plain = TokenisedText(ids=tuple(ids.tolist()), spans=())  # nothing asks where the pieces of such a text stand
        masked = self.masker.mask(SpokenText(pieces=plain, words=()), _Draw(draw))
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
                yield _Row(ids=text.pieces.ids, n_piece=n_piece, is_drawn=True)


def _columns(rows: list[_Row]) -> dict[str, Any]:
    """Return rows as flat arrays."""
    return {
        "ids": np.fromiter((id_ for row in rows for id_ in row.ids), dtype=np.int32),
        "n_id": np.asarray([len(row.ids) for row in rows], dtype=np.int64),
        "n_pieces": np.asarray([row.n_piece for row in rows], dtype=np.int64),
        "positions": np.asarray([row.position for row in rows], dtype=np.int32),
        "targets": np.asarray([row.target for row in rows], dtype=np.float32),
        "is_drawn": np.asarray([row.is_drawn for row in rows], dtype=np.bool_),
    }


def chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Yield items, as many at once as are tokenised together."""
    iterator = iter(items)
    while chunk := list(itertools.islice(iterator, _TEXTS_AT_ONCE)):
        yield chunk
