"""One stream of an open dataset file: where each clip's frames are, and how they are read."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import h5py
import numpy as np
import numpy.typing as npt

from mmfeat.dataset.column import AnyColumn, Column
from mmfeat.dataset.decimal_values import DecimalValues
from mmfeat.dataset.logical import columns_of
from mmfeat.errors import SchemaError
from mmfeat.images import EncodedFrames
from mmfeat.types import BoolArray, Float32Array, Float64Array, StreamInfo

Run = tuple[int, int]
_BLOCK_BYTES = 1 << 22
_COLUMNS = ("values", "valid", "voiced", "confidence", "times_s", "intervals_s", "bytes", "frame_offsets")


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameBatch:
    """Features of several clips, one behind the other.

    Args:
        values: float32, shape (frame, feature).
        times_s: float64, shape (frame,), from the start of each clip; NaN in streams without a clock.
        valid: bool, shape (frame,).
        offsets: int64, shape (clip + 1,): clip ``i`` of the batch owns frames ``offsets[i]`` to ``offsets[i + 1]``.
        voiced: bool, shape (frame,), of streams with log-F0.
        confidence: float32, shape (frame,), of trackers.
        intervals_s: float64, shape (frame, 2), start and end of each frame on the recording's clock.
    """

    values: Float32Array
    times_s: Float64Array
    valid: BoolArray
    offsets: npt.NDArray[np.int64]
    voiced: BoolArray | None = None
    confidence: Float32Array | None = None
    intervals_s: Float64Array | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameBlock:
    """Some frames of a stream that follow one another, of any clips.

    Args:
        start: number of the first one in the file.
        values: float32, shape (frame, feature).
        valid: bool, shape (frame,).
        voiced: bool, shape (frame,), of streams with log-F0.
    """

    start: int
    values: Float32Array
    valid: BoolArray
    voiced: BoolArray | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class OpenStream:
    """The open columns of one stream.

    Args:
        info: columns and origin.
        offsets: int64, shape (clip + 1,): where each clip's frames begin.
        start_s: time of the first frame of every clip, on a regular grid.
        columns: what is stored of each frame, and of image streams the bytes.
    """

    info: StreamInfo
    offsets: npt.NDArray[np.int64]
    start_s: float
    columns: Mapping[str, AnyColumn]

    @classmethod
    def of(cls, group: h5py.Group, info: StreamInfo, descriptor: int) -> Self:
        """Return the columns of a group; ``descriptor`` is the open file for direct reads, -1 for none.

        Raises:
            SchemaError: the offsets name frames that are not there.
        """
        offsets = group["offsets"][:]
        if offsets.size and (offsets[0] < 0 or offsets[-1] > len(group["valid"]) or (np.diff(offsets) < 0).any()):
            expected = f"expected {group.name}/offsets to rise from 0 to its {len(group['valid'])} frames"
            raise SchemaError(f"{group.file.filename}: {expected}; copy it again, or mmfeat validate it")
        stored = columns_of(group)
        return cls(
            info=info,
            offsets=offsets,
            start_s=float(group.attrs.get("start_s", 0.0)),
            columns={name: _open(stored[name], descriptor) for name in _COLUMNS if name in stored},
        )

    def read_batch(self, clips: Sequence[Run]) -> FrameBatch:
        """Return the features of several clips; neighbours in the file are read in one go."""
        runs = _joined(clips)
        columns = {name: column.read_runs(runs) for name, column in self.columns.items()}
        lengths = [stop - start for start, stop in clips]
        confidence, intervals_s = columns.get("confidence"), columns.get("intervals_s")
        return FrameBatch(
            values=columns["values"],
            times_s=self._times_s(columns, lengths),
            valid=columns["valid"],
            offsets=np.cumsum([0, *lengths]),
            voiced=columns.get("voiced"),
            confidence=None if confidence is None else confidence.astype(np.float32),
            intervals_s=intervals_s,
        )

    def blocks(self) -> Iterator[FrameBlock]:
        """Yield all frames of all clips in blocks."""
        for start in range(0, self._n_frame, self._frames_per_block):
            stop = min(start + self._frames_per_block, self._n_frame)
            columns = {
                name: self.columns[name].read(start, stop)
                for name in ("values", "valid", "voiced")
                if name in self.columns
            }
            yield FrameBlock(start=start, **columns)

    @property
    def n_block(self) -> int:
        """Number of blocks."""
        return -(-self._n_frame // self._frames_per_block)

    @property
    def _n_frame(self) -> int:
        return int(self.offsets[-1]) if self.offsets.size else 0

    @property
    def _frames_per_block(self) -> int:
        return max(1, _BLOCK_BYTES // max(4 * len(self.info.feature_names), 1))

    def read_images(self, clip: Run) -> EncodedFrames:
        """Return the encoded images of one clip."""
        start, stop = clip
        ends = self.columns["frame_offsets"].read(start, stop + 1)
        content = self.columns["bytes"].read(int(ends[0]), int(ends[-1])).tobytes()
        places = (ends - ends[0]).tolist()
        return EncodedFrames(
            jpegs=tuple(content[begin:end] for begin, end in itertools.pairwise(places)),
            times_s=self.columns["times_s"].read(start, stop),
            valid=self.columns["valid"].read(start, stop),
            height=self.info.height,
            width=self.info.width,
        )

    def _times_s(self, columns: Mapping[str, Any], lengths: Sequence[int]) -> Float64Array:
        """Return the centres of the frames: as stored, of the intervals, on the grid, or NaN where none is known."""
        if "intervals_s" in columns:
            return np.asarray(columns["intervals_s"].mean(axis=1))
        if self.info.clock:
            return np.full(sum(lengths), np.nan)
        return columns["times_s"] if "times_s" in columns else self._grid_s(lengths)

    def _grid_s(self, lengths: Iterable[int]) -> Float64Array:
        """Return the times of clips on a regular grid, each from its own start."""
        hop_s = float(self.info.hop_s or 0.0)
        grids = [self.start_s + np.arange(n_frame, dtype=np.float64) * hop_s for n_frame in lengths]
        return np.concatenate(grids) if grids else np.zeros(0)


def _open(stored: h5py.Dataset | DecimalValues, descriptor: int) -> AnyColumn:
    return stored if isinstance(stored, DecimalValues) else Column(stored, descriptor)


def _joined(runs: Iterable[Run]) -> list[Run]:
    """Return runs of rows, with those joined that follow one another."""
    joined: list[Run] = []
    for start, stop in runs:
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return joined
