"""Heads: from a vector to a prediction."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from mmfeat.errors import ConfigError


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


@dataclass(frozen=True, kw_only=True)
class HeadConfig:
    """Shape of a head of three layers."""

    n_hidden: int = 32
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.n_hidden < 1:
            raise ConfigError(f"n_hidden must be at least 1, got {self.n_hidden}")
        if not 0.0 <= self.dropout < 1.0:
            raise ConfigError(f"dropout must lie in [0, 1), got {self.dropout}")


class FeatureHead(nn.Module):
    """Features of a modality, and a prediction from them: two layers with ReLU and a linear one.

    Source: Self-MM (AAAI 2021), its ``post_…`` layers (models/multiTask/SELF_MM.py:25-49 of thuiar/MMSA).

    Args:
        n_input: width of what it reads.
        config: its shape.
    """

    def __init__(self, n_input: int, config: HeadConfig) -> None:
        super().__init__()
        self.dropout = nn.Dropout(config.dropout)
        self.hidden = nn.Linear(n_input, config.n_hidden)
        self.middle = nn.Linear(config.n_hidden, config.n_hidden)
        self.output = nn.Linear(config.n_hidden, 1)

    @property
    def n_hidden(self) -> int:
        """Width of the features."""
        return self.hidden.out_features

    def features(self, states: Tensor, added: Tensor | None = None) -> Tensor:
        """Return features, shape (clip, n_hidden), of states of shape (clip, n_input).

        Args:
            states: what the head reads.
            added: shape (clip, n_hidden), is added in front of the ReLU.
        """
        hidden = self.hidden(self.dropout(states))
        return (hidden if added is None else hidden + added).relu()  # type: ignore[no-any-return]

    def forward(self, features: Tensor) -> Tensor:
        """Return one number for each row: shape (clip, n_hidden) to (clip,)."""
        return self.output(self.middle(features).relu()).squeeze(-1)  # type: ignore[no-any-return]
