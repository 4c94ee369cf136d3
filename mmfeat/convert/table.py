"""Import a CSV manifest whose columns name one feature file for each clip and stream.

The manifest is the one of ``mmfeat build`` (clip_id, recording_id, split, text, label:NAME, …) with columns
``stream:NAME``: a path, relative to the manifest's folder, to

- ``.npy``: an array (row, column), or (column,) for one row;
- ``.npz``: ``values``, and where they are there ``times_s``, ``intervals_s``, ``names``;
- ``.csv``: one row a frame; a header names the columns, of which ``time_s``, ``timestamp`` or ``start_s`` and ``end_s``
  are times. Columns that only name the clip (``segment_id``, ``clip_id``, ``filename``, ``name``) are left out. A
  ``timestamp`` of whole numbers in steps of 10 or more is in milliseconds, as MuSe writes it.

An empty cell means that the clip has no such stream. Files are read one by one.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mmfeat.convert.columns import columns_for, named_columns
from mmfeat.convert.frames import Counts, make_frames
from mmfeat.convert.report import ImportReport, Source, write_import
from mmfeat.dataset import DatasetInfo, LabelInfo
from mmfeat.errors import ClipError, InputError
from mmfeat.file_hash import file_sha256
from mmfeat.manifest import read_manifest
from mmfeat.types import (
    ClipEntry,
    ClipFeatures,
    Float64Array,
    FrameFeatures,
    StreamFailure,
    StreamInfo,
    StreamStatus,
)

_TIMES = ("time_s", "times_s", "timestamp")
_ENDS = ("start_s", "end_s")
_IDS = ("segment_id", "clip_id", "filename", "name")
_MILLISECONDS = "timestamp"
_LEAST_STEP_MS = 10


@dataclass(frozen=True, kw_only=True, eq=False)
class FeatureTable:
    """One feature file: values (row, column), column names where it has them, and times where it has them."""

    values: npt.NDArray[Any]
    names: tuple[str, ...] = ()
    times_s: Float64Array | None = None
    intervals_s: Float64Array | None = None


def import_csv(
    manifest: Path | str,
    output: Path | str,
    *,
    info: DatasetInfo | None = None,
    hop_s: float | None = None,
    overwrite: bool = False,
    origin: Mapping[str, Any] | None = None,
) -> ImportReport:
    """Turn feature files that a manifest names into a dataset file; one clip is held in memory.

    Args:
        manifest: the CSV manifest.
        output: the file to make; it appears whole or not at all.
        info: attributes of the dataset; named after the file where None.
        hop_s: constant step in seconds of the streams whose files have no times.
        overwrite: replace an existing file.
        origin: what the provenance event says beside the source.

    Raises:
        ManifestError: the manifest has faults.
        InputError: no file of a stream can be read.
        OutputExistsError: the file exists and ``overwrite`` is false.
    """
    tables = _Tables(Path(manifest), hop_s)
    return write_import(tables.source(), Path(output), info, overwrite=overwrite, origin=origin)


def read_feature_table(path: Path) -> FeatureTable:
    """Return what a feature file holds (see the module for the formats).

    Raises:
        ClipError: it is missing, damaged or of another format.
    """
    read = {".npy": _read_npy, ".npz": _read_npz, ".csv": _read_csv}.get(path.suffix.lower())
    if read is None:
        raise ClipError(f"{path}: expected a .npy, .npz or .csv file, got another", StreamStatus.DECODE_ERROR)
    try:
        table = read(path)
    except FileNotFoundError as error:
        raise ClipError(f"{path}: expected a feature file, found none", StreamStatus.MISSING_SOURCE) from error
    except (OSError, ValueError, KeyError, TypeError, EOFError, MemoryError, zipfile.BadZipFile) as error:
        raise ClipError(f"{path}: expected features that can be read: {error}", StreamStatus.DECODE_ERROR) from error
    return _checked(table, path)


def _read_npy(path: Path) -> FeatureTable:
    with path.open("rb") as handle:
        return FeatureTable(values=np.load(handle, allow_pickle=False))


def _read_npz(path: Path) -> FeatureTable:
    with path.open("rb") as handle, np.load(handle, allow_pickle=False) as content:
        return FeatureTable(
            values=content["values"],
            names=tuple(map(str, content["names"])) if "names" in content else (),
            times_s=content["times_s"].astype(np.float64) if "times_s" in content else None,
            intervals_s=content["intervals_s"].astype(np.float64) if "intervals_s" in content else None,
        )


def _read_csv(path: Path) -> FeatureTable:
    with path.open(encoding="utf-8-sig") as handle:
        header = [name.strip() for name in handle.readline().split(",")]
    used = [i for i, name in enumerate(header) if name.lower() not in _IDS]
    columns = None if len(used) == len(header) else used
    values = np.loadtxt(
        path, delimiter=",", skiprows=1, ndmin=2, dtype=np.float64, encoding="utf-8-sig", usecols=columns
    )
    names = [header[i] for i in used]
    if values.size and values.shape[1] != len(names):
        raise ValueError(f"{len(names)} names in the header, {values.shape[1]} columns below it")
    values = values.reshape(-1, len(names))
    time = next((names.index(name) for name in _TIMES if name in names), None)
    ends = [names.index(name) for name in _ENDS] if set(_ENDS) <= set(names) else []
    kept = [i for i in range(len(names)) if i != time and i not in ends]
    return FeatureTable(
        values=values[:, kept],
        names=tuple(names[i] for i in kept),
        times_s=None if time is None else _seconds(values[:, time], names[time]),
        intervals_s=values[:, ends] if ends else None,
    )


def _seconds(times: Float64Array, name: str) -> Float64Array:
    """Return times in seconds; a name with a unit is believed."""
    steps = np.diff(times)
    whole = name == _MILLISECONDS and steps.size > 0 and bool((times == np.round(times)).all())
    return times / 1000 if whole and steps.min() >= _LEAST_STEP_MS else times


def _checked(table: FeatureTable, path: Path) -> FeatureTable:
    """Return a table whose shapes agree and whose times are numbers."""
    values = table.values[None] if table.values.ndim == 1 else table.values
    n_row = len(values) if values.ndim == 2 else -1
    shapes = [item.shape for item in (table.times_s, table.intervals_s) if item is not None]
    fits = all(shape in ((n_row,), (n_row, 2)) for shape in shapes) and len(table.names) in (0, values.shape[-1])
    if values.ndim != 2 or not values.shape[1] or values.dtype.kind not in "biuf" or not fits:
        message = f"{path}: expected numbers (row, column) with a time each, got {values.dtype} {values.shape} {shapes}"
        raise ClipError(message, StreamStatus.DECODE_ERROR)
    if not n_row:
        raise ClipError(f"{path}: expected rows, got none", StreamStatus.EMPTY)
    if not all(np.isfinite(item).all() for item in (table.times_s, table.intervals_s) if item is not None):
        raise ClipError(f"{path}: expected finite times, got NaN or infinity", StreamStatus.DECODE_ERROR)
    if table.times_s is not None and (np.diff(table.times_s) < 0).any():
        raise ClipError(f"{path}: expected times that never go back", StreamStatus.DECODE_ERROR)
    return replace(table, values=values)


class _Tables:
    """The feature files of a manifest."""

    def __init__(self, manifest: Path, hop_s: float | None) -> None:
        self._manifest, self._hop_s = manifest, hop_s
        self._entries = read_manifest(manifest, with_streams=True)
        names = list(dict.fromkeys(name for entry in self._entries for name in entry.features))
        if not names and not any(entry.text or entry.labels for entry in self._entries):
            raise InputError(f"{manifest}: expected a column stream:NAME with feature files, got none; add one")
        self._infos = {name: feature_stream(name, self._entries, hop_s=hop_s) for name in names}
        self._counts = {name: Counts() for name in names}

    def source(self) -> Source:
        """Return what the import reads."""
        labels = dict.fromkeys(label for entry in self._entries for label in entry.labels)
        return Source(
            kind="csv",
            paths=[self._manifest],
            streams=list(self._infos.values()),
            clips=self._clips,
            labels=[LabelInfo(name=name) for name in labels],
            schemes=list(dict.fromkeys(scheme for entry in self._entries for scheme in entry.splits)),
            notes=self._notes,
            config={"hop_s": self._hop_s},
        )

    def _clips(self) -> Iterator[ClipFeatures]:
        for entry in self._entries:
            streams: dict[str, FrameFeatures] = {}
            failures = []
            for name, path in entry.features.items():
                try:
                    streams[name] = feature_frames(path, self._infos[name], self._counts[name], hop_s=self._hop_s)
                except ClipError as error:
                    failures.append(StreamFailure(stream=name, status=error.status, message=str(error)))
            yield ClipFeatures(
                entry=entry, streams=streams, failures=tuple(failures), source_sha256=_sha256(entry, streams)
            )

    def _notes(self) -> Sequence[str]:
        return [note for name, counts in self._counts.items() for note in counts.notes(name)]


def _sha256(entry: ClipEntry, streams: Mapping[str, FrameFeatures]) -> str:
    """Return the hash of the clip's feature file where there is one file alone."""
    paths = [entry.features[name] for name in streams]
    return file_sha256(paths[0]) if len(paths) == 1 else ""


def feature_stream(name: str, entries: Iterable[ClipEntry], *, hop_s: float | None = None) -> StreamInfo:
    """Return the columns and the kind of times of a stream of finished features, by its first file that can be read.

    Args:
        name: of the stream.
        entries: the clips; ``features`` names their files.
        hop_s: constant step in seconds of files without times.

    Raises:
        InputError: none of the files can be read.
    """
    reasons: list[str] = []
    for entry in entries:
        if name not in entry.features:
            continue
        try:
            return _stream_info(name, read_feature_table(entry.features[name]), hop_s)
        except ClipError as error:
            reasons = reasons or [str(error)]
    raise InputError(f"stream {name}: no file can be read; the first: {''.join(reasons) or 'no clip names one'}")


def feature_frames(path: Path, info: StreamInfo, counts: Counts, *, hop_s: float | None = None) -> FrameFeatures:
    """Return the frames of a feature file.

    Args:
        path: the file.
        info: its stream, from ``feature_stream``.
        counts: what is done is added here.
        hop_s: constant step in seconds of files without times.

    Raises:
        ClipError: it cannot be read, or has other columns or another kind of times than the stream.
    """
    table = read_feature_table(path)
    own = _stream_info(info.name, table, hop_s)
    if (own.feature_names, _clock(own)) != (info.feature_names, _clock(info)):
        message = (
            f"{path}: expected the {len(info.feature_names)} columns and the times ({_clock(info)}) of the "
            f"stream's other files, got {len(own.feature_names)} and {_clock(own)}"
        )
        raise ClipError(message, StreamStatus.DECODE_ERROR)
    times_s = table.times_s if table.intervals_s is None else table.intervals_s.mean(axis=1)
    return make_frames(table.values, info, counts, intervals_s=table.intervals_s, times_s=times_s)


def _clock(info: StreamInfo) -> str:
    return "intervals" if info.has_intervals else info.clock or ("a hop" if info.hop_s else "times")


def _stream_info(name: str, table: FeatureTable, hop_s: float | None) -> StreamInfo:
    columns = named_columns(table.names) if table.names else columns_for(name, table.values.shape[1])
    timed = table.times_s is not None or table.intervals_s is not None
    return columns.stream_info(
        name,
        config={},
        hop_s=None if timed else hop_s,
        has_intervals=table.intervals_s is not None,
        clock="" if timed or hop_s else "unknown",
    )
