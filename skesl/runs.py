"""One or several runs on one part of a dataset: their settings, labels and predictions in one order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from mmfeat import InputError, Split
from skesl.checkpoint import RunFolder, check_finetuned, load_settings_of_run
from skesl.errors import CheckpointError
from skesl.measures import Values
from skesl.predict import Change, predict_run
from skesl.predictions import Predictions
from skesl.target import Target, open_target


def settings_of_runs(runs: Sequence[Path]) -> tuple[list[Path], list[dict[str, Any]]]:
    """Return the run folders, those inside a folder of runs in the order of their names, and their settings.

    Raises:
        CheckpointError: a folder is no fine-tuned run and holds none, or they differ in method, label or split.
    """
    folders: list[Path] = []
    for run in runs:
        inside = [config.parent for config in run.glob("*/config.json")] if run.is_dir() else []
        folders += (
            [run]
            if RunFolder(path=run).config.exists() or not inside
            else sorted(inside, key=lambda inner: (len(inner.name), inner.name))
        )
    settings = [load_settings_of_run(run) for run in folders]
    for run, one in zip(folders, settings, strict=True):
        check_finetuned(run, one)
    kinds = {(one["method"], ", ".join(one["data"]["task"]["labels"]), one["data"]["scheme"]) for one in settings}
    if len(kinds) > 1:
        found = "; ".join(sorted(f"{method} on {label}, split {scheme}" for method, label, scheme in kinds))
        raise CheckpointError(
            f"{folders[0]} and {len(folders) - 1} more: expected runs of one method, label and split, which differ by "
            f"their seed, got {found}; evaluate them one by one or use skesl compare"
        )
    return folders, settings


def target_of_runs(
    settings: Sequence[Mapping[str, Any]], data: Path, *, part: Split, scheme: str | None = None
) -> Target:
    """Return the labels that runs were trained for, of one part of a dataset.

    Raises:
        InputError: the dataset does not have the label, or not in this part.
    """
    own = settings[0]["data"]
    return open_target(data, labels=own["task"]["labels"], part=part, scheme=scheme or own["scheme"])


def check_comparable(runs: Mapping[Path, Mapping[str, Any]], target: Target, *, scheme: str | None) -> None:
    """Refuse runs that may not stand beside each other on a target.

    Args:
        runs: the settings of each run; the first chose the labels and the scheme, or a file of predictions did.
        target: the labels.
        scheme: the split scheme that was asked for; where None, the runs have to be of the target's own.

    Raises:
        CheckpointError: a run was trained for other labels, or on another split of the same data, by which it may have
            learned from the clips of the target.
    """
    own = [settings["data"] for settings in runs.values()]
    contents = {target.content_sha256, own[0]["content_sha256"]}
    for run, data in zip(runs, own, strict=True):
        _check_labels(run, data["task"], target)
        if scheme is None and data["content_sha256"] in contents and data["scheme"] != target.scheme:
            raise CheckpointError(
                f"{run}: expected a run of the split {target.scheme!r}, got one of {data['scheme']!r}, which may have "
                f"learned from the clips it is measured on; name a run of {target.scheme!r}, or choose a scheme with "
                "--split-scheme"
            )


def _check_labels(run: Path, task: Mapping[str, Any], target: Target) -> None:
    """Refuse a run whose task has other labels or classes than a target, or in another order."""
    for name, known in (("labels", target.task.labels), ("class_names", target.task.class_names)):
        if tuple(task[name]) != known:
            what = "label" if name == "labels" else "classes"
            raise CheckpointError(
                f"{run}: expected a run for the {what} {', '.join(known) or 'none'}, got one for "
                f"{', '.join(task[name]) or 'none'}; name a run that was trained for the same"
            )


def aligned(run: Path, predictions: Predictions, target: Target) -> Values:
    """Return what a run says of the clips of a target, shape (clip, label).

    Raises:
        CheckpointError: the run was trained for other labels.
        InputError: a prediction is not finite.
    """
    _check_labels(run, asdict(predictions.task), target)
    places = {clip_id: index for index, clip_id in enumerate(predictions.clip_ids)}
    chosen = [places[clip_id] for clip_id in target.clip_ids]
    if n_bad := int((~np.isfinite(predictions.scores[chosen])).any(axis=1).sum()):
        raise InputError(
            f"{run}: expected finite predictions, got NaN or infinity for {n_bad} of {len(chosen)} clip(s); "
            "the training has diverged, lower its learning rate"
        )
    return predictions.answers[chosen]


def predict_target(run: Path, target: Target, *, device: str = "auto", change: Change | None = None) -> Predictions:
    """Return a run's predictions for the part of a target; arguments and errors as in ``predict_run``."""
    return predict_run(run, target.data, part=target.part, scheme=target.scheme, device=device, change=change)


def values_of_run(run: Path, target: Target, *, device: str = "auto", change: Change | None = None) -> Values:
    """Return what a run says of the clips of a target, shape (clip, label)."""
    return aligned(run, predict_target(run, target, device=device, change=change), target)


def selection_of(settings: Mapping[str, Any]) -> str:
    """Return how a run's epoch was chosen."""
    if "result" not in settings:
        return "training did not end; its best epoch so far"
    result, metric = settings["result"], settings["train"]["selection_metric"]
    return f"epoch {result['best_epoch']} of {result['n_epochs']}, chosen by valid {metric}"
