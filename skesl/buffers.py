"""Memory of batches that is used again and again."""

from __future__ import annotations

import math

import numpy as np
import torch

from mmfeat import Float32Array


class Buffers:
    """Memory by name; asking again for a name hands out the same memory, grown where it was too small.

    Args:
        pinned: of the kind from which a GPU copies by itself.
    """

    def __init__(self, *, pinned: bool = False) -> None:
        self._pinned = pinned
        self._held: dict[str, Float32Array] = {}

    def take(self, name: str, shape: tuple[int, ...]) -> Float32Array:
        """Return memory of a shape; what stands in it is left from its last use."""
        n_value = math.prod(shape)
        held = self._held.get(name)
        if held is None or held.size < n_value:
            held = self._held[name] = self._new(n_value + n_value // 4)
        return held[:n_value].reshape(shape)

    def _new(self, n_value: int) -> Float32Array:
        if not self._pinned:
            return np.empty(n_value, dtype=np.float32)  # large ones come in large pages, which torch's do not
        pinned: Float32Array = torch.empty(n_value, pin_memory=True).numpy()
        return pinned
