"""The compiled scan of a table of numbers: text in, float64 out, exactly what Python's ``float`` gives.

Two passes over blocks that stay in the cache. The first one notes where each cell ends, 64 bytes at a time. The second
one reads the wanted cells only, row by row, eight of up to eight characters at once (``eight_numbers``). Longer ones of
up to 15 digits are read one by one, by the same rule: both the integer and the power of ten are exact in float64, so
their quotient is correctly rounded. Every other cell (nan, inf, exponents, more digits, no number at all) is noted and
left to the caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mmfeat.compile import kernel
from mmfeat.types import Float64Array
from mmfeat.vision.eight_numbers import N_LANE, NO_WORD, ZEROS, read_eight
from mmfeat.vision.words import N_BYTE, ByteArray, find_byte, load_word, lowest_bit

Int64Array = npt.NDArray[np.int64]
Int32Array = npt.NDArray[np.int32]
UInt64Array = npt.NDArray[np.uint64]
UInt32Array = npt.NDArray[np.uint32]
Integer = int | np.int64

_BLOCK = 1 << 17  # bytes; longer lines make longer blocks
_U0, _U1, _U3, _U8, _U64 = (np.uint64(n) for n in (0, 1, 3, 8, 64))
_TEN = np.uint64(10)
_MOST_DECIMALS = np.uint64(15)
_NO_NUMBER = np.uint64(99)  # in place of a number of decimals
_POWERS_OF_TEN: Float64Array = np.power(10.0, np.arange(16, dtype=np.float64))
_NEWLINE, _SPACE, _MINUS, _DOT, _ZERO = (np.uint8(ord(character)) for character in "\n -.0")


@dataclass(frozen=True, kw_only=True, eq=False)
class Scan:
    """What the scan of a table gives.

    Args:
        values: float64, shape (row, column); undefined in the cells that ``odd`` lists.
        odd: int64, shape (cell, 4): row, column, first byte and byte behind it of each cell that is no plain number,
            spaces included.
        begins: int64, shape (row,): the first byte of each row.
        bad_line: first byte, byte behind it and number of cells of the line with another number of cells than the
            header, where the scan ended; None where it came to the end.
    """

    values: Float64Array
    odd: Int64Array
    begins: Int64Array
    bad_line: tuple[int, int, int] | None


class _Row(NamedTuple):
    """One row on its way: its cells as words, their signs, their numbers, and which are no plain numbers."""

    words: UInt64Array
    signs: Float64Array
    numbers: Float64Array
    odd: Int64Array


def scan_cells(data: ByteArray, start: int, stop: int, separator: str, n_column: int, wanted: Int64Array) -> Scan:
    """Return the wanted columns of a table of numbers.

    Args:
        data: the text, with ``mmfeat.vision.table.PADDING`` newlines behind it.
        start: where the first row begins.
        stop: where the text ends.
        separator: between the cells of a row.
        n_column: cells of each row; lines of white space alone are left out.
        wanted: indices of columns, shape (n,).
    """
    n_newline = int(np.count_nonzero(data[start:stop] == _NEWLINE))
    n_row_most = min(n_newline, (stop - start) // n_column) + 2
    values = np.empty((n_row_most, wanted.size))  # pages that are never written cost nothing
    odd = np.empty((values.size, 4), dtype=np.int64)
    begins = np.empty(n_row_most, dtype=np.int64)
    n_row, n_odd, *bad = _scan(
        data,
        start,
        stop,
        np.uint8(ord(separator)),
        n_column,
        wanted.astype(np.uint64),
        _POWERS_OF_TEN,
        values,
        odd,
        begins,
    )
    bad_line = None if bad[0] < 0 else (int(bad[0]), int(bad[1]), int(bad[2]))
    return Scan(values=values[:n_row], odd=odd[:n_odd], begins=begins[:n_row], bad_line=bad_line)


@kernel
def _scan(
    data: ByteArray,
    start: Integer,
    stop: int,
    separator: np.uint8,
    n_column: int,
    wanted: UInt64Array,
    powers: Float64Array,
    values: Float64Array,
    odd: Int64Array,
    begins: Int64Array,
) -> tuple[Integer, Integer, Integer, Integer, Integer]:
    """Fill the arrays; return the rows, the odd cells, and what ``Scan.bad_line`` says (-1: nothing)."""
    block = _BLOCK
    marks = np.empty(block + N_BYTE, dtype=np.uint32)
    lines = np.empty(block + N_BYTE, dtype=np.int32)
    row = _row_buffers(wanted.size)
    n_row = n_odd = 0
    while start < stop:
        n_line = _find_cells(data, start, min(start + block, stop), separator, marks, lines)
        if n_line == 0:
            block *= 2
            marks = np.empty(block + N_BYTE, dtype=np.uint32)
            lines = np.empty(block + N_BYTE, dtype=np.int32)
            continue
        first = 0
        for line in range(n_line):
            n_cell = lines[line] - first
            begin = start + np.int64(marks[first])
            end = start + np.int64(marks[lines[line]]) - 1
            if _is_blank(data, begin, end):
                pass
            elif n_cell == n_column:
                begins[n_row] = begin
                n_careful = _read_row(data, start, marks[first:], wanted, powers, row, values[n_row])
                n_odd += _careful_cells(
                    data, start, marks[first:], wanted, powers, row.odd[:n_careful], values[n_row], odd[n_odd:], n_row
                )
                n_row += 1
            else:
                return n_row, n_odd, begin, end, n_cell
            first = lines[line]
        start += np.int64(marks[first])
    return n_row, n_odd, -1, -1, 0


@kernel
def _row_buffers(n_column: int) -> _Row:
    """Return buffers for a row, a whole number of vectors long."""
    n = -(-n_column // N_LANE) * N_LANE
    return _Row(words=np.zeros(n, np.uint64), signs=np.ones(n), numbers=np.empty(n), odd=np.empty(n, np.int64))


@kernel
def _find_cells(
    data: ByteArray, start: Integer, stop: Integer, separator: np.uint8, marks: UInt32Array, lines: Int32Array
) -> int:
    """Note where each cell begins, counted from ``start``, and how many cells there are up to each line's end.

    Cell ``i`` reaches from ``marks[i]`` to the separator or newline in front of ``marks[i + 1]``. The byte at ``stop``
    counts if it is a newline: the last line of a text needs none of its own. Return the number of lines.
    """
    marks[0] = 0
    n_cell = n_line = 0
    for index in range(start, stop + 1, N_BYTE):
        newline = find_byte(data, index, _NEWLINE)
        either = newline | find_byte(data, index, separator)
        while either != 0:
            bit = lowest_bit(either)
            position = index + np.int64(bit)
            if position > stop:
                return n_line
            n_cell += 1
            marks[n_cell] = position - start + 1
            if (newline >> bit) & _U1:
                lines[n_line] = n_cell
                n_line += 1
            either &= either - _U1
    return n_line


@kernel
def _is_blank(data: ByteArray, begin: Integer, end: Integer) -> bool:
    """Return whether there is white space alone."""
    for index in range(begin, end):  # noqa: SIM110 - a kernel has no generators
        if data[index] > _SPACE:
            return False
    return True


@kernel
def _read_row(
    data: ByteArray,
    start: Integer,
    marks: UInt32Array,
    wanted: UInt64Array,
    powers: Float64Array,
    row: _Row,
    values: Float64Array,
) -> int:
    """Read the wanted cells of one row; return the number of cells that are no plain numbers, listed in ``row.odd``."""
    _cut_row(data, start, marks, wanted, row.words, row.signs)
    n_odd = 0
    for first in range(0, row.words.size, N_LANE):
        odd = read_eight(row.words, row.signs, powers, row.numbers, first)
        while odd != 0:
            row.odd[n_odd] = first + np.int64(lowest_bit(odd))
            n_odd += 1
            odd &= odd - _U1
    for target in range(wanted.size):
        values[target] = row.numbers[target]
    return n_odd


@kernel
def _cut_row(
    data: ByteArray,
    start: Integer,
    marks: UInt32Array,
    wanted: UInt64Array,
    words: UInt64Array,
    signs: Float64Array,
) -> None:
    """Take the wanted cells of a row as words and signs; what does not fit into a word becomes ``NO_WORD``.

    Indices are unsigned here: numba would ask of every signed one whether it counts from the end.
    """
    origin = np.uint64(start)
    for target in range(np.uint64(wanted.size)):
        column = wanted[target]
        begin = origin + np.uint64(marks[column])
        end = origin + np.uint64(marks[column + _U1]) - _U1
        begin += np.uint64(data[begin] == _SPACE)
        negative = np.uint64(data[begin] == _MINUS)
        begin += negative
        signs[target] = 1.0 - 2.0 * np.float64(negative)
        n_character = end - begin  # a negative one has wrapped round to a large one
        word = (load_word(data, np.int64(begin)) ^ ZEROS) << (_U64 - (n_character << _U3))
        words[target] = word if n_character - _U1 < _U8 else NO_WORD


@kernel
def _careful_cells(
    data: ByteArray,
    start: Integer,
    marks: UInt32Array,
    wanted: UInt64Array,
    powers: Float64Array,
    targets: Int64Array,
    values: Float64Array,
    odd: Int64Array,
    row: int,
) -> int:
    """Read some cells of a row one by one; return how many are no numbers of up to 15 digits, listed in ``odd``."""
    n_odd = 0
    for target in targets:
        begin = np.uint64(start) + np.uint64(marks[wanted[target]])
        end = np.uint64(start) + np.uint64(marks[wanted[target] + _U1]) - _U1
        digits, negative, n_decimal = _careful_number(data, begin, end)
        if n_decimal > _MOST_DECIMALS:
            odd[n_odd, 0], odd[n_odd, 1], odd[n_odd, 2], odd[n_odd, 3] = row, target, begin, end
            n_odd += 1
        else:
            value = np.float64(digits) / powers[n_decimal]
            values[target] = -value if negative else value
    return n_odd


@kernel
def _careful_number(data: ByteArray, begin: np.uint64, end: np.uint64) -> tuple[np.uint64, np.uint64, np.uint64]:
    """Return the digits of a cell with spaces around it, whether it is negative, and its decimals.

    In place of the decimals stands ``_NO_NUMBER`` where it is no number of up to 15 digits.
    """
    while begin < end and data[begin] <= _SPACE:
        begin += _U1
    while begin < end and data[end - _U1] <= _SPACE:
        end -= _U1
    negative = np.uint64(begin < end and data[begin] == _MINUS)
    digits = n_digit = n_decimal = behind_dot = _U0
    for index in range(begin + negative, end):
        digit = np.uint64(data[index] - _ZERO)
        if digit < _TEN and n_digit < _MOST_DECIMALS:
            digits = digits * _TEN + digit
            n_digit += _U1
            n_decimal += behind_dot
        elif data[index] == _DOT and behind_dot == 0:
            behind_dot = _U1
        else:
            return digits, negative, _NO_NUMBER
    return digits, negative, n_decimal if n_digit > 0 else _NO_NUMBER
