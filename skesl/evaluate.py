"""Evaluate a run: every metric beside the constant that knows nothing."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmfeat import DatasetReader, InputError, Split
from skesl.checkpoint import RunFolder, load_settings_of_run
from skesl.metrics import CONVENTIONS, sentiment_metrics
from skesl.predict import predict_run


@dataclass(frozen=True, kw_only=True)
class EvaluationReport:
    """The metrics of one run on one part of a dataset.

    Args:
        run: the run folder.
        method: name of the method.
        data: name of the dataset.
        content_sha256: content hash of the dataset.
        label: name of the label.
        part: train, valid or test.
        n_clip: clips of the part.
        n_labelled: those with the label; the metrics are theirs.
        selection: how the epoch was chosen.
        metrics: by the names of ``skesl.metrics``.
        constant: the same for the predictor that always says the training median.
    """

    run: str
    method: str
    data: str
    content_sha256: str
    label: str
    part: str
    n_clip: int
    n_labelled: int
    selection: str
    metrics: dict[str, float]
    constant: dict[str, float]

    def to_json(self) -> str:
        """Return the report as JSON; numbers that are not defined are null."""
        document: dict[str, Any] = {**self.__dict__}
        for name in ("metrics", "constant"):
            document[name] = {key: None if math.isnan(value) else value for key, value in document[name].items()}
        return json.dumps(document, indent=2)

    def _counted(self) -> str:
        return f"{self.n_clip} clips" if self.n_labelled == self.n_clip else f"{self.n_labelled} of {self.n_clip} clips"

    def to_text(self) -> str:
        """Return the report as a table."""
        head = [
            f"{self.method} on {self.data}, {self.part} part, {self._counted()}, label {self.label}",
            f"content {self.content_sha256[:16]} · {self.selection}",
            "",
            f"{'metric':<12}{self.method:>12}{'constant':>12}",
        ]
        rows = [
            f"{name:<12}{_number(value):>12}{_number(self.constant[name]):>12}" for name, value in self.metrics.items()
        ]
        return "\n".join(
            [*head, *rows, "", CONVENTIONS, "constant: always the median label of the clips that were trained on"]
        )


def evaluate_run(
    run: Path, data: Path, *, part: Split = Split.TEST, scheme: str | None = None, device: str = "auto"
) -> EvaluationReport:
    """Predict one part of a dataset, store ``predictions.csv`` in the run, and return all metrics.

    Args:
        run: a fine-tuned run.
        data: the dataset file.
        part: train, valid or test.
        scheme: split scheme; the run's own where None.
        device: auto, cpu, cuda or mps.

    Raises:
        CheckpointError: the run is no fine-tuned run, or does not fit the dataset.
        InputError: the part has no labelled clip.
    """
    settings = load_settings_of_run(run)
    predictions = predict_run(run, data, part=part, scheme=scheme, device=device)
    labelled = ~np.isnan(predictions.labels)
    name = part.name.lower()
    if not labelled.any():
        raise InputError(
            f"{data}: expected clips with the label {settings['data']['label']!r} in the {name} part, "
            f"got {labelled.size} clip(s) and 0 with the label"
        )
    predictions.save(RunFolder(path=run).predictions)
    labels = predictions.labels[labelled]
    median = float(settings["data"]["label_median"])
    with DatasetReader(data) as reader:
        return EvaluationReport(
            run=str(run),
            method=settings["method"],
            data=reader.attributes["name"],
            content_sha256=reader.attributes["content_sha256"],
            label=settings["data"]["label"],
            part=name,
            n_clip=labelled.size,
            n_labelled=int(labelled.sum()),
            selection=_selection(settings),
            metrics=sentiment_metrics(labels, predictions.values[labelled]),
            constant=sentiment_metrics(labels, np.full(labels.shape, median)),
        )


def _selection(settings: dict[str, Any]) -> str:
    if "result" not in settings:
        return "training did not end; its best epoch so far"
    result, metric = settings["result"], settings["train"]["selection_metric"]
    return f"epoch {result['best_epoch']} of {result['n_epochs']}, chosen by valid {metric}"


def _number(value: float) -> str:
    return "undefined" if math.isnan(value) else f"{value:.4f}"
