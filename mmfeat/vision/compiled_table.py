"""The cells of a table by the compiled scan, and by Python where a cell is no plain number."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mmfeat.types import Float64Array
from mmfeat.vision.cells import Scan, scan_cells
from mmfeat.vision.table import BLANK, Text, ends_within_cell, foreign_cells, foreign_line, number

_N_SHOWN = 20  # faults that a message lists


def read_values(text: Text, wanted: npt.NDArray[np.int64]) -> tuple[Float64Array, bool]:
    """Return the wanted columns, float64 of shape (row, column), and whether a last row was cut off.

    Raises:
        ClipError: a row of another length than the header, or cells that are no numbers.
    """
    scan = scan_cells(text.data, text.start, text.stop, text.separator, len(text.header), wanted)
    if scan.bad_line is not None:
        _check_bad_line(text, *scan.bad_line)
    begun = _is_last_begun(text, scan)
    values = _with_odd_cells(text, scan, wanted, scan.values.shape[0] - begun)
    return values, begun or scan.bad_line is not None


def _is_last_begun(text: Text, scan: Scan) -> bool:
    if not scan.begins.size or scan.bad_line is not None:
        return False
    last_line, newline, _ = text.data[scan.begins[-1] : text.stop].tobytes().partition(b"\n")
    return ends_within_cell(text, last_line, is_ended=bool(newline))


def _check_bad_line(text: Text, begin: int, end: int, n_cell: int) -> None:
    """Refuse a line of another length; a last one that lacks cells was interrupted, and is left out."""
    is_last = not text.data[end : text.stop].tobytes().strip(BLANK)
    if not is_last or n_cell > len(text.header):
        raise foreign_line(text, text.line_of(begin), n_cell)


def _with_odd_cells(text: Text, scan: Scan, wanted: npt.NDArray[np.int64], n_row: int) -> Float64Array:
    """Return the values of the first rows, with the cells that are not plain numbers."""
    foreign: list[tuple[int, int, bytes]] = []
    for row, column, begin, end in scan.odd[scan.odd[:, 0] < n_row].tolist():
        cell = text.data[begin:end].tobytes()
        value = number(cell)
        if value is None:
            line = text.line_of(begin) if len(foreign) < _N_SHOWN else 0  # counting lines takes its time
            foreign.append((line, int(wanted[column]), cell))
        else:
            scan.values[row, column] = value
    if foreign:
        raise foreign_cells(text, foreign)
    return scan.values[:n_row]
