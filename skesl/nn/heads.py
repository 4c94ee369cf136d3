"""Heads: from a vector to a prediction."""

from __future__ import annotations

from torch import Tensor, nn


class RegressionHead(nn.Module):
    """Linear, ReLU, dropout, linear to one number.

    Source: SKESL's released code, fc1 and fc2 (models.py:100-104, 148-152).
    """

    def __init__(self, n_input: int, *, n_hidden: int = 256, dropout: float = 0.5) -> None:
        super().__init__()
        self.hidden = nn.Linear(n_input, n_hidden)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(n_hidden, 1)

    def forward(self, states: Tensor) -> Tensor:
        """Return one number for each row: shape (clip, n_input) to (clip,)."""
        return self.output(self.dropout(self.hidden(states).relu())).squeeze(-1)  # type: ignore[no-any-return]
