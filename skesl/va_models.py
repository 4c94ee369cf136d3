"""Valence and arousal of voice and face: a linear map from how a clip's frames lie and spread.

UniVA takes two numbers a clip and modality from unimodal models of valence and arousal that were never released; these
are small stand-ins that anybody can fit (``skesl va-fit``) on any dataset with the same features.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from mmfeat import DatasetReader, Float32Array, Float64Array
from mmfeat.errors import ConfigError, InputError
from skesl.errors import CheckpointError
from skesl.normalise import FeatureNormaliser

FORMAT = "skesl-va"
FORMAT_VERSION = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class VaModel:
    """A linear map from the statistics of a clip's frames to valence and arousal.

    Args:
        stream: name of the stream that it reads.
        normaliser: of its features, with the statistics of the clips that were fitted.
        weights: float64, shape (2 feature, 2), of means and deviations.
        centre: float64, shape (2 feature,): what is subtracted from the statistics.
        offset: float64, shape (2,): valence and arousal of a clip in the centre.
        about: what it was fitted on, for people.
    """

    stream: str
    normaliser: FeatureNormaliser
    feature_names: tuple[str, ...]
    weights: Float64Array
    centre: Float64Array
    offset: Float64Array
    about: Mapping[str, Any]

    @classmethod
    def fit(
        cls,
        stream: str,
        normaliser: FeatureNormaliser,
        feature_names: Iterable[str],
        statistics: Float64Array,
        points: Float64Array,
        *,
        strength: float,
        about: Mapping[str, Any],
    ) -> Self:
        """Return the map with the least squared error and small weights (ridge regression).

        Args:
            stream: name of the stream.
            normaliser: see above.
            feature_names: names of its features.
            statistics: shape (clip, 2 feature), see ``clip_statistics``; all finite.
            points: valence and arousal in [0, 1], shape (clip, 2).
            strength: of the penalty, per clip.
            about: what is fitted.
        """
        centre, offset = statistics.mean(axis=0), points.mean(axis=0)
        x, y = statistics - centre, points - offset
        gram = x.T @ x + strength * len(x) * np.eye(x.shape[1])
        return cls(
            stream=stream,
            normaliser=normaliser,
            feature_names=tuple(feature_names),
            weights=np.linalg.solve(gram, x.T @ y),
            centre=centre,
            offset=offset,
            about=about,
        )

    def points(self, statistics: Float64Array) -> Float64Array:
        """Return valence and arousal, limited to [0, 1], shape (clip, 2); NaN where the statistics are."""
        return np.clip((statistics - self.centre) @ self.weights + self.offset, 0.0, 1.0)

    def score(self, reader: DatasetReader, indices: npt.NDArray[np.int64]) -> Float32Array:
        """Return valence and arousal of some clips, float32, shape (clip, 2); NaN for a clip without valid frames.

        Raises:
            InputError: the dataset does not have the stream, or with other features.
        """
        if self.stream not in reader.stream_names:
            known = ", ".join(reader.stream_names) or "none"
            raise InputError(
                f"{reader.path}: expected the stream {self.stream!r}, which the model of valence and arousal reads, "
                f"the file has {known}"
            )
        if tuple(reader.info(self.stream).feature_names) != self.feature_names:
            raise InputError(
                f"{reader.path}: stream {self.stream!r}: expected the {len(self.feature_names)} features that the "
                "model of valence and arousal was fitted on, got others; fit it on features of the same settings"
            )
        return self.points(clip_statistics(reader, self.stream, indices, self.normaliser)).astype(np.float32)

    def save(self, folder: Path) -> None:
        """Write ``config.json`` and ``weights.safetensors``."""
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {"weights": self.weights, "centre": self.centre, "offset": self.offset}
        statistics = {f"normaliser.{name}": value.numpy() for name, value in self.normaliser.state_dict().items()}
        save_file({**arrays, **statistics}, folder / "weights.safetensors")
        document = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "stream": self.stream,
            "feature_names": list(self.feature_names),
            "about": dict(self.about),
        }
        (folder / "config.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def load_va_model(folder: Path) -> VaModel:
    """Return the model that ``VaModel.save`` stored.

    Raises:
        CheckpointError: the folder holds none, or of a newer format.
    """
    try:
        settings: Any = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        arrays = load_file(folder / "weights.safetensors")
    except (OSError, ValueError, SafetensorError) as error:
        raise CheckpointError(
            f"{folder}: expected a model of valence and arousal: {error}; make one with skesl va-fit"
        ) from error
    version = settings.get("format_version", 0) if isinstance(settings, dict) else 0
    if not 0 < version <= FORMAT_VERSION or settings.get("format") != FORMAT:
        raise CheckpointError(f"{folder}: expected format {FORMAT!r}, version {FORMAT_VERSION} or older; update mmfeat")
    normaliser = FeatureNormaliser(settings["feature_names"])
    own = {name.removeprefix("normaliser."): torch.from_numpy(value) for name, value in arrays.items() if "." in name}
    normaliser.load_state_dict(own)
    return VaModel(
        stream=settings["stream"],
        normaliser=normaliser,
        feature_names=tuple(settings["feature_names"]),
        weights=arrays["weights"],
        centre=arrays["centre"],
        offset=arrays["offset"],
        about=settings["about"],
    )


def clip_statistics(
    reader: DatasetReader, stream: str, indices: npt.NDArray[np.int64], normaliser: FeatureNormaliser
) -> Float64Array:
    """Return mean and standard deviation of each normalised feature over a clip's valid frames.

    Returns:
        float64, shape (clip, 2 feature): means, then deviations; NaN for a clip without valid frames.
    """
    found = np.full((len(indices), 2 * normaliser.n_feature), np.nan)
    for row, index in enumerate(indices.tolist()):
        frames = reader.read(stream, index)
        values = frames.values[frames.valid]
        if len(values):
            normal = normaliser(torch.from_numpy(np.ascontiguousarray(values))).numpy().astype(np.float64)
            found[row] = np.concatenate([normal.mean(axis=0), normal.std(axis=0)])
    return found


def scaled_points(values: Float64Array, low: float, high: float, *, name: str) -> Float64Array:
    """Return label values scaled from [low, high] to [0, 1].

    Raises:
        ConfigError: the range is empty.
    """
    if not low < high:
        raise ConfigError(f"label {name!r}: expected values that differ, got {low:g} alone")
    return np.clip((values - low) / (high - low), 0.0, 1.0)
