"""Batches as models take them: clips of different lengths in one array, with zeros behind their ends.

The rows are read straight into their places in the batch; nothing is copied on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mmfeat.dataset.column import AnyColumn, Column
from mmfeat.types import BoolArray, Float32Array

IntArray = npt.NDArray[np.int64]
Memory = Callable[[tuple[int, ...]], Float32Array]


@dataclass(frozen=True, kw_only=True, eq=False)
class PaddedBatch:
    """Features of several clips, padded at their ends to one length.

    Args:
        values: float32, shape (clip, frame, feature), 0 behind the end of a clip.
        mask: bool, shape (clip, frame): True where a clip has a frame and the frame is valid.
        lengths: int64, shape (clip,): how many frames of each clip are in the batch.
    """

    values: Float32Array
    mask: BoolArray
    lengths: IntArray


@dataclass(frozen=True, kw_only=True, eq=False)
class _Runs:
    """Runs of rows of a column, the row of a batch at which each begins, and where the zeros behind it end."""

    starts: IntArray
    lengths: IntArray
    places: IntArray
    ends: IntArray


def read_padded(
    columns: Mapping[str, AnyColumn],
    starts: IntArray,
    lengths: IntArray,
    *,
    drop_invalid: bool = False,
    max_frames: int | None = None,
    memory: Memory | None = None,
) -> PaddedBatch:
    """Return the frames of each clip, from ``starts`` on; what ``DatasetReader.read_padded`` does.

    Which frames are valid is read first: of those that are left out no value is read.
    """
    if max_frames is not None and not drop_invalid:
        lengths = lengths.clip(max=max_frames)
    mask = np.empty((starts.size, lengths.max(initial=1)), dtype=columns["valid"].dtype)
    _read(columns["valid"], mask, _whole_clips(starts, lengths, mask.shape[1]))
    is_whole = not drop_invalid or np.count_nonzero(mask) == lengths.sum()
    if is_whole and (max_frames is None or mask.shape[1] <= max_frames):
        values = (memory or _new_memory)((*mask.shape, *columns["values"].row_shape))
        _read(columns["values"], values, _whole_clips(starts, lengths, mask.shape[1]))
        return PaddedBatch(values=values, mask=mask, lengths=lengths)
    if max_frames is not None:
        mask &= np.cumsum(mask, axis=1) <= max_frames
    lengths = np.count_nonzero(mask, axis=1)
    n_frame = int(lengths.max(initial=1))
    values = (memory or _new_memory)((starts.size, n_frame, *columns["values"].row_shape))
    _read(columns["values"], values, _valid_frames(starts, mask, n_frame))
    return PaddedBatch(values=values, mask=np.arange(n_frame) < lengths[:, None], lengths=lengths)


def _new_memory(shape: tuple[int, ...]) -> Float32Array:
    return np.empty(shape, dtype=np.float32)


def _whole_clips(starts: IntArray, lengths: IntArray, n_frame: int) -> _Runs:
    """Return the first frames of each clip, in a batch of ``n_frame`` frames."""
    places = np.arange(0, starts.size * n_frame, n_frame)
    return _Runs(starts=starts, lengths=lengths, places=places, ends=places + n_frame)


def _valid_frames(starts: IntArray, mask: BoolArray, n_frame: int) -> _Runs:
    """Return those frames at which the mask is True, in a batch of ``n_frame`` frames."""
    clip, edge = np.nonzero(np.diff(mask, axis=1, prepend=False, append=False))
    clip, begins, lengths = clip[::2], edge[::2], edge[1::2] - edge[::2]
    n_kept = np.count_nonzero(mask, axis=1)
    rows = np.arange(0, starts.size * n_frame, n_frame)
    n_before = np.cumsum(lengths) - lengths  # frames that are kept, of this clip and of those above it
    places = n_before + (rows - (np.cumsum(n_kept) - n_kept))[clip]
    tails = rows + n_kept  # behind each clip a run of no frames, for the zeros
    nothing = np.zeros_like(starts)
    return _Runs(
        starts=np.concatenate([starts[clip] + begins, nothing]),
        lengths=np.concatenate([lengths, nothing]),
        places=np.concatenate([places, tails]),
        ends=np.concatenate([places + lengths, rows + n_frame]),
    )


def _read(column: AnyColumn, batch: npt.NDArray[Any], runs: _Runs) -> None:
    """Fill a batch, shape (clip, frame, …), with runs of a column."""
    rows = batch.reshape(-1, *batch.shape[2:])
    own = (runs.starts, runs.lengths, runs.places, runs.ends)
    n_done = column.read_each(rows, *own) if isinstance(column, Column) else 0
    for start, length, place, end in np.transpose([numbers[n_done:] for numbers in own]).tolist():
        column.read_into(rows[place : place + length], start)
        rows[place + length : end] = 0
