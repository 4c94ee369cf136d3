"""Frames of one modality, read by a stack of Transformer layers.

Source: UniVA (ACM MM 2024), NUSTM/UniVA at ce59bbc, modules/Transformer.py and models.py:38-55: a linear map, dropout,
learned positions and BERT's layers (normalised behind the residual, GELU, 7,087,872 parameters each at 768). The layers
here are torch's own, which also have dropout between the two maps of the feed-forward part.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mmfeat.errors import ConfigError

_EPSILON = 1e-12  # of BERT's normalisation


@dataclass(frozen=True, kw_only=True)
class StackConfig:
    """Shape of the layers; BERT's by default."""

    width: int = 768
    n_heads: int = 12
    n_inner: int = 3072
    dropout: float = 0.1

    def __post_init__(self) -> None:
        for name in ("width", "n_heads", "n_inner"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.width % self.n_heads:
            raise ConfigError(f"width must be a multiple of n_heads ({self.n_heads}), got {self.width}")
        if not 0.0 <= self.dropout < 1.0:
            raise ConfigError(f"dropout must lie in [0, 1), got {self.dropout}")


class FrameEncoder(nn.Module):
    """A linear map, learned positions and Transformer layers.

    Args:
        n_feature: features of a frame.
        n_layers: 0 leaves the linear map alone, without positions.
        max_frames: the longest sequence; each place has a learned position.
        config: shape of the layers.
    """

    def __init__(self, n_feature: int, *, n_layers: int, max_frames: int, config: StackConfig) -> None:
        super().__init__()
        self.max_frames = max_frames if n_layers else None
        self.map = nn.Linear(n_feature, config.width)
        self.dropout = nn.Dropout(config.dropout)
        self.positions = nn.Embedding(max_frames, config.width) if n_layers else None
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                config.width,
                config.n_heads,
                config.n_inner,
                config.dropout,
                activation="gelu",
                layer_norm_eps=_EPSILON,
                batch_first=True,
            )
            for _ in range(n_layers)
        )

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Return the states of the frames, shape (clip, frame, width); those of padding mean nothing.

        Args:
            frames: shape (clip, frame, n_feature); of longer sequences the first ``max_frames`` are read.
            mask: bool, shape (clip, frame), True for real frames.

        Returns:
            Shape (clip, frame, width), as many frames as were read.
        """
        frames, mask = frames[:, : self.max_frames], mask[:, : self.max_frames]
        states = self.dropout(self.map(frames))
        if self.positions is None:
            return states  # type: ignore[no-any-return]
        states = states + self.positions.weight[: states.shape[1]]
        # A clip without frames would attend to nothing; its states are not read.
        padding = ~mask
        padding = torch.cat([padding[:, :1] & mask.any(dim=1, keepdim=True), padding[:, 1:]], dim=1)
        for layer in self.layers:
            states = layer(states, src_key_padding_mask=padding)
        return states  # type: ignore[no-any-return]

    def linear_macs(self, frames: Tensor, _mask: Tensor) -> int:
        """Return the multiplications of the linear maps for a batch; torch's layers hide theirs in predictions."""
        n_step = frames.shape[0] * min(frames.shape[1], self.max_frames or frames.shape[1])
        inner = [parameter.numel() for parameter in self.layers.parameters() if parameter.ndim == 2]
        return n_step * (self.map.weight.numel() + sum(inner))
