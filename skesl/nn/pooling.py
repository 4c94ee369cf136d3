"""From a sequence to one vector, without its padding."""

from __future__ import annotations

from torch import Tensor


def masked_mean(states: Tensor, mask: Tensor) -> Tensor:
    """Return the mean over the real steps.

    Args:
        states: shape (clip, step, width).
        mask: bool, shape (clip, step), True for real steps.

    Returns:
        Shape (clip, width); 0 for a clip without real steps.
    """
    weights = mask.unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)
