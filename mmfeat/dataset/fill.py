"""Two files tell of the same clips: what the first leaves unknown is filled from the second, and they must agree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from mmfeat.dataset.columns import AnyArray, IntArray
from mmfeat.dataset.tables import Part
from mmfeat.types import BoolArray, Split

_MUST_AGREE = ("text", "speaker_id", "recording_id")  # files of sound and of video have other names and lengths
_KEPT = ("id", "position")


def fill_tables(source: h5py.File, file: h5py.File, part: Part) -> list[str]:
    """Fill clips, labels and splits where the new file has none; return a sentence for each disagreement.

    Unknown is an empty text, a time that is NaN, a recording with the name of its clip, an absent label, no part in a
    scheme.

    Args:
        source: the file of the part.
        file: the new file.
        part: which clip of the source each clip of the new file is.
    """
    there = np.flatnonzero(part.rows >= 0)
    return [fault for fill in (_clips, _labels, _splits) for fault in fill(source, file, part, there)]


def _clips(source: h5py.File, file: h5py.File, part: Part, there: IntArray) -> Iterator[str]:
    ids = file["/clips/id"][:][there]
    for name, column in source["clips"].items():
        if name in _KEPT:
            continue
        old, new = file[column.name][:], column[:][part.rows[there]]
        known, offered = ~_is_unknown(name, old[there], ids), ~_is_unknown(name, new, ids)
        if name in _MUST_AGREE:
            yield from _disagreements(name, ids, old[there], new, known & offered, part)
        _write(file[column.name], there[offered & ~known], new[offered & ~known])
        if name == "recording_id":  # a position means nothing without its recording
            positions = source["/clips/position"][:][part.rows[there]]
            _write(file["/clips/position"], there[offered & ~known], positions[offered & ~known])


def _labels(source: h5py.File, file: h5py.File, part: Part, there: IntArray) -> Iterator[str]:
    ids = file["/clips/id"][:][there]
    for path in part.paths_of("labels"):
        rows = part.rows[there]
        values, known = file[path]["values"][:][there], file[path]["present"][:][there]
        new, offered = source[path]["values"][:][rows], source[path]["present"][:][rows]
        yield from _disagreements(f"label {path.rpartition('/')[2]!r}", ids, values, new, known & offered, part)
        chosen = offered & ~known
        _write(file[path]["values"], there[chosen], new[chosen])
        _write(file[path]["present"], there[chosen], offered[chosen])


def _splits(source: h5py.File, file: h5py.File, part: Part, there: IntArray) -> Iterator[str]:
    ids = file["/clips/id"][:][there]
    for path in part.paths_of("splits"):
        old, new = file[path][:][there], source[path][:][part.rows[there]]
        known, offered = old != Split.NONE, new != Split.NONE
        title = f"split scheme {path.rpartition('/')[2]!r}"
        yield from _disagreements(title, ids, _part_names(old), _part_names(new), known & offered, part)
        _write(file[path], there[offered & ~known], new[offered & ~known])


def _part_names(parts: AnyArray) -> AnyArray:
    return np.array([Split(part).name.lower() for part in parts], dtype=object)


def _is_unknown(name: str, values: AnyArray, ids: AnyArray) -> BoolArray:
    if name == "recording_id":
        return np.asarray(values == ids)
    if values.dtype.kind == "O":
        return np.asarray(values == b"", dtype=np.bool_)
    return np.isnan(values)


def _disagreements(
    name: str, ids: AnyArray, old: AnyArray, new: AnyArray, both: BoolArray, part: Part
) -> Iterator[str]:
    differ = np.asarray(old != new, dtype=np.bool_).reshape(len(ids), -1).any(axis=1)
    for row in np.flatnonzero(both & differ):
        values = f"{_plain(old[row])!r} and in {part.source.path} {_plain(new[row])!r}"
        yield f"clip {ids[row].decode()!r}: {name}: {values}"


def _plain(value: Any) -> Any:
    return value.decode("utf-8") if isinstance(value, bytes) else getattr(value, "tolist", lambda: value)()


def _write(column: h5py.Dataset, rows: IntArray, values: AnyArray) -> None:
    """Replace rows of a table; it is read and written as a whole, which is faster than row by row."""
    if rows.size:
        table = column[:]
        table[rows] = values
        column[:] = table
