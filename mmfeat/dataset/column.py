"""One column of a stream, read straight from its place in the file where HDF5 stores it in one piece.

HDF5's own path to a slice takes some 100 µs whatever its size; the operating system reads a clip five to ten times
faster from the offset that HDF5 tells. Several threads may read at once: each call names its place. Chunked or
compressed columns, and systems without ``preadv``, go through HDF5.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Column:
    """Rows of one dataset.

    Args:
        dataset: one with rows along its first axis.
        descriptor: the open file, or -1 where only HDF5 may read.
    """

    def __init__(self, dataset: h5py.Dataset, descriptor: int) -> None:
        self.dtype: np.dtype[Any] = dataset.dtype.newbyteorder("=")  # models take this machine's byte order only
        self.row_shape: tuple[int, ...] = dataset.shape[1:]
        self.n_row = int(dataset.shape[0])
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
        rows = np.empty((sum(stop - start for start, stop in runs), *self.row_shape), dtype=self.dtype)
        if not self._is_plain:
            self._fill_by_hdf5(rows, runs)
        elif rows.size:
            self._fill(memoryview(rows.reshape(-1).view(np.uint8).data), runs)
        return rows

    def _fill_by_hdf5(self, rows: Array, runs: Iterable[tuple[int, int]]) -> None:
        filled = 0
        for start, stop in runs:
            rows[filled : filled + stop - start] = self._dataset[start:stop]
            filled += stop - start

    def _fill(self, content: memoryview, runs: Iterable[tuple[int, int]]) -> None:
        """Read the bytes of runs of rows, one behind the other."""
        begin = 0
        for start, stop in runs:
            end, place = begin + (stop - start) * self._row_bytes, self._first + start * self._row_bytes
            while begin < end:
                n_byte = os.preadv(self._descriptor, [content[begin:end]], place)
                if n_byte <= 0:
                    raise OSError(f"the file ends {end - begin} bytes too early")
                begin, place = begin + n_byte, place + n_byte


def _place_in_file(dataset: h5py.Dataset) -> int | None:
    """Return the byte at which a dataset begins; None where it lies in pieces, elsewhere, or in another byte order."""
    plain = dataset.chunks is None and not dataset.is_virtual and not dataset.external and dataset.dtype.isnative
    offset = dataset.id.get_offset() if plain else None
    return None if offset is None or not hasattr(os, "preadv") else int(offset)
