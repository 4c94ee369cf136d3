"""From a sequence to one vector, without its padding."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


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


def first_step(states: Tensor, _mask: Tensor) -> Tensor:
    """Return the first step of each clip; arguments and shapes as in ``masked_mean``."""
    return states[:, 0]


def last_step(states: Tensor, mask: Tensor) -> Tensor:
    """Return the last real step of each clip, 0 for one without; arguments and shapes as in ``masked_mean``."""
    steps = torch.arange(mask.shape[1], device=mask.device)
    last = torch.where(mask, steps, 0).amax(dim=1)
    return states[torch.arange(len(states), device=states.device), last] * mask.any(dim=1, keepdim=True)


def last_padded_step(states: Tensor, mask: Tensor) -> Tensor:
    """Return the step at which the longest clip of the batch ends: 0 for every shorter clip.

    Arguments and shapes as in ``masked_mean``; what a clip gets depends on the other clips.

    Source: TAM-ULAG's released code, ``pad_packed_sequence(batch_first=False)[0][-1]`` (models/multiTask/
    SELF_MM.py:323, 327).
    """
    steps = torch.arange(mask.shape[1], device=mask.device)
    last = torch.where(mask, steps, 0).amax()
    is_there = (steps == last) & mask
    return (states * is_there.unsqueeze(-1)).sum(dim=1)


class _TwoScores(nn.Module):
    """Two linear maps of each step to one number.

    Args:
        width: of the states.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.alpha = nn.Linear(width, 1)
        self.beta = nn.Linear(width, 1)


class TemporalAttention(_TwoScores):
    """Weights each step by what it contributes: weights over the real steps of a clip are positive and sum to 1.

    The two gates of TAM-ULAG's released code are kept, ``tanh(w_1 h + b_1)`` and ``w_2 h + b_2``; the softmax of their
    product over the real steps takes the place of the product itself, so that the weights compare steps.
    """

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Return the weighted sum of the steps; arguments and shapes as in ``masked_mean``."""
        return (states * self.weights(states, mask).unsqueeze(-1)).sum(dim=1)

    def weights(self, states: Tensor, mask: Tensor) -> Tensor:
        """Return the weight of each step, shape (clip, step): 0 for padding, all 0 for a clip without real steps."""
        scores = (self.alpha(states).tanh() * self.beta(states)).squeeze(-1)
        lowest = torch.finfo(scores.dtype).min  # and not -inf: a clip without steps would be 0 / 0
        return scores.masked_fill(~mask, lowest).softmax(dim=1) * mask  # type: ignore[no-any-return]


class TemporalGates(_TwoScores):
    """Scales each step by ``tanh(w_1 h + b_1) * tanhshrink(w_2 h + b_2)``: no weights, no sum over time.

    ``tanhshrink(x)`` is ``x - tanh(x)``, about ``x**3 / 3`` near 0: states nearly vanish at first.

    Source: TAM-ULAG's released code (models/multiTask/SELF_MM.py:73-80, 308-315).
    """

    def forward(self, states: Tensor) -> Tensor:
        """Return the scaled states, shape (clip, step, width)."""
        return states * self.alpha(states).tanh() * F.tanhshrink(self.beta(states))  # type: ignore[no-any-return]


class AdditiveAttentionPooling(nn.Module):
    """Weighted mean over the real steps: step t weighs softmax(w tanh(P x_t + Q q)), with a learned query q.

    Source: UniVA (ACM MM 2024), NUSTM/UniVA at ce59bbc, modules/Transformer.py:37-62; 1,182,721 parameters at 768.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.randn(width))
        self.of_step = nn.Linear(width, width)
        self.of_query = nn.Linear(width, width)
        self.score = nn.Linear(width, 1)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Return one vector for each clip.

        Args:
            states: shape (clip, step, width).
            mask: bool, shape (clip, step), True for real steps.

        Returns:
            Shape (clip, width); 0 for a clip without real steps.
        """
        weights = self.weights(states, mask)
        return (weights.unsqueeze(1) @ states.masked_fill(~mask.unsqueeze(-1), 0.0)).squeeze(1)

    def weights(self, states: Tensor, mask: Tensor) -> Tensor:
        """Return the weight of each step, shape (clip, step): 0 for padding, sum 1 where there is a real step."""
        scores = self.score(torch.tanh(self.of_step(states) + self.of_query(self.query))).squeeze(-1)
        lowest = torch.finfo(scores.dtype).min
        return scores.masked_fill(~mask, lowest).softmax(dim=-1) * mask  # type: ignore[no-any-return]
