"""A dataset file from which clips are taken into another one: checked once, then opened piece by piece.

Sources are not kept open, so that thousands of shards can be united at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from mmfeat.config import flatten
from mmfeat.dataset.content_hash import content_sha256
from mmfeat.dataset.decimal_values import CODING
from mmfeat.dataset.logical import columns_of
from mmfeat.dataset.schema import FORMAT_VERSION
from mmfeat.dataset.validate import validate
from mmfeat.errors import InputError, SchemaError
from mmfeat.types import Track, untracked

_KINDS = {"labels": "label", "splits": "split scheme", "streams": "stream"}
_RAGGED = ("streams", "words")
_CONSTANTS = ("feature_names", "feature_units")


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """What is known of a dataset file without its frames.

    Args:
        path: the file.
        stamp: inode, size and time of change; another one means another file.
        attributes: of the root, as text.
        clip_ids: of all clips, in file order.
        clip_columns: paths of the columns of the clip table.
        n_table_byte: bytes of the file that hold no frames.
        events: provenance events as JSON.
        groups: by the path of each stream, label and scheme, what has to be equal where two files have it.
        notes_on: by the same paths, where it comes from (``source``); may differ.
    """

    path: Path
    stamp: tuple[int, int, int]
    attributes: Mapping[str, str]
    clip_ids: tuple[str, ...]
    clip_columns: tuple[str, ...]
    n_table_byte: int
    events: tuple[str, ...]
    groups: Mapping[str, Mapping[str, Any]]
    notes_on: Mapping[str, str]

    @property
    def n_clip(self) -> int:
        """Number of clips."""
        return len(self.clip_ids)

    def paths(self, kind: str) -> list[str]:
        """Return the paths of all ``streams``, ``labels`` or ``splits``, or of the ``words``."""
        return [path for path in self.groups if kind_of(path) == kind]

    def names(self, kind: str) -> list[str]:
        """Return the names of all ``streams``, ``labels`` or ``splits``."""
        return [path.rpartition("/")[2] for path in self.paths(kind)]

    def all_rows(self) -> npt.NDArray[np.int64]:
        """Return the rows of all clips."""
        return np.arange(self.n_clip, dtype=np.int64)

    @contextmanager
    def opened(self) -> Iterator[h5py.File]:
        """Open the file.

        Raises:
            InputError: it is another file than the one that was checked.
        """
        if not self.path.is_file() or _stamp(self.path) != self.stamp:
            raise InputError(f"{self.path}: expected the file as it was a moment ago, it was changed; run this again")
        with h5py.File(self.path, "r") as file:
            yield file


def open_source(path: Path | str, *, verify: bool = True, track: Track[str] = untracked) -> Source:
    """Return a dataset file after a check of its tables, and of its content where ``verify`` is true.

    Without the check a damaged value would be copied and get a hash that calls it sound.

    Raises:
        InputError: there is no such file.
        SchemaError: it breaks a rule of the format, its content is not that of its hash, or it is of a newer version.
    """
    path = Path(path)
    report = validate(path)
    if not report.ok:
        raise SchemaError(f"{path}: {report.findings[0]}; see mmfeat validate {path}")
    stamp = _stamp(path)
    with h5py.File(path, "r") as file:
        stored_version = str(file.attrs["format_version"])
        if _minor(stored_version) > _minor(FORMAT_VERSION):
            message = f"{path}: expected format version {FORMAT_VERSION}, got {stored_version!r}, of which a part would"
            raise SchemaError(f"{message} be lost; update mmfeat")
        if verify and content_sha256(file, track) != file.attrs["content_sha256"]:
            message = f"{path}: expected the content of its hash, it was changed or damaged; make it anew"
            raise SchemaError(f"{message}, or take it as it is with --no-verify")
        return Source(
            path=path,
            stamp=stamp,
            attributes={name: str(value) for name, value in file.attrs.items()},
            clip_ids=tuple(texts(file["/clips/id"])),
            clip_columns=tuple(f"/clips/{name}" for name in file["clips"]),
            n_table_byte=path.stat().st_size - _n_frame_byte(file),
            events=tuple(texts(file["/provenance/events"])),
            groups={place: _facts(item) for place, item in _items(file)},
            notes_on={place: str(item.attrs.get("source", "")) for place, item in _items(file)},
        )


def open_sources(
    paths: Sequence[Path | str], *, verify: bool = True, track: Track[Path | str] = untracked
) -> list[Source]:
    """Return several files, checked; see ``open_source``."""
    return [open_source(path, verify=verify) for path in track(paths, len(paths), "files")]


def kind_of(path: str) -> str:
    """Return ``streams``, ``words``, ``labels`` or ``splits`` for the path of one of them."""
    return path.split("/")[1]


def is_ragged(path: str) -> bool:
    """Return whether the path is that of a stream or of the words."""
    return kind_of(path) in _RAGGED


def title_of(path: str) -> str:
    """Return what messages call a stream, label or scheme."""
    kind, _, name = path[1:].partition("/")
    return f"{_KINDS[kind]} {name!r}" if name else kind


def texts(column: h5py.Dataset) -> list[str]:
    """Return a column of text."""
    return [text.decode("utf-8") for text in column[:]]


def differences(sources: Sequence[Source], kinds: Sequence[str]) -> list[str]:
    """Return a sentence for each thing that two files should have in common and have not.

    Args:
        sources: the files.
        kinds: of ``streams``, ``words``, ``labels`` and ``splits``.
    """
    faults: list[str] = []
    first: dict[str, Source] = {}
    for source in sources:
        for path in [path for kind in kinds for path in source.paths(kind)]:
            reference = first.setdefault(path, source)
            faults += _unequal(path, source, reference)
    return faults


def _unequal(path: str, source: Source, reference: Source) -> Iterator[str]:
    here, there = source.groups[path], reference.groups[path]
    for key in [*there, *(key for key in here if key not in there)]:
        if here.get(key) != there.get(key):
            got, expected = _shown(here.get(key), there.get(key)), _shown(there.get(key), here.get(key))
            yield f"{title_of(path)}: {key} is {expected} in {reference.path}, {got} in {source.path}"


def _shown(value: Any, other: Any) -> str:
    """Return a value for a message; of long lists only where they part."""
    if value is None:
        return "absent"
    if isinstance(value, list) and isinstance(other, list) and len(value) > 3:
        place = next((i for i, (a, b) in enumerate(zip(value, other, strict=False)) if a != b), len(other))
        return f"{len(value)} long with {value[place]!r} at {place}" if place < len(value) else f"{len(value)} long"
    return repr(value)


def _n_frame_byte(file: h5py.File) -> int:
    n_byte = 0

    def add(_name: str, item: Any) -> None:
        nonlocal n_byte
        n_byte += int(item.id.get_storage_size()) if isinstance(item, h5py.Dataset) else 0

    for place, group in _items(file):
        if is_ragged(place):
            group.visititems(add)
    return n_byte


def _items(file: h5py.File) -> Iterator[tuple[str, Any]]:
    for kind in _KINDS:
        for name in file[kind]:
            yield f"/{kind}/{name}", file[kind][name]
    if "words" in file:
        yield "/words", file["words"]


def _facts(item: Any) -> dict[str, Any]:
    """Return what has to be equal wherever a stream, label or scheme of this name stands."""
    facts: dict[str, Any] = {}
    for name, value in item.attrs.items():
        if name == "config":
            facts |= flatten(json.loads(value), "config.")
        elif name not in ("source", "recording_disjoint", CODING):
            facts[name] = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    if isinstance(item, h5py.Group):
        columns = columns_of(item)
        facts["columns"] = sorted(columns)
        facts |= {name: texts(item[name]) for name in _CONSTANTS if name in item}
        facts |= {f"shape of {name}": column.shape[1:] for name, column in columns.items() if column.ndim > 1}
    return facts


def _minor(version: str) -> int:
    text = version.partition(".")[2]
    return int(text) if text.isdigit() else 0


def _stamp(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns
