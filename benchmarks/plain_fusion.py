"""SKESL's fusion by the plain equations, on the weights of ours: what tests hold ours to, and what it is raced against.

Every map is applied to every row as it is printed, with masks, or over frames of zeros as the released code does.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from skesl.nn.attention import CrossmodalAttention
from skesl.nn.fusion import CrossmodalEncoder, FusionLayer


def plain_attention(attention: CrossmodalAttention, text: Tensor, other: Tensor, mask: Tensor | None) -> Tensor:
    """Return ``softmax(q k^T / sqrt(n_inner)) v W_o``; shape (clip, token, n_text).

    Args:
        attention: has the weights.
        text: shape (clip, token, n_text).
        other: shape (clip, frame, n_other).
        mask: bool, shape (clip, frame); None attends to every frame.
    """
    query = attention.query(attention.text_norm(text))
    key = attention.key(attention.other_norm(other))
    value = attention.value(attention.other_norm(other))
    scores = query @ key.transpose(1, 2) * attention.scale
    if mask is None:
        return attention.output(scores.softmax(dim=-1) @ value)  # type: ignore[no-any-return]
    weights = scores.masked_fill(~mask[:, None, :], torch.finfo(scores.dtype).min).softmax(dim=-1)
    return attention.output(weights @ value) * mask.any(dim=1)[:, None, None]  # type: ignore[no-any-return]


def plain_layer(
    layer: FusionLayer, text: Tensor, streams: Mapping[str, Tensor], masks: Mapping[str, Tensor | None]
) -> Tensor:
    """Return the text states after one layer."""
    fused = layer.residual_norm(text)
    for name, attention in layer.by_stream():
        fused = fused + plain_attention(attention, text, streams[name], masks[name])
    return fused + layer.dropout(layer.feed_forward(layer.norm(fused)))  # type: ignore[no-any-return]


def plain_fusion(
    encoder: CrossmodalEncoder, text: Tensor, streams: Mapping[str, Tensor], masks: Mapping[str, Tensor | None]
) -> Tensor:
    """Return the fused text states; streams with a padded length are filled up with frames of zeros and not masked."""
    streams, masks = dict(streams), dict(masks)
    for name, n_padded in encoder.n_padded.items():
        mask = masks[name]
        real = streams[name] if mask is None else streams[name] * mask[..., None]
        streams[name], masks[name] = F.pad(real, (0, 0, 0, n_padded - real.shape[1])), None
    for layer in encoder.own_layers():
        for _ in range(encoder.n_repeat):
            text = plain_layer(layer, text, streams, masks)
    return text
