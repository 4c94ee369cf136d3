"""The compiled scan of a table of numbers: text in, float64 out, exactly what Python's ``float`` gives.

Two passes over blocks that stay in the cache. The first one notes where each cell ends, 64 bytes at a time. The second
one reads the wanted cells only. A cell of up to eight characters is one 64-bit word: its digits become an integer in
three multiplications. The integer has at most 15 digits and the power of ten at most 15 zeros; both are exact in
float64, so their quotient is correctly rounded (Clinger, "How to read floating point numbers accurately", PLDI 1990).
Every other cell (nan, inf, exponents, more digits, no number at all) is noted and left to the caller.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mmfeat.compile import kernel
from mmfeat.types import Float64Array
from mmfeat.vision.words import N_BYTE, ByteArray, find_byte, load_word, lowest_bit

Int64Array = npt.NDArray[np.int64]
Int32Array = npt.NDArray[np.int32]
Integer = int | np.int64

_BLOCK = 1 << 17  # bytes; longer lines make longer blocks
_MAX_DIGITS = 15
_NO_NUMBER = np.int64(-1)
_POWERS_OF_TEN = 10.0 ** np.arange(_MAX_DIGITS + 1)
_SIGNED_POWERS = np.stack([_POWERS_OF_TEN, -_POWERS_OF_TEN])
_NEWLINE, _SPACE, _MINUS, _DOT, _ZERO = (np.uint8(ord(character)) for character in "\n -.0")

_U1, _U3, _U7, _U8, _U16, _U32, _U64 = (np.uint64(n) for n in (1, 3, 7, 8, 16, 32, 64))
_TEN = np.uint64(10)
_ZEROS = np.uint64(0x3030303030303030)
_ABOVE_NINE = np.uint64(0x7676767676767676)  # added to a byte up to 127 it sets the top bit of those above 9
_TOP_BITS = np.uint64(0x8080808080808080)
_DOT_AS_DIGIT = np.uint64(ord(".") ^ ord("0"))
_LOW_BYTE = np.uint64(0xFF)
_LOW_HALF = np.uint64(0xFFFFFFFF)
_PAIRS = np.uint64(0x000000FF000000FF)
_MILLION_AND_HUNDRED = np.uint64(0x000F424000000064)
_TEN_THOUSAND_AND_ONE = np.uint64(0x0000271000000001)


@dataclass(frozen=True, kw_only=True, eq=False)
class Scan:
    """What the scan of a table gives.

    Args:
        values: float64, shape (row, column); undefined in the cells that ``odd`` lists.
        odd: int64, shape (cell, 4): row, column, first byte and byte behind it of each cell that is no plain number.
        begins: int64, shape (row,): the first byte of each row.
        bad_line: first byte, byte behind it and number of cells of the line with another number of cells than the
            header, where the scan ended; None where it came to the end.
    """

    values: Float64Array
    odd: Int64Array
    begins: Int64Array
    bad_line: tuple[int, int, int] | None


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
        data, start, stop, np.uint8(ord(separator)), n_column, wanted, _SIGNED_POWERS, values, odd, begins
    )
    bad_line = None if bad[0] < 0 else (bad[0], bad[1], bad[2])
    return Scan(values=values[:n_row], odd=odd[:n_odd], begins=begins[:n_row], bad_line=bad_line)


@kernel
def _scan(
    data: ByteArray,
    start: int,
    stop: int,
    separator: np.uint8,
    n_column: int,
    wanted: Int64Array,
    powers: Float64Array,
    values: Float64Array,
    odd: Int64Array,
    begins: Int64Array,
) -> tuple[int, int, int, int, int]:
    """Fill the arrays; return the rows, the odd cells, and what ``Scan.bad_line`` says (-1: nothing)."""
    block = _BLOCK
    ends = np.empty(block + N_BYTE, dtype=np.int32)
    line_ends = np.empty(block + N_BYTE, dtype=np.int32)
    n_row = n_odd = 0
    while start < stop:
        n_line = _find_cells(data, start, min(start + block, stop), separator, ends, line_ends)
        if n_line == 0:
            block *= 2
            ends = np.empty(block + N_BYTE, dtype=np.int32)
            line_ends = np.empty(block + N_BYTE, dtype=np.int32)
        first = 0
        begin = start
        for line in range(n_line):
            n_cell = line_ends[line] - first
            end = start + ends[line_ends[line] - 1]
            if _is_blank(data, begin, end):
                pass
            elif n_cell == n_column:
                n_odd = _read_row(data, start, begin, ends[first:], wanted, powers, values, n_row, odd, n_odd)
                begins[n_row] = begin
                n_row += 1
            else:
                return n_row, n_odd, begin, end, n_cell
            first = line_ends[line]
            begin = end + 1
        start = begin
    return n_row, n_odd, -1, -1, 0


@kernel
def _find_cells(
    data: ByteArray, start: int, stop: int, separator: np.uint8, ends: Int32Array, line_ends: Int32Array
) -> int:
    """Note where each cell ends, counted from ``start``, and the number of cells up to each line's end.

    The byte at ``stop`` counts if it is a newline: the last line of a text needs none of its own. Return the number of
    lines.
    """
    n_end = n_line = 0
    for index in range(start, stop + 1, N_BYTE):
        newline = find_byte(data, index, _NEWLINE)
        either = newline | find_byte(data, index, separator)
        while either != 0:
            bit = lowest_bit(either)
            position = index + np.int64(bit)
            if position > stop:
                return n_line
            ends[n_end] = position - start
            n_end += 1
            if (newline >> bit) & _U1:
                line_ends[n_line] = n_end
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
    start: int,
    row_begin: int,
    ends: Int32Array,
    wanted: Int64Array,
    powers: Float64Array,
    values: Float64Array,
    row: int,
    odd: Int64Array,
    n_odd: int,
) -> int:
    """Read the wanted cells of one row; return the number of odd cells so far."""
    for target in range(wanted.size):
        column = wanted[target]
        begin = start + ends[column - 1] + 1 if column > 0 else row_begin
        end = start + ends[column]
        while begin < end and data[begin] <= _SPACE:
            begin += 1
        while begin < end and data[end - 1] <= _SPACE:
            end -= 1
        negative = np.int64(data[begin] == _MINUS)
        n_character = end - begin - negative
        if n_character <= 8:
            digits, n_decimal = _short_number(load_word(data, begin + negative), n_character)
        else:
            digits, n_decimal = _long_number(data, begin + negative, end)
        if n_decimal < 0:
            odd[n_odd, 0], odd[n_odd, 1], odd[n_odd, 2], odd[n_odd, 3] = row, target, begin, end
            n_odd += 1
        else:
            values[row, target] = np.float64(digits) / powers[negative, n_decimal]
    return n_odd


@kernel
def _short_number(word: np.uint64, n_character: Integer) -> tuple[np.uint64, np.int64]:
    """Return the digits of up to eight characters as an integer and the number of decimals, -1 for no number."""
    if n_character <= 0:
        return np.uint64(0), _NO_NUMBER
    # The last character comes to the top byte, the bytes in front of the first one are 0.
    digits = (word ^ _ZEROS) << (_U64 - (np.uint64(n_character) << _U3))
    foreign = ((digits + _ABOVE_NINE) | digits) & _TOP_BITS
    if foreign == 0:
        return _eight_digits(digits), np.int64(0)
    place = lowest_bit(foreign) - _U7
    single = foreign & (foreign - _U1) == 0
    if n_character == 1 or not single or (digits >> place) & _LOW_BYTE != _DOT_AS_DIGIT:
        return np.uint64(0), _NO_NUMBER
    before = digits & ((_U1 << place) - _U1)
    behind = ((digits >> place) >> _U8) << place
    return _eight_digits((before | behind) << _U8), np.int64((_U64 - _U8 - place) >> _U3)


@kernel
def _eight_digits(digits: np.uint64) -> np.uint64:
    """Return the number that eight bytes of 0 to 9 spell, the lowest byte first."""
    pairs = digits * _TEN + (digits >> _U8)
    first = (pairs & _PAIRS) * _MILLION_AND_HUNDRED
    second = ((pairs >> _U16) & _PAIRS) * _TEN_THOUSAND_AND_ONE
    return ((first + second) >> _U32) & _LOW_HALF


@kernel
def _long_number(data: ByteArray, begin: Integer, end: Integer) -> tuple[np.uint64, np.int64]:
    """Return what ``_short_number`` does, of up to 15 digits."""
    digits = np.uint64(0)
    n_decimal = np.int64(0)
    n_digit = 0
    behind_dot = False
    for index in range(begin, end):
        digit = data[index] - _ZERO
        if np.uint8(digit) <= 9 and n_digit < _MAX_DIGITS:
            digits = digits * _TEN + np.uint64(digit)
            n_digit += 1
            n_decimal += np.int64(behind_dot)
        elif data[index] == _DOT and not behind_dot:
            behind_dot = True
        else:
            return digits, _NO_NUMBER
    return digits, n_decimal if n_digit else _NO_NUMBER
