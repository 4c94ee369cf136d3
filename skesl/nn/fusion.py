"""SKESL's crossmodal encoder: layers in which text attends to sound and face."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

from torch import Tensor, nn

from mmfeat.errors import ConfigError
from skesl.nn.attention import CrossmodalAttention, OpenedFrames, prepare_frames


@dataclass(frozen=True, kw_only=True)
class FusionConfig:
    """Shape of the crossmodal encoder."""

    n_layers: int = 4
    share_layers: bool = True  # as released (models.py:72-76): one layer's weights used n_layers times
    n_inner: int | None = 256  # width of queries, keys and values (models.py:31-33); none: the text's, equation 2
    output_projection: bool = True  # as released (models.py:34); equation 4 has none
    attention_bias: bool = True  # as released (models.py:31-34); equations 2 to 4 have none
    residual: Literal["raw", "normed"] = "raw"  # as released (models.py:60); equation 6 adds LN(X)
    feed_forward: Literal["linear", "transformer"] = "linear"  # as released (models.py:56); the paper: Transformer
    dropout: float = 0.5

    def __post_init__(self) -> None:
        if self.n_layers < 1:
            raise ConfigError(f"n_layers must be at least 1, got {self.n_layers}")
        if self.n_inner is not None and self.n_inner < 1:
            raise ConfigError(f"n_inner must be at least 1, got {self.n_inner}")
        if self.n_inner is not None and not self.output_projection:
            raise ConfigError(
                f'without output_projection n_inner must be "none", the width of text; got {self.n_inner}'
            )
        if not 0.0 <= self.dropout < 1.0:
            raise ConfigError(f"dropout must lie in [0, 1), got {self.dropout}")


class FusionLayer(nn.Module):
    """One layer: ``Y = X + sum of CMA_m(X, m)``, then ``X' = Y + dropout(FF(LN(Y)))``.

    Source: SKESL (ACL 2023 Findings), equation 6 and figure 2, with the released code's raw residual and single
    linear map without a non-linearity (models.py:56-64).
    """

    def __init__(self, n_text: int, n_features: Mapping[str, int], config: FusionConfig) -> None:
        super().__init__()
        self.attentions = nn.ModuleDict(
            {
                name: CrossmodalAttention(
                    n_text,
                    n_feature,
                    config.n_inner or n_text,
                    bias=config.attention_bias,
                    output_projection=config.output_projection,
                )
                for name, n_feature in n_features.items()
            }
        )
        self.residual_norm = nn.LayerNorm(n_text) if config.residual == "normed" else nn.Identity()
        self.norm = nn.LayerNorm(n_text)
        self.feed_forward = _feed_forward(n_text, config)
        self.dropout = nn.Dropout(config.dropout)

    def by_stream(self) -> list[tuple[str, CrossmodalAttention]]:
        """Return the attention over each stream, by its name."""
        return cast("list[tuple[str, CrossmodalAttention]]", list(self.attentions.items()))

    def forward(self, text: Tensor, opened: Mapping[str, OpenedFrames]) -> Tensor:
        """Return the text states after one layer.

        Args:
            text: shape (clip, token, n_text).
            opened: for each stream, what its attention's ``open`` returned.

        Returns:
            Shape (clip, token, n_text).
        """
        fused = self.residual_norm(text)
        for name, attention in self.by_stream():
            fused = fused + attention(text, opened[name])
        return fused + self.dropout(self.feed_forward(self.norm(fused)))  # type: ignore[no-any-return]


class CrossmodalEncoder(nn.Module):
    """A stack of fusion layers; text rows do not see one another, so that a part of them may be given.

    Args:
        n_text: width of the text states.
        n_features: features of each other modality.
        config: its shape.
        n_padded: for each stream, the number of frames up to which zeros are attended, as released
            (models.py:36-42 have no masks); a stream that is not named reads real frames alone.
    """

    def __init__(
        self,
        n_text: int,
        n_features: Mapping[str, int],
        config: FusionConfig,
        *,
        n_padded: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__()
        self.n_repeat = config.n_layers if config.share_layers else 1
        self.n_padded = dict(n_padded or {})
        n_own = 1 if config.share_layers else config.n_layers
        self.layers = nn.ModuleList(FusionLayer(n_text, n_features, config) for _ in range(n_own))

    def own_layers(self) -> list[FusionLayer]:
        """Return the layers with weights of their own; each is applied ``n_repeat`` times."""
        return cast("list[FusionLayer]", list(self.layers))

    def forward(self, text: Tensor, streams: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> Tensor:
        """Return the fused text states.

        Args:
            text: shape (clip, token, n_text).
            streams: for each modality, shape (clip, frame, feature).
            masks: for each modality, bool, shape (clip, frame), True for real frames.

        Returns:
            Shape (clip, token, n_text).
        """
        frames = {
            name: prepare_frames(values, masks[name], n_padded=self.n_padded.get(name))
            for name, values in streams.items()
        }
        for layer in self.own_layers():
            opened = {
                name: attention.open(frames[name], n_query=text.shape[1], n_use=self.n_repeat)
                for name, attention in layer.by_stream()
            }
            for _ in range(self.n_repeat):
                text = layer(text, opened)
        return text

    def linear_macs(self, text: Tensor, streams: Mapping[str, Tensor], _masks: Mapping[str, Tensor]) -> int:
        """Return the multiplications of the equations' linear maps for a batch, however they are computed."""
        n_clip, n_query, _ = text.shape
        total = 0
        for layer in self.own_layers():
            for name, attention in layer.by_stream():
                total += attention.linear_macs(n_query, self.n_padded.get(name, streams[name].shape[1]))
            maps = [module for module in layer.feed_forward.modules() if isinstance(module, nn.Linear)]
            total += sum(n_query * linear.weight.numel() for linear in maps)
        return n_clip * self.n_repeat * total


def _feed_forward(n_text: int, config: FusionConfig) -> nn.Module:
    """Return the map behind the attentions: one linear map, or the Transformer's two with four times the width."""
    if config.feed_forward == "linear":
        return nn.Linear(n_text, n_text)
    return nn.Sequential(
        nn.Linear(n_text, 4 * n_text), nn.ReLU(), nn.Dropout(config.dropout), nn.Linear(4 * n_text, n_text)
    )
