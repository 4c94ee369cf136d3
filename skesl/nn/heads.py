"""Heads: from a vector to a prediction."""

from __future__ import annotations

from torch import Tensor, nn


class TwoLayerHead(nn.Module):
    """Linear, ReLU, dropout, linear.

    Source: SKESL's released code, fc1 and fc2 (models.py:100-104, 148-152).
    """

    def __init__(self, n_input: int, n_output: int = 1, *, n_hidden: int = 256, dropout: float = 0.5) -> None:
        super().__init__()
        self.hidden = nn.Linear(n_input, n_hidden)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(n_hidden, n_output)

    def forward(self, states: Tensor) -> Tensor:
        """Return shape (clip, n_output) for shape (clip, n_input)."""
        return self.output(self.dropout(self.hidden(states).relu()))  # type: ignore[no-any-return]
