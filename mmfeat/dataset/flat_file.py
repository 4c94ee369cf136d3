"""A flat file: one column on its way to the dataset file, row after row."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np

from mmfeat.errors import SchemaError

Compression = Literal["none", "gzip"]
ROOM = 4096  # bytes before the first row, in which the head of an HDF5 file finds place
_ROWS_PER_COPY = 65_536
_BYTES_PER_COPY = 1 << 22
_ROWS_PER_CHUNK, _VALUES_PER_CHUNK = 64, 1 << 14  # of tables, of single columns: a clip touches few chunks
_MOST_PIECES = 512  # of one call to the operating system; 1,024 is its limit
_WORTH_A_THREAD = 1 << 16
_MOST_PENDING = 8


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
        self._descriptor = os.open(path, os.O_RDWR)
        self._buffer: list[bytes] = []
        self._n_stored = self.n_byte
        self._hash = None if n_row else BackgroundHash()

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
        content: bytes = values.tobytes()
        self._buffer.append(content)
        self._n_row += len(values)
        return len(content)

    def flush(self) -> None:
        """Hand all rows to the operating system: a killed process does not lose them."""
        for start in range(0, len(self._buffer), _MOST_PIECES):
            pieces = self._buffer[start : start + _MOST_PIECES]
            n_byte = sum(map(len, pieces))
            if os.pwritev(self._descriptor, pieces, ROOM + self._n_stored) < n_byte:
                write_at(self._descriptor, b"".join(pieces), ROOM + self._n_stored)
            self._n_stored += n_byte
            if self._hash is not None:
                self._hash.update(pieces)
        self._buffer = []

    def store(self, group: h5py.Group, name: str, compression: Compression = "none") -> None:
        """Copy the column into a dataset of ``group``: in one piece, or compressed in chunks."""
        options: dict[str, Any] = {}
        if compression != "none" and self._n_row:
            rows_per_chunk = min(self._n_row, _ROWS_PER_CHUNK if self._row_shape else _VALUES_PER_CHUNK)
            options = {"chunks": (rows_per_chunk, *self._row_shape), "compression": compression, "shuffle": True}
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
            block = os.pread(self._descriptor, min(step, end - place), place)
            yield np.frombuffer(block, dtype=self.dtype).reshape(-1, *self._row_shape)

    def sha256(self) -> bytes:
        """Return the hash of all rows; of what an interrupted run wrote they are read again."""
        if self._hash is not None:
            self.flush()
            return self._hash.digest()
        digest = hashlib.sha256()
        for block in self.blocks():
            digest.update(block.data)
        return digest.digest()

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        if self._hash is not None:
            self._hash.close()
        self._descriptor = -1


class BackgroundHash:
    """The SHA-256 of bytes that come piece by piece, computed beside the writing: hashlib lets other threads run."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._pool: ThreadPoolExecutor | None = None
        self._pending: deque[Future[None]] = deque()

    def update(self, pieces: list[bytes]) -> None:
        """Add bytes; waits where the hash is far behind."""
        if not self._pending and sum(map(len, pieces)) < _WORTH_A_THREAD:
            self._add(pieces)
            return
        self._pool = self._pool or ThreadPoolExecutor(1)
        self._pending.append(self._pool.submit(self._add, pieces))
        while self._pending and (len(self._pending) > _MOST_PENDING or self._pending[0].done()):
            self._pending.popleft().result()

    def _add(self, pieces: list[bytes]) -> None:
        for piece in pieces:
            self._sha256.update(piece)

    def digest(self) -> bytes:
        """Return the hash of all bytes so far."""
        while self._pending:
            self._pending.popleft().result()
        return self._sha256.digest()

    def close(self) -> None:
        """End the thread."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def write_at(descriptor: int, content: bytes | memoryview, place: int) -> None:
    """Write all bytes to a place in a file."""
    left = memoryview(content)
    while left:
        n_byte = os.pwrite(descriptor, left, place)
        left, place = left[n_byte:], place + n_byte
