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
import glob
import json
import math
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path

from mmfeat.errors import InputError, ManifestError
from mmfeat.types import ClipEntry, Split

COLUMNS = ("clip_id", "recording_id", "speaker_id", "position", "split", "audio", "video", "openface", "text")
_PREFIXES = ("split:", "label:", "note:")
_STREAM = "stream:"
_PATH_COLUMNS = ("audio", "video", "openface")
_DETAILS = "_of_details.txt"  # OpenFace writes it beside each csv
_JOURNAL = "run-openface.jsonl"
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


def entries_from_paths(
    paths: Sequence[Path],
    suffixes: Iterable[str],
    *,
    column: str,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    leave_out: Collection[Path] = (),
) -> list[ClipEntry]:
    """Return one clip for each file, folders searched through; ids are relative paths without suffix.

    Of OpenFace files those count as well that a run did not write: the multi-face tool leaves only
    ``NAME_of_details.txt`` where it meets no face, and ``run-openface.jsonl`` tells of failed runs.

    Args:
        paths: files, folders, and patterns such as ``day*/*.wav`` (``**`` stands for any folders) whose ids are
            relative to the last folder in front of the first wildcard.
        suffixes: which files of a folder count, in lower case with the dot.
        column: ``audio``, ``video`` or ``openface``: what the files are.
        include: patterns such as ``*_close.wav``; of a folder's files only those that match one are taken. A pattern is
            held against the name and against the path inside the folder.
        exclude: patterns; files that match one are left out.
        leave_out: absolute paths without links; of a folder's files these are left out.

    Raises:
        InputError: a path does not exist, nothing was found, two files would have the same id, or a name is not text.
    """
    wanted = frozenset(suffixes)
    found: list[tuple[str, Path]] = []
    for path in paths:
        if path.exists() and not path.is_dir():
            found.append((path.stem, path))
            continue
        folder, files = _files_of(path)
        if column == "openface":
            files = sorted({*files, *(path for path in _unwritten(files) if not path.exists())})
        for file in files:
            place = file.relative_to(folder)
            if leave_out and file.resolve() in leave_out:
                continue
            if file.suffix.lower() in wanted and not file.is_dir() and _chosen(place, include, exclude):
                found.append((place.with_suffix("").as_posix(), file))
    if not found:
        raise InputError(f"{paths[0]}: expected files ending in {', '.join(sorted(wanted))}, found none")
    _check_ids(found)
    return [_path_entry(clip_id, file, column) for clip_id, file in found]


def entries_from_frame_folders(paths: Sequence[Path], suffixes: Iterable[str]) -> list[ClipEntry]:
    """Return one clip for each folder that holds images itself; ids are relative paths.

    Args:
        paths: folders, searched through, and patterns as in ``entries_from_paths``. A given folder that holds images
            itself has its own name as id.
        suffixes: which files are images, with the dot; small and large letters differ, as for OpenFace.

    Raises:
        InputError: a path is no folder, no images were found, two folders would have one id, or a name is not text.
    """
    wanted = frozenset(suffixes)
    found: list[tuple[str, Path]] = []
    for path in paths:
        if path.is_file():
            raise InputError(f"{path}: expected a folder of images, got a file; give its folder")
        folder, matches = (path, [path]) if path.is_dir() else _files_of(path)
        for frames in sorted({frames for match in matches for frames in _frame_folders(match, wanted)}):
            clip_id = frames.relative_to(folder).as_posix()
            found.append((frames.resolve().name if clip_id == "." else clip_id, frames))
    if not found:
        raise InputError(f"{paths[0]}: expected folders of images ({', '.join(sorted(wanted))}), found none")
    _check_ids(found)
    return [_path_entry(clip_id, frames, "video") for clip_id, frames in found]


def _frame_folders(folder: Path, suffixes: frozenset[str]) -> Iterator[Path]:
    """Yield the folders, from this one down, that hold images."""
    for place, _, names in os.walk(folder):  # a corpus of frames has too many files for a list of all
        if any(os.path.splitext(name)[1] in suffixes for name in names):  # noqa: PTH122 - millions of names
            yield Path(place)


def _check_ids(found: Sequence[tuple[str, Path]]) -> None:
    """Refuse ids that are doubled or that cannot be written."""
    doubled = [clip_id for clip_id, count in Counter(clip_id for clip_id, _ in found).items() if count > 1]
    if doubled:
        one, other = [str(file) for clip_id, file in found if clip_id == doubled[0]][:2]
        raise InputError(
            f"{one} and {other} would both be clip {doubled[0]!r}; give their common folder, or rename one"
        )
    for clip_id, file in found:
        if not _is_text(clip_id):
            raise InputError(f"{str(file)!r}: expected a name in UTF-8; rename the file")


def _files_of(path: Path) -> tuple[Path, list[Path]]:
    """Return the files below a folder or those that match a pattern, and the folder that their ids are relative to."""
    if path.is_dir():
        return path, sorted(path.rglob("*"))
    if not glob.has_magic(str(path)):
        raise InputError(f"{path}: expected a file or a folder, found none; correct the path")
    folder = next(parent for parent in path.parents if not glob.has_magic(str(parent)))
    return folder, sorted(Path(match) for match in glob.glob(str(path), recursive=True))  # noqa: PTH207 - absolute ones


def _unwritten(files: Sequence[Path]) -> Iterator[Path]:
    """Yield the csv files that are not there though OpenFace was run: no face was met, or the run failed."""
    for file in files:
        if file.name.endswith(_DETAILS) and not _began_a_csv(file):
            yield file.with_name(f"{file.name.removesuffix(_DETAILS)}.csv")
        elif file.name == _JOURNAL:
            yield from (file.parent / f"{clip_id}.csv" for clip_id in _clips_of(file))


def _began_a_csv(details: Path) -> bool:
    return b"Output csv:" in details.read_bytes()


def _clips_of(journal: Path) -> list[str]:
    """Return the clips that a journal of ``run-openface`` tells of."""
    clips: dict[str, None] = {}
    for line in journal.read_text(encoding="utf-8", errors="replace").splitlines():
        with suppress(ValueError, KeyError, TypeError):  # a line that was not written to its end
            clips[str(json.loads(line)["clip_id"])] = None
    return list(clips)


def _is_text(name: str) -> bool:
    """Return whether a name can be written; bytes of a path that are no UTF-8 cannot."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _chosen(place: Path, include: Sequence[str], exclude: Sequence[str]) -> bool:
    """Return whether a file inside a folder is wanted."""

    def matches(pattern: str) -> bool:
        return fnmatchcase(place.name, pattern) or fnmatchcase(place.as_posix(), pattern)

    return (not include or any(map(matches, include))) and not any(map(matches, exclude))


def _path_entry(clip_id: str, file: Path, column: str) -> ClipEntry:
    if column == "openface":
        return ClipEntry(clip_id=clip_id, openface=file)
    if column == "video":
        return ClipEntry(clip_id=clip_id, video=file)
    return ClipEntry(clip_id=clip_id, audio=file)


def _read_rows(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Return the header and (line number, cells by column) of every row that is not blank."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.DictReader(handle, strict=True, restkey="", restval=None)
            header = [name.strip() for name in reader.fieldnames or []]
            reader.fieldnames = header
            rows = [(reader.line_num, row) for row in reader if any(row.values())]
    except OSError as error:
        raise InputError(
            f"{path}: expected a manifest (csv), cannot read it: {error.strerror}; correct the path"
        ) from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{path}: expected a manifest (csv in utf-8): {error}; save it as such") from error
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
