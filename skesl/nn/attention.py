"""Cross-modal attention: text asks, another modality answers."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class CrossmodalAttention(nn.Module):
    """Single-head attention of text over the frames of another modality.

    Queries are ``W_q LN(X)``, keys and values ``W_k LN(M)`` and ``W_v LN(M)``; the result of
    ``softmax(q k^T / sqrt(n_inner)) v`` is projected back to the text's width.

    Source: SKESL (ACL 2023 Findings), equations 2 to 5, with the released code's inner width and output projection
    (models.py:25-47), which alone give the paper's parameter counts (Table 10).

    Args:
        n_text: width of the text states.
        n_other: features of the other modality.
        n_inner: width of queries, keys and values.
    """

    def __init__(self, n_text: int, n_other: int, n_inner: int) -> None:
        super().__init__()
        self.text_norm = nn.LayerNorm(n_text)
        self.other_norm = nn.LayerNorm(n_other)
        self.query = nn.Linear(n_text, n_inner)
        self.key = nn.Linear(n_other, n_inner)
        self.value = nn.Linear(n_other, n_inner)
        self.output = nn.Linear(n_inner, n_text)
        self.scale = n_inner**-0.5

    def forward(self, text: Tensor, other: Tensor, other_mask: Tensor) -> Tensor:
        """Return what the other modality says to each token.

        Args:
            text: shape (clip, token, n_text).
            other: shape (clip, frame, n_other).
            other_mask: bool, shape (clip, frame), True for real frames; a clip without any gets zeros.

        Returns:
            Shape (clip, token, n_text).
        """
        normed = self.other_norm(other)
        scores = self.query(self.text_norm(text)) @ self.key(normed).transpose(1, 2) * self.scale
        # The lowest finite number and not -inf: a clip without frames would otherwise be 0 / 0.
        scores = scores.masked_fill(~other_mask[:, None, :], torch.finfo(scores.dtype).min)
        answer = self.output(scores.softmax(dim=-1) @ self.value(normed))
        has_frames = other_mask.any(dim=1)[:, None, None]
        return answer * has_frames  # type: ignore[no-any-return]
