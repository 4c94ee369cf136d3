"""Put a dataset file together from clips of others: tables as a whole, frames in long runs, memory bounded.

``merge``, ``join`` and ``subset`` say which clips of which file come in which order; this module makes the file.
"""

from __future__ import annotations

import json
import platform
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import h5py

from mmfeat.dataset.fill import fill_tables
from mmfeat.dataset.finish import check_output, unfinished_file
from mmfeat.dataset.part import PartFolder
from mmfeat.dataset.ragged import RaggedCopy
from mmfeat.dataset.schema import FORMAT, FORMAT_VERSION, schema_text
from mmfeat.dataset.source import Source, is_ragged, kind_of
from mmfeat.dataset.tables import (
    Part,
    copy_tables,
    failures_of,
    joined_texts,
    make_clips,
    make_label,
    make_scheme,
    mark_disjoint,
    notes_on,
    store_failures,
    store_texts,
)
from mmfeat.errors import InputError, list_faults
from mmfeat.types import Track, untracked

_MANY_LANGUAGES = "mul"  # the word of BCP 47
_MOST_FAULTS = 200
_SPARE = 1 << 20  # bytes for HDF5's own notes


@dataclass(frozen=True, kw_only=True)
class CopyReport:
    """What a new file was put together from.

    Args:
        path: the new file.
        action: merge, join or subset.
        n_clip: its clips, failed ones included.
        n_ok: clips with each stream.
        inputs: the files that were read.
        notes: sentences that a person should read.
        details: what else is worth knowing, as plain values.
    """

    path: Path
    action: str
    n_clip: int
    n_ok: Mapping[str, int]
    inputs: tuple[Path, ...]
    notes: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the report as JSON."""
        counts = {"path": str(self.path), "action": self.action, "n_clip": self.n_clip, "n_ok": dict(self.n_ok)}
        inputs = [str(path) for path in self.inputs]
        return json.dumps({**counts, "inputs": inputs, "notes": self.notes, **self.details}, indent=2)

    def summary(self) -> str:
        """Return what was made, and every note."""
        streams = ", ".join(f"{name} {count}" for name, count in self.n_ok.items()) or "no streams"
        files = str(self.inputs[0]) if len(self.inputs) == 1 else f"{len(self.inputs)} files"
        return "\n".join([f"{self.path}: {self.n_clip} clips ({streams}) from {files}", *self.notes])


def assemble(
    parts: Sequence[Part],
    output: Path,
    *,
    event: Mapping[str, Any],
    overwrite: bool = False,
    track: Track[Any] = untracked,
    notes: Sequence[str] = (),
    details: Mapping[str, Any] | None = None,
) -> CopyReport:
    """Make a dataset file of parts of others.

    Args:
        parts: what is taken from each file.
        output: the file to make; it appears whole or not at all.
        event: what the provenance says: ``action`` and whatever is to be known of it.
        overwrite: replace an existing file.
        track: shows progress over blocks of bytes.
        notes: of the report.
        details: of the report.

    Raises:
        OutputExistsError: the file exists and ``overwrite`` is false.
        InputError: the parts disagree about a clip, another process writes the file, or it cannot be written.
    """
    check_output(output, overwrite=overwrite)
    started = datetime.now(UTC)
    sources = list({part.source.path: part.source for part in parts}.values())
    attributes, found = _attributes(sources)
    n_clip = max(part.place.stop for part in parts)
    folder = PartFolder(output, None)
    try:
        ragged = _measured(parts, n_clip)
        n_byte = (
            sum(copy.size for copy in ragged.values()) + 2 * sum(source.n_table_byte for source in sources) + _SPARE
        )
        with unfinished_file(folder.path, output, n_byte=n_byte, track=track) as file:
            _store_root(file, output.stem, attributes)
            _make_tables(file, parts, n_clip)
            _fill_tables(file, parts, output)
            _copy_frames(file, parts, ragged, track)
            store_texts(file, "/provenance/events", [*_events(sources), _event(event, sources, started, n_clip)])
    except OSError as error:
        raise InputError(f"{output}: expected to write the file: {error}; make room or choose another place") from error
    finally:
        folder.close(discard=True)
    return CopyReport(
        path=output,
        action=str(event["action"]),
        n_clip=n_clip,
        n_ok={copy.path.rpartition("/")[2]: copy.n_ok for copy in ragged.values() if kind_of(copy.path) == "streams"},
        inputs=tuple(source.path for source in sources),
        notes=(*notes, *found),
        details=details or {},
    )


def new_event(event: Mapping[str, Any], sources: Iterable[Source], started: datetime) -> str:
    """Return a provenance event as JSON: what was done to which files by which versions."""
    inputs = [
        {"name": source.path.name, "content_sha256": source.attributes["content_sha256"], "n_clip": source.n_clip}
        for source in sources
    ]
    times = {"start": started, "end": datetime.now(UTC)}
    versions = {"python": platform.python_version(), **{name: version(name) for name in ("mmfeat", "numpy", "h5py")}}
    stamps = {name: time.isoformat(timespec="seconds") for name, time in times.items()}
    return json.dumps({**event, "inputs": inputs, **stamps, "versions": versions}, sort_keys=True)


def _event(event: Mapping[str, Any], sources: Iterable[Source], started: datetime, n_clip: int) -> str:
    return new_event({**event, "n_clip": n_clip}, sources, started)


def _events(sources: Iterable[Source]) -> list[str]:
    """Return the events of all sources; one that several share is told once."""
    return list(dict.fromkeys(event for source in sources for event in source.events))


def _attributes(sources: Sequence[Source]) -> tuple[dict[str, str], list[str]]:
    """Return language, licence and citation of all sources together, and a note where they differ."""
    attributes, notes = {}, []
    for name in ("language", "license", "citation"):
        values = list(dict.fromkeys(source.attributes.get(name, "") for source in sources))
        attributes[name] = joined_texts(values)
        if name == "language" and len([value for value in values if value]) > 1:
            attributes[name] = _MANY_LANGUAGES
        if len(values) > 1:
            notes.append(f"{name}: the files say {', '.join(map(repr, values))}; stored is {attributes[name]!r}")
    return attributes, notes


def _store_root(file: h5py.File, name: str, attributes: Mapping[str, str]) -> None:
    for group in ("labels", "splits", "streams"):
        file.create_group(group)
    created_by = f"mmfeat {version('mmfeat')}"
    file.attrs.update({"format": FORMAT, "format_version": FORMAT_VERSION, "name": name, "created_by": created_by})
    file.attrs["schema"] = schema_text()
    file.attrs.update({key: value for key, value in attributes.items() if value})


def _measured(parts: Sequence[Part], n_clip: int) -> dict[str, RaggedCopy]:
    """Return each stream of the new file with the sizes that the sources say."""
    ragged = {path: RaggedCopy(path, n_clip) for path in _firsts(parts) if is_ragged(path)}
    for part in parts:
        with part.source.opened() as source:
            for path in filter(is_ragged, part.paths):
                ragged[path].measure(source, part.rows, part.first)
    return ragged


def _copy_frames(file: h5py.File, parts: Sequence[Part], ragged: Mapping[str, RaggedCopy], track: Track[Any]) -> None:
    for path, part in _firsts(parts).items():
        if is_ragged(path):
            with part.source.opened() as source:
                ragged[path].make(file, source)
    blocks = chain.from_iterable(_fill_frames(file, part, ragged) for part in parts)
    deque(track(blocks, sum(copy.n_block for copy in ragged.values()), "blocks"), maxlen=0)


def _firsts(parts: Sequence[Part]) -> dict[str, Part]:
    """Return for each path the first part that has it."""
    firsts: dict[str, Part] = {}
    for part in parts:
        for path in part.paths:
            firsts.setdefault(path, part)
    return firsts


def _make_tables(file: h5py.File, parts: Sequence[Part], n_clip: int) -> None:
    sources = [part.source for part in parts]
    notes = notes_on(sources)
    make_clips(file, n_clip, sources)
    for path, part in _firsts(parts).items():
        if kind_of(path) == "labels":
            with part.source.opened() as source:
                make_label(file, path, n_clip, source, notes[path])
        elif kind_of(path) == "splits":
            make_scheme(file, path, n_clip, notes[path])


def _fill_tables(file: h5py.File, parts: Sequence[Part], output: Path) -> None:
    faults: list[str] = []
    failures: list[tuple[int, tuple[str, ...]]] = []
    for part in parts:
        with part.source.opened() as source:
            if part.fills:
                faults += fill_tables(source, file, part)
            else:
                copy_tables(source, file, part)
            failures += failures_of(source, part)
    if faults:
        title = f"{output}: expected files that agree about their clips; correct one of them"
        raise InputError(list_faults(title, faults, most=_MOST_FAULTS))
    mark_disjoint(file)
    store_failures(file, failures)


def _fill_frames(file: h5py.File, part: Part, ragged: Mapping[str, RaggedCopy]) -> Iterator[int]:
    with part.source.opened() as source:
        for path in filter(is_ragged, part.paths):
            yield from ragged[path].fill(file, source, part.rows, part.first)
