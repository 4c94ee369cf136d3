"""SKESL: sentiment knowledge enhanced self-supervised learning.

Source: Qian, Han et al., "Sentiment Knowledge Enhanced Self-supervised Learning for Multimodal Sentiment
Analysis", Findings of ACL 2023. Pretraining hides the most sentimental word of a clip and predicts its
intensity from text, voice and face; fine-tuning predicts the clip's label from the same fused states.

The default has the shape that gives the paper's parameter counts (Table 10: one layer's weights used four times,
inner width 256), and masks wherever the released code attends to padding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mmfeat.errors import ConfigError
from skesl.config import Stage
from skesl.data import Batch
from skesl.errors import MethodError
from skesl.methods.base import Method
from skesl.nn.fusion import CrossmodalEncoder
from skesl.nn.heads import RegressionHead
from skesl.nn.pooling import masked_mean
from skesl.normalise import FeatureNormaliser


@dataclass(frozen=True, kw_only=True)
class SkeslConfig:
    """Settings of SKESL."""

    n_layers: int = 4
    share_layers: bool = True  # as released (models.py:72-76): one layer's weights used n_layers times
    n_inner: int = 256  # width of queries, keys and values
    n_head_hidden: int = 256
    dropout: float = 0.5
    freeze_text_encoder_in_pretraining: bool = True  # as released (pretrain.py:55-56); the paper trains it

    def __post_init__(self) -> None:
        for name in ("n_layers", "n_inner", "n_head_hidden"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0.0 <= self.dropout < 1.0:
            raise ConfigError(f"dropout must lie in [0, 1), got {self.dropout}")


class Skesl(Method):
    """Text that attends to voice and face; see ``Method`` for the arguments.

    Raises:
        MethodError: the dataset has neither an audio nor a vision stream.
    """

    name = "skesl"
    config_type = SkeslConfig
    stages = ("pretrain", "finetune")
    stream_names = ("audio", "vision")
    transferred = ("text_encoder", "fusion")

    def __init__(
        self,
        config: SkeslConfig,
        *,
        text_encoder: nn.Module,
        text_width: int,
        normalisers: Mapping[str, FeatureNormaliser],
    ) -> None:
        super().__init__(config, text_encoder=text_encoder, text_width=text_width, normalisers=normalisers)
        if not normalisers:
            raise MethodError("method 'skesl' needs a stream named audio or vision, the dataset has none of them")
        self.fusion = CrossmodalEncoder(
            text_width,
            {name: normaliser.n_feature for name, normaliser in normalisers.items()},
            n_layers=config.n_layers,
            share_layers=config.share_layers,
            n_inner=config.n_inner,
            dropout=config.dropout,
        )
        self.head = RegressionHead(text_width, n_hidden=config.n_head_hidden, dropout=config.dropout)

    def frozen_modules(self, stage: Stage) -> tuple[nn.Module, ...]:
        """Return the text encoder in pretraining, unless the paper's end-to-end training was chosen."""
        freeze = stage == "pretrain" and self.config.freeze_text_encoder_in_pretraining
        return (self.text_encoder,) if freeze else ()

    def pretrain_loss(self, batch: Batch) -> Tensor:
        """Return the mean absolute error of the hidden words' intensities (equation 9)."""
        states = self.fuse(batch)
        rows = torch.arange(len(batch), device=states.device)
        return (self.head(states[rows, batch.mask_positions]) - batch.labels).abs().mean()  # type: ignore[no-any-return]

    def finetune_loss(self, batch: Batch) -> Tensor:
        """Return the mean absolute error of the labels."""
        return (self.predict(batch) - batch.labels).abs().mean()

    def predict(self, batch: Batch) -> Tensor:
        """Return the label predicted for each clip, from the mean over its real tokens; shape (clip,)."""
        return self.head(masked_mean(self.fuse(batch), batch.text_mask))  # type: ignore[no-any-return]

    def fuse(self, batch: Batch) -> Tensor:
        """Return the fused text states, shape (clip, token, text_width)."""
        streams = {name: normalise(batch.streams[name]) for name, normalise in self.normalisers.items()}
        return self.fusion(self.read_text(batch), streams, batch.stream_masks)  # type: ignore[no-any-return]
