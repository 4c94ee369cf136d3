"""Labels for single modalities, made of the one label that a clip has.

Self-MM compares how far a clip's features lie from the mean of positive and of negative clips, in one modality and in
the fusion: where a modality is more positive than the fusion, its label is more positive than the clip's. TAM-ULAG
adds a second label from the similarity of the modalities' features (``skesl.nn.similarity``).

Source: Yu et al., "Learning modality-specific representations with self-supervised multi-task learning for multimodal
sentiment analysis", AAAI 2021, equations 9 to 14, with the epsilon and limits of its code (trains/multiTask/SELF_MM.py
of thuiar/MMSA).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

FUSION = "fusion"
_EPSILON = 1e-8


def relative_distance(features: Tensor, centres: Tensor) -> Tensor:
    """Return ``(D_n - D_p) / (D_p + eps)``, above 0 where features lie nearer to the positive clips' mean.

    Args:
        features: shape (clip, width).
        centres: shape (2, width): the means of positive and of negative clips.

    Returns:
        Shape (clip,), above -1.
    """
    to_positive, to_negative = (torch.linalg.vector_norm(features - centre, dim=-1) for centre in centres)
    return (to_negative - to_positive) / (to_positive + _EPSILON)  # type: ignore[no-any-return]


def distance_labels(truth: Tensor, of_modality: Tensor, of_fusion: Tensor, *, bound: float) -> Tensor:
    """Return the labels of a modality: the mean of the clip's label scaled, and shifted, by the distances.

    Args:
        truth: the clips' labels, shape (clip,).
        of_modality: ``relative_distance`` of the modality's features, shape (clip,).
        of_fusion: the same of the fused features.
        bound: the largest absolute label.

    Returns:
        Shape (clip,), in [-bound, bound].
    """
    scaled = of_modality / (of_fusion + _EPSILON) * truth
    shifted = truth + of_modality - of_fusion
    return (0.5 * scaled + 0.5 * shifted).clamp(-bound, bound)


def moved_labels(labels: Tensor, generated: Tensor, *, epoch: int) -> Tensor:
    """Return labels moved towards newly generated ones, by ``2 / (epoch + 1)`` of the way; all of it in epoch 1."""
    return (epoch - 1) / (epoch + 1) * labels + 2 / (epoch + 1) * generated


def similarity_labels(truth: Tensor, scores: Tensor) -> Tensor:
    """Return ``y tanh(s / 2)``, which is ``2 y sigmoid(s) - y``: no label is larger than the clip's own."""
    return truth * (scores / 2).tanh()


def label_weights(labels: Tensor, truth: Tensor) -> Tensor:
    """Return ``tanh |y_m - y|``: a modality is learned where its label differs from the clip's."""
    return (labels - truth).abs().tanh()


class LabelCentres(nn.Module):
    """The mean features of positive and of negative clips, of each modality and of the fusion; part of the weights.

    Args:
        widths: of the features, by name.
        bound: the largest absolute label.
        exclude_zero: clips with label 0 belong to neither side; else to the positive one.
    """

    known: Tensor
    bound: Tensor

    def __init__(self, widths: Mapping[str, int], *, bound: float, exclude_zero: bool) -> None:
        super().__init__()
        self.names = tuple(widths)
        self.exclude_zero = exclude_zero
        for name, width in widths.items():
            self.register_buffer(f"of_{name}", torch.zeros(2, width))
        self.register_buffer("bound", torch.tensor(bound))
        self.register_buffer("known", torch.zeros(len(self.names), dtype=torch.bool))

    def update(self, features: Mapping[str, Tensor], labels: Mapping[str, Tensor]) -> None:
        """Take the means of some clips.

        Where one side has no clip its mean does not exist: the centres are unknown until there is one.

        Args:
            features: by name, shape (clip, width).
            labels: by name, shape (clip,); NaN for a clip that is to be left out.
        """
        for place, name in enumerate(self.names):
            of_clips = labels[name]
            positive = of_clips > 0 if self.exclude_zero else of_clips >= 0
            sides = [features[name][side] for side in (positive, of_clips < 0)]
            self.known[place] = all(len(side) for side in sides)
            if self.known[place]:
                self._of(name).copy_(torch.stack([side.mean(dim=0) for side in sides]))

    def labels(self, features: Mapping[str, Tensor], truth: Tensor) -> dict[str, Tensor]:
        """Return the distance labels of each modality whose centres, and those of the fusion, are known.

        Args:
            features: by name, shape (clip, width).
            truth: the clips' labels, shape (clip,).
        """
        known = dict(zip(self.names, self.known.tolist(), strict=True))
        if not known[FUSION]:
            return {}
        of_fusion = relative_distance(features[FUSION], self._of(FUSION))
        bound = float(self.bound)
        return {
            name: distance_labels(truth, relative_distance(features[name], self._of(name)), of_fusion, bound=bound)
            for name in self.names
            if name != FUSION and known[name]
        }

    def _of(self, name: str) -> Tensor:
        return self.get_buffer(f"of_{name}")


class LabelMemory(nn.Module):
    """The labels of each modality for every training clip, which start as the clips' own.

    Args:
        truth: the clips' labels, shape (clip,).
        modalities: their names.
        feature_widths: by name; where given the last features of each clip are kept, for updates after each batch.
    """

    truth: Tensor
    of_modalities: Tensor
    epoch: Tensor
    present: Tensor

    def __init__(
        self,
        truth: Tensor,
        modalities: tuple[str, ...],
        *,
        feature_widths: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__()
        self.modalities = modalities
        self.register_buffer("truth", truth.clone(), persistent=False)
        self.register_buffer("of_modalities", truth[:, None].repeat(1, len(modalities)))
        self.register_buffer("epoch", torch.ones((), dtype=torch.int64))
        for name, width in (feature_widths or {}).items():
            self.register_buffer(f"features_of_{name}", truth.new_zeros(len(truth), width))
        self.register_buffer("present", torch.ones((len(truth), len(modalities)), dtype=torch.bool))
        self.keeps_features = feature_widths is not None

    def labels(self, rows: Tensor) -> dict[str, Tensor]:
        """Return the labels of each modality of some clips, shape (clip,)."""
        return {name: self.of_modalities[rows, place] for place, name in enumerate(self.modalities)}

    def all_labels(self, present: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        """Return the labels of all clips, the clips' own under ``fusion``.

        Args:
            present: bool, shape (clip,), which clips have a modality; NaN is returned for those that do not.
        """
        labels = {FUSION: self.truth}
        for place, name in enumerate(self.modalities):
            of_clips = self.of_modalities[:, place]
            labels[name] = of_clips.where(present[name], torch.nan) if present and name in present else of_clips
        return labels

    def move(self, rows: Tensor, generated: Mapping[str, Tensor], *, epoch: int) -> None:
        """Move the labels of some clips towards generated ones.

        Args:
            rows: which clips, int64, shape (clip,).
            generated: by modality, shape (clip,); a modality that is missing keeps its labels, so does a clip whose
                generated label is NaN.
            epoch: for which the labels are.
        """
        for place, name in enumerate(self.modalities):
            if name in generated:
                before = self.of_modalities[rows, place]
                moved = moved_labels(before, generated[name].to(before.dtype), epoch=epoch)
                self.of_modalities[rows, place] = moved.where(moved.isfinite(), before)

    def remember(
        self, rows: Tensor, features: Mapping[str, Tensor], centres: LabelCentres, present: Mapping[str, Tensor]
    ) -> None:
        """Update labels, features and centres after a batch, in the order of the released code.

        From epoch 2 on the labels move first, by the centres as the batch before left them; then the batch's features
        and all centres are taken anew.

        Args:
            rows: which clips, int64, shape (clip,).
            features: by name, shape (clip, width).
            centres: of all clips.
            present: bool, shape (clip,), which of them have a modality.

        Source: trains/multiTask/SELF_MM.py:218-227 of TAM-ULAG's code, where every clip has every modality.
        """
        self.present[rows] = torch.stack([present[name] for name in self.modalities], dim=1)
        if self.epoch > 1:
            generated = centres.labels(features, self.truth[rows])
            known = {name: values.where(present[name], torch.nan) for name, values in generated.items()}
            self.move(rows, known, epoch=int(self.epoch))
        stored = {name: self.get_buffer(f"features_of_{name}") for name in features}
        for name, values in features.items():
            stored[name][rows] = values.to(stored[name].dtype)
        have = {name: self.present[:, place] for place, name in enumerate(self.modalities)}
        centres.update(stored, self.all_labels(have))
