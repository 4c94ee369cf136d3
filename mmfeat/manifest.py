"""Manifests: a CSV table of clips, one row each.

========================  ==============================================================================
column                    meaning
========================  ==============================================================================
``clip_id``               unique name of the clip; the only column that must be there
``recording_id``          recording or dialogue that the clip comes from (default: the clip id)
``speaker_id``            who speaks
``position``              order inside the recording, a whole number (default: order of the rows)
``split``                 train, valid, test or none, in the scheme ``default``
``split:NAME``            the same for another scheme
``audio``                 sound file
``video``                 video file; its sound is read where ``audio`` is empty, its frames where they are wanted
``openface``              CSV file that OpenFace wrote
``text``                  what is said
``label:NAME``            a number; an empty cell means that the clip has no such label
``note:NAME``             kept out of the dataset
``stream:NAME``           file of finished features; of ``mmfeat import-csv`` alone
========================  ==============================================================================

Paths are relative to the manifest's folder. All faults of a manifest are reported at once, with their lines.
"""

from __future__ import annotations

import csv
import math
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mmfeat.csv_table import open_csv
from mmfeat.errors import InputError, ManifestError
from mmfeat.types import ClipEntry, Split

COLUMNS = ("clip_id", "recording_id", "speaker_id", "position", "split", "audio", "video", "openface", "text")
_PREFIXES = ("split:", "label:", "note:")
_STREAM = "stream:"
_PATH_COLUMNS = ("audio", "video", "openface")
_MAX_POSITION = 2**31 - 1  # stored as int32
_MAX_LABEL = 3.4e38  # stored as float32


def read_manifest(path: Path | str, *, with_streams: bool = False) -> list[ClipEntry]:
    """Return the clips of a manifest in the order of its rows.

    Args:
        path: the manifest.
        with_streams: it may have columns ``stream:NAME``.

    Raises:
        InputError: the file is missing, empty or not CSV text.
        ManifestError: unknown columns, doubled clip ids, unknown splits, labels that are no numbers, a path
            column of which no file exists; all at once.
    """
    path = Path(path)
    header, rows = _read_rows(path)
    faults = _header_faults(header, (*_PREFIXES, _STREAM) if with_streams else _PREFIXES)
    if "clip_id" not in header:
        raise ManifestError(path, faults)
    if not rows:
        faults.append("line 2: expected at least one clip below the header, got none; add a row for each clip")
    faults += _doubled_ids(rows)
    positions: Counter[str] = Counter()
    entries = []
    for line, row in rows:
        entry = _entry(path.parent, line, row, faults, positions)
        entries.append(entry)
    faults += _absent_columns(entries)
    if faults:
        raise ManifestError(path, faults)
    return entries


def _read_rows(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Return the header and (line number, cells by column) of every row that is not blank."""
    with open_csv(path, "manifest") as handle:
        reader = csv.DictReader(handle, strict=True, restkey="", restval=None)
        header = [name.strip() for name in reader.fieldnames or []]
        reader.fieldnames = header
        rows = [(reader.line_num, row) for row in reader if any(row.values())]
    if not header:
        raise InputError(f"{path}: expected a header with clip_id, got an empty file; write one row for each clip")
    return header, rows


def _header_faults(header: Sequence[str], prefixes: Sequence[str]) -> list[str]:
    known = ", ".join([*COLUMNS, *(f"{prefix}NAME" for prefix in prefixes)])
    faults = []
    if "clip_id" not in header:
        hint = "; separate columns with commas" if len(header) == 1 and set(header[0]) & {";", "\t"} else ""
        faults.append(f"line 1: expected the column 'clip_id', got {', '.join(map(repr, header[:6]))}{hint}")
    for name, count in Counter(header).items():
        prefix = next((prefix for prefix in prefixes if name.startswith(prefix)), "")
        if name not in COLUMNS and not prefix:
            faults.append(f"line 1: unknown column {name!r}; known: {known}")
        elif prefix and (not name.removeprefix(prefix).strip(".") or "/" in name or "\0" in name):
            faults.append(f"line 1: column {name!r}: expected a name without '/' after {prefix!r}")
        elif count > 1:
            faults.append(f"line 1: the column {name!r} stands there {count} times")
    if {"split", "split:default"} <= set(header):
        faults.append("line 1: 'split' and 'split:default' are the same scheme; remove one of the columns")
    return faults


def _doubled_ids(rows: Sequence[tuple[int, dict[str, str]]]) -> list[str]:
    first_line: dict[str, int] = {}
    faults = []
    for line, row in rows:
        clip_id = (row["clip_id"] or "").strip()
        if clip_id and first_line.setdefault(clip_id, line) != line:
            faults.append(f"line {line}: expected a new clip id, got {clip_id!r} of line {first_line[clip_id]} again")
    return faults


def _entry(folder: Path, line: int, row: dict[str, str], faults: list[str], positions: Counter[str]) -> ClipEntry:
    """Return the clip of one row; append faults instead of raising."""
    if "" in row or None in row.values():
        faults.append(f"line {line}: expected one cell for each column of the header; quote texts with commas")
    cells = {name: (cell or "").strip() for name, cell in row.items() if name}
    faults += [f"line {line}: {name}: expected text, got a NUL byte" for name, cell in cells.items() if "\0" in cell]
    clip_id = cells["clip_id"]
    if not clip_id:
        faults.append(f"line {line}: expected a clip id, got an empty cell")
    recording_id = cells.get("recording_id", "") or clip_id
    position = _position(cells.get("position", ""), positions[recording_id], line, faults)
    positions[recording_id] += 1
    paths = {name: folder / cells[name] if cells.get(name) else None for name in _PATH_COLUMNS}
    return ClipEntry(
        clip_id=clip_id,
        recording_id=recording_id,
        speaker_id=cells.get("speaker_id", ""),
        position=position,
        splits=_splits(cells, line, faults),
        text=cells.get("text", ""),
        labels=_labels(cells, line, faults),
        line=line,
        audio=paths["audio"],
        video=paths["video"],
        openface=paths["openface"],
        features={
            name.removeprefix(_STREAM): folder / cell
            for name, cell in cells.items()
            if cell and name.startswith(_STREAM)
        },
    )


def _position(cell: str, default: int, line: int, faults: list[str]) -> int:
    if not cell:
        return default
    try:
        position = int(cell)
    except ValueError:
        faults.append(f"line {line}: position: expected a whole number, got {cell!r}")
        return default
    if abs(position) > _MAX_POSITION:
        faults.append(f"line {line}: position: expected at most {_MAX_POSITION} in size, got {cell!r}")
    return position


def _splits(cells: dict[str, str], line: int, faults: list[str]) -> dict[str, Split]:
    splits = {}
    for name, cell in cells.items():
        if name != "split" and not name.startswith("split:"):
            continue
        part = cell.lower() or "none"
        if part.upper() not in Split.__members__:
            faults.append(f"line {line}: {name}: expected train, valid, test or none, got {cell!r}")
            continue
        splits[name.partition(":")[2] or "default"] = Split[part.upper()]
    return splits


def _labels(cells: dict[str, str], line: int, faults: list[str]) -> dict[str, float]:
    labels = {}
    for name, cell in cells.items():
        if not name.startswith("label:") or not cell:
            continue
        try:
            value = math.nan if "_" in cell else float(cell)  # Python reads 1_0 as ten
        except ValueError:
            value = math.nan
        if not abs(value) <= _MAX_LABEL:
            faults.append(f"line {line}: {name}: expected a number, got {cell!r}")
            continue
        labels[name.removeprefix("label:")] = value
    return labels


def _absent_columns(entries: Sequence[ClipEntry]) -> list[str]:
    """A column of which not one file exists is a wrong path, not a thousand failing clips."""
    faults = []
    for name in _PATH_COLUMNS:
        # A video is read for its sound, and only where there is no sound file.
        read = [entry for entry in entries if name != "video" or entry.audio is None]
        paths = [path for entry in read if (path := getattr(entry, name)) is not None]
        if paths and not any(os.path.exists(path) for path in paths):  # noqa: PTH110 - no error for absurd names
            faults.append(
                f"column {name!r}: none of its {len(paths)} files exists, first {str(paths[0])!r}; "
                "paths are relative to the manifest's folder"
            )
    return faults
