"""Losses that need more than one line: contrast, matching, distillation and correlation.

Sources: Li et al., "Align before Fuse: Vision and Language Representation Learning with Momentum Distillation"
(ALBEF), NeurIPS 2021, whose losses VAT's README names for video and sound.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

_SMALLEST = 1e-12  # product of the spreads of two columns; below, one of them is constant


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidates:
    """What a batch is contrasted with: momentum features of this step's clips, of all processes, and of earlier ones.

    Args:
        video: unit vectors, shape (candidate, width), without gradient.
        audio: the same of the sound.
        own: int64, shape (clip,): which candidate each clip of the batch is.
        excluded: bool, shape (clip, candidate): neither the clip itself nor a negative of it.
    """

    video: Tensor
    audio: Tensor
    own: Tensor
    excluded: Tensor


def contrastive_loss(
    video: Tensor,
    audio: Tensor,
    momentum_video: Tensor,
    momentum_audio: Tensor,
    candidates: Candidates,
    *,
    temperature: Tensor | float,
    alpha: float | Tensor = 0.0,
) -> Tensor:
    """Return the mean cross-entropy of finding each clip's sound by its video and the reverse.

    The target is ``alpha`` of what the momentum features find, and the rest on the clip's own candidate: with
    ``alpha`` 0 and no earlier candidates this is InfoNCE.

    Args:
        video: unit vectors, shape (clip, width).
        audio: the same of the sound.
        momentum_video: the momentum model's, without gradient.
        momentum_audio: the same of the sound.
        candidates: what is searched.
        temperature: of the softmax.
        alpha: share of the momentum model's answer, in [0, 1].

    Source: ALBEF, equations 1, 2 and 6.
    """
    sides = ((video, momentum_video, candidates.audio), (audio, momentum_audio, candidates.video))
    losses = []
    for query, momentum_query, found in sides:
        logits = similarity(query, found, candidates.excluded, temperature=temperature)
        with torch.no_grad():
            answer = similarity(momentum_query, found, candidates.excluded, temperature=temperature).softmax(dim=1)
            target = alpha * answer + (1 - alpha) * F.one_hot(candidates.own, len(found))
        losses.append(-(target * logits.log_softmax(dim=1)).sum(dim=1).mean())
    return (losses[0] + losses[1]) / 2


def similarity(query: Tensor, found: Tensor, excluded: Tensor, *, temperature: Tensor | float) -> Tensor:
    """Return ``query found^T / temperature`` in float32, shape (clip, candidate), the lowest number where excluded."""
    logits = query.float() @ found.float().T / temperature
    return logits.masked_fill(excluded, torch.finfo(torch.float32).min)


def hard_negatives(logits: Tensor, excluded: Tensor, *, draw: bool) -> tuple[Tensor, Tensor]:
    """Return for each clip another one that resembles it, and whether there is any.

    Drawn with a probability in proportion to ``exp(logits)``. The softmax is taken over those that may be drawn, so
    that its largest term is never lost, however small the others are; ALBEF's, over all, leaves nothing to draw from
    where the clip itself has all the weight.

    Args:
        logits: similarities over temperature, shape (clip, other clip).
        excluded: bool, shape (clip, other clip): those that must not be drawn, the clip itself among them.
        draw: else the most similar one is taken.

    Returns:
        int64, shape (clip,), and bool, shape (clip,): False where every other clip is excluded.
    """
    exists = ~excluded.all(dim=1)
    allowed = logits.detach().float().masked_fill(excluded, -torch.inf)
    allowed = torch.where(exists[:, None], allowed, 0.0)
    chosen = allowed.softmax(dim=1).multinomial(1)[:, 0] if draw else allowed.argmax(dim=1)
    return chosen, exists


def matching_loss(logits: Tensor, n_positive: int, counts: Tensor) -> Tensor:
    """Return the mean cross-entropy of telling pairs of one clip from pairs of two.

    Args:
        logits: shape (pair, 2), the second of them says that video and sound belong together.
        n_positive: how many pairs, in front, are of one clip; the others are of two.
        counts: bool, shape (pair,): the pairs that count; at least one.

    Source: ALBEF, equation 4.
    """
    labels = (torch.arange(len(logits), device=logits.device) < n_positive).long()
    losses = F.cross_entropy(logits.float(), labels, reduction="none")
    return (losses * counts).sum() / counts.sum()


def distilled_cross_entropy(
    logits: Tensor, labels: Tensor, momentum_logits: Tensor | None, *, alpha: float | Tensor
) -> Tensor:
    """Return ``(1 - alpha) CE(p, y) - alpha * sum of p_momentum log p``, the mean over the clips.

    Args:
        logits: shape (clip, class).
        labels: int64, shape (clip,).
        momentum_logits: those of the momentum model, None: the labels alone.
        alpha: share of the momentum model, in [0, 1].
    """
    of_labels = F.cross_entropy(logits.float(), labels)
    if momentum_logits is None:
        return of_labels
    said = momentum_logits.detach().float().softmax(dim=1)
    return (1 - alpha) * of_labels + alpha * F.cross_entropy(logits.float(), said)


def pearson_loss(values: Tensor, truth: Tensor) -> Tensor:
    """Return 1 minus the mean over the columns of Pearson's r in a batch, in [0, 2].

    A column that is constant in the batch, as all are in a batch of one, counts as r = 0 and has no gradient.

    Args:
        values: predictions, shape (clip, label).
        truth: labels, shape (clip, label).
    """
    p, y = (column.float() - column.float().mean(dim=0) for column in (values, truth))
    product, spreads = (p * y).sum(dim=0), p.square().sum(dim=0) * y.square().sum(dim=0)
    r = torch.where(spreads > _SMALLEST, product / spreads.clamp(min=_SMALLEST).sqrt(), 0.0)
    return 1 - r.mean()
