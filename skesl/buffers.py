"""Memory of batches that is used again and again."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mmfeat import Float32Array


class Buffers:
    """Memory by name; asking again for a name hands out the same memory, grown where it was too small.

    Args:
        pinned: of the kind from which a GPU copies by itself.
    """

    def __init__(self, *, pinned: bool = False) -> None:
        self._pinned = pinned
        self._held: dict[str, Tensor] = {}

    def take(self, name: str, shape: tuple[int, ...]) -> Float32Array:
        """Return memory of a shape; what stands in it is left from its last use."""
        n_value = math.prod(shape)
        held = self._held.get(name)
        if held is None or held.numel() < n_value:
            held = self._held[name] = torch.empty(n_value + n_value // 4, pin_memory=self._pinned)
        array: Float32Array = held[:n_value].view(shape).numpy()
        return array
