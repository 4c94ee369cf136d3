"""What is in the streams of a dataset: statistics of every column, validity, and a hash of each clip's frames."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from mmfeat.data_report.moments import Moments
from mmfeat.dataset import DatasetReader, FrameBlock
from mmfeat.types import BoolArray, Split, Track, untracked

N_SHARE = 20  # classes of the share of valid frames
_PARTS = (Split.TRAIN, Split.VALID, Split.TEST, Split.NONE)
_DIGEST_BYTES = 16

Digests = npt.NDArray[np.uint64]
"""Shape (clip, 2): a hash of each clip's frames, 0 where it has none."""


@dataclass(frozen=True, kw_only=True)
class ColumnSurvey:
    """One column of a stream over its valid frames; of log-F0 over the voiced ones.

    ``shift`` is the mean of the test part minus that of the train part, in standard deviations of the column.
    """

    name: str
    unit: str
    count: int
    mean: float
    sd: float
    low: float
    high: float
    n_not_finite: int
    is_constant: bool
    shift: float


@dataclass(frozen=True, kw_only=True)
class StreamSurvey:
    """One stream.

    Args:
        name: of the stream.
        made_by: extractor and settings.
        status: clips by what became of the stream in them.
        n_frame: frames of all clips.
        frames_per_clip: fewest, median and most, of the clips that have the stream.
        valid_share: of all frames, NaN where there are none.
        voiced_share: of the valid frames; None in streams without log-F0.
        clips_by_valid_share: clips with 0 to 5 %, …, 95 to 100 % valid frames.
        columns: of a stream of features.
    """

    name: str
    made_by: str
    status: dict[str, int]
    n_frame: int
    frames_per_clip: tuple[int, float, int]
    valid_share: float
    voiced_share: float | None
    clips_by_valid_share: tuple[int, ...]
    columns: tuple[ColumnSurvey, ...] = ()

    @property
    def n_clip(self) -> int:
        """Clips that have the stream."""
        return self.status.get("ok", 0)

    @property
    def constant(self) -> tuple[str, ...]:
        """Names of the columns with one value only."""
        return tuple(column.name for column in self.columns if column.is_constant)

    @property
    def not_finite(self) -> dict[str, int]:
        """How many values are NaN or infinite, by column."""
        return {column.name: column.n_not_finite for column in self.columns if column.n_not_finite}


@dataclass(kw_only=True, eq=False)
class _Sums:
    """What grows while the blocks of a stream are read."""

    moments: dict[int, Moments] = field(default_factory=dict)
    n_voiced: int = 0
    valid_by_clip: npt.NDArray[np.int64]


def survey_stream(
    reader: DatasetReader, name: str, parts: npt.NDArray[np.uint8], track: Track[Any] = untracked
) -> tuple[StreamSurvey, Digests]:
    """Return what is in a stream, and a hash of each clip's frames; the frames are read once, in blocks.

    Args:
        reader: the dataset.
        name: of the stream.
        parts: the part of each clip.
        track: shows progress over the blocks.

    Raises:
        InputError: the file is damaged.
    """
    info, offsets = reader.info(name), reader.offsets(name)
    sums = _Sums(valid_by_clip=np.zeros(parts.size, dtype=np.int64))
    digests = _image_digests(reader, name, sums, track) if info.codec else _read(reader, name, parts, sums, track)
    lengths = np.diff(offsets)
    has_frames = lengths > 0
    n_frame, n_valid = int(lengths.sum()), int(sums.valid_by_clip.sum())
    shares = sums.valid_by_clip[has_frames] / lengths[has_frames]
    there = lengths[np.array([status.name == "OK" for status in reader.status(name)], dtype=np.bool_)]
    survey = StreamSurvey(
        name=name,
        made_by=f"{info.extractor} {info.extractor_version}, {info.preset}",
        status=dict(Counter(status.name.lower() for status in reader.status(name))),
        n_frame=n_frame,
        frames_per_clip=(int(there.min()), float(np.median(there)), int(there.max())) if there.size else (0, 0.0, 0),
        valid_share=n_valid / n_frame if n_frame else float("nan"),
        voiced_share=sums.n_voiced / max(n_valid, 1) if info.has_voiced else None,
        clips_by_valid_share=tuple(np.histogram(shares, bins=N_SHARE, range=(0.0, 1.0))[0].tolist()),
        columns=() if info.codec else tuple(_columns(info.feature_names, info.feature_units, sums.moments)),
    )
    return survey, digests


def _read(reader: DatasetReader, name: str, parts: npt.NDArray[np.uint8], sums: _Sums, track: Track[Any]) -> Digests:
    """Take every block of a stream of features into the sums, and return the hashes of the clips."""
    offsets, names = reader.offsets(name), reader.info(name).feature_names
    pitch = names.index("log_f0") if "log_f0" in names else None
    digests = _Digests(offsets)
    for block in track(reader.blocks(name), reader.n_blocks(name), f"look at {name}"):
        clips = np.searchsorted(offsets, np.arange(block.start, block.start + len(block.valid)), side="right") - 1
        np.add.at(sums.valid_by_clip, clips[block.valid], 1)
        wanted = np.broadcast_to(block.valid[:, None], block.values.shape)
        if block.voiced is not None:
            sums.n_voiced += int((block.valid & block.voiced).sum())
            if pitch is not None:
                wanted = wanted.copy()
                wanted[:, pitch] &= block.voiced
        for part in np.unique(parts[clips]):
            _add(sums.moments, int(part), block, wanted, parts[clips] == part)
        digests.add(block)
    return digests.found


def _add(moments: dict[int, Moments], part: int, block: FrameBlock, wanted: BoolArray, rows: BoolArray) -> None:
    new = Moments.of(block.values, wanted) if rows.all() else Moments.of(block.values[rows], wanted[rows])
    moments[part] = moments[part].merged(new) if part in moments else new


class _Digests:
    """Hashes the frames of each clip as they come.

    Args:
        offsets: shape (clip + 1,), where each clip's frames begin.
    """

    def __init__(self, offsets: npt.NDArray[np.int64]) -> None:
        self.found: Digests = np.zeros((offsets.size - 1, 2), dtype=np.uint64)
        self._offsets = offsets
        self._open = hashlib.blake2b(digest_size=_DIGEST_BYTES)

    def add(self, block: FrameBlock) -> None:
        """Take the frames of a block; every clip that ends in it has its hash afterwards."""
        stop = block.start + len(block.values)
        first = int(np.searchsorted(self._offsets, block.start, side="right")) - 1
        last = int(np.searchsorted(self._offsets, stop, side="left"))
        for clip in range(first, last):
            begin, end = max(int(self._offsets[clip]), block.start), min(int(self._offsets[clip + 1]), stop)
            if begin < end:
                self._open.update(np.ascontiguousarray(block.values[begin - block.start : end - block.start]).data)
                if end == self._offsets[clip + 1]:
                    self.found[clip] = _as_numbers(self._open.digest())
                    self._open = hashlib.blake2b(digest_size=_DIGEST_BYTES)


def _as_numbers(digest: bytes) -> Digests:
    return np.frombuffer(digest, dtype=np.uint64)


def _image_digests(reader: DatasetReader, name: str, sums: _Sums, track: Track[Any]) -> Digests:
    """Count the valid images of each clip, and return the hashes of their bytes."""
    digests: Digests = np.zeros((reader.n_clip, 2), dtype=np.uint64)
    for clip in track(range(reader.n_clip), reader.n_clip, f"look at {name}"):
        images = reader.read_frames(name, clip)
        if images.n_frame:
            content = hashlib.blake2b(digest_size=_DIGEST_BYTES)
            for image in images.jpegs:
                content.update(len(image).to_bytes(8, "little") + image)
            digests[clip] = _as_numbers(content.digest())
            sums.valid_by_clip[clip] = int(images.valid.sum())
    return digests


def _columns(names: tuple[str, ...], units: tuple[str, ...], moments: dict[int, Moments]) -> Iterator[ColumnSurvey]:
    every = reduce(Moments.merged, moments.values(), Moments.nothing(len(names)))
    train, test = (moments.get(int(part), Moments.nothing(len(names))).mean for part in (Split.TRAIN, Split.TEST))
    sd, changes = every.sd, (every.count > 0) & ~every.is_constant
    for at, (name, unit) in enumerate(zip(names, units, strict=True)):
        counted = bool(every.count[at])
        yield ColumnSurvey(
            name=name,
            unit=unit,
            count=int(every.count[at]),
            mean=float(every.mean[at]),
            sd=float(sd[at]),
            low=float(every.low[at]) if counted else float("nan"),
            high=float(every.high[at]) if counted else float("nan"),
            n_not_finite=int(every.n_not_finite[at]),
            is_constant=bool(every.is_constant[at]),
            shift=float((test[at] - train[at]) / sd[at]) if changes[at] else float("nan"),
        )
