"""The cells of a table by ``numpy.loadtxt``: slower than the compiled scan, with the same values and errors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mmfeat.types import Float64Array
from mmfeat.vision.table import BLANK, Text, ends_within_cell, foreign_cells, foreign_line, number


def read_values(text: Text, wanted: npt.NDArray[np.int64]) -> tuple[Float64Array, bool]:
    """Return the wanted columns, float64 of shape (row, column), and whether a last row was cut off.

    Raises:
        ClipError: a row of another length than the header, or cells that are no numbers.
    """
    lines, is_cut_off = _whole_lines(text)
    return _values(text, lines, wanted.tolist()), is_cut_off


def _values(text: Text, lines: list[tuple[int, bytes]], columns: list[int]) -> Float64Array:
    if not lines:
        return np.empty((0, len(columns)))
    try:
        # None but ASCII characters are part of a number, or white space (latin-1 has two more).
        rows = [line.decode("ascii", errors="replace") for _, line in lines]
        return np.loadtxt(rows, delimiter=text.separator, usecols=columns, comments=None, ndmin=2)
    except ValueError:  # a cell that is empty, spelt as only Windows does, or no number
        separator = text.separator.encode()
        return _cell_by_cell(text, [(number_of, line.split(separator)) for number_of, line in lines], columns)


def _whole_lines(text: Text) -> tuple[list[tuple[int, bytes]], bool]:
    """Return number and content of every line that is not blank, and whether a last one was cut off and left out."""
    content = text.data[text.start : text.stop].tobytes()
    lines = [(i, line) for i, line in enumerate(content.split(b"\n"), 2) if line.strip(BLANK)]
    separator, n_column = text.separator.encode(), len(text.header)
    is_cut_off = False
    if lines:
        number_of, last = lines[-1]
        n_missing = n_column - last.count(separator) - 1
        is_ended = number_of < content.count(b"\n") + 2
        if n_missing > 0 or (n_missing == 0 and ends_within_cell(text, last, is_ended=is_ended)):
            lines.pop()
            is_cut_off = True
    for i, line in lines:
        if line.count(separator) + 1 != n_column:
            raise foreign_line(text, i, line.count(separator) + 1)
    return lines, is_cut_off


def _cell_by_cell(text: Text, lines: list[tuple[int, list[bytes]]], columns: list[int]) -> Float64Array:
    values = np.empty((len(lines), len(columns)))
    foreign = []
    for row, (i, cells) in enumerate(lines):
        for target, column in enumerate(columns):
            value = number(cells[column])
            if value is None:
                foreign.append((i, column, cells[column]))
            else:
                values[row, target] = value
    if foreign:
        raise foreign_cells(text, foreign)
    return values
