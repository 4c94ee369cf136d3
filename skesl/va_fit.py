"""Fit a small model of valence and arousal on the clips of a dataset; the command ``skesl va-fit``."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mmfeat import DatasetReader, Float64Array, InputError, LabelTable, OutputExistsError, Split, defined
from skesl.emotion_points import emotion_points
from skesl.measures import Mean, Pearson
from skesl.normalise import FeatureNormaliser
from skesl.va_models import VaModel, clip_statistics, load_va_model, scaled_points

STRENGTHS = tuple(float(10.0**power) for power in range(-4, 3))
AXES = ("valence", "arousal")


@dataclass(frozen=True, kw_only=True)
class VaFitReport:
    """What was fitted, and how well it tells the valid part.

    Args:
        model: the folder that was made.
        stream: the stream that it reads.
        n_train: clips that it was fitted on.
        n_valid: clips that the strength was chosen on.
        strength: of the penalty.
        corr: Pearson's r of valence and of arousal on the valid part; NaN where one is constant.
        mae: mean absolute errors, valence and arousal in [0, 1].
    """

    model: Path
    stream: str
    n_train: int
    n_valid: int
    strength: float
    corr: tuple[float, float]
    mae: tuple[float, float]

    def summary(self) -> str:
        """Return one line, and below it a line for each axis."""
        axes = zip(AXES, self.corr, self.mae, strict=True)
        line = f"{self.model}: {self.stream}, {self.n_train} clips, strength {self.strength:g}"
        return "\n".join([line, *(f"  {axis}: valid r {r:.3f}, mae {mae:.3f} of [0, 1]" for axis, r, mae in axes)])

    def to_json(self) -> str:
        """Return the report as JSON; a number that is not defined is null."""
        return json.dumps(defined({**dataclasses.asdict(self), "model": str(self.model)}), indent=2)


def fit_va(
    data: Path,
    model: Path,
    *,
    stream: str,
    labels: Sequence[str],
    scheme: str = "default",
    own_points: Sequence[str] = (),
    overwrite: bool = False,
) -> VaFitReport:
    """Fit a model of valence and arousal on the train part; the valid part chooses the strength of its penalty.

    Args:
        data: the dataset file.
        model: the folder to make.
        stream: name of the stream to read, audio or vision.
        labels: valence and arousal, two regression labels, which are scaled by their extremes in the train part; or
            emotions, one label with classes or several yes-or-no labels, whose points are taken.
        scheme: split scheme.
        own_points: ``NAME=VALENCE,AROUSAL`` in [0, 1] of emotions that the table does not know.
        overwrite: replace an existing model.

    Raises:
        InputError: no such stream, label or scheme, labels of another kind, or a part without clips to learn from.
        ConfigError: an emotion without a point.
        OutputExistsError: the folder exists and ``overwrite`` is false.
        CheckpointError: it exists and is no such model, and so will not be replaced.
    """
    if model.exists():
        if not overwrite:
            raise OutputExistsError(model)
        load_va_model(model)
    with DatasetReader(data) as reader:
        if stream not in reader.stream_names:
            known = ", ".join(reader.stream_names) or "none"
            raise InputError(f"{data}: expected the stream {stream!r}, the file has {known}")
        train, valid = reader.members(scheme, Split.TRAIN), reader.members(scheme, Split.VALID)
        points = _points(reader, labels, train, own_points)
        normaliser = FeatureNormaliser(reader.info(stream).feature_names)
        normaliser.fit(reader, stream, train.tolist())
        (x, y), (x_valid, y_valid) = (
            _usable(clip_statistics(reader, stream, part, normaliser), points[part], reader, stream, name)
            for part, name in ((train, "train"), (valid, "valid"))
        )
        about: dict[str, Any] = {name: reader.attributes[name] for name in ("name", "content_sha256")}
        about |= {"labels": list(labels), "scheme": scheme}
        names = reader.info(stream).feature_names
        fitted = [
            VaModel.fit(stream, normaliser, names, x, y, strength=strength, about={**about, "strength": strength})
            for strength in STRENGTHS
        ]
    errors = [float(np.square(one.points(x_valid) - y_valid).mean()) for one in fitted]
    best = int(np.argmin(errors))
    fitted[best].save(model)
    said = fitted[best].points(x_valid)
    return VaFitReport(
        model=model,
        stream=stream,
        n_train=len(x),
        n_valid=len(x_valid),
        strength=STRENGTHS[best],
        corr=(Pearson(y_valid[:, 0], said[:, 0]).number(), Pearson(y_valid[:, 1], said[:, 1]).number()),
        mae=(Mean(abs(y_valid - said)[:, 0]).number(), Mean(abs(y_valid - said)[:, 1]).number()),
    )


def _points(
    reader: DatasetReader,
    labels: Sequence[str],
    train: npt.NDArray[np.int64],
    own_points: Sequence[str],
) -> Float64Array:
    """Return valence and arousal of every clip of the file, in [0, 1], shape (clip, 2); NaN where it has no label."""
    tables = [reader.labels(name) for name in labels]
    problems = [table.problem for table in tables]
    present = np.logical_and.reduce([table.present for table in tables]) if tables else np.zeros(0, dtype=np.bool_)
    if problems == ["regression", "regression"]:
        points = np.stack([_scaled(table, train, reader) for table in tables], axis=1)
    elif problems == ["class"]:
        known = emotion_points(tables[0].class_names, own_points)
        points = known[tables[0].values.astype(np.int64).clip(0, len(known) - 1)]
    elif problems and set(problems) == {"multilabel"}:
        true = np.stack([table.values > 0 for table in tables], axis=1)
        n_true = true.sum(axis=1, keepdims=True)
        points = (true @ emotion_points(labels, own_points)) / np.where(n_true > 0, n_true, np.nan)
    else:
        found = ", ".join(f"{table.name} ({table.problem})" for table in tables) or "none"
        raise InputError(
            f"{reader.path}: expected valence and arousal (two regression labels), one label with emotions as its "
            f"classes, or yes-or-no labels of emotions, got {found}; name them with --label"
        )
    return np.where(present[:, None], points, np.nan)


def _scaled(table: LabelTable, train: npt.NDArray[np.int64], reader: DatasetReader) -> Float64Array:
    values = table.values.astype(np.float64)
    known = values[train[table.present[train]]]
    if not known.size:
        raise InputError(f"{reader.path}: expected clips with the label {table.name!r} in the train part, got 0")
    return scaled_points(values, float(known.min()), float(known.max()), name=table.name)


def _usable(
    statistics: Float64Array, points: Float64Array, reader: DatasetReader, stream: str, part: str
) -> tuple[Float64Array, Float64Array]:
    """Return the clips that have frames and labels.

    Raises:
        InputError: there are none.
    """
    usable = np.flatnonzero(np.isfinite(np.hstack([statistics, points])).all(axis=1))
    if not usable.size:
        raise InputError(
            f"{reader.path}: expected clips of the {part} part with labels and valid frames of {stream!r}, "
            f"got {len(statistics)} clip(s) and 0 with both"
        )
    return statistics[usable], points[usable]
