"""Import computational sequences of the CMU SDK, one or several, joined by id and read entry by entry.

Without labels each key is a clip. With a sequence of labels each of its intervals is one: ``video[k]`` for the ``k``-th
interval of ``video``; rows of the other sequences belong to the clips that their intervals overlap. A sequence whose
keys end in ``[k]`` already is joined as it is. Intervals are kept as they are, on the recording's clock.

A sequence of texts becomes ``/words``, and the clip's text without the pauses ``sp``. Rows are numbers as float32.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mmfeat.convert.csd_file import CsdFile
from mmfeat.convert.csd_streams import label_names, sequence_info, sequence_origin
from mmfeat.convert.fields import text
from mmfeat.convert.frames import Counts, make_frames
from mmfeat.convert.parts import recording_of
from mmfeat.convert.report import ImportReport, Source, write_import
from mmfeat.dataset import DatasetInfo, LabelInfo
from mmfeat.errors import ClipError, InputError
from mmfeat.types import (
    BoolArray,
    ClipEntry,
    ClipFeatures,
    Float64Array,
    FrameFeatures,
    StreamFailure,
    StreamStatus,
    Words,
)

PAUSES = frozenset(["sp", ""])


def import_csd(
    sequences: Mapping[str, Path] | Sequence[Path],
    output: Path | str,
    *,
    labels: Path | None = None,
    info: DatasetInfo | None = None,
    overwrite: bool = False,
    origin: Mapping[str, Any] | None = None,
) -> ImportReport:
    """Turn computational sequences into a dataset file; only one entry of each is held in memory.

    Args:
        sequences: the files; by stream name, or named after the root of each file. At most one may hold texts.
        output: the file to make; it appears whole or not at all.
        labels: a sequence whose intervals are the clips and whose features are their labels.
        info: attributes of the dataset; named after the file where None.
        overwrite: replace an existing file.
        origin: what the provenance event says beside the source.

    Raises:
        InputError: a file is no sequence, two streams have one name, or the sequences have no id in common.
        OutputExistsError: the file exists and ``overwrite`` is false.
    """
    with ExitStack() as stack:

        def opened(path: Path) -> CsdFile:
            return stack.enter_context(closing(CsdFile(Path(path))))

        if isinstance(sequences, Mapping):
            files = {name: opened(path) for name, path in sequences.items()}
        else:
            files = _by_root([opened(path) for path in sequences])
        joined = _Join(files, None if labels is None else opened(labels))
        return write_import(joined.source(), Path(output), info, overwrite=overwrite, origin=origin)


def _by_root(files: Sequence[CsdFile]) -> dict[str, CsdFile]:
    doubled = [root for root, count in Counter(file.root for file in files).items() if count > 1]
    if doubled:
        raise InputError(f"expected sequences of different names, got {doubled[0]!r} twice; give them as NAME=FILE")
    return {file.root: file for file in files}


@dataclass(frozen=True, kw_only=True, eq=False)
class _Place:
    """One clip: its id, the key of its recording, its interval there, its labels."""

    clip_id: str
    key: str
    interval_s: tuple[float, float] | None
    labels: Mapping[str, float]

    def rows(self, intervals: Float64Array) -> BoolArray:
        """Return which rows overlap the clip."""
        if self.interval_s is None:
            return np.ones(len(intervals), dtype=np.bool_)
        start, end = self.interval_s
        return (intervals[:, 0] < end) & (intervals[:, 1] > start)


class _Join:
    """Joins open sequences by id."""

    def __init__(self, files: Mapping[str, CsdFile], labels: CsdFile | None) -> None:
        texts = [name for name, file in files.items() if file.is_text]
        if len(texts) > 1:
            raise InputError(f"expected at most one sequence of texts, got {', '.join(texts)}; import one of them")
        self._files, self._labels = files, labels
        self._words = texts[0] if texts else None
        self._known = {name: frozenset(file.keys) for name, file in files.items()}
        self._label_names = label_names(labels)
        self.infos = {name: sequence_info(name, file) for name, file in files.items() if not file.is_text}
        self._counts = {name: Counts() for name in files}
        self._n_outside: Counter[str] = Counter()
        self._unread: list[str] = []
        self._check()

    def source(self) -> Source:
        """Return what the import reads."""
        paths = [file.path for file in self._files.values()]
        words = None if self._words is None else sequence_origin(self._files[self._words])
        return Source(
            kind="csd",
            paths=paths if self._labels is None else [*paths, self._labels.path],
            streams=list(self.infos.values()),
            clips=self._clips,
            labels=[
                LabelInfo(name=name, source=self._labels.root if self._labels else "") for name in self._label_names
            ],
            notes=self._notes,
            words=words,
            config={"clips": "keys" if self._labels is None else "intervals of the labels"},
        )

    def _check(self) -> None:
        for name in self._files:
            if not name.strip(".") or "/" in name or "\0" in name:
                raise InputError(f"stream name {name!r}: expected one without '/'; give it as NAME=FILE")
        bare = [{_bare(key) for key in keys} for keys in self._known.values()]
        bare += [] if self._labels is None else [{_bare(key) for key in self._labels.keys}]
        if len(bare) > 1 and not set.intersection(*bare):
            raise InputError(
                f"expected sequences with ids in common, {', '.join(self._files)} have none; import each alone"
            )

    def _clips(self) -> Iterator[ClipFeatures]:
        positions: Counter[str] = Counter()
        for places in self._recordings():
            cache: dict[str, Any] = {}
            for place in places:
                yield self._clip(place, cache, positions)
            self._count_outside(places, cache)

    def _recordings(self) -> Iterator[list[_Place]]:
        """Yield the clips of each key in the order of the files."""
        if self._labels is None:
            keys = dict.fromkeys(key for file in self._files.values() for key in file.keys)
            yield from ([_Place(clip_id=key, key=key, interval_s=None, labels={})] for key in keys)
            return
        for key in self._labels.keys:
            try:
                values, intervals = self._labels.read(key)
            except ClipError as error:
                self._unread.append(f"{error}; its recording is one clip without labels")
                yield [_Place(clip_id=key, key=key, interval_s=None, labels={})]
                continue
            rows = range(len(values))
            numbered = len(rows) > 1 or "[" not in key
            yield [
                _Place(
                    clip_id=f"{key}[{row}]" if numbered else key,
                    key=key,
                    interval_s=(float(intervals[row, 0]), float(intervals[row, 1])),
                    labels=_finite(self._label_names, values[row]),
                )
                for row in rows
            ]

    def _clip(self, place: _Place, cache: dict[str, Any], positions: Counter[str]) -> ClipFeatures:
        streams: dict[str, FrameFeatures] = {}
        failures: list[StreamFailure] = []
        words = None
        for name in self._files:
            try:
                values, intervals = self._rows(name, place, cache)
            except ClipError as error:
                failures.append(StreamFailure(stream=name, status=error.status, message=str(error)))
                continue
            if name == self._words:
                words = Words(tokens=tuple(text(token) for token in values[:, 0]), intervals_s=intervals)
                self._counts[name].n_row += len(intervals)
            else:
                streams[name] = self._frames(name, values, intervals, place)
        return ClipFeatures(
            entry=_entry(place, words, positions),
            streams=streams,
            words=words,
            duration_s=_duration_s(place),
            failures=tuple(failure for failure in failures if failure.stream != self._words),
            notes=tuple(failure.message for failure in failures if failure.stream == self._words),
        )

    def _frames(self, name: str, values: npt.NDArray[Any], intervals: Float64Array, place: _Place) -> FrameFeatures:
        start_s = 0.0 if place.interval_s is None else place.interval_s[0]
        times_s = intervals.mean(axis=1) - start_s
        return make_frames(values, self.infos[name], self._counts[name], intervals_s=intervals, times_s=times_s)

    def _rows(self, name: str, place: _Place, cache: dict[str, Any]) -> tuple[npt.NDArray[Any], Float64Array]:
        """Return features and intervals of one sequence in one clip.

        Raises:
            ClipError: it has none there.
        """
        known = self._known[name]
        if place.clip_id in known:
            return self._files[name].read(place.clip_id)
        if place.key not in known:
            raise ClipError(f"{self._files[name].path.name}: has no {place.clip_id!r}", StreamStatus.MISSING_SOURCE)
        if name not in cache:
            cache[name] = self._files[name].read(place.key)
        values, intervals = cache[name]
        rows = place.rows(intervals)
        if not rows.any():
            raise ClipError(f"{self._files[name].path.name}: no row overlaps {place.interval_s}", StreamStatus.EMPTY)
        return values[rows], intervals[rows]

    def _count_outside(self, places: Sequence[_Place], cache: Mapping[str, Any]) -> None:
        for name, (_, intervals) in cache.items():
            used = np.any([place.rows(intervals) for place in places], axis=0)
            self._n_outside[name] += int((~used).sum())

    def _notes(self) -> list[str]:
        notes = list(self._unread)
        for name, file in self._files.items():
            notes += self._counts[name].notes(name)
            if count := self._n_outside[name]:
                notes.append(f"{name}: {count:,} rows lie outside of every labelled interval")
            if name == self._words:
                notes.append(f"{name}: {self._counts[name].n_row:,} words and pauses, in /words")
            if self._labels is not None:
                lost = {_bare(key) for key in file.keys} - {_bare(key) for key in self._labels.keys}
                notes += [f"{name}: {len(lost)} ids have no label, first {min(lost)!r}"] if lost else []
        return notes


def _duration_s(place: _Place) -> float:
    if place.interval_s is None or place.interval_s[1] < place.interval_s[0]:
        return float("nan")
    return place.interval_s[1] - place.interval_s[0]


def _bare(key: str) -> str:
    return key.partition("[")[0]


def _finite(names: Sequence[str], values: npt.NDArray[Any]) -> dict[str, float]:
    return {name: float(value) for name, value in zip(names, values, strict=True) if np.isfinite(np.float32(value))}


def _entry(place: _Place, words: Words | None, positions: Counter[str]) -> ClipEntry:
    recording_id, position = recording_of(place.clip_id, positions)
    spoken = [] if words is None else [token for token in words.tokens if token not in PAUSES]
    entry = ClipEntry(
        clip_id=place.clip_id,
        recording_id=recording_id,
        position=position,
        text=" ".join(spoken),
        labels=place.labels,
    )
    if place.interval_s is None:
        return entry
    return replace(entry, start_s=place.interval_s[0], end_s=place.interval_s[1])
