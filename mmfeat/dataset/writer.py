"""Write a dataset file clip by clip; the file appears whole or not at all."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np

from mmfeat.config import config_sha256
from mmfeat.dataset.disjoint import is_disjoint
from mmfeat.dataset.finish import check_output, unfinished_file
from mmfeat.dataset.image_spool import open_spool
from mmfeat.dataset.part import PartFolder
from mmfeat.dataset.schema import FORMAT, FORMAT_VERSION, rule_for, schema_text, storage_type
from mmfeat.dataset.spool import Spool
from mmfeat.dataset.word_spool import WordSpool
from mmfeat.errors import MmfeatError, SchemaError
from mmfeat.types import ClipEntry, ClipFeatures, Split, StreamFailure, StreamInfo, StreamStatus


@dataclass(frozen=True, kw_only=True)
class DatasetInfo:
    """What is true of a whole dataset; empty text is not stored."""

    name: str
    language: str = ""
    license: str = ""
    citation: str = ""


@dataclass(frozen=True, kw_only=True)
class LabelInfo:
    """What one label is.

    ``value_range`` is the lowest and highest possible value; ``class_names`` are the names of the classes 0, 1, ….
    """

    name: str
    problem: str = "regression"
    value_range: tuple[float, float] | None = None
    convention: str = ""
    source: str = ""
    class_names: tuple[str, ...] = ()


class DatasetWriter:
    """Writes a dataset file; a context manager.

    Frames are spooled to ``NAME.part/`` and assembled at the end; then the finished file is flushed to disk and
    renamed. At any kill the finished file is either absent or whole. Two writers of one file exclude each other.

    Args:
        path: the file to make.
        info: attributes of the dataset.
        streams: the streams that clips may have.
        labels: the labels that clips may have.
        schemes: names of the split schemes.
        words: where the words of the clips come from, as JSON values; None: no words.
        overwrite: replace an existing file.
        fingerprint: of everything that decides the content; where it is given, an interrupted run is continued by the
            next one with the same fingerprint (see ``restore``).

    Raises:
        OutputExistsError: the file exists and ``overwrite`` is false.
        InputError: nothing can be written there, or another process writes this file.
    """

    def __init__(
        self,
        path: Path,
        *,
        info: DatasetInfo,
        streams: Sequence[StreamInfo] = (),
        labels: Sequence[LabelInfo] = (),
        schemes: Sequence[str] = (),
        words: Mapping[str, Any] | None = None,
        overwrite: bool = False,
        fingerprint: str = "",
    ) -> None:
        check_output(path, overwrite=overwrite)
        self.path = path
        self._info = info
        self._labels = tuple(labels)
        self._schemes = tuple(schemes)
        self._events: list[str] = []
        self._clips: list[ClipFeatures] = []
        self._known_ids: set[str] = set()
        self._spools: dict[str, Spool] = {}
        self._words: WordSpool | None = None
        self._part = PartFolder(path, fingerprint)
        try:
            for stream in streams:
                rows = _committed_rows(self._part.records, stream.name)
                self._spools[stream.name] = open_spool(stream, self._part.path, rows)
        except SchemaError:
            self._close_spools()
            self._part.close(discard=True)
            raise
        if words is not None:
            self._words = WordSpool(self._part.path, words)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        finished = False
        try:
            if error_type is None:
                self._finish()
                finished = True
        finally:
            self._close_spools()
            # An error of the project will come again; whatever else stopped us, the next run goes on from here.
            refused = error_type is not None and issubclass(error_type, MmfeatError)
            self._part.close(discard=finished or refused or not self._part.keeps)

    def restore(self, entries: Sequence[ClipEntry]) -> list[ClipFeatures]:
        """Return the clips that an interrupted run has committed, without their frames; they need not be written again.

        Args:
            entries: the clips of the build, in the order in which they are written.
        """
        for entry, record in zip(entries, self._part.records, strict=False):
            self._remember(_committed_clip(entry, record))
        return list(self._clips)

    def write(self, clip: ClipFeatures) -> None:
        """Add one clip; its frames go to disk at once.

        Raises:
            SchemaError: the clip id is empty or was written before, or a stream is unknown.
        """
        clip_id = clip.entry.clip_id
        if not clip_id or clip_id in self._known_ids:
            raise SchemaError(f"clip id {clip_id!r}: expected a new id that is not empty")
        unknown = sorted(set(clip.streams) - set(self._spools))
        if unknown:
            raise SchemaError(f"clip {clip_id!r}: unknown stream {unknown[0]!r}; known: {sorted(self._spools)}")
        reasons = {failure.stream: failure.status for failure in clip.failures}
        for name, spool in self._spools.items():
            features = clip.streams.get(name)
            absent = reasons.get(name, StreamStatus.NOT_REQUESTED)
            spool.append(features, absent if features is None else StreamStatus.OK)
        if self._words is not None:
            self._words.append(clip.words)
        self._remember(clip)
        self._part.commit(
            {
                "clip_id": clip_id,
                "streams": {name: (spool.n_frame_of_last, spool.status[-1]) for name, spool in self._spools.items()},
                "failures": [(failure.stream, failure.status.name, failure.message) for failure in clip.failures],
                "duration_s": None if math.isnan(clip.duration_s) else clip.duration_s,
                "source_sha256": clip.source_sha256,
                "notes": clip.notes,
            }
        )

    def _remember(self, clip: ClipFeatures) -> None:
        self._known_ids.add(clip.entry.clip_id)
        self._clips.append(replace(clip, streams={}, words=None))

    @property
    def failures(self) -> tuple[tuple[str, StreamFailure], ...]:
        """(Clip id, failure) of every stream that could not be read, so far."""
        return tuple((clip.entry.clip_id, failure) for clip in self._clips for failure in clip.failures)

    @property
    def notes(self) -> tuple[tuple[str, str], ...]:
        """(Clip id, sentence) of everything that a person should know of streams that were read, so far."""
        return tuple((clip.entry.clip_id, note) for clip in self._clips for note in clip.notes)

    @property
    def n_ok(self) -> dict[str, int]:
        """Number of clips with each stream, so far."""
        return {name: spool.status.count(StreamStatus.OK) for name, spool in self._spools.items()}

    def add_event(self, event: Mapping[str, Any]) -> None:
        """Add a provenance event."""
        self._events.append(json.dumps(event, sort_keys=True))

    def _close_spools(self) -> None:
        for spool in self._spools.values():
            spool.close()
        if self._words is not None:
            self._words.close()

    def _finish(self) -> None:
        """Assemble the file in the part folder."""
        with unfinished_file(self._part.path, self.path) as file:
            self._store_root(file)
            self._store_clips(file)
            self._store_labels(file)
            self._store_splits(file)
            for name, spool in self._spools.items():
                self._store_stream(file, name, spool)
            if self._words is not None:
                self._words.store(file.create_group("words"))
            self._store_failures(file)
            self._put(file, "/provenance/events", self._events)

    def _store_root(self, file: h5py.File) -> None:
        for group in ("labels", "splits", "streams"):
            file.create_group(group)
        file.attrs["format"] = FORMAT
        file.attrs["format_version"] = FORMAT_VERSION
        file.attrs["created_by"] = f"mmfeat {version('mmfeat')}"
        file.attrs["schema"] = schema_text()
        for name in ("name", "language", "license", "citation"):
            if text := getattr(self._info, name):
                file.attrs[name] = text

    def _store_clips(self, file: h5py.File) -> None:
        entries = self._entries
        self._put(file, "/clips/id", [entry.clip_id for entry in entries])
        self._put(file, "/clips/recording_id", [entry.recording_id or entry.clip_id for entry in entries])
        self._put(file, "/clips/speaker_id", [entry.speaker_id for entry in entries])
        self._put(file, "/clips/position", [entry.position for entry in entries])
        self._put(file, "/clips/text", [entry.text for entry in entries])
        self._put(file, "/clips/duration_s", [clip.duration_s for clip in self._clips])
        for name in ("start_s", "end_s"):
            places = [getattr(entry, name) for entry in entries]
            if not np.isnan(places).all():
                self._put(file, f"/clips/{name}", places)
        sources = [entry.audio or entry.video for entry in entries]
        self._put(file, "/clips/source", [source.name if source else "" for source in sources])
        self._put(file, "/clips/source_sha256", [clip.source_sha256 for clip in self._clips])

    def _store_labels(self, file: h5py.File) -> None:
        for label in self._labels:
            path = f"/labels/{label.name}"
            self._put(file, f"{path}/values", [entry.labels.get(label.name, 0.0) for entry in self._entries])
            self._put(file, f"{path}/present", [label.name in entry.labels for entry in self._entries])
            attributes = file[path].attrs
            attributes["problem"] = label.problem
            for name in ("convention", "source"):
                if text := getattr(label, name):
                    attributes[name] = text
            if label.value_range is not None:
                attributes["range"] = np.asarray(label.value_range, dtype=np.float64)
            if label.class_names:
                attributes["class_names"] = list(label.class_names)

    def _store_splits(self, file: h5py.File) -> None:
        for scheme in self._schemes:
            parts = [entry.splits.get(scheme, Split.NONE) for entry in self._entries]
            self._put(file, f"/splits/{scheme}", parts)
            recordings = (entry.recording_id or entry.clip_id for entry in self._entries)
            file[f"/splits/{scheme}"].attrs["recording_disjoint"] = is_disjoint(recordings, parts)

    def _store_stream(self, file: h5py.File, name: str, spool: Spool) -> None:
        path = f"/streams/{name}"
        spool.store(file.require_group(path))
        self._put(file, f"{path}/status", spool.status)
        if not spool.info.codec:
            self._put(file, f"{path}/feature_names", spool.info.feature_names)
            self._put(file, f"{path}/feature_units", spool.info.feature_units)
        attributes = file[path].attrs
        for key in ("extractor", "extractor_version", "preset"):
            attributes[key] = getattr(spool.info, key)
        attributes["config"] = json.dumps(spool.info.config, sort_keys=True)
        attributes["config_sha256"] = config_sha256(spool.info.config)
        for key in ("tool_license", "clock"):
            if text := getattr(spool.info, key):
                attributes[key] = text
        if spool.info.hop_s is not None:
            attributes["hop_s"] = np.float64(spool.info.hop_s)
            attributes["start_s"] = np.float64(0.0)
        if spool.info.codec:
            attributes["codec"] = spool.info.codec
            attributes["height"], attributes["width"] = np.int64(spool.info.height), np.int64(spool.info.width)

    def _store_failures(self, file: h5py.File) -> None:
        def by_stream(clip: ClipFeatures) -> list[StreamFailure]:
            return sorted(clip.failures, key=lambda failure: failure.stream)

        rows = [(clip.entry.clip_id, failure) for clip in self._clips for failure in by_stream(clip)]
        self._put(file, "/failures/clip_id", [clip_id for clip_id, _ in rows])
        self._put(file, "/failures/stage", [failure.stream for _, failure in rows])
        self._put(file, "/failures/code", [failure.status.name.lower() for _, failure in rows])
        self._put(file, "/failures/message", [failure.message for _, failure in rows])

    @property
    def _entries(self) -> list[ClipEntry]:
        return [clip.entry for clip in self._clips]

    def _put(self, file: h5py.File, path: str, values: Sequence[Any]) -> None:
        """Store a column with the type that the specification gives it."""
        dtype = storage_type(rule_for(path))
        file.create_dataset(path, data=values, shape=(len(values),), dtype=dtype)


def _committed_clip(entry: ClipEntry, record: Mapping[str, Any]) -> ClipFeatures:
    """Return a clip of a journal, without its frames."""
    failures = tuple(
        StreamFailure(stream=stream, status=StreamStatus[code.upper()], message=message)
        for stream, code, message in record["failures"]
    )
    return ClipFeatures(
        entry=entry,
        failures=failures,
        duration_s=float("nan") if record["duration_s"] is None else record["duration_s"],
        source_sha256=record["source_sha256"],
        notes=tuple(record["notes"]),
    )


def _committed_rows(records: Sequence[Mapping[str, Any]], stream: str) -> list[tuple[int, StreamStatus]]:
    """Return (frames, status) of one stream in each clip of a journal."""
    rows = [record["streams"][stream] for record in records]
    return [(int(n_frame), StreamStatus(status)) for n_frame, status in rows]
