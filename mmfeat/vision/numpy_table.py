"""The cells of a table by ``numpy.loadtxt``: slower than the compiled scan, with the same values and errors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mmfeat.types import Float64Array
from mmfeat.vision.table import BLANK, Text, foreign_cells, foreign_line, is_cut_off, number


def read_values(text: Text, wanted: npt.NDArray[np.int64]) -> Float64Array:
    """Return the wanted columns, float64 of shape (row, column).

    Raises:
        ClipError: a row of another length than the header, or cells that are no numbers.
    """
    lines = _whole_lines(text)
    if not lines:
        return np.empty((0, wanted.size))
    separator, columns = text.separator.encode(), wanted.tolist()
    try:
        # None but ASCII characters are part of a number, or white space (latin-1 has two more).
        rows = [line.decode("ascii", errors="replace") for _, line in lines]
        return np.loadtxt(rows, delimiter=text.separator, usecols=columns, comments=None, ndmin=2)
    except ValueError:  # a cell that is empty, spelt as only Windows does, or no number
        return _cell_by_cell(text, [(number_of, line.split(separator)) for number_of, line in lines], columns)


def _whole_lines(text: Text) -> list[tuple[int, bytes]]:
    """Return number and content of every line that is not blank, without a last one that was cut off."""
    content = text.data[text.start : text.stop].tobytes()
    lines = [(i, line) for i, line in enumerate(content.split(b"\n"), 2) if line.strip(BLANK)]
    separator, n_column = text.separator.encode(), len(text.header)
    if lines:
        number_of, last = lines[-1]
        n_missing = n_column - last.count(separator) - 1
        is_ended = number_of < content.count(b"\n") + 2
        if n_missing > 0 or (n_missing == 0 and is_cut_off(text, last, is_ended=is_ended)):
            lines.pop()
    for i, line in lines:
        if line.count(separator) + 1 != n_column:
            raise foreign_line(text, i, line.count(separator) + 1)
    return lines


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
