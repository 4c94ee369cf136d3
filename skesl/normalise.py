"""Feature normalisation with statistics of the train split, stored with the weights."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from mmfeat import DatasetReader

_MAX_DEVIATION = 10.0  # OpenFace's landmarks jump by thousands of pixels when a face is nearly lost
_COLOURS = ("red", "green", "blue")
_ZERO_IS_UNDEFINED = ("log_f0",)  # stored as 0 where unvoiced; 0 would mean 1 Hz


class FeatureNormaliser(nn.Module):
    """Scales features to mean 0 and standard deviation 1, and limits them to 10 deviations.

    Columns that have no value in some frames (log-F0 where unvoiced) are 0, the mean, there. Constant columns
    become 0.

    Args:
        names: one name for each feature.
    """

    mean: Tensor
    scale: Tensor
    zero_is_undefined: Tensor

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__()
        names = tuple(names)
        self.register_buffer("mean", torch.zeros(len(names)))
        self.register_buffer("scale", torch.ones(len(names)))
        undefined = torch.tensor([name in _ZERO_IS_UNDEFINED for name in names])
        self.register_buffer("zero_is_undefined", undefined, persistent=False)

    @property
    def n_feature(self) -> int:
        """Number of features."""
        return self.mean.numel()

    def forward(self, values: Tensor) -> Tensor:
        """Return normalised values of the same shape, (…, feature)."""
        scaled = ((values - self.mean) * self.scale).clamp(-_MAX_DEVIATION, _MAX_DEVIATION)
        return scaled.masked_fill(self.zero_is_undefined & (values == 0), 0.0)

    def fit(self, reader: DatasetReader, stream: str, indices: Iterable[int]) -> None:
        """Take mean and deviation of every valid frame of some clips, in float64."""
        undefined = self.zero_is_undefined.numpy()
        count = np.zeros(self.n_feature)
        total = np.zeros(self.n_feature)
        squares = np.zeros(self.n_feature)
        # Sums around a first guess of the mean: landmarks lie far from 0, and their squares would cancel.
        centre: np.ndarray | None = None
        for index in indices:
            features = reader.read(stream, int(index))
            values = features.values[features.valid].astype(np.float64)
            if not len(values):
                continue
            if centre is None:
                centre = values.mean(axis=0)
            used = ~(undefined & (values == 0))
            deviations = np.where(used, values - centre, 0.0)
            count += used.sum(axis=0)
            total += deviations.sum(axis=0)
            squares += (deviations**2).sum(axis=0)
        if centre is None:
            return
        offset = total / np.maximum(count, 1)
        variance = np.maximum(squares / np.maximum(count, 1) - offset**2, 0.0)
        mean = np.where(count > 0, centre + offset, 0.0)
        varies = variance > 1e-12 * mean**2  # below, it is the rounding of float32
        scale = np.where(varies, 1.0 / np.sqrt(np.where(varies, variance, 1.0)), 0.0)
        self.mean.copy_(torch.from_numpy(mean))
        self.scale.copy_(torch.from_numpy(scale))


class ImageNormaliser(FeatureNormaliser):
    """Scales the values of images from 0 to 255 to -1 to 1, as ViT's checkpoints were trained."""

    def __init__(self) -> None:
        super().__init__(_COLOURS)
        self.mean.fill_(127.5)
        self.scale.fill_(1 / 127.5)

    def fit(self, reader: DatasetReader, stream: str, indices: Iterable[int]) -> None:
        """Images are scaled alike whatever they show."""


def normaliser_of(feature_names: Iterable[str], *, codec: str) -> FeatureNormaliser:
    """Return what scales a stream: of features by their statistics, or of encoded images."""
    return ImageNormaliser() if codec else FeatureNormaliser(feature_names)
