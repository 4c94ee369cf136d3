"""Batches as models take them: clips of different lengths in one array, with zeros behind their ends.

The rows are read straight into their places in the batch; nothing is copied on the way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mmfeat.dataset.column import AnyColumn
from mmfeat.types import BoolArray, Float32Array


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


def read_padded(columns: Mapping[str, AnyColumn], clips: Sequence[tuple[int, int]]) -> PaddedBatch:
    """Return frames ``start`` to ``stop`` of each clip; a batch without frames is one frame long."""
    lengths = np.array([stop - start for start, stop in clips], dtype=np.int64)
    n_frame = int(lengths.max(initial=1))
    return PaddedBatch(
        values=columns["values"].read_each(clips, n_frame),
        mask=columns["valid"].read_each(clips, n_frame),
        lengths=lengths,
    )


def without_invalid(batch: PaddedBatch) -> PaddedBatch:
    """Return a batch in which the valid frames of each clip follow one another; ``batch`` is used up."""
    values, mask, lengths = batch.values, batch.mask, np.count_nonzero(batch.mask, axis=1)
    if np.array_equal(lengths, batch.lengths):
        return batch
    n_frame = int(lengths.max(initial=1))
    for row in np.flatnonzero(lengths < batch.lengths):
        valid = values[row][mask[row]]
        values[row, : len(valid)] = valid
        values[row, len(valid) :] = 0
    return PaddedBatch(
        values=np.ascontiguousarray(values[:, :n_frame]),
        mask=np.arange(n_frame) < lengths[:, None],
        lengths=lengths,
    )
