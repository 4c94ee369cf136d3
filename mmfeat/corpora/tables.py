"""Read the tables that corpora come with: rows by the names of their columns, ids that stand twice, numbers."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path

from mmfeat.corpora.found import Differences
from mmfeat.csv_table import open_csv
from mmfeat.errors import InputError

DOUBLED = "id stands twice"
OUT_OF_RANGE = "label out of range"


def read_rows(
    path: Path, what: str, columns: Sequence[str], *, delimiter: str = ","
) -> list[tuple[int, dict[str, str]]]:
    """Return (line number, cells by column) of a table; cells are stripped, column names too.

    Args:
        path: the file.
        what: what it should be, for messages.
        columns: names that must be in its header.
        delimiter: between the cells.

    Raises:
        InputError: it cannot be read, or columns are missing.
    """
    with open_csv(path, what) as handle:
        reader = csv.DictReader(handle, delimiter=delimiter, restkey="", restval="")
        header = [name.strip() for name in reader.fieldnames or []]
        reader.fieldnames = header
        missing = [name for name in columns if name not in header]
        if missing:
            shown = ", ".join(header[:8]) or "an empty file"
            raise InputError(
                f"{path}: expected a {what} with the columns {', '.join(columns)}, {missing[0]!r} is missing; "
                f"got {shown}"
            )
        return [
            (reader.line_num, {name: (cell or "").strip() for name, cell in row.items() if name})
            for row in reader
            if any(row.values())
        ]


def number(
    cell: str, value_range: tuple[float, float], clip_id: str, name: str, differences: Differences
) -> float | None:
    """Return the number in a cell; None where it is empty, no number, or out of range, which is a difference."""
    if not cell:
        return None
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    low, high = value_range
    if low <= value <= high:
        return value
    differences.add(OUT_OF_RANGE, clip_id, f"{name}: expected {low:g} … {high:g}, got {cell!r}")
    return None


def required(path: Path | None, root: Path, what: str, names: str) -> Path:
    """Return a file that must be there.

    Raises:
        InputError: it is not.
    """
    if path is None or not path.is_file():
        raise InputError(f"{path or root}: expected the {what} ({names}), found none; put it there or give --labels")
    return path
