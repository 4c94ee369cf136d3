"""Write a dataset file clip by clip; the file appears whole or not at all."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np

from mmfeat.config import config_sha256
from mmfeat.dataset.clip_table import ClipTable, LabelInfo, put_texts
from mmfeat.dataset.content_hash import content_sha256
from mmfeat.dataset.finish import UNFINISHED, check_output, put_in_place, reserve_space
from mmfeat.dataset.flat_file import Compression, FlatFile
from mmfeat.dataset.image_spool import open_spool
from mmfeat.dataset.in_place import LIBVER, fill_room, leave_room
from mmfeat.dataset.part import PartFolder
from mmfeat.dataset.put import put
from mmfeat.dataset.schema import FORMAT, FORMAT_VERSION, schema_text
from mmfeat.dataset.spool import Spool
from mmfeat.dataset.word_spool import WordSpool
from mmfeat.errors import MmfeatError, SchemaError, StorageError
from mmfeat.types import ClipEntry, ClipFeatures, StreamFailure, StreamInfo, StreamStatus

_MOST_WAITING_BYTES = 1 << 20
_LONGEST_WAIT_S = 0.1
_BYTES_PER_CLIP, _BYTES_OF_HEADS = 512, 1 << 20  # generous: what HDF5 adds to texts, and to groups


@dataclass(frozen=True, kw_only=True)
class DatasetInfo:
    """What is true of a whole dataset; empty text is not stored."""

    name: str
    language: str = ""
    license: str = ""
    citation: str = ""


class DatasetWriter:
    """Writes a dataset file; a context manager.

    Frames are spooled to ``NAME.part/`` and assembled at the end; then the finished file is flushed to disk and
    renamed. At any kill the finished file is either absent or whole. Two writers of one file exclude each other.
    Memory does not grow with the frames, and by some hundred bytes a clip.

    Args:
        path: the file to make.
        info: attributes of the dataset.
        streams: the streams that clips may have.
        labels: the labels that clips may have.
        schemes: names of the split schemes.
        words: where the words of the clips come from, as JSON values; None: no words.
        compression: of features; ``gzip`` makes smaller files whose single clips are read many times slower.
        overwrite: replace an existing file.
        fingerprint: of everything that decides the content of all clips, part by part; where it is given, an
            interrupted run is continued by the next one with the same fingerprint (see ``restore``).
        keep: of the records of the clips that an interrupted run committed, in their order, whether a clip is still the
            same; it and those behind it are dropped where not.

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
        compression: Compression = "none",
        overwrite: bool = False,
        fingerprint: Mapping[str, str] | None = None,
        keep: Callable[[Mapping[str, Any]], bool] = lambda _record: True,
    ) -> None:
        check_output(path, overwrite=overwrite)
        self.path = path
        self._info = info
        self._compression: Compression = compression
        self._events: list[str] = []
        self._spools: dict[str, Spool] = {}
        self._words: WordSpool | None = None
        self._records: list[dict[str, Any]] = []
        self._n_waiting_byte, self._flushed_s = 0, time.monotonic()
        self._part = PartFolder(path, fingerprint, keep)
        try:
            self._table = ClipTable(self._part.path, labels, schemes)
            for stream in streams:
                rows = _committed_rows(self._part.records(), stream.name)
                self._spools[stream.name] = open_spool(stream, self._part.path, rows)
            if words is not None:
                counts = (int(record["n_word"]) for record in self._part.records())
                self._words = WordSpool(self._part.path, words, counts)
        except BaseException as error:
            self._close_spools()
            self._part.close(discard=isinstance(error, SchemaError))
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # An error of the project will come again; whatever else stopped us, the next run goes on from here.
        refused = error_type is not None and issubclass(error_type, MmfeatError) and error_type is not StorageError
        finished = False
        try:
            if error_type is None:
                with self._storing():
                    self._flush()
                    self._finish()
                finished = True
            elif self._part.keeps and not refused:
                with suppress(OSError):
                    self._flush()
        finally:
            self._close_spools()
            self._part.close(discard=finished or refused or not self._part.keeps)

    @property
    def restart_reason(self) -> str:
        """Why the work of an interrupted run is of no use; empty where there was none or it is continued."""
        return self._part.restart_reason

    def restore(self, entries: Sequence[ClipEntry]) -> int:
        """Return how many clips an interrupted run has committed; they need not be written again.

        Args:
            entries: the clips of the build, in the order in which they are written.
        """
        for entry, record in zip(entries, self._part.records(), strict=False):
            self._table.append(_committed_clip(entry, record))
        return len(self._table)

    def write(self, clip: ClipFeatures) -> None:
        """Add one clip; it goes to disk at once, or with the next ones where they come fast.

        Raises:
            SchemaError: the clip id is empty or was written before, or a stream is unknown.
            StorageError: the disk is full; what was written stays.
        """
        clip_id = clip.entry.clip_id
        if not clip_id or clip_id in self._table:
            raise SchemaError(f"clip id {clip_id!r}: expected a new id that is not empty")
        unknown = sorted(set(clip.streams) - set(self._spools))
        if unknown:
            raise SchemaError(f"clip {clip_id!r}: unknown stream {unknown[0]!r}; known: {sorted(self._spools)}")
        reasons = {failure.stream: failure.status for failure in clip.failures}
        for name, spool in self._spools.items():
            features = clip.streams.get(name)
            absent = reasons.get(name, StreamStatus.NOT_REQUESTED)
            self._n_waiting_byte += spool.append(features, absent if features is None else StreamStatus.OK)
        n_word = 0 if clip.words is None else len(clip.words.tokens)
        if self._words is not None:
            self._n_waiting_byte += self._words.append(clip.words)
        with self._storing():
            self._table.append(clip)
            self._records.append(_record(clip, self._spools, n_word))
            if self._n_waiting_byte >= _MOST_WAITING_BYTES or time.monotonic() - self._flushed_s >= _LONGEST_WAIT_S:
                self._flush()

    def _flush(self) -> None:
        """Commit what waits: frames first, then the lines of the journal."""
        for spool in (*self._spools.values(), self._words):
            if spool is not None:
                spool.flush()
        records, self._records = self._records, []  # emptied first: no line is written twice, whatever interrupts
        self._part.commit(records)
        self._n_waiting_byte, self._flushed_s = 0, time.monotonic()

    @contextmanager
    def _storing(self) -> Iterator[None]:
        """Say what to do where the disk is full."""
        try:
            yield
        except (OSError, RuntimeError) as error:  # h5py's closing raises both
            reason = getattr(error, "strerror", None) or error
            raise StorageError(f"{self.path}: could not write: {reason}; make space and run it again") from error

    @property
    def failures(self) -> tuple[tuple[str, StreamFailure], ...]:
        """(Clip id, failure) of every stream that could not be read, so far."""
        return tuple(self._table.failures)

    @property
    def notes(self) -> tuple[tuple[str, str], ...]:
        """(Clip id, sentence) of everything that a person should know of streams that were read, so far."""
        return tuple(self._table.notes)

    @property
    def n_ok(self) -> dict[str, int]:
        """Number of clips with each stream, so far."""
        return {name: spool.status.count(StreamStatus.OK) for name, spool in self._spools.items()}

    def add_event(self, event: Mapping[str, Any]) -> None:
        """Add a provenance event."""
        self._events.append(json.dumps(event, sort_keys=True))

    def _close_spools(self) -> None:
        for item in (*self._spools.values(), self._words, getattr(self, "_table", None)):
            if item is not None:
                item.close()

    def _finish(self) -> None:
        """Assemble the file in the part folder, flush it to disk and rename it."""
        put_in_place(self._assemble(), self.path)

    def _assemble(self) -> Path:
        """Return the finished file in the part folder."""
        unfinished = self._part.path / UNFINISHED
        columns = dict(self._columns())
        largest = max(columns, key=lambda path: columns[path].n_byte, default="") if self._compression == "none" else ""
        in_place = leave_room(unfinished, largest, columns.get(largest))
        n_in_place = columns[largest].n_byte if in_place else 0
        reserve_space(unfinished, self._largest_size() - n_in_place, start=n_in_place)
        known = {path: file.sha256() for path, file in columns.items()}
        with h5py.File(unfinished, "a", libver=LIBVER) as file:
            self._store_root(file)
            self._table.store(file)
            for name, spool in self._spools.items():
                self._store_stream(file, name, spool)
            if self._words is not None:
                self._words.store(file.create_group("words"))
            put_texts(file, "/provenance/events", iter(self._events), len(self._events))
            file.attrs["content_sha256"] = content_sha256(file, known=known)
        if in_place:
            fill_room(unfinished, columns[largest])
            unfinished = columns[largest].path
        return unfinished

    def _largest_size(self) -> int:
        """Return how many bytes the file has at most."""
        n_byte = sum(path.stat().st_size for path in self._part.path.iterdir())
        return n_byte + len(self._table) * _BYTES_PER_CLIP + _BYTES_OF_HEADS

    def _columns(self) -> Iterator[tuple[str, FlatFile]]:
        """Yield path and content of every dataset that grows in a flat file."""
        for name, spool in self._spools.items():
            for column, file in spool.columns.items():
                yield f"/streams/{name}/{column}", file

    def _store_root(self, file: h5py.File) -> None:
        for group in ("labels", "splits", "streams"):
            file.require_group(group)
        file.attrs["format"] = FORMAT
        file.attrs["format_version"] = FORMAT_VERSION
        file.attrs["created_by"] = f"mmfeat {version('mmfeat')}"
        file.attrs["schema"] = schema_text()
        for name in ("name", "language", "license", "citation"):
            if text := getattr(self._info, name):
                file.attrs[name] = text

    def _store_stream(self, file: h5py.File, name: str, spool: Spool) -> None:
        path = f"/streams/{name}"
        spool.store(file.require_group(path), self._compression)
        put(file, f"{path}/status", np.asarray(spool.status))
        if not spool.info.codec:
            put(file, f"{path}/feature_names", spool.info.feature_names)
            put(file, f"{path}/feature_units", spool.info.feature_units)
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


def _record(clip: ClipFeatures, spools: Mapping[str, Spool], n_word: int) -> dict[str, Any]:
    """Return the line of a clip in the journal."""
    return {
        "clip_id": clip.entry.clip_id,
        "streams": {name: (spool.n_frame_of_last, spool.status[-1]) for name, spool in spools.items()},
        "n_word": n_word,
        "failures": [(failure.stream, failure.status.name, failure.message) for failure in clip.failures],
        "duration_s": None if math.isnan(clip.duration_s) else clip.duration_s,
        "source_sha256": clip.source_sha256,
        "stamps": clip.stamps,
        "notes": clip.notes,
    }


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


def _committed_rows(records: Iterable[Mapping[str, Any]], stream: str) -> Iterator[tuple[int, StreamStatus]]:
    """Yield (frames, status) of one stream in each clip of a journal."""
    for record in records:
        n_frame, status = record["streams"][stream]
        yield int(n_frame), StreamStatus(status)
