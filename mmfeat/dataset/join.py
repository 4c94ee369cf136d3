"""Bring together dataset files that tell different things of the same clips, such as sound of one, faces of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np

from mmfeat.dataset.assemble import CopyReport, assemble
from mmfeat.dataset.columns import IntArray, same_rows
from mmfeat.dataset.finish import check_output
from mmfeat.dataset.ragged import frame_columns
from mmfeat.dataset.source import Source, differences, is_ragged, open_sources, title_of
from mmfeat.dataset.storage import Compression, check_compression
from mmfeat.dataset.tables import Part
from mmfeat.errors import InputError, list_faults
from mmfeat.types import Track, untracked

How = Literal["strict", "left", "inner"]

_MOST_FAULTS = 200


def join_datasets(
    paths: Sequence[Path | str],
    output: Path | str,
    *,
    how: How = "strict",
    overwrite: bool = False,
    compression: Compression = "none",
    verify: bool = True,
    track: Track[Any] = untracked,
    origin: Mapping[str, Any] | None = None,
) -> CopyReport:
    """Unite streams, labels and splits of the same clips by id; the order is that of the first file.

    Where two files tell of the same label, scheme, text, speaker or recording of a clip they must agree; what one
    leaves unknown is taken from the other. A stream of one name in two files must be the same in both.

    Args:
        paths: the files, at least two.
        output: the file to make; it appears whole or not at all.
        how: ``strict`` refuses ids that one file has and another has not; ``inner`` keeps the clips that all files
            have; ``left`` keeps those of the first file, and a stream that another file would have given is
            "not requested" where that file lacks the clip. The report lists what did not match.
        overwrite: replace an existing file.
        compression: of the streams of the new file, however those of the old are stored; see ``DatasetWriter``.
        verify: recompute the content hash of each file first; without it damage is copied and goes unnoticed.
        track: shows progress.
        origin: what the provenance event says of where the request comes from.

    Raises:
        InputError: ids do not match, a stream stands in two files and differs, or the files disagree about a clip.
        SchemaError: a file breaks a rule of the format, or was damaged.
        OutputExistsError: the output exists and ``overwrite`` is false.
    """
    output = Path(output)
    if len(paths) < 2:
        raise InputError(f"{output}: expected at least two dataset files to join, got {len(paths)}")
    check_output(output, overwrite=overwrite)  # before minutes of reading
    check_compression(compression)
    sources = open_sources(paths, verify=verify, track=track)
    unmatched = _unmatched(sources)
    if how == "strict":
        _refuse(output, "the files have different clips; choose --how inner or left", _told(unmatched))
    rows = _rows(sources, how, output)
    _refuse(output, "the files cannot be joined", differences(sources, ("streams", "words", "labels", "splits")))
    parts, faults = _parts(sources, rows)
    _refuse(output, "the files cannot be joined; leave a stream out with mmfeat subset --streams", faults)
    counts = {str(path): len(ids) for path, ids in unmatched.items()}
    return assemble(
        parts,
        output,
        event={"action": "join", "how": how, "n_unmatched": counts, **(origin or {})},
        overwrite=overwrite,
        compression=compression,
        track=track,
        notes=[f"{path}: {count} clip(s) that not every file has" for path, count in counts.items()],
        details={"how": how, "unmatched": {str(path): ids for path, ids in unmatched.items()}},
    )


def _refuse(output: Path, reason: str, faults: Sequence[str]) -> None:
    if faults:
        raise InputError(list_faults(f"{output}: {reason}", faults, most=_MOST_FAULTS))


def _unmatched(sources: Sequence[Source]) -> dict[Path, list[str]]:
    """Return for each file the clips that it has and not every other one."""
    known = [set(source.clip_ids) for source in sources]
    everywhere = set.intersection(*known)
    lists = {source.path: [clip for clip in source.clip_ids if clip not in everywhere] for source in sources}
    return {path: ids for path, ids in lists.items() if ids}


def _told(unmatched: Mapping[Path, Sequence[str]]) -> list[str]:
    return [
        f"clip {clip_id!r} stands in {path} and not in every file" for path in unmatched for clip_id in unmatched[path]
    ]


def _rows(sources: Sequence[Source], how: How, output: Path) -> list[IntArray]:
    """Return for each file its row of every clip of the new one, -1 where it has none."""
    row_of = [{clip_id: row for row, clip_id in enumerate(source.clip_ids)} for source in sources]
    ids = [clip for clip in sources[0].clip_ids if how != "inner" or all(clip in rows for rows in row_of)]
    if not ids:
        raise InputError(f"{output}: expected clips that all files have, found none; compare their ids")
    return [np.array([rows.get(clip_id, -1) for clip_id in ids], dtype=np.int64) for rows in row_of]


def _parts(sources: Sequence[Source], rows: Sequence[IntArray]) -> tuple[list[Part], list[str]]:
    """Return what is taken from each file, and a sentence for each stream that differs between two."""
    parts: list[Part] = []
    faults: list[str] = []
    owner: dict[str, Part] = {}
    for source, own_rows in zip(sources, rows, strict=True):
        clashing = [path for path in source.groups if is_ragged(path) and path in owner]
        paths = tuple(path for path in source.groups if path not in clashing)
        part = Part(source=source, rows=own_rows, first=0, paths=paths, fills=bool(parts))
        faults += [
            f"{title_of(path)} stands in {owner[path].source.path} and in {source.path} with other values"
            for path in clashing
            if not _same_frames(path, owner[path], part)
        ]
        owner |= {path: part for path in paths if is_ragged(path)}
        parts.append(part)
    return parts, faults


def _same_frames(path: str, one: Part, other: Part) -> bool:
    """Return whether the second file says nothing of a stream that the first one does not say."""
    both = (one.rows >= 0) & (other.rows >= 0)
    if (other.rows[~both] >= 0).any():
        return False
    with one.source.opened() as file, other.source.opened() as other_file:
        group, other_group = file[path], other_file[path]
        rows, other_rows = one.rows[both], other.rows[both]
        if not np.array_equal(_table(group, rows), _table(other_group, other_rows)):
            return False
        pairs = zip(frame_columns(group, rows), frame_columns(other_group, other_rows), strict=True)
        return all(same_rows(column, runs, twin, twin_runs) for (_, column, runs), (_, twin, twin_runs) in pairs)


def _table(group: h5py.Group, rows: IntArray) -> IntArray:
    """Return length and status of each clip."""
    lengths = np.diff(group["offsets"][:])[rows]
    status = group["status"][:][rows] if "status" in group else np.zeros_like(lengths)
    return np.stack([lengths, status]).astype(np.int64)
