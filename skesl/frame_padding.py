"""Frames of a batch in one padded block of memory that is used again and again.

The one place where clips that were read together become a padded tensor.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from mmfeat import FrameBatch


class Buffers:
    """Memory by name; asking again for a name hands out the same memory, grown where it was too small.

    Args:
        pinned: of the kind from which a GPU copies by itself.
    """

    def __init__(self, *, pinned: bool = False) -> None:
        self._pinned = pinned
        self._held: dict[str, Tensor] = {}

    def take(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """Return float32 memory of a shape; what stands in it is left from its last use."""
        n_value = math.prod(shape)
        held = self._held.get(name)
        if held is None or held.numel() < n_value:
            held = self._held[name] = torch.empty(n_value + n_value // 4, pin_memory=self._pinned)
        return held[:n_value].view(shape)


def pad_frames(
    frames: FrameBatch,
    name: str,
    buffers: Buffers,
    *,
    keep_failed: bool = False,
    max_frames: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the valid frames of each clip, padded at the end with 0, and the mask of what is real.

    Args:
        frames: of several clips, one behind the other.
        name: of the memory.
        buffers: where the padded frames are put.
        keep_failed: keep frames that are not valid as they are stored.
        max_frames: keep the first ones; None: all.

    Returns:
        float32, shape (clip, frame, feature), and bool, shape (clip, frame); at least one frame, which is not real
        where no clip has any.
    """
    is_kept = np.ones_like(frames.valid) if keep_failed else frames.valid
    n_valid = np.concatenate([[0], np.cumsum(is_kept)])
    bounds = n_valid[frames.offsets]
    lengths = np.diff(bounds)
    if max_frames is not None:
        lengths = lengths.clip(max=max_frames)
    values = frames.values if n_valid[-1] == len(frames.values) else frames.values[is_kept]
    padded = buffers.take(name, (lengths.size, max(1, int(lengths.max())), values.shape[1]))
    rows = padded.numpy()
    for row, (start, length) in enumerate(zip(bounds.tolist(), lengths.tolist(), strict=False)):
        rows[row, :length] = values[start : start + length]
        rows[row, length:] = 0.0
    return padded, torch.from_numpy(np.arange(rows.shape[1]) < lengths[:, None])
