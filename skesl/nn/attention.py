"""Cross-modal attention: text asks, another modality answers.

The equations are SKESL's, the order of the products is not. Frames get no gradient and are many and narrow (400 x 33)
or few and wide (55 x 709), queries are few:

- Every frame is standardised once. The weight of its layer norm moves to the query, its bias cancels in the softmax
  and passes through to the values, for the weights of attention sum to 1; so does the bias of the keys cancel.
- ``(q W_k) x^T`` and ``(A x) W_v`` take the projections to the side of the queries where that is less work; elsewhere
  keys and values are computed once for all uses of one set of weights.
- A block of attended padding is one frame of zeros whose logit is raised by the logarithm of its length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True, eq=False)
class Frames:
    """Frames made ready for attention; see ``prepare_frames``.

    Args:
        standardised: shape (clip, frame, feature), each frame with mean 0 and variance 1.
        logit_bias: float, shape (clip, 1, frame): added to the logits, the lowest number where a frame is not read.
        present: bool, shape (clip, 1, 1): whether the clip has anything to attend to.
    """

    standardised: Tensor
    logit_bias: Tensor
    present: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class OpenedFrames:
    """Keys and values of one set of weights: shape (clip, frame, feature or n_inner), and which of both."""

    frames: Frames
    keys: Tensor
    values: Tensor
    projected: bool


def prepare_frames(values: Tensor, mask: Tensor, *, n_padded: int | None = None) -> Frames:
    """Return frames ready for attention.

    Args:
        values: shape (clip, frame, feature).
        mask: bool, shape (clip, frame), True for real frames.
        n_padded: every clip is filled up with attended frames of zeros to so many; None: only real frames are read.
    """
    present = mask.any(dim=1)[:, None, None]
    lowest = torch.finfo(values.dtype).min  # and not -inf: a clip without frames would be 0 / 0
    bias = torch.zeros(mask.shape, dtype=values.dtype, device=values.device).masked_fill(~mask, lowest)
    if n_padded is not None:
        n_missing = n_padded - mask.sum(dim=1, keepdim=True)
        of_padding = n_missing.clamp(min=1).to(values.dtype).log().masked_fill(n_missing < 1, lowest)
        bias = torch.cat([bias, of_padding], dim=1)
        values = F.pad(values, (0, 0, 0, 1))
        present = torch.ones_like(present)
    standardised = F.layer_norm(values, values.shape[-1:])
    return Frames(standardised=standardised, logit_bias=bias[:, None, :], present=present)


class CrossmodalAttention(nn.Module):
    """Single-head attention of text over the frames of another modality.

    Queries are ``W_q LN(X)``, keys and values ``W_k LN(M)`` and ``W_v LN(M)``; the result of
    ``softmax(q k^T / sqrt(n_inner)) v`` is projected back to the text's width.

    Source: SKESL (ACL 2023 Findings), equations 2 to 5, with the released code's inner width and output projection
    (models.py:20-46), which alone give the paper's parameter counts (Table 10).

    Args:
        n_text: width of the text states.
        n_other: features of the other modality.
        n_inner: width of queries, keys and values.
        bias: whether the projections have one; the paper prints none.
        output_projection: whether there is one; the paper prints none, and ``n_inner`` is then ``n_text``.
    """

    def __init__(
        self, n_text: int, n_other: int, n_inner: int, *, bias: bool = True, output_projection: bool = True
    ) -> None:
        super().__init__()
        self.text_norm = nn.LayerNorm(n_text)
        self.other_norm = nn.LayerNorm(n_other)
        self.query = nn.Linear(n_text, n_inner, bias=bias)
        self.key = nn.Linear(n_other, n_inner, bias=bias)
        self.value = nn.Linear(n_other, n_inner, bias=bias)
        self.output = nn.Linear(n_inner, n_text, bias=bias) if output_projection else nn.Identity()
        self.scale = n_inner**-0.5

    def open(self, frames: Frames, *, n_query: int, n_use: int = 1) -> OpenedFrames:
        """Return keys and values of some frames, for ``n_use`` calls with ``n_query`` queries each."""
        standardised = frames.standardised
        if self._absorbing_is_less_work(standardised.shape[1], n_query=n_query, n_use=n_use):
            return OpenedFrames(frames=frames, keys=standardised, values=standardised, projected=False)
        weight = torch.cat([self.key.weight, self.value.weight]) * self.other_norm.weight
        keys, values = F.linear(standardised, weight).chunk(2, dim=-1)
        return OpenedFrames(frames=frames, keys=keys, values=values, projected=True)

    def forward(self, text: Tensor, opened: OpenedFrames) -> Tensor:
        """Return what the other modality says to each token.

        Args:
            text: shape (clip, token, n_text).
            opened: what ``open`` returned; a clip without frames to attend to gets zeros.

        Returns:
            Shape (clip, token, n_text).
        """
        query = self.query(self.text_norm(text)) * self.scale
        if not opened.projected:
            query = (query @ self.key.weight) * self.other_norm.weight
        scores = query @ opened.keys.transpose(1, 2) + self._logit_bias(opened.frames)
        mixed = scores.softmax(dim=-1) @ opened.values
        if opened.projected:
            mixed = mixed + F.linear(self.other_norm.bias, self.value.weight, self.value.bias)
        else:
            mixed = F.linear(mixed * self.other_norm.weight + self.other_norm.bias, self.value.weight, self.value.bias)
        return cast("Tensor", self.output(mixed) * opened.frames.present)

    def linear_macs(self, n_query: int, n_frame: int) -> int:
        """Return the multiplications of the equations' linear maps for one clip, however they are computed."""
        n_inner, n_text = self.query.weight.shape
        n_other = self.key.weight.shape[1]
        of_output = n_query * n_inner * n_text if isinstance(self.output, nn.Linear) else 0
        return n_query * n_text * n_inner + 2 * n_frame * n_other * n_inner + of_output

    def _logit_bias(self, frames: Frames) -> Tensor:
        """Return what is added to the logits; the key's bias is the same for all frames and so changes nothing."""
        if self.key.bias is None:
            return frames.logit_bias
        return frames.logit_bias + 0.0 * self.key.bias.sum()

    def _absorbing_is_less_work(self, n_frame: int, *, n_query: int, n_use: int) -> bool:
        """Compare multiplications of a training step: one backward for the frames' side, two for the queries'."""
        n_inner, n_other = self.key.weight.shape
        absorbed = 3 * n_use * n_query * (2 * n_other * n_inner + 2 * n_frame * n_other)
        projected = 2 * (2 * n_frame * n_other * n_inner) + 3 * n_use * n_query * 2 * n_frame * n_inner
        return absorbed <= projected
