"""The values of a stream that is stored as decimals: read as if they were the dataset ``values``.

Where the attribute ``coding`` of a stream is ``decimal`` its values lie in the group ``decimal``: columns of few
decimal places as differences of integers (see ``decimal_kernels``), the others as they are, and single values that no
integer stands for as exceptions. Decoded, every bit is that of the plain file.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from mmfeat.dataset.storage import BLOCK
from mmfeat.errors import SchemaError
from mmfeat.types import Float32Array

Array = npt.NDArray[Any]

CODING, DECIMAL = "coding", "decimal"
MOST_PLACES = 6
NOT_CODED = -1


class DecimalValues:
    """The decoded values of one stream, shape (frame, feature), float32; read-only, like an open dataset.

    Args:
        stream: the group of the stream.

    Raises:
        SchemaError: the coding is another one, or its datasets do not fit together.
    """

    def __init__(self, stream: h5py.Group) -> None:
        for fault in coding_faults(stream):
            path = stream.file.filename
            raise SchemaError(f"{path}: {stream.name}: {fault}; see mmfeat validate {path}")
        group = stream[DECIMAL]
        self.name = f"{stream.name}/values"
        self.dtype: np.dtype[Any] = np.dtype(np.float32)
        self.attrs: Mapping[str, Any] = {}
        self._group = group
        self._steps, self._floats = group["steps"], group["floats"]
        places = group["places"][:].astype(np.int64)
        self._columns, self._float_columns = coded_columns(places)
        self._scales = scales_of(places[self._columns])
        self.shape: tuple[int, ...] = (self._steps.shape[0], places.size)
        self.row_shape: tuple[int, ...] = self.shape[1:]

    @property
    def ndim(self) -> int:
        """Number of axes: two."""
        return len(self.shape)

    def __getitem__(self, rows: slice) -> Array:
        start, stop, step = rows.indices(self.shape[0])
        return self.read(start, max(start, stop))[::step]

    def read(self, start: int, stop: int) -> Array:
        """Return rows ``start`` to ``stop``."""
        return self.read_runs([(start, stop)])

    def read_runs(self, runs: Iterable[tuple[int, int]]) -> Array:
        """Return the rows of several runs (start, stop), one behind the other."""
        runs = list(runs)
        rows = np.empty((sum(stop - start for start, stop in runs), *self.row_shape), dtype=np.float32)
        filled = 0
        for start, stop in runs:
            self.read_into(rows[filled : filled + stop - start], start)
            filled += stop - start
        return rows

    def read_into(self, rows: Array, start: int) -> None:
        """Fill ``rows`` with the rows from ``start`` on."""
        stop = start + len(rows)
        if start == stop:
            return
        if self._columns.size:
            from mmfeat.dataset.decimal_kernels import decode  # numba is imported only where something is decoded

            begin = start - start % BLOCK
            steps = self._steps[begin:stop].astype(np.uint16, copy=False)  # of this machine's byte order
            decode(steps, self._columns, self._scales, start - begin, rows)
        if self._float_columns.size:
            rows[:, self._float_columns] = self._floats[start:stop]
        frames, columns, values = self._exceptions
        here = slice(*np.searchsorted(frames, (start, stop)))
        rows[frames[here] - start, columns[here]] = values[here]

    @functools.cached_property
    def _exceptions(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Float32Array]:
        """Return frame, feature and value of each exception; they are few by the rule of the writer."""
        frames, columns, values = (self._group[f"exception_{name}"][:] for name in ("frame", "feature", "value"))
        return frames, columns.astype(np.int64), values


def coded_columns(places: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return which columns are coded, and which are stored as they are."""
    return np.flatnonzero(places != NOT_CODED), np.flatnonzero(places == NOT_CODED)


def coding_faults(stream: h5py.Group) -> Iterator[str]:
    """Yield a sentence for each reason for which the values of a coded stream cannot be decoded."""
    if stream.attrs[CODING] != DECIMAL:
        yield f"expected the coding {DECIMAL!r}, got {stream.attrs[CODING]!r}; update mmfeat"
        return
    group = stream[DECIMAL]
    places = group["places"][:].astype(np.int64)
    if places.size and not NOT_CODED <= places.min() <= places.max() <= MOST_PLACES:
        yield f"expected places from {NOT_CODED} to {MOST_PLACES}, got {places.min()} to {places.max()}"
    columns, float_columns = coded_columns(places)
    n_frame = group["steps"].shape[0]
    for name, n_column, kind in (("steps", columns.size, "uint16"), ("floats", float_columns.size, "float32")):
        expected, got = ((n_frame, n_column), kind), (group[name].shape, group[name].dtype.name)
        if got != expected:
            yield f"expected {name} of shape and type {expected}, as places say, got {got}"
    frames, features = group["exception_frame"][:], group["exception_feature"][:]
    if frames.size and (frames.min() < 0 or frames.max() >= n_frame or (np.diff(frames) < 0).any()):
        yield f"expected exceptions in the order of the frames, got {frames.min()} … {frames.max()} of {n_frame}"
    if not np.isin(features, columns).all():
        yield "expected exceptions of coded features only"


def scales_of(places: npt.NDArray[np.int64]) -> Float32Array:
    """Return 10 to the number of places; exact in float32."""
    return (10**places).astype(np.float32)
