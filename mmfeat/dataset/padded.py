"""Batches as models take them: clips of different lengths in one array, with zeros behind their ends.

The rows are read straight into their places in the batch; nothing is copied on the way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mmfeat.dataset.column import AnyColumn
from mmfeat.types import BoolArray, Float32Array

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
    lengths: npt.NDArray[np.int64]


def read_padded(
    columns: Mapping[str, AnyColumn],
    clips: Sequence[tuple[int, int]],
    *,
    drop_invalid: bool = False,
    max_frames: int | None = None,
    memory: Memory | None = None,
) -> PaddedBatch:
    """Return frames ``start`` to ``stop`` of each clip; what ``DatasetReader.read_padded`` does."""
    if max_frames is not None and not drop_invalid:
        clips = [(start, min(stop, start + max_frames)) for start, stop in clips]
    lengths = np.array([stop - start for start, stop in clips], dtype=np.int64)
    shape = len(clips), int(lengths.max(initial=1))
    stored = columns["values"]
    values = (memory or _new_memory)((*shape, *stored.row_shape))
    mask = np.empty(shape, dtype=columns["valid"].dtype)
    stored.read_each(clips, values)
    columns["valid"].read_each(clips, mask)
    batch = PaddedBatch(values=values, mask=mask, lengths=lengths)
    return _without_invalid(batch, max_frames) if drop_invalid else batch


def _new_memory(shape: tuple[int, ...]) -> Float32Array:
    return np.empty(shape, dtype=np.float32)


def _without_invalid(batch: PaddedBatch, max_frames: int | None) -> PaddedBatch:
    """Return a batch in which the valid frames of each clip follow one another, in the memory of ``batch``."""
    values, mask, lengths = batch.values, batch.mask, np.count_nonzero(batch.mask, axis=1)
    if max_frames is not None:
        lengths = lengths.clip(max=max_frames)
    if np.array_equal(lengths, batch.lengths):
        return batch
    shape = len(lengths), int(lengths.max(initial=1)), *values.shape[2:]
    packed = values.reshape(-1)[: math.prod(shape)].reshape(shape)
    # A clip moves to the front, if at all, where those before it lay, so that none is overwritten before its turn.
    for row in np.flatnonzero(lengths < batch.lengths) if shape == values.shape else range(len(lengths)):
        kept = values[row][mask[row]][: lengths[row]]
        packed[row, : len(kept)] = kept
        packed[row, len(kept) :] = 0
    return PaddedBatch(values=packed, mask=np.arange(shape[1]) < lengths[:, None], lengths=lengths)
