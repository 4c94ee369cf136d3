"""Sequences of clips that are changed, or made at all, when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import overload

from mmfeat.types import ClipEntry


class LazyEntries(Sequence[ClipEntry]):
    """Clips made one by one: a corpus of a million is never held as a million records.

    Args:
        n_clip: number of clips.
        make: returns the clip at an index; called each time that it is asked for.
        indices: which of them, in which order; all where None.
    """

    def __init__(self, n_clip: int, make: Callable[[int], ClipEntry], indices: range | None = None) -> None:
        self._n_clip, self._make = n_clip, make
        self._indices = range(n_clip) if indices is None else indices

    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, index: int) -> ClipEntry: ...

    @overload
    def __getitem__(self, index: slice) -> LazyEntries: ...

    def __getitem__(self, index: int | slice) -> ClipEntry | LazyEntries:
        if isinstance(index, slice):
            return LazyEntries(self._n_clip, self._make, self._indices[index])
        return self._make(self._indices[index])


def changed(entries: Sequence[ClipEntry], change: Callable[[ClipEntry], ClipEntry]) -> LazyEntries:
    """Return the clips with a change that is made when they are asked for."""
    return LazyEntries(len(entries), lambda index: change(entries[index]))
