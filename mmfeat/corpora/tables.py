"""What goes wrong in the tables that corpora come with: ids that stand twice, numbers out of range, missing files."""

from __future__ import annotations

import math
from pathlib import Path

from mmfeat.corpora.found import Differences
from mmfeat.errors import InputError

DOUBLED = "id stands twice"
OUT_OF_RANGE = "label out of range"


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
