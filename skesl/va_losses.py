"""Losses of UniVA: labels, the prior on how labels go together, and contrast by valence and arousal.

``released_*`` are what the published code computes, with its faults, which are told beside each; the others do without
them. Everything is of a batch alone.

Source: UniVA (ACM MM 2024), NUSTM/UniVA at ce59bbc.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_TINY = 1e-10  # as released, vaAware_supcon_loss.py:86, 93


def va_contrast(
    features: Tensor, points: Tensor, *, temperature: float, radius: float, mask: Tensor | None = None
) -> Tensor:
    """Return the mean contrastive loss of clips that have neighbours in valence and arousal, 0 where none has.

    A clip is pulled towards those within ``radius`` and away from all others, by the cosine of their features. Where
    every clip has a neighbour it is at most log(clip - 1) + 2 / temperature.

    Args:
        features: shape (clip, width).
        points: scaled valence and arousal, shape (clip, 2); NaN where they are not known.
        temperature: of the cosines.
        radius: Euclidean, in the unit of ``points``.
        mask: bool, shape (clip,): the clips that count; all whose points are known where None.
    """
    counts = points.isfinite().all(dim=1)
    counts = counts if mask is None else counts & mask
    others = counts[:, None] & counts & ~torch.eye(len(points), dtype=torch.bool, device=points.device)
    positives = others & (pairwise_distances(points.nan_to_num()) < radius)
    unit = F.normalize(features, dim=1)
    logits = (unit @ unit.T / temperature).masked_fill(~others, torch.finfo(features.dtype).min)
    log_share = logits.log_softmax(dim=1)
    n_positive = positives.sum(dim=1)
    of_clips = -(log_share.masked_fill(~positives, 0.0).sum(dim=1) / n_positive.clamp(min=1))
    return of_clips.sum() / (n_positive > 0).sum().clamp(min=1)


def released_va_contrast(features: Tensor, points: Tensor, *, temperature: float, radius: float) -> Tensor:
    """Return the published contrastive loss (vaAware_supcon_loss.py, anchors of the first view).

    Features are not normalised, and every clip stands among the keys twice: its second view is an identical copy, a
    positive that is always there.

    Args:
        features: shape (clip, width).
        points: valence and arousal, shape (clip, 2).
        temperature: of the scalar products.
        radius: Euclidean, in the unit of ``points``.
    """
    n_clip = len(features)
    itself = torch.eye(n_clip, dtype=torch.bool, device=features.device)
    positives = (pairwise_distances(points) < radius) | itself
    keys = torch.cat([features, features])
    logits = features @ keys.T / temperature
    logits = logits - logits.max(dim=1, keepdim=True).values.detach()
    is_key = torch.cat([~itself, torch.ones_like(itself)], dim=1)
    is_positive = torch.cat([positives, positives], dim=1) & is_key
    log_share = logits - torch.log((logits.exp() * is_key).sum(dim=1, keepdim=True) + _TINY)
    return -((log_share * is_positive).sum(dim=1) / (is_positive.sum(dim=1) + _TINY)).mean()


def pairwise_distances(points: Tensor) -> Tensor:
    """Return the Euclidean distance of each two points, shape (clip, clip)."""
    return (points[:, None] - points).square().sum(dim=-1).sqrt()


def label_prior_loss(scores: Tensor, similarity: Tensor) -> Tensor:
    """Return how far similar labels lie apart and how near opposite ones, in [-1, 1].

    The mean over pairs of labels of similarity times distance, where the distance is the root mean square over the
    clips of the difference of two labels' scores.

    Args:
        scores: in [0, 1], shape (clip, label).
        similarity: in [-1, 1], shape (label, label).
    """
    n_label = scores.shape[1]
    pairs = torch.combinations(torch.arange(n_label, device=scores.device))
    if not len(pairs):
        return scores.new_zeros(())
    first, second = pairs.T
    distances = _root((scores[:, first] - scores[:, second]).square().mean(dim=0))
    return (similarity[first, second] * distances).mean()


def released_label_prior_loss(log_shares: Tensor, similarity: Tensor) -> Tensor:
    """Return the published regulariser (models.py:126-129).

    The distances are those of log-probabilities, without bound, and so is the reward where the similarity is negative;
    ``similarity`` is trained, and can only fall.

    Args:
        log_shares: logarithms of the labels' probabilities, shape (clip, label).
        similarity: shape (label, label).
    """
    distances = _root((log_shares[:, :, None] - log_shares[:, None]).square().sum(dim=0))
    return (similarity * distances).sum() / len(log_shares)


def soft_label_loss(log_shares: Tensor, labels: Tensor) -> Tensor:
    """Return the mean divergence from equal shares of the true labels, all of it with "none" where none is true.

    Args:
        log_shares: logarithms of the shares of the labels and of "none", shape (clip, label + 1).
        labels: shape (clip, label), true where more than 0.
    """
    true = (labels > 0).to(log_shares.dtype)
    targets = torch.cat([true, (true.sum(dim=1, keepdim=True) == 0).to(true.dtype)], dim=1)
    targets = targets / targets.sum(dim=1, keepdim=True)
    return F.kl_div(log_shares, targets, reduction="batchmean")


def released_label_loss(log_shares: Tensor, labels: Tensor) -> Tensor:
    """Return the published label loss: 1000 times the mean over clips and labels of the divergence.

    The targets are softmaxes of the labels, so that none and all of them have the same one (models.py:133-138).

    Args:
        log_shares: logarithms of the labels' probabilities, shape (clip, label).
        labels: 0 or 1, shape (clip, label).
    """
    targets = F.softmax((labels > 0).to(log_shares.dtype), dim=1)
    return 1000.0 * F.kl_div(log_shares, targets, reduction="sum") / log_shares.numel()


def _root(squares: Tensor) -> Tensor:
    """Return square roots whose gradient at 0 is 0."""
    is_zero = squares == 0
    return torch.where(is_zero, 0.0, torch.where(is_zero, 1.0, squares).sqrt())
