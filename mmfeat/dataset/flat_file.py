"""A flat file: one column on its way to the dataset file, row after row."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mmfeat.dataset.appending import Appending
from mmfeat.dataset.storage import Compression, storage_options
from mmfeat.errors import SchemaError

ROOM = 4096  # bytes before the first row, in which the head of an HDF5 file finds place
_ROWS_PER_COPY = 65_536
_BYTES_PER_COPY = 1 << 22


class FlatFile:
    """One column on its way to the dataset file.

    Args:
        path: the flat file; made where there is none.
        dtype: of its values.
        n_row: rows that an interrupted run committed; what lies behind them is cut off.
        width: values in a row; None for a column of single values.
    """

    def __init__(self, path: Path, dtype: Any, n_row: int, width: int | None = None) -> None:
        self.path = path
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self._n_row = n_row
        self._row_shape = () if width is None else (width,)
        self._row_bytes = int(self.dtype.itemsize) * (1 if width is None else width)
        path.touch()
        if n_row and path.stat().st_size < ROOM + self.n_byte:  # only a power cut writes the journal before the frames
            raise SchemaError(f"{path}: expected {self.n_byte} bytes from the interrupted run, got fewer; run it again")
        os.truncate(path, ROOM + self.n_byte)
        self._content = Appending(path, ROOM + self.n_byte)
        self._is_new = not n_row

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows, and values in a row."""
        return (self._n_row, *self._row_shape)

    @property
    def n_byte(self) -> int:
        """Bytes of all rows."""
        return self._n_row * self._row_bytes

    def append(self, rows: Any) -> int:
        """Add rows and return how many bytes they have; ``flush`` writes them."""
        values = np.ascontiguousarray(rows, dtype=self.dtype)
        self._content.append(memoryview(values.reshape(-1).view(np.uint8).data))
        self._n_row += len(values)
        return int(values.nbytes)

    def flush(self) -> None:
        """Hand all rows to the operating system: a killed process does not lose them."""
        self._content.flush()

    def store(self, group: h5py.Group, name: str, compression: Compression = "none") -> None:
        """Copy the column into a dataset of ``group``: in one piece, or compressed in chunks."""
        options = storage_options(compression, self.shape)
        dataset = group.create_dataset(name, shape=self.shape, dtype=self.dtype, **options)
        start = 0
        for block in self.blocks():
            dataset[start : start + len(block)] = block
            start += len(block)

    def blocks(self) -> Iterator[np.ndarray[Any, Any]]:
        """Yield the column in blocks of rows, from the start."""
        self.flush()
        n_row = _ROWS_PER_COPY if self._row_shape else max(_ROWS_PER_COPY, _BYTES_PER_COPY // self._row_bytes)
        step, end = self._row_bytes * n_row, ROOM + self.n_byte
        for place in range(ROOM, end, step):
            block = self._content.read(min(step, end - place), place)
            yield np.frombuffer(block, dtype=self.dtype).reshape(-1, *self._row_shape)

    def sha256(self) -> bytes:
        """Return the hash of all rows; of what an interrupted run wrote they are read again."""
        if self._is_new:
            return self._content.sha256()
        digest = hashlib.sha256()
        for block in self.blocks():
            digest.update(block.data)
        return digest.digest()

    def close(self) -> None:
        """Close the file."""
        self._content.close()
