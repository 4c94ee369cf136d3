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
class _Places:
    """Runs of rows of a column, shape (run, 2), the row of a batch where each begins, and where zeros behind it end."""

    runs: IntArray
    firsts: IntArray
    ends: IntArray


def read_padded(
    columns: Mapping[str, AnyColumn],
    clips: IntArray,
    *,
    drop_invalid: bool = False,
    max_frames: int | None = None,
    memory: Memory | None = None,
) -> PaddedBatch:
    """Return frames ``start`` to ``stop`` of each clip, shape (clip, 2); what ``DatasetReader.read_padded`` does.

    Which frames are valid is read first: of those that are left out no value is read.
    """
    starts, lengths = clips[:, 0], clips[:, 1] - clips[:, 0]
    if max_frames is not None and not drop_invalid:
        lengths = lengths.clip(max=max_frames)
    mask = np.empty((len(clips), lengths.max(initial=1)), dtype=columns["valid"].dtype)
    _read(columns["valid"], mask, _whole_clips(starts, lengths, mask.shape[1]))
    kept = lengths if not drop_invalid else np.count_nonzero(mask, axis=1)
    if max_frames is not None:
        kept = kept.clip(max=max_frames)
    shape = len(clips), int(kept.max(initial=1)), *columns["values"].row_shape
    values = (memory or _new_memory)(shape)
    if np.array_equal(kept, lengths):
        _read(columns["values"], values, _whole_clips(starts, lengths, shape[1]))
        return PaddedBatch(values=values, mask=mask, lengths=lengths)
    if max_frames is not None:
        mask &= np.cumsum(mask, axis=1) <= max_frames
    _read(columns["values"], values, _valid_frames(starts, mask, shape[1]))
    return PaddedBatch(values=values, mask=np.arange(shape[1]) < kept[:, None], lengths=kept)


def _new_memory(shape: tuple[int, ...]) -> Float32Array:
    return np.empty(shape, dtype=np.float32)


def _whole_clips(starts: IntArray, lengths: IntArray, n_frame: int) -> _Places:
    """Return the places of the first frames of each clip, in a batch of ``n_frame`` frames."""
    firsts = np.arange(len(starts)) * n_frame
    return _Places(runs=np.stack([starts, starts + lengths], axis=1), firsts=firsts, ends=firsts + n_frame)


def _valid_frames(starts: IntArray, mask: BoolArray, n_frame: int) -> _Places:
    """Return the places of those frames at which the mask is True, in a batch of ``n_frame`` frames."""
    clip, edge = np.nonzero(np.diff(mask, axis=1, prepend=False, append=False))
    clip, begin, end = clip[::2], edge[::2], edge[1::2]
    n_kept = np.count_nonzero(mask, axis=1)
    n_before = np.cumsum(end - begin) - (end - begin)  # frames that are kept, in this clip and those above it
    firsts = n_before + (np.arange(len(mask)) * n_frame - (np.cumsum(n_kept) - n_kept))[clip]
    tails = np.arange(len(mask)) * n_frame + n_kept  # a run of no frames behind each clip, for the zeros
    return _Places(
        runs=np.concatenate([np.stack([begin, end], axis=1) + starts[clip, None], np.zeros((len(mask), 2), np.int64)]),
        firsts=np.concatenate([firsts, tails]),
        ends=np.concatenate([firsts + end - begin, np.arange(1, len(mask) + 1) * n_frame]),
    )


def _read(column: AnyColumn, batch: npt.NDArray[Any], places: _Places) -> None:
    """Fill a batch, shape (clip, frame, …), from the places of a column."""
    rows = batch.reshape(-1, *batch.shape[2:])
    runs, firsts, ends = places.runs, places.firsts, places.ends
    n_done = column.read_each(runs, rows, firsts, ends) if isinstance(column, Column) else 0
    for (start, stop), first, end in zip(runs[n_done:].tolist(), firsts[n_done:], ends[n_done:], strict=True):
        column.read_into(rows[first : first + stop - start], start)
        rows[first + stop - start : end] = 0
