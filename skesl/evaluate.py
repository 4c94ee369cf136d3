"""Evaluate runs, or anybody's predictions: every metric with its interval, beside what knows less."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmfeat import Split
from skesl.errors import check_train_extra
from skesl.evaluation_report import EvaluationReport, Metrics
from skesl.external import read_predictions
from skesl.label_agreement import LabelAgreement
from skesl.measures import Values
from skesl.metrics import CONVENTIONS, numbers, suits
from skesl.statistics import FEW_RECORDINGS, N_RESAMPLE, Measures, bootstrap_intervals, compare_measures
from skesl.target import MOST_LABELS, Target, open_target

if TYPE_CHECKING:
    from skesl.predict import Change

_PACKAGES = ("mmfeat", "numpy", "scipy", "scikit-learn")


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """What an evaluation computes beside the metrics.

    Args:
        part: train, valid or test.
        scheme: split scheme; the run's own, or ``default``, where None.
        device: auto, cpu, cuda or mps.
        n_resample: resamples of the intervals.
        seed: of the resamples and of the controls.
        text_only: a run of text alone to stand beside the model, of the same label and split.
        ablate: remove and shuffle each modality.
        missing: shares of missing frames and modalities.
    """

    part: Split = Split.TEST
    scheme: str | None = None
    device: str = "auto"
    n_resample: int = N_RESAMPLE
    seed: int = 0
    text_only: Path | None = None
    ablate: bool = False
    missing: tuple[float, ...] = ()


def evaluate_run(
    run: Path, data: Path, *, part: Split = Split.TEST, scheme: str | None = None, device: str = "auto"
) -> EvaluationReport:
    """Return all metrics of one run; see ``evaluate_runs`` and ``EvaluationConfig``."""
    return evaluate_runs([run], data, EvaluationConfig(part=part, scheme=scheme, device=device))


@check_train_extra()
def evaluate_runs(runs: Sequence[Path], data: Path, config: EvaluationConfig | None = None) -> EvaluationReport:
    """Predict one part of a dataset with each run, store ``predictions.csv`` there, and return all metrics.

    Args:
        runs: fine-tuned runs of one method that differ by their seed, or folders of such runs.
        data: the dataset file.
        config: what is computed.

    Raises:
        CheckpointError: a run is no fine-tuned run, does not fit the dataset, or the runs do not belong together.
        InputError: the part has no labelled clip, or a run's predictions are not finite.
    """
    from skesl.checkpoint import RunFolder
    from skesl.generated_labels import generated_label_agreement
    from skesl.processes import is_first
    from skesl.runs import aligned, predict_target, selection_of, settings_of_runs, target_of_runs, values_of_run

    config = config or EvaluationConfig()
    folders, settings = settings_of_runs(runs)
    target = target_of_runs(settings, data, part=config.part, scheme=config.scheme)
    said = []
    for run in folders:
        predictions = predict_target(run, target, device=config.device)
        said.append(aligned(run, predictions, target))
        if is_first():
            predictions.save(RunFolder(path=run).predictions)
    usual = settings[0]["data"].get("usual_answer")
    beside = _text_only(target, config, {folders[0]: settings[0]})
    for name, change in _controls(folders[0], config).items():
        beside[name] = [values_of_run(run, target, device=config.device, change=change) for run in folders]
    return _report(
        target,
        said,
        config,
        sources=folders,
        method=settings[0]["method"],
        selection="; ".join(dict.fromkeys(selection_of(one) for one in settings)),
        median=None if usual is None else tuple(map(float, usual)),
        beside=beside,
        robustness=_robustness(folders, target, config),
        generated_labels=generated_label_agreement(folders, target, device=config.device),
        configs=[{name: one[name] for name in ("method_config", "train", "text_encoder")} for one in settings],
    )


@check_train_extra()
def evaluate_predictions(
    files: Sequence[Path], data: Path, labels: Sequence[str] = (), config: EvaluationConfig | None = None
) -> EvaluationReport:
    """Return all metrics of predictions that any program made; see ``skesl.external`` for the csv file.

    Args:
        files: files of predictions; several are seeds of one model.
        data: the dataset file with the labels.
        labels: names of the labels; may be empty where the file has exactly one.
        config: what is computed.

    Raises:
        InputError: a file has faults, or the part no labelled clip.
    """
    config = config or EvaluationConfig()
    target = open_target(data, labels=labels, part=config.part, scheme=config.scheme or "default")
    said, warnings = [], []
    for file in files:
        values, n_other = read_predictions(file, target)
        said.append(values)
        if n_other:
            warnings.append(f"{file}: {n_other} row(s) are of clips outside the part or without the label")
    return _report(
        target,
        said,
        config,
        sources=files,
        method="predictions",
        selection="how the epoch was chosen is not known",
        median=target.train_median(),
        beside=_text_only(target, config, {}),
        warnings=warnings,
    )


def _text_only(
    target: Target, config: EvaluationConfig, beside: Mapping[Path, Mapping[str, Any]]
) -> dict[str, list[Values]]:
    """Return what the run of text alone says, where one was named, beside the run with these settings."""
    if config.text_only is None:
        return {}
    from skesl.runs import check_comparable, settings_of_runs, values_of_run

    folders, settings = settings_of_runs([config.text_only])
    check_comparable({**beside, config.text_only: settings[0]}, target, scheme=config.scheme)
    return {"text_only": [values_of_run(run, target, device=config.device) for run in folders]}


def _controls(run: Path, config: EvaluationConfig) -> dict[str, Change]:
    """Return what is removed and shuffled of what a run reads, by the name of its row."""
    from skesl.checkpoint import load_run
    from skesl.controls import TEXT, shuffled, without

    if not config.ablate:
        return {}
    method = load_run(run).method
    changes: dict[str, Change] = {}
    for modality in (*([TEXT] if method.inputs.reads_text else []), *method.normalisers):
        changes[f"without_{modality}"] = without(modality)
        changes[f"shuffled_{modality}"] = shuffled(modality, seed=config.seed)
    return changes


def _robustness(runs: Sequence[Path], target: Target, config: EvaluationConfig) -> dict[str, dict[str, Metrics]]:
    """Return the metrics for each share of missing frames and of missing modalities."""
    from skesl.controls import missing_frames, missing_modalities
    from skesl.runs import values_of_run

    kinds: dict[str, Callable[..., Change]] = {"frames": missing_frames, "modalities": missing_modalities}
    curves: dict[str, dict[str, Metrics]] = {kind: {} for kind in kinds if config.missing}
    for kind, curve in curves.items():
        for rate in config.missing:
            change = kinds[kind](rate, seed=config.seed)
            said = [values_of_run(run, target, device=config.device, change=change) for run in runs]
            curve[f"{rate:g}"] = _mean([target.metrics(values) for values in said])
    return curves


def _report(
    target: Target,
    said: Sequence[Values],
    config: EvaluationConfig,
    *,
    sources: Sequence[Path],
    method: str,
    selection: str,
    median: tuple[float, ...] | None,
    beside: Mapping[str, Sequence[Values]],
    robustness: Mapping[str, Mapping[str, Metrics]] | None = None,
    generated_labels: Mapping[str, LabelAgreement] | None = None,
    warnings: Sequence[str] = (),
    configs: Sequence[Mapping[str, Any]] = (),
) -> EvaluationReport:
    measures = [target.measures(values) for values in said]
    per_source = tuple(numbers(one) for one in measures)
    rows = {"median": target.metrics(target.constant(median))} if median is not None else {}
    others = {name: [target.measures(values) for values in several] for name, several in beside.items()}
    draws = {"n_resample": config.n_resample, "seed": config.seed}
    return EvaluationReport(
        sources=tuple(map(str, sources)),
        method=method,
        data=target.name,
        content_sha256=target.content_sha256,
        label=", ".join(target.label_names),
        part=target.part.name.lower(),
        scheme=target.scheme,
        n_clip=target.n_clip,
        n_labelled=len(target.clip_ids),
        n_recording=target.n_recording,
        label_range=target.label_range,
        selection=selection,
        conventions=CONVENTIONS[target.problem],
        metrics=_mean(per_source),
        intervals=bootstrap_intervals(measures, target.recordings, **draws),
        n_resample=config.n_resample,
        sd=_sd(per_source),
        per_source=per_source,
        rows={
            **rows,
            "majority": target.best_constant(),
            **{name: _mean([numbers(one) for one in several]) for name, several in others.items()},
        },
        gains={
            name: compare_measures(several, measures, target.recordings, **draws) for name, several in others.items()
        },
        robustness=robustness or {},
        generated_labels=generated_labels or {},
        warnings=(*warnings, *_warnings(target, said, measures)),
        versions={"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
        configs=tuple(configs),
    )


def _warnings(target: Target, said: Sequence[Values], measures: Sequence[Measures]) -> list[str]:
    """Return a sentence for what makes numbers undefined or untrustworthy."""
    found = []
    shown = [name for name in measures[0] if suits(name, target.label_range)]
    undefined = [name for name in shown if any(np.isnan(one[name].number()) for one in measures)]
    constant = any((np.ptp(values, axis=0) == 0).any() for values in said)
    if constant and len(target.clip_ids) > 1:
        found.append("the predictions are the same for every clip, which has no correlation")
    if undefined:
        found.append(f"not defined on these clips: {', '.join(undefined)}")
    if target.n_recording == 1:
        found.append("all clips are of one recording, from which no interval can be drawn")
    elif target.n_recording < FEW_RECORDINGS:
        found.append(f"{target.n_recording} recordings are few: the intervals are narrower than they should be")
    if not target.tries_every_answer:
        found.append(
            f"majority of ml_acc: of more than {MOST_LABELS} labels only sets of the most frequent ones are tried, "
            "another one may be better"
        )
    if target.part is Split.TRAIN:
        found.append("these are clips of the train part; the numbers say nothing of new ones")
    return found


def _mean(metrics: Sequence[Metrics]) -> dict[str, float]:
    return {name: float(np.mean([one[name] for one in metrics])) for name in metrics[0]}


def _sd(metrics: Sequence[Metrics]) -> dict[str, float]:
    """Return the standard deviation over the sources (n - 1), nothing where there is one."""
    if len(metrics) < 2:
        return {}
    return {name: float(np.std([one[name] for one in metrics], ddof=1)) for name in metrics[0]}
