"""From a sequence to one vector, without its padding."""

from __future__ import annotations

import torch
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
