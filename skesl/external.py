"""Predictions of any model in the world, from a csv or Parquet file.

Columns: ``clip_id``, and

- for one label ``prediction``, or a column with the label's name: a value, or a class by its name or number;
- for one label with classes also one column a class, by the classes' names: the largest score is the answer;
- for several labels one column each, by the labels' names.

Other columns are left alone. Rows of clips that stand in other parts of the dataset are left out and counted.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mmfeat import InputError, LabelTable
from mmfeat.errors import list_faults
from skesl.measures import Values
from skesl.prediction_files import Row, read_rows
from skesl.target import Target


def read_predictions(path: Path, target: Target) -> tuple[Values, int]:
    """Return the predictions for the clips of a target, in its order, and how many rows were of other clips.

    Args:
        path: the file.
        target: the labels that are predicted.

    Returns:
        float64, shape (clip, label): values, or numbers of classes; and the number of rows that were left out.

    Raises:
        InputError: the file cannot be read or lacks a column; or ids that are unknown, missing or there twice, or
            cells that are no finite number or known class: all of them with their rows.
    """
    header, rows = read_rows(path)
    answers = _answers(path, header, target)
    wanted = {clip_id: index for index, clip_id in enumerate(target.clip_ids)}
    faults = _faulty_ids(rows, target)
    values = np.full((len(wanted), len(target.labels)), np.nan)
    for line, row in rows:
        index = wanted.get(_id_of(row))
        if index is None:
            continue
        for column, answer in enumerate(answers):
            try:
                values[index, column] = answer(row)
            except ValueError as error:
                faults.append(f"row {line}: clip {_id_of(row)!r}: {error}")
    faults += _missing_ids(rows, target)
    if faults:
        raise InputError(list_faults(f"{path}: {len(faults)} fault(s) in the predictions; correct each", faults))
    return values, len(rows) - len(wanted)


def _faulty_ids(rows: Sequence[tuple[int, Row]], target: Target) -> list[str]:
    """Return a sentence for each row whose id is unknown or there twice."""
    known, first = set(target.all_clip_ids), dict[str, int]()
    faults = []
    for line, row in rows:
        clip_id = _id_of(row)
        if clip_id not in known:
            faults.append(f"row {line}: clip {clip_id!r} is not in {target.data}")
        elif clip_id in first:
            faults.append(f"row {line}: clip {clip_id!r} stands in row {first[clip_id]} already")
        first.setdefault(clip_id, line)
    return faults


def _missing_ids(rows: Sequence[tuple[int, Row]], target: Target) -> list[str]:
    seen = {_id_of(row) for _, row in rows}
    part = target.part.name.lower()
    return [f"no row for clip {clip_id!r} of the {part} part" for clip_id in target.clip_ids if clip_id not in seen]


def _id_of(row: Row) -> str:
    return (row.get("clip_id") or "").strip()


def _answers(path: Path, header: Sequence[str], target: Target) -> list[Callable[[Row], float]]:
    """Return for each label what reads its prediction out of a row.

    Raises:
        InputError: a column is missing or there twice.
    """
    twice = sorted(name for name, count in Counter(header).items() if count > 1 and name)
    if twice:
        raise InputError(f"{path}: expected every column once, got {twice[0]!r} twice; rename one")
    if "clip_id" not in header:
        raise InputError(f"{path}: expected a column 'clip_id', got {', '.join(header) or 'an empty file'}")
    return [_answer(path, header, label, alone=len(target.labels) == 1) for label in target.labels]


def _answer(path: Path, header: Sequence[str], label: LabelTable, *, alone: bool) -> Callable[[Row], float]:
    names = ["prediction", label.name] if alone else [label.name]
    found = [name for name in names if name in header]
    if found:
        if label.problem == "class":
            return lambda row: _class_number(row[found[0]], label)
        return lambda row: _number(row[found[0]], found[0])
    classes = label.class_names
    if alone and label.problem == "class" and classes and set(classes) <= set(header):
        return lambda row: float(np.argmax([_number(row[name], name) for name in classes]))
    ways = " or ".join(repr(name) for name in names)
    if alone and label.problem == "class" and classes:
        ways += f", or one column for each of the classes {', '.join(classes)}"
    raise InputError(f"{path}: expected a column {ways} for the label {label.name!r}, got {', '.join(header)}")


def _number(cell: str | None, column: str) -> float:
    """Return a finite number; raises ValueError with a sentence otherwise."""
    try:
        value = float(cell or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{column}: expected a finite number, got {cell!r}")
    return value


def _class_number(cell: str | None, label: LabelTable) -> float:
    """Return the number of a class that stands there by name or number; raises ValueError otherwise."""
    text = (cell or "").strip()
    if text in label.class_names:
        return float(label.class_names.index(text))
    known = f"one of {', '.join(label.class_names)}, or its number" if label.class_names else "the number of a class"
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not value.is_integer() or not 0 <= value < (len(label.class_names) or math.inf):
        raise ValueError(f"{label.name}: expected {known}, got {cell!r}")
    return value
