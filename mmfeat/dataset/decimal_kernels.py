"""Compiled loops of the decimal coding: which columns it suits, the coding, and back.

A value is coded as ``round(value * 10 ** places)``, as int16, where the code gives exactly its bits back; -0.0 has the
code ``MINUS_ZERO``, which no other value has. What is stored are differences: of the first row of every block from 0,
of the others from the row before, modulo 2 ** 16, with the sign in the lowest bit (0, -1, 1, -2, … are 0, 1, 2, 3, …),
so that small differences of both signs have zeros in their upper byte.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mmfeat.compile import kernel
from mmfeat.dataset.storage import BLOCK
from mmfeat.types import BoolArray, Float32Array

LARGEST, MINUS_ZERO = 32_767, -32_768
_BLOCK, _LARGEST, _MINUS_ZERO = BLOCK, LARGEST, MINUS_ZERO

Int16Array = npt.NDArray[np.int16]
UInt16Array = npt.NDArray[np.uint16]
Int64Array = npt.NDArray[np.int64]


@kernel
def tally(values: Float32Array, scales: Float32Array, n_exact: Int64Array) -> None:
    """Add to ``n_exact`` how many values of each column come back from their code, for each number of places.

    Args:
        values: shape (row, column).
        scales: shape (number of places,), 1, 10, 100, …
        n_exact: shape (column, number of places).
    """
    n_row, n_column = values.shape
    for row in range(n_row):
        for column in range(n_column):
            value = values[row, column]
            for first in range(len(scales)):
                code = np.rint(np.float64(value) * np.float64(scales[first]))
                if abs(code) > _LARGEST:
                    break
                if np.float32(code) / scales[first] == value:
                    for place in range(first, len(scales)):  # the same quotient, with zeros behind it
                        if abs(code) > _LARGEST:
                            break
                        n_exact[column, place] += 1
                        code *= 10.0
                    break


@kernel
def encode(
    values: Float32Array,
    columns: Int64Array,
    scales: Float32Array,
    first: int,
    codes: Int16Array,
    steps: UInt16Array,
    is_exact: BoolArray,
) -> None:
    """Fill ``steps``, and ``is_exact`` with whether each value comes back; where not, the step is 0 or back from it.

    Args:
        values: shape (row, feature).
        columns: shape (column,), which features are coded.
        scales: shape (column,), 10 to the number of their places.
        first: number of the first row in the stream.
        codes: shape (column,), those of the row before; afterwards those of the last row.
        steps: shape (row, column).
        is_exact: shape (row, column).
    """
    for row in range(len(values)):
        if (first + row) % _BLOCK == 0:
            codes[:] = 0
        for index in range(len(columns)):
            value = values[row, columns[index]]
            before = np.int64(codes[index])
            code = before
            if value == 0:
                exact = True
                code = np.int64(_MINUS_ZERO) if np.signbit(value) else np.int64(0)
            else:
                rounded = np.rint(np.float64(value) * np.float64(scales[index]))
                exact = abs(rounded) <= _LARGEST and np.float32(rounded) / scales[index] == value
                if exact:
                    code = np.int64(rounded)
            step = ((code - before + 32_768) & 0xFFFF) - 32_768
            steps[row, index] = 2 * step if step >= 0 else -2 * step - 1
            is_exact[row, index] = exact
            codes[index] = code


@kernel
def decode(steps: UInt16Array, columns: Int64Array, scales: Float32Array, n_skipped: int, values: Float32Array) -> None:
    """Fill the coded columns of ``values``; the steps begin ``n_skipped`` rows before, at the start of a block.

    Args:
        steps: shape (n_skipped + row, column).
        columns: shape (column,), which features are coded.
        scales: shape (column,), 10 to the number of their places.
        n_skipped: rows of steps before the first wanted one.
        values: shape (row, feature).
    """
    n_row, n_column = steps.shape
    codes = np.zeros(n_column, dtype=np.int16)
    decoded = np.empty(n_column, dtype=np.float32)
    for row in range(n_row):
        if row % _BLOCK == 0:
            codes[:] = 0
        for index in range(n_column):
            step = steps[row, index]
            change = (step >> np.uint16(1)) ^ (np.uint16(0) - (step & np.uint16(1)))
            codes[index] = np.int16(codes[index] + np.int16(change))
            decoded[index] = np.float32(codes[index]) / scales[index]
        if row >= n_skipped:
            for index in range(n_column):
                values[row - n_skipped, columns[index]] = decoded[index]
            for index in range(n_column):
                if codes[index] == _MINUS_ZERO:
                    values[row - n_skipped, columns[index]] = np.float32(-0.0)
