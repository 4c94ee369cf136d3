"""Datasets that lie in memory in parts (train, valid, test): padded arrays, one for each stream."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mmfeat.convert.columns import Columns, columns_for, named_columns
from mmfeat.convert.frames import Counts, Padding, make_frames, real_rows
from mmfeat.convert.report import Source, check_ids
from mmfeat.dataset import LabelInfo
from mmfeat.errors import InputError
from mmfeat.types import (
    ClipEntry,
    ClipFeatures,
    Float64Array,
    FrameFeatures,
    Split,
    StreamFailure,
    StreamInfo,
    StreamStatus,
)

PARTS = {"train": Split.TRAIN, "valid": Split.VALID, "test": Split.TEST, "none": Split.NONE}
_CLIP_OF = re.compile(r"(.+)(?:\$_\$|\[)([0-9]+)\]?")  # video$_$clip and video[k]
_MAX_POSITION = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of a dataset.

    Args:
        name: train, valid, test or none.
        ids: of the clips; empty where the source has none.
        texts: what is said; empty where the source has none.
        streams: by name, one array (row, column) for each clip.
        lengths: by stream, the stored number of rows of each clip.
        labels: by name, one number for each clip, NaN where it has none.
        recordings: of the clips; empty where they follow from the ids.
        positions: of the clips in their recordings; empty where they follow from the ids.
    """

    name: str
    ids: Sequence[str] = ()
    texts: Sequence[str] = ()
    streams: Mapping[str, Sequence[npt.NDArray[Any]]] = field(default_factory=dict)
    lengths: Mapping[str, Sequence[int]] = field(default_factory=dict)
    labels: Mapping[str, Float64Array] = field(default_factory=dict)
    recordings: Sequence[str] = ()
    positions: Sequence[int] = ()

    @property
    def n_clip(self) -> int:
        """Number of clips, the same in every field (see ``check_lengths``)."""
        return len(next(column for column in self._columns().values() if len(column)))

    def check_lengths(self, where: str) -> None:
        """Refuse fields of different lengths.

        Raises:
            InputError: there are such, or none at all.
        """
        counts = {name: len(column) for name, column in self._columns().items() if len(column)}
        if len(set(counts.values())) != 1:
            shown = ", ".join(f"{name} {count}" for name, count in counts.items()) or "nothing"
            raise InputError(f"{where}: expected fields of one number of clips, got {shown}; correct the source")

    def _columns(self) -> dict[str, Any]:
        lengths = {f"{name}_lengths": column for name, column in self.lengths.items()}
        labels = {f"label {name}": column for name, column in self.labels.items()}
        places = {"recordings": self.recordings, "positions": self.positions}
        return {"ids": self.ids, "texts": self.texts, **self.streams, **lengths, **labels, **places}


class PartsSource:
    """Turns parts into clips.

    Args:
        parts: the parts, in the order of the file.
        where: the file, for messages.
        aligned: row ``i`` of every stream belongs to word ``i``; padding is then what is 0 in all of them.
        padding: where the source puts rows of zeros.
        hops_s: constant step of a stream in seconds, where the source is known to have one.
        names: names of a stream's columns, where the source has them.
        paths: the files, for the provenance.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        where: str,
        *,
        aligned: bool = False,
        padding: Padding = "end",
        hops_s: Mapping[str, float] | None = None,
        names: Mapping[str, Sequence[str]] | None = None,
        paths: Sequence[Path] = (),
    ) -> None:
        for part in parts:
            part.check_lengths(f"{where}: {part.name}")
        self._parts, self._where, self._aligned, self._padding = parts, where, aligned, padding
        self._paths, self._column_names = paths, names or {}
        self._ids = [list(part.ids) or _made_ids(part) for part in parts]
        check_ids((clip_id for ids in self._ids for clip_id in ids), where)
        self.infos = {name: self._info(name, hops_s or {}) for name in _names(parts)}
        self._counts = {name: Counts() for name in self.infos}

    def source(self, kind: str, labels: Sequence[LabelInfo], notes: Sequence[str]) -> Source:
        """Return what the import reads."""
        return Source(
            kind=kind,
            paths=self._paths,
            streams=list(self.infos.values()),
            clips=self._clips,
            labels=labels,
            schemes=["default"] if any(part.name != "none" for part in self._parts) else [],
            notes=lambda: [*notes, *self._notes()],
            config={"aligned": self._aligned, "padding": self._padding},
        )

    def _info(self, name: str, hops_s: Mapping[str, float]) -> StreamInfo:
        widths = Counter(clip.shape[1] for part in self._parts for clip in part.streams.get(name, ())[:1])
        if len(widths) != 1:
            raise InputError(f"{self._where}: {name}: expected one number of columns, got {sorted(widths)}")
        columns = self._columns(name, next(iter(widths)))
        hop_s = hops_s.get(name)
        config = {"columns": columns.preset, "padding": self._padding}
        clock = "" if hop_s else ("words" if self._aligned else "unknown")
        return columns.stream_info(name, config=config, hop_s=hop_s, clock=clock)

    def _columns(self, name: str, n_feature: int) -> Columns:
        """Return the columns under the source's own names, else under those that are known."""
        names = self._column_names.get(name, ())
        return named_columns(names) if len(names) == n_feature else columns_for(name, n_feature)

    def _clips(self) -> Iterator[ClipFeatures]:
        positions: Counter[str] = Counter()
        for part, ids in zip(self._parts, self._ids, strict=True):
            for index, clip_id in enumerate(ids):
                yield self._clip(part, index, clip_id, positions)

    def _clip(self, part: Part, index: int, clip_id: str, positions: Counter[str]) -> ClipFeatures:
        recording_id, position = recording_of(clip_id, positions)
        labels = {name: float(values[index]) for name, values in part.labels.items() if not np.isnan(values[index])}
        entry = ClipEntry(
            clip_id=clip_id,
            recording_id=part.recordings[index] if part.recordings else recording_id,
            position=part.positions[index] if part.positions else position,
            splits={"default": PARTS[part.name]},
            text=part.texts[index] if part.texts else "",
            labels=labels,
        )
        streams: dict[str, FrameFeatures] = {}
        failures = []
        rows = self._rows(part, index, clip_id)
        for name, sequence in part.streams.items():
            frames = make_frames(sequence[index][rows[name]], self.infos[name], self._counts[name])
            if frames.n_frame:
                streams[name] = frames
            else:
                message = f"expected rows, got {len(sequence[index])} that are all 0 or of length 0"
                failures.append(StreamFailure(stream=name, status=StreamStatus.EMPTY, message=message))
        return ClipFeatures(entry=entry, streams=streams, failures=tuple(failures))

    def _rows(self, part: Part, index: int, clip_id: str) -> dict[str, slice]:
        """Return the rows of each stream of a clip that are no padding."""
        rows = {}
        for name, sequence in part.streams.items():
            stored = part.lengths.get(name)
            values = sequence[index]
            if stored is None:
                rows[name] = real_rows(values, self._padding)
                self._counts[name].n_inferred += self._padding != "none"
            else:
                rows[name] = self._stored_rows(values, int(stored[index]), name, clip_id)
        if self._aligned and not part.lengths:
            rows = _common(rows)
        for name, sequence in part.streams.items():
            self._counts[name].n_padding += len(sequence[index]) - (rows[name].stop - rows[name].start)
        return rows

    def _stored_rows(self, values: npt.NDArray[Any], length: int, name: str, clip_id: str) -> slice:
        """Return the rows that a stored length names; it wins over what the values look like."""
        if length < 0:
            raise InputError(f"{self._where}: {clip_id}: {name}: expected a length from 0, got {length}")
        if length > len(values) or (values[length:] != 0).any():
            self._counts[name].cut.append(f"{clip_id}: {length} stored, {len(values)} rows")
        return slice(0, min(length, len(values)))

    def _notes(self) -> list[str]:
        noted = [self._columns(name, len(info.feature_names)).note for name, info in self.infos.items()]
        texts = [f"{name}: {note}" for name, note in zip(self.infos, noted, strict=True) if note]
        if any(not part.ids for part in self._parts):
            texts.append("the source has no ids; they are made of the part and the place in it")
        for name, info in self.infos.items():
            if info.clock:
                texts.append(f"{name}: no time of any frame is known (clock = {info.clock!r})")
            texts += self._counts[name].notes(name)
        return texts


def is_aligned(parts: Sequence[Part]) -> bool:
    """Return whether all streams of all parts have the same number of rows and store no lengths: word by word."""
    if any(part.lengths for part in parts):
        return False
    rows = {len(sequence[0]) for part in parts for sequence in part.streams.values() if len(sequence)}
    return len(_names(parts)) > 1 and len(rows) == 1 and rows != {1}


def missing_streams(parts: Sequence[Part]) -> list[str]:
    """Return a note for each stream that one part has and another has not."""
    names = _names(parts)
    return [f"{part.name} has no {name}" for part in parts for name in names if name not in part.streams]


def recording_of(clip_id: str, positions: Counter[str]) -> tuple[str, int]:
    """Return recording and position of ids such as ``video$_$3`` and ``video[3]``; else the id and a running number."""
    found = _CLIP_OF.fullmatch(clip_id)
    if found and int(found[2]) <= _MAX_POSITION:
        return found[1], int(found[2])
    positions[clip_id] += 1
    return clip_id, positions[clip_id] - 1


def _names(parts: Sequence[Part]) -> list[str]:
    return list(dict.fromkeys(name for part in parts for name in part.streams))


def _made_ids(part: Part) -> list[str]:
    prefix = "clip" if part.name == "none" else part.name
    return [f"{prefix}_{index:05d}" for index in range(part.n_clip)]


def _common(rows: Mapping[str, slice]) -> dict[str, slice]:
    """Return for every stream the rows that any of them uses."""
    used = [part for part in rows.values() if part.stop > part.start] or [slice(0, 0)]
    whole = slice(min(part.start for part in used), max(part.stop for part in used))
    return dict.fromkeys(rows, whole)
