"""Store the values of a stream as decimals where they are decimals, bit by bit the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from mmfeat.dataset.decimal_values import CODING, DECIMAL, MOST_PLACES, NOT_CODED, coded_columns, scales_of
from mmfeat.dataset.schema import rule_for, storage_type
from mmfeat.dataset.storage import BLOCK, storage_options
from mmfeat.errors import SchemaError
from mmfeat.types import Float32Array

Blocks = Callable[[], Iterable[Float32Array]]
_MOST_EXCEPTIONS = 1 / 64  # of a column: above, its integers cost more than they save
_BYTES_PER_BLOCK = 1 << 22


def store_decimals(stream: h5py.Group, blocks: Blocks, shape: tuple[int, ...]) -> bool:
    """Store values in the group ``decimal`` of a stream; return whether that was done.

    Nothing is done where fewer than half of the columns are decimals. The values are read twice: to see which columns
    are, and to store them. Every value is decoded before it is taken; one that is not its own bits again, be it too
    large, of too many places, or not finite, becomes an exception.

    Args:
        stream: the group; gets the attribute ``coding`` as well.
        blocks: gives the rows in blocks, from the start, as often as it is called.
        shape: (frame, feature).
    """
    n_row, n_column = shape
    places, n_exception = _places(blocks, n_row, n_column)
    columns, float_columns = coded_columns(places)
    if not n_row or 2 * columns.size < n_column:
        return False
    stream.attrs[CODING] = DECIMAL
    stream.create_group(DECIMAL)
    _create(stream, "places", (n_column,))[:] = places
    steps, floats = (
        _create(stream, "steps", (n_row, columns.size)),
        _create(stream, "floats", (n_row, float_columns.size)),
    )
    exceptions = [_create(stream, f"exception_{name}", (n_exception,)) for name in ("frame", "feature", "value")]
    encoder = _Encoder(columns, scales_of(places[columns]))
    n_stored = 0
    for start, block in _numbered(blocks):
        rows = slice(start, start + len(block))
        steps[rows], is_exact = encoder(block, start)
        if float_columns.size:
            floats[rows] = block[:, float_columns]
        frames, indices = np.nonzero(~is_exact)
        found = slice(n_stored, n_stored + frames.size)
        if frames.size:
            features = columns[indices]
            for target, content in zip(exceptions, (start + frames, features, block[frames, features]), strict=True):
                target[found] = content
        n_stored = found.stop
    if n_stored != n_exception:
        raise SchemaError(
            f"{stream.name}: expected the {n_exception} exceptions that were counted, stored {n_stored}; the values "
            "changed in between, store them again"
        )
    return True


class _Encoder:
    """Codes rows in their order."""

    def __init__(self, columns: npt.NDArray[np.int64], scales: Float32Array) -> None:
        self._columns, self._scales = columns, scales
        self._codes = np.zeros(columns.size, dtype=np.int16)

    def __call__(self, values: Float32Array, first: int) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.bool_]]:
        """Return steps, and which values come back from them."""
        from mmfeat.dataset.decimal_kernels import encode

        steps = np.empty((len(values), self._columns.size), dtype=np.uint16)
        is_exact = np.empty(steps.shape, dtype=np.bool_)
        encode(values, self._columns, self._scales, first, self._codes, steps, is_exact)
        return steps, is_exact


def _places(blocks: Blocks, n_row: int, n_column: int) -> tuple[npt.NDArray[np.int64], int]:
    """Return the decimal places of each column, ``NOT_CODED`` for one that is not worth it; and all exceptions."""
    from mmfeat.dataset.decimal_kernels import tally

    n_exact = np.zeros((n_column, MOST_PLACES + 1), dtype=np.int64)
    for _, block in _numbered(blocks):
        tally(block, scales_of(np.arange(MOST_PLACES + 1)), n_exact)
    places, n_exception = n_exact.argmax(axis=1), n_row - n_exact.max(axis=1, initial=0)
    is_coded = n_exception <= _MOST_EXCEPTIONS * n_row
    return np.where(is_coded, places, NOT_CODED), int(n_exception[is_coded].sum())


def _numbered(blocks: Blocks) -> Iterator[tuple[int, Float32Array]]:
    """Yield (number of its first row, rows) of blocks that are small, and whole chunks but for the last."""
    start = 0
    for block in blocks():
        step = BLOCK * max(1, _BYTES_PER_BLOCK // max(1, BLOCK * block.itemsize * block.shape[1]))
        for place in range(0, len(block), step):
            yield start + place, np.array(block[place : place + step], dtype=np.float32)
        start += len(block)


def _create(stream: h5py.Group, name: str, shape: tuple[int, ...]) -> Any:
    path = f"{stream.name}/{DECIMAL}/{name}"
    options = storage_options("decimal", shape)
    return stream.file.create_dataset(path, shape=shape, dtype=storage_type(rule_for(path)), **options)
