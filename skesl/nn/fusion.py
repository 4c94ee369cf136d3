"""SKESL's crossmodal encoder: layers in which text attends to sound and face."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from skesl.nn.attention import CrossmodalAttention


class FusionLayer(nn.Module):
    """One layer: ``Y = X + sum of CMA_m(X, m)``, then ``X' = Y + dropout(W_f LN(Y))``.

    Source: SKESL (ACL 2023 Findings), equation 6 and figure 2, with the released code's raw residual and single
    linear map without a non-linearity (models.py:56-64).
    """

    def __init__(self, n_text: int, n_features: Mapping[str, int], *, n_inner: int, dropout: float) -> None:
        super().__init__()
        self.attentions = nn.ModuleDict(
            {name: CrossmodalAttention(n_text, n_feature, n_inner) for name, n_feature in n_features.items()}
        )
        self.norm = nn.LayerNorm(n_text)
        self.linear = nn.Linear(n_text, n_text)
        self.dropout = nn.Dropout(dropout)

    def forward(self, text: Tensor, streams: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> Tensor:
        """Return the text states after one layer, shape (clip, token, n_text)."""
        fused = text
        for name, attention in self.attentions.items():
            fused = fused + attention(text, streams[name], masks[name])
        return fused + self.dropout(self.linear(self.norm(fused)))  # type: ignore[no-any-return]


class CrossmodalEncoder(nn.Module):
    """A stack of fusion layers.

    Args:
        n_text: width of the text states.
        n_features: features of each other modality.
        n_layers: how often a layer is applied.
        share_layers: one set of weights for all layers, as released (models.py:72-76; Table 10's counts).
        n_inner: width of queries, keys and values.
        dropout: probability behind the linear map.
    """

    def __init__(
        self,
        n_text: int,
        n_features: Mapping[str, int],
        *,
        n_layers: int,
        share_layers: bool,
        n_inner: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.n_repeat = n_layers if share_layers else 1
        n_own = 1 if share_layers else n_layers
        self.layers = nn.ModuleList(
            FusionLayer(n_text, n_features, n_inner=n_inner, dropout=dropout) for _ in range(n_own)
        )

    def forward(self, text: Tensor, streams: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> Tensor:
        """Return the fused text states, shape (clip, token, n_text)."""
        for _ in range(self.n_repeat):
            for layer in self.layers:
                text = layer(text, streams, masks)
        return text
