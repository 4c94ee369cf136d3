"""What every import shares: writing the clips, the provenance event and the report."""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mmfeat.dataset import DatasetInfo, DatasetWriter, LabelInfo
from mmfeat.errors import InputError, list_faults
from mmfeat.file_hash import file_sha256
from mmfeat.reports import failure_rows, with_lists
from mmfeat.types import ClipFeatures, Split, StreamFailure, StreamInfo


@dataclass(frozen=True, kw_only=True)
class ImportReport:
    """What an import did.

    Args:
        path: the dataset file.
        n_clip: clips in the file, failed ones included.
        n_ok: clips with each stream.
        n_frame: rows of each stream.
        parts: clips in each part of the scheme ``default``; empty where there is none.
        failures: (clip id, failure) of every stream that could not be read.
        notes: sentences that a person should read before trusting the values.
    """

    path: Path
    n_clip: int
    n_ok: Mapping[str, int]
    n_frame: Mapping[str, int]
    parts: Mapping[str, int]
    failures: tuple[tuple[str, StreamFailure], ...]
    notes: tuple[str, ...]

    def to_json(self) -> str:
        """Return the report as JSON."""
        counts = {"n_clip": self.n_clip, "n_ok": self.n_ok, "n_frame": self.n_frame, "parts": self.parts}
        return json.dumps(
            {"path": str(self.path), **counts, "notes": self.notes, "failures": failure_rows(self.failures)}, indent=2
        )

    def summary(self) -> str:
        """Return what was imported, every note, and every failure with its reason."""
        streams = ", ".join(f"{name} {count} with {self.n_frame[name]} rows" for name, count in self.n_ok.items())
        parts = " · ".join(f"{part} {count}" for part, count in self.parts.items())
        text = f"{self.path}: {self.n_clip} clips ({streams or 'texts and labels only'})" + (
            f", {parts}" if parts else ""
        )
        return with_lists(text, self.notes, self.failures)


@dataclass(frozen=True, kw_only=True)
class Source:
    """What an import reads.

    Args:
        kind: name of the format, for the provenance.
        paths: the files.
        streams: what the streams are.
        clips: yields the clips, in the order of the file.
        labels: what the labels are.
        schemes: names of the split schemes.
        notes: asked for when every clip has been read.
        words: where the words come from, None for none.
        config: settings of the import, for the provenance.
    """

    kind: str
    paths: Sequence[Path]
    streams: Sequence[StreamInfo]
    clips: Callable[[], Iterable[ClipFeatures]]
    labels: Sequence[LabelInfo] = ()
    schemes: Sequence[str] = ()
    notes: Callable[[], Sequence[str]] = tuple
    words: Mapping[str, Any] | None = None
    config: Mapping[str, Any] | None = None


def write_import(
    source: Source, output: Path, info: DatasetInfo | None, *, overwrite: bool, origin: Mapping[str, Any] | None
) -> ImportReport:
    """Write the clips of a foreign file as a dataset and return what was done.

    Raises:
        InputError: there are no clips.
        OutputExistsError: the file exists and ``overwrite`` is false.
    """
    started = datetime.now(UTC)
    counted = _Counted(source.clips())
    writer = DatasetWriter(
        output,
        info=info or DatasetInfo(name=output.stem),
        streams=source.streams,
        labels=source.labels,
        schemes=source.schemes,
        words=source.words,
        overwrite=overwrite,
    )
    with writer:
        for clip in counted:
            writer.write(clip)
        if not counted.n_clip:
            raise InputError(f"{source.paths[0]}: expected at least one clip, got none; is it the right file?")
        notes = (*source.notes(), *(f"{clip_id}: {note}" for clip_id, note in writer.notes))
        writer.add_event({**_event(source, started, origin), "n_clip": counted.n_clip, "notes": notes})
        return ImportReport(
            path=output,
            n_clip=counted.n_clip,
            n_ok=writer.n_ok,
            n_frame={stream.name: counted.n_frame[stream.name] for stream in source.streams},
            parts=dict(counted.parts),
            failures=writer.failures,
            notes=notes,
        )


def check_ids(ids: Iterable[str], where: str) -> None:
    """Refuse ids that are empty or that two clips share.

    Raises:
        InputError: some are; all are counted, the first ones named.
    """
    counts = Counter(ids)
    doubled = [f"{clip_id!r} is there {count} times" for clip_id, count in counts.items() if count > 1]
    faults = (["an id is empty"] if "" in counts else []) + doubled
    if faults:
        raise InputError(
            list_faults(f"{where}: expected ids that are unique and not empty; correct the source", faults)
        )


class _Counted:
    """Counts the clips that pass."""

    def __init__(self, clips: Iterable[ClipFeatures]) -> None:
        self._clips = clips
        self.n_clip = 0
        self.n_frame: Counter[str] = Counter()
        self.parts: Counter[str] = Counter()

    def __iter__(self) -> Iterator[ClipFeatures]:
        for clip in self._clips:
            self.n_clip += 1
            self.n_frame.update({name: frames.n_frame for name, frames in clip.streams.items()})
            if (part := clip.entry.splits.get("default", Split.NONE)) is not Split.NONE:
                self.parts[part.name.lower()] += 1
            yield clip


def _event(source: Source, started: datetime, origin: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        "action": "import",
        "format": source.kind,
        **(origin or {}),
        "sources": [
            {"name": path.name, "sha256": file_sha256(path), "n_byte": path.stat().st_size} for path in source.paths
        ],
        "config": dict(source.config or {}),
        "start": started.isoformat(timespec="seconds"),
        "end": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("mmfeat", "numpy", "h5py")},
        },
    }
