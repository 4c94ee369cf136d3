"""Copy rows of columns from file to file in long runs: whole blocks of bytes, never clip by clip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import h5py
import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
AnyArray = npt.NDArray[Any]

_BLOCK_BYTES = 1 << 22


@dataclass(frozen=True, eq=False)
class Runs:
    """Stretches of rows of one column, in the order in which they are wanted; none is empty.

    Args:
        starts: int64, shape (run,), first row of each.
        stops: int64, shape (run,), the row behind the last of each.
    """

    starts: IntArray
    stops: IntArray

    @property
    def n_row(self) -> int:
        """Number of rows in all runs."""
        return int((self.stops - self.starts).sum())

    def __iter__(self) -> Iterator[tuple[int, int]]:
        for start, stop in zip(self.starts, self.stops, strict=True):
            yield int(start), int(stop)


def united(starts: IntArray, stops: IntArray) -> Runs:
    """Return stretches of rows as runs: without empty ones, and with neighbours joined."""
    filled = stops > starts
    starts, stops = starts[filled], stops[filled]
    opens = np.ones(starts.size, dtype=np.bool_)
    opens[1:] = starts[1:] != stops[:-1]
    return Runs(starts[opens], stops[np.roll(opens, -1)])


def clip_runs(offsets: IntArray, rows: IntArray) -> Runs:
    """Return the frames of clips; a row of -1 has none.

    Args:
        offsets: shape (clip + 1,), where the frames of each clip begin.
        rows: the wanted clips.
    """
    there = rows[rows >= 0]
    return united(offsets[there], offsets[there + 1])


class Reader(Protocol):
    """Gives rows of a column."""

    dtype: np.dtype[Any]
    row_shape: tuple[int, ...]

    def read_into(self, rows: AnyArray, start: int) -> None:
        """Fill ``rows`` with the rows from ``start`` on."""


class SizeReader:
    """Reads differences of a column of offsets: row ``j`` is how much lies between offset ``j`` and the next."""

    def __init__(self, offsets: Reader) -> None:
        self.dtype: np.dtype[Any] = np.dtype(np.int64)
        self.row_shape: tuple[int, ...] = ()
        self._offsets = offsets

    def read_into(self, rows: AnyArray, start: int) -> None:
        """Fill ``rows`` with the sizes from ``start`` on."""
        ends = np.empty(len(rows) + 1, dtype=self._offsets.dtype)
        self._offsets.read_into(ends, start)
        np.subtract(ends[1:], ends[:-1], out=rows)


def rows_at(reader: Reader, places: IntArray) -> AnyArray:
    """Return single rows of a column."""
    rows = np.empty((places.size, *reader.row_shape), dtype=reader.dtype)
    for index, place in enumerate(places.tolist()):
        reader.read_into(rows[index : index + 1], place)
    return rows


def blocks(reader: Reader, runs: Runs) -> Iterator[AnyArray]:
    """Yield the rows of all runs, one after the other, in blocks; each block is valid until the next one."""
    rows_per_block = _rows_per_block(reader)
    block = np.empty((min(rows_per_block, runs.n_row), *reader.row_shape), dtype=reader.dtype)
    filled = 0
    for start, stop in runs:
        while start < stop:
            n_row = min(stop - start, len(block) - filled)
            reader.read_into(block[filled : filled + n_row], start)
            start, filled = start + n_row, filled + n_row
            if filled == len(block):
                yield block
                filled = 0
    if filled:
        yield block[:filled]


def n_block(reader: Reader, runs: Runs) -> int:
    """Return how many blocks ``blocks`` yields."""
    return -(-runs.n_row // _rows_per_block(reader))


def copy_rows(reader: Reader, runs: Runs, target: h5py.Dataset, place: int) -> Iterator[int]:
    """Copy the rows of all runs to the rows of ``target`` from ``place`` on; yield the size of each block."""
    for block in blocks(reader, runs):
        target[place : place + len(block)] = block
        place += len(block)
        yield len(block)


def copy_ends(sizes: Reader, runs: Runs, target: h5py.Dataset, place: int, first: int) -> Iterator[int]:
    """Write where each thing ends whose sizes are read; the first begins at ``first``; yield the size of each block."""
    for block in blocks(sizes, runs):
        ends = first + np.cumsum(block)
        target[place : place + len(block)] = ends
        place, first = place + len(block), int(ends[-1])
        yield len(block)


def same_rows(one: Reader, runs: Runs, other: Reader, other_runs: Runs) -> bool:
    """Return whether two selections of rows hold the same."""
    if (one.dtype, one.row_shape, runs.n_row) != (other.dtype, other.row_shape, other_runs.n_row):
        return False
    pairs = zip(blocks(one, runs), blocks(other, other_runs), strict=True)
    return all(np.array_equal(block, other_block) for block, other_block in pairs)


def row_bytes(reader: Reader) -> int:
    """Return the size of a row in memory."""
    return reader.dtype.itemsize * int(np.prod(reader.row_shape))


def _rows_per_block(reader: Reader) -> int:
    return max(1, _BLOCK_BYTES // max(1, row_bytes(reader)))
