"""Valence and arousal of the clips of a training, modality by modality, from the best source that there is.

A modality is scored by the labels ``text_valence`` and ``text_arousal`` (``audio_…``, ``vision_…``) where the file has
both; else by what the settings name: a lexicon for the text, a fitted model for voice or face; else by the points of
the clip's own emotions, where that is wished.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mmfeat import Float32Array
from skesl.data import ClipSet
from skesl.va_lexicon import load_va_lexicon, score_texts
from skesl.va_models import load_va_model

AXES = ("valence", "arousal")


@dataclass(frozen=True, kw_only=True)
class VaSources:
    """What scores each modality where the file does not.

    Args:
        lexicon: a csv for the text.
        models: folders of fitted models by the modality they score.
        label_points: valence and arousal of each label, shape (label, 2); None: labels score nothing.
    """

    lexicon: str | None
    models: Mapping[str, str]
    label_points: Tensor | None


def side_label_names(modalities: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the labels that score modalities."""
    return tuple(f"{modality}_{axis}" for modality in modalities for axis in AXES)


def score_clips(clips: ClipSet, modalities: Sequence[str], sources: VaSources) -> dict[str, Float32Array]:
    """Return valence and arousal of each modality that has a source, float32, shape (clip, 2); NaN where unknown.

    Raises:
        InputError: the lexicon cannot be read, or the dataset has not the features that a model was fitted on.
        CheckpointError: a folder holds no fitted model.
    """
    found = {modality: _scored(clips, modality, sources) for modality in modalities}
    return {modality: scores for modality, scores in found.items() if scores is not None}


def points_of_labels(labels: Tensor, label_points: Tensor) -> Tensor:
    """Return the mean point of the true labels of each clip, shape (clip, 2); the middle where none is true.

    Args:
        labels: shape (clip, label), true where more than 0.
        label_points: shape (label, 2), in [0, 1].
    """
    true = (labels > 0).to(label_points.dtype)
    n_true = true.sum(dim=1, keepdim=True)
    return torch.where(n_true > 0, true @ label_points / n_true.clamp(min=1), 0.5)


def scaled(points: Tensor, *, by_valence: bool = False) -> Tensor:
    """Return points with mean 0 and deviation 1 on each axis over the clips that have one.

    Args:
        points: shape (clip, 2), NaN where unknown.
        by_valence: as released (pinionGear.py:24-28), both axes by mean and deviation (n - 1) of valence.
    """
    is_known = points.isfinite().all(dim=1, keepdim=True)
    n_known = is_known.sum()
    known = torch.where(is_known, points, 0.0)
    mean = known.sum(dim=0) / n_known.clamp(min=1)
    squares = torch.where(is_known, known - mean, 0.0).square().sum(dim=0)
    if by_valence:
        n_free = torch.where(n_known > 1, n_known - 1, n_known)
        mean, deviation = mean[:1], (squares[:1] / n_free.clamp(min=1)).sqrt()
    else:
        deviation = (squares / n_known.clamp(min=1)).sqrt()
    return (points - mean) / torch.where(deviation > 0, deviation, 1.0)


def _scored(clips: ClipSet, modality: str, sources: VaSources) -> Float32Array | None:
    names = side_label_names([modality])
    if all(name in clips.side_labels for name in names):
        return np.stack([clips.side_labels[name] for name in names], axis=1)
    if modality == "text" and sources.lexicon is not None:
        return score_texts(clips.texts, load_va_lexicon(Path(sources.lexicon)))
    if modality in sources.models:
        return load_va_model(Path(sources.models[modality])).score(clips.reader, clips.indices)
    if sources.label_points is not None:
        return points_of_labels(torch.from_numpy(clips.labels), sources.label_points).float().numpy()
    return None
