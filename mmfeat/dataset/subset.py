"""Take some clips or some streams of a dataset file into a new one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mmfeat.dataset.assemble import CopyReport, assemble
from mmfeat.dataset.finish import check_output
from mmfeat.dataset.source import Source, kind_of, open_source
from mmfeat.dataset.storage import Compression, check_compression
from mmfeat.dataset.tables import Part
from mmfeat.errors import InputError, list_faults
from mmfeat.types import BoolArray, Split, StreamStatus, Track, untracked

_MOST_FAULTS = 200


def subset_dataset(
    path: Path | str,
    output: Path | str,
    *,
    ids: Sequence[str] | None = None,
    part: Split | None = None,
    scheme: str = "default",
    streams: Sequence[str] | None = None,
    label: str | None = None,
    status: StreamStatus | None = None,
    head: int | None = None,
    overwrite: bool = False,
    compression: Compression = "none",
    verify: bool = True,
    track: Track[Any] = untracked,
    origin: Mapping[str, Any] | None = None,
) -> CopyReport:
    """Copy the clips that meet every condition into a new file, in the order of the old one.

    Without a condition all are copied: with another ``compression`` that is how a file gets into an archive and out.

    Args:
        path: the file.
        output: the file to make; it appears whole or not at all.
        ids: clips to take, in any order.
        part: take the clips of this part of ``scheme``.
        scheme: name of a split scheme.
        streams: streams to take; all where None, none where empty.
        label: take the clips that have this label.
        status: take the clips of which every taken stream has this status.
        head: of the clips that are left, take this many from the start.
        overwrite: replace an existing file.
        compression: of the streams of the new file, however those of the old are stored; see ``DatasetWriter``.
        verify: recompute the content hash of the file first; without it damage is copied and goes unnoticed.
        track: shows progress.
        origin: what the provenance event says of where the request comes from.

    Raises:
        InputError: a name is unknown or no clip is left.
        SchemaError: the file breaks a rule of the format, or was damaged.
        OutputExistsError: the output exists and ``overwrite`` is false.
    """
    check_output(Path(output), overwrite=overwrite)  # before minutes of reading
    check_compression(compression)
    source = open_source(path, verify=verify, track=track)
    taken = _taken_streams(source, streams)
    with source.opened() as file:
        conditions = [
            *_listed(source, ids),
            *_in_part(source, file, part, scheme),
            *_labelled(source, file, label),
            *_with_status(file, taken, status),
        ]
    rows = np.flatnonzero(np.logical_and.reduce([np.ones(source.n_clip, dtype=np.bool_), *conditions]))[:head]
    if not rows.size:
        raise InputError(f"{path}: expected at least one clip that meets every condition, found none; ask for less")
    paths = tuple(place for place in source.groups if kind_of(place) != "streams" or place in taken)
    asked = {"ids": ids and len(ids), "streams": streams and list(streams), "label": label, "head": head}
    asked |= {"part": _word(part), "scheme": scheme if part is not None else None, "status": _word(status)}
    facts = {
        "chosen": {key: value for key, value in asked.items() if value is not None},
        "n_clip_before": source.n_clip,
    }
    return assemble(
        [Part(source=source, rows=rows.astype(np.int64), first=0, paths=paths)],
        Path(output),
        event={"action": "subset", **facts, **(origin or {})},
        overwrite=overwrite,
        compression=compression,
        track=track,
        details=facts,
    )


def read_ids(text: str) -> list[str]:
    """Return the clip ids of a file, one a line, or those that stand in the text with commas between them.

    Raises:
        InputError: the text is the name of a file (.txt) that cannot be read.
    """
    path = Path(text)
    if path.suffix != ".txt" and not path.is_file():
        return [name.strip() for name in text.split(",") if name.strip()]
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: expected a text file (utf-8) with a clip id on each line: {error}") from error
    return [line.strip() for line in lines if line.strip()]


def _word(choice: Split | StreamStatus | None) -> str | None:
    return None if choice is None else choice.name.lower()


def _taken_streams(source: Source, names: Sequence[str] | None) -> list[str]:
    if names is None:
        return source.paths("streams")
    for name in names:
        _check_name(source, "streams", name, "stream")
    return [f"/streams/{name}" for name in names]


def _listed(source: Source, ids: Sequence[str] | None) -> Iterator[BoolArray]:
    if ids is None:
        return
    wanted = set(ids)
    unknown = sorted(wanted - set(source.clip_ids))
    if unknown:
        raise InputError(list_faults(f"{source.path}: unknown clip ids; correct each", unknown, most=_MOST_FAULTS))
    yield np.array([clip_id in wanted for clip_id in source.clip_ids], dtype=np.bool_)


def _in_part(source: Source, file: h5py.File, part: Split | None, scheme: str) -> Iterator[BoolArray]:
    if part is not None:
        _check_name(source, "splits", scheme, "split scheme")
        yield file[f"/splits/{scheme}"][:] == part


def _labelled(source: Source, file: h5py.File, label: str | None) -> Iterator[BoolArray]:
    if label is not None:
        _check_name(source, "labels", label, "label")
        yield file[f"/labels/{label}/present"][:]


def _with_status(file: h5py.File, streams: Sequence[str], status: StreamStatus | None) -> Iterator[BoolArray]:
    if status is not None:
        yield from (file[stream]["status"][:] == status for stream in streams)


def _check_name(source: Source, kind: str, name: str, title: str) -> None:
    known = source.names(kind)
    if name not in known:
        raise InputError(f"{source.path}: no {title} {name!r}; known: {', '.join(known) or 'none'}")
