"""One column of a dataset file, read straight from its place in the file where HDF5 stores it in one piece.

HDF5's own path to a slice takes some 100 µs whatever its size; the operating system reads a clip five to ten times
faster from the offset that HDF5 tells. Several threads may read at once: each call names its place. Chunked or
compressed columns, texts, and systems without ``preadv``, go through HDF5.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from mmfeat.dataset.decimal_values import DecimalValues
from mmfeat.errors import SchemaError

Array = npt.NDArray[Any]
IntArray = npt.NDArray[np.int64]
_WORTH_A_KERNEL = 8  # runs


class Column:
    """Rows of one dataset.

    Args:
        dataset: one with rows along its first axis.
        descriptor: the open file, or -1 where only HDF5 may read.
    """

    def __init__(self, dataset: h5py.Dataset, descriptor: int) -> None:
        self.dtype: np.dtype[Any] = dataset.dtype.newbyteorder("=")  # models take this machine's byte order only
        self.row_shape: tuple[int, ...] = dataset.shape[1:]
        self._dataset = dataset
        self._descriptor = descriptor
        start = _place_in_file(dataset) if descriptor >= 0 else None
        self._is_plain, self._first = start is not None, start or 0
        self._row_bytes = int(dataset.dtype.itemsize * np.prod(dataset.shape[1:], dtype=np.int64))

    def read(self, start: int, stop: int) -> Array:
        """Return rows ``start`` to ``stop``."""
        return self.read_runs([(start, stop)])

    def read_runs(self, runs: Iterable[tuple[int, int]]) -> Array:
        """Return the rows of several runs (start, stop), one behind the other."""
        runs = list(runs)
        *places, n_row = accumulate((stop - start for start, stop in runs), initial=0)
        rows = np.empty((n_row, *self.row_shape), dtype=self.dtype)
        if not self._is_plain:
            self._fill_by_hdf5(rows, runs)
        elif rows.size:
            self._fill(rows, runs, places)
        return rows

    def read_each(self, rows: Array, starts: IntArray, lengths: IntArray, places: IntArray, ends: IntArray) -> int:
        """Read runs of rows into their places, with zeros behind each, in one call in which other threads go on.

        Args:
            rows: contiguous, shape (row, …): what is filled.
            starts: shape (run,): the row of the column at which each run begins.
            lengths: shape (run,): its rows.
            places: shape (run,): the row of ``rows`` at which it begins there.
            ends: shape (run,): the row of ``rows`` up to which it becomes 0 behind each run.

        Returns:
            How many were read; the rest is left to ``read_into``, which reads them or says what is wrong.
        """
        if not self._is_plain or rows.dtype != self.dtype or len(starts) < _WORTH_A_KERNEL:
            return 0
        from mmfeat.dataset.read_runs import CAN_READ, read_runs  # numba takes longer to load than one clip to read

        if not CAN_READ:
            return 0
        content = rows.reshape(-1).view(np.uint8)
        return read_runs(self._descriptor, self._first, self._row_bytes, content, starts, lengths, places, ends)

    def read_into(self, rows: Array, start: int) -> None:
        """Fill ``rows`` with the rows from ``start`` on.

        Raises:
            SchemaError: the file ends before them.
        """
        runs = [(start, start + len(rows))]
        if not self._is_plain or rows.dtype != self.dtype:
            self._fill_by_hdf5(rows, runs)
        elif rows.size:
            self._fill(rows, runs, [0])

    def _fill_by_hdf5(self, rows: Array, runs: Iterable[tuple[int, int]]) -> None:
        filled = 0
        for start, stop in runs:
            rows[filled : filled + stop - start] = self._dataset[start:stop]
            filled += stop - start

    def _fill(self, rows: Array, runs: Sequence[tuple[int, int]], places: Sequence[int]) -> None:
        """Read the bytes of runs of rows, each to the row of ``rows`` at which it begins there."""
        content, row_bytes = memoryview(rows.reshape(-1).view(np.uint8).data), self._row_bytes
        starts, begins = np.array([start for start, _ in runs]), np.array(places)
        lengths = np.array([stop for _, stop in runs]) - starts
        n_done = self.read_each(rows, starts, lengths, begins, begins + lengths)
        for place, (start, stop) in zip(places[n_done:], runs[n_done:], strict=True):
            self._read_bytes(content[place * row_bytes : (place + stop - start) * row_bytes], start)

    def _read_bytes(self, content: memoryview, start: int) -> None:
        """Fill ``content`` with the bytes from row ``start`` on."""
        place = self._first + start * self._row_bytes
        while content:
            n_byte = os.preadv(self._descriptor, [content], place)
            if n_byte <= 0:
                path, name = self._dataset.file.filename, self._dataset.name
                raise SchemaError(f"{path}: expected {name} to be whole, the file ends in it; copy it again")
            content, place = content[n_byte:], place + n_byte


AnyColumn = Column | DecimalValues


@contextmanager
def open_column(dataset: h5py.Dataset | DecimalValues) -> Iterator[AnyColumn]:
    """Open a file a second time for the direct reading of one of its columns; decimals are read as they are."""
    if isinstance(dataset, DecimalValues):
        yield dataset
        return
    descriptor = os.open(dataset.file.filename, READ_ONLY)
    try:
        yield Column(dataset, descriptor)
    finally:
        os.close(descriptor)


READ_ONLY = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def _place_in_file(dataset: h5py.Dataset) -> int | None:
    """Return the byte at which a dataset begins; None where it is text, or in pieces, or elsewhere, or swapped."""
    is_number = dataset.dtype.kind != "O" and dataset.dtype.isnative
    plain = is_number and dataset.chunks is None and not dataset.is_virtual and not dataset.external
    offset = dataset.id.get_offset() if plain else None
    return None if offset is None or not hasattr(os, "preadv") else int(offset)
