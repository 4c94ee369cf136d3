"""Stacks of Transformer layers with masks: self-attention alone, or self-attention and attention to another sequence.

The layers are torch's. Each is made on its own: ``nn.TransformerEncoder`` copies one layer, so that all begin with the
same weights.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from mmfeat.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class StackConfig:
    """Shape of a stack of Transformer layers."""

    n_layers: int = 6
    n_heads: int = 12
    n_inner: int = 3072  # width of the feed-forward map
    dropout: float = 0.0

    def __post_init__(self) -> None:
        for name in ("n_layers", "n_heads", "n_inner"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0.0 <= self.dropout < 1.0:
            raise ConfigError(f"dropout must lie in [0, 1), got {self.dropout}")


class SelfAttentionStack(nn.Module):
    """Layers of self-attention and feed-forward with the norms in front, and one norm behind them all, as in ViT.

    Source: Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021.
    """

    def __init__(self, width: int, config: StackConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width,
                config.n_heads,
                config.n_inner,
                config.dropout,
                activation="gelu",
                layer_norm_eps=1e-12,  # ViT's and AST's
                batch_first=True,
                norm_first=True,
            )
            for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(width, eps=1e-12)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Return the states of a sequence.

        Args:
            tokens: shape (clip, token, width).
            mask: bool, shape (clip, token), True for real tokens; at least one in each clip.

        Returns:
            Shape (clip, token, width); what stands behind padding means nothing.
        """
        for layer in self.layers:
            tokens = layer(tokens, src_key_padding_mask=~mask)
        return self.norm(tokens)  # type: ignore[no-any-return]

    def linear_macs(self, tokens: Tensor, _mask: Tensor) -> int:
        """Return the multiplications of the linear maps for a batch."""
        return tokens.shape[0] * tokens.shape[1] * _n_weight(self.layers)


class CrossAttentionStack(nn.Module):
    """Layers of self-attention, attention to another sequence, and feed-forward, each with its norm behind, as in BERT.

    Source: Li et al., "Align before Fuse", NeurIPS 2021, whose multimodal encoder is BERT's upper half.
    """

    def __init__(self, width: int, config: StackConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.TransformerDecoderLayer(
                width, config.n_heads, config.n_inner, config.dropout, activation="gelu", batch_first=True
            )
            for _ in range(config.n_layers)
        )

    def forward(self, tokens: Tensor, mask: Tensor, context: Tensor, context_mask: Tensor) -> Tensor:
        """Return the states of a sequence that has read another one.

        Args:
            tokens: shape (clip, token, width): they ask.
            mask: bool, shape (clip, token), True for real tokens; at least one in each clip.
            context: shape (clip, other token, width): it answers.
            context_mask: bool, shape (clip, other token); at least one in each clip.

        Returns:
            Shape (clip, token, width).
        """
        for layer in self.layers:
            tokens = layer(tokens, context, tgt_key_padding_mask=~mask, memory_key_padding_mask=~context_mask)
        return tokens

    def linear_macs(self, tokens: Tensor, _mask: Tensor, context: Tensor, _context_mask: Tensor) -> int:
        """Return the multiplications of the linear maps for a batch: keys and values are those of the context."""
        of_context = len(self.layers) * 2 * tokens.shape[2] ** 2
        n_token, n_context = tokens.shape[1], context.shape[1]
        return tokens.shape[0] * (n_token * (_n_weight(self.layers) - of_context) + n_context * of_context)


def _n_weight(module: nn.Module) -> int:
    """Return the number of weights of all matrices in a module."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.ndim > 1)
