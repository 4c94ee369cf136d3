"""The sections of a report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmfeat import (
    DatasetReader,
    InputError,
    PageSection,
    Split,
    Table,
    clip_svg,
    html_figure,
    html_paragraph,
    html_table,
    view_clip,
)
from skesl import figures
from skesl.attention_record import attention_over_frames, attention_over_time
from skesl.checkpoint import Run, RunFolder, load_run, load_settings_of_run
from skesl.evaluation_report import EvaluationReport
from skesl.measures import Values
from skesl.metrics import CONVENTIONS, SAID_FROM, rounded, sims_bins, suits
from skesl.predict import open_clips
from skesl.predictions import Predictions
from skesl.task import Task
from skesl.task_measures import SELECTION_METRIC, metrics_of

N_WORST = 10
_KINDS = ("sound", "pitch", "features", "units", "valid", "words")
_CURVES = {
    "loss": ("loss",),
    "error": ("mae", "mean_mae", "mer23_mse", "hamming_loss"),
    "correlation": ("corr", "mean_corr", "mimic_pearson"),
    "accuracy": ("acc2_has0", "acc2_non0", "class_acc", "ml_acc"),
    "F1": ("class_f1_weighted", "class_f1_macro", "micro_f1", "macro_f1", "mer23_f1"),
    "score": ("mer23_combined",),
}


@dataclass(frozen=True, kw_only=True)
class ReportConfig:
    """What a report shows beside the curves of training.

    Args:
        data: the dataset; without it the report shows what lies in the runs.
        part: train, valid or test.
        clip_id: clip that is shown over time; the worst one with something to show where None.
        media: folder with the sound of the clips, named after them.
        ablate: remove and shuffle each modality.
        missing: shares of missing frames and modalities.
        text_only: a run of text alone to stand beside the runs.
        device: auto, cpu, cuda or mps.
    """

    data: Path | None = None
    part: Split = Split.TEST
    clip_id: str | None = None
    media: Path | None = None
    ablate: bool = True
    missing: tuple[float, ...] = ()
    text_only: Path | None = None
    device: str = "auto"


def metrics(report: EvaluationReport | None, predictions: Predictions) -> list[str]:
    """Return every number: from the evaluation, or from what lies in the run."""
    if report is not None:
        notes = [report.conventions, f"content {report.content_sha256}", *report.warnings]
        return [html_table(report.table()), *(html_paragraph(note) for note in notes)]
    labels, said = _labelled(predictions)
    rows = tuple(metrics_of(predictions.task, labels, said).items())
    return [
        html_table(Table(header=("metric", "value"), rows=rows)),
        html_paragraph(CONVENTIONS[predictions.task.problem]),
    ]


def training(runs: Sequence[Path]) -> PageSection:
    """Return a figure for each kind of number that the runs wrote down epoch by epoch."""
    logs = {run.name: _log(run) for run in runs}
    blocks = []
    for title, names in _CURVES.items():
        known = [name for name in names if any(line.get(name) is not None for lines in logs.values() for line in lines)]
        if known:
            kind = "Mean loss of the train part" if title == "loss" else f"{title.capitalize()} on the validation part"
            svg = figures.training_curves(logs, known, title)
            blocks.append(html_figure(f"training-{title}", svg, f"{kind}, epoch by epoch ({', '.join(known)})"))
    return PageSection(title="Training", blocks=tuple(blocks))


def _log(run: Path) -> list[dict[str, Any]]:
    path = RunFolder(path=run).metrics
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


def _labelled(predictions: Predictions) -> tuple[Values, Values]:
    """Return labels and answers of the clips that have every label, shape (clip, label)."""
    has_label = ~np.isnan(predictions.labels).any(axis=1)
    if not has_label.any():
        raise InputError("report: expected predictions of clips with labels, got none; run skesl evaluate first")
    return predictions.labels[has_label], predictions.answers[has_label]


def predictions_of(predictions: Predictions) -> list[str]:
    """Return prediction against label of each value, and the confusions of classes."""
    task = predictions.task
    labels, said = _labelled(predictions)
    blocks = []
    if task.class_names:
        classes = [(float(number), name) for number, name in enumerate(task.class_names)]
        many = figures.confusion(labels[:, 0], said[:, 0], classes)
        blocks.append(
            html_figure("confusion-classes", many, f"{task.labels[0]}: clips of each true class by what was said")
        )
    if task.problem != "multilabel":
        first = 1 if task.class_names else 0
        for column, name in list(enumerate(task.labels))[first:]:
            svg = figures.prediction_against_label(labels[:, column], said[:, column])
            caption = f"{name}: prediction against label, {len(labels)} clips; on the line both are equal"
            blocks.append(html_figure(f"prediction-label-{column}", svg, caption))
    return [*blocks, *_confusions(labels[:, 0], said[:, 0])] if task.problem == "regression" else blocks


def _confusions(labels: Values, values: Values) -> list[str]:
    """Return the confusions of the classes that a sentiment value falls into: many, and two."""
    polar = labels != 0
    blocks = []
    if suits("sims_acc5", (float(labels.min()), float(labels.max()))):
        many = figures.confusion(
            sims_bins(labels, 5), sims_bins(values, 5), list(enumerate(("--", "-", "0", "+", "++")))
        )
        blocks.append(
            html_figure("confusion-5", many, "Five classes (sims_acc5): clips of each true class by what was said")
        )
    else:
        seven = [(float(value), f"{value:+d}" if value else "0") for value in range(-3, 4)]
        many = figures.confusion(rounded(labels, 3), rounded(values, 3), seven)
        blocks.append(
            html_figure("confusion-7", many, "Seven classes (acc7_round): clips of each true class by what was said")
        )
    if polar.any():
        two = figures.confusion(
            (labels[polar] > 0).astype(np.float64),
            (values[polar] > 0).astype(np.float64),
            [(0.0, "negative"), (1.0, "positive")],
        )
        blocks.append(html_figure("confusion-2", two, "Two classes (acc2_non0): clips that are not neutral"))
    return blocks


def recordings(predictions: Predictions, config: ReportConfig) -> list[str]:
    """Return the error of each recording."""
    if config.data is None:
        return [html_paragraph("Recordings, modalities and single clips are shown where the dataset is given.")]
    with DatasetReader(config.data) as reader:
        recording_of = dict(zip(reader.clip_ids, reader.recording_ids, strict=True))
    errors: dict[str, list[float]] = {}
    for clip_id, error in zip(predictions.clip_ids, predictions.errors.tolist(), strict=True):
        if not np.isnan(error):
            errors.setdefault(recording_of[clip_id], []).append(error)
    name = _error_name(predictions)
    svg = figures.errors_by_recording(
        {recording: float(np.mean(found)) for recording, found in errors.items()},
        {recording: len(found) for recording, found in errors.items()},
        name,
    )
    caption = f"{name} by recording, the worst first (clips in brackets; {len(errors)} recordings)"
    return [html_figure("recordings", svg, caption)]


def _error_name(predictions: Predictions) -> str:
    return "Mean of 1 - probability of the true class" if predictions.task.class_names else "Mean absolute error"


def modalities(report: EvaluationReport | None, task: Task) -> list[str]:
    """Return what each modality gives, and what missing parts cost."""
    if report is None:
        return []
    blocks = []
    metric = SELECTION_METRIC[task.problem]
    beside = {
        name: row[metric]
        for name, row in report.rows.items()
        if name == "text_only" or name.startswith(("without_", "shuffled_"))
    }
    if beside:
        svg = figures.ablation_bars({report.method: report.metrics[metric], **beside}, metric)
        caption = f"{metric} when a modality is removed, or taken from another clip; nothing was trained again"
        blocks.append(html_figure("ablation", svg, caption))
    if report.robustness:
        curves = {
            kind: {share: row[metric] for share, row in curve.items()} for kind, curve in report.robustness.items()
        }
        blocks.append(
            html_figure("robustness", figures.robustness_curve(curves, metric), f"{metric} when a share is missing")
        )
    return blocks


def clip(run: Path, predictions: Predictions, config: ReportConfig) -> list[str]:
    """Return one clip over time: the one that was asked for, else the worst that has something to show."""
    if config.data is None:
        return []
    with DatasetReader(config.data) as reader:
        if config.clip_id is not None and config.clip_id not in reader.clip_ids:
            raise InputError(f"{config.data}: expected a clip to show, got {config.clip_id!r}, which is not in it")
        worst = [predictions.clip_ids[at] for at in _worst_first(predictions)[:N_WORST]]
        loaded = load_run(run)
        for clip_id in [config.clip_id] if config.clip_id else worst:
            view = view_clip(reader, clip_id, media=config.media)
            if view.has_tracks:
                weights = _attention(loaded, reader, clip_id)
                attention = attention_over_time(view.streams, loaded.method.inputs, weights)
                svg = clip_svg(view, kinds=_KINDS, lines={"attention": attention} if attention else {})
                words = f"{clip_id}{_said_of(clip_id, predictions)}"
                return [html_figure("clip", svg, words), html_paragraph(view.text)]
    return []


def _said_of(clip_id: str, predictions: Predictions) -> str:
    """Return what was said of a clip; nothing where it is of another part."""
    if clip_id not in predictions.clip_ids:
        return ""
    at = predictions.clip_ids.index(clip_id)
    label, said = (_words(predictions.task, values[at]) for values in (predictions.labels, predictions.answers))
    return f": label {label}, prediction {said}"


def _words(task: Task, answers: Values) -> str:
    """Return labels or answers of one clip as text; of yes-or-no labels those that are said."""
    if task.problem == "multilabel":
        said = [name for name, value in zip(task.labels, answers, strict=True) if value >= SAID_FROM]
        return ", ".join(said) or "none"
    return ", ".join(word if isinstance(word, str) else f"{word:.2f}" for word in task.words(answers))


def _attention(run: Run, reader: DatasetReader, clip_id: str) -> dict[str, Values]:
    clips = open_clips(run, reader, np.array([reader.clip_ids.index(clip_id)]))
    return attention_over_frames(run.method, clips.batch(np.zeros(1, dtype=np.int64)))


def _worst_first(predictions: Predictions) -> list[int]:
    """Return the places of the labelled clips, those with the largest errors first."""
    errors = predictions.errors
    order = np.argsort(-np.nan_to_num(errors, nan=-1.0), kind="stable")
    return [int(at) for at in order if not np.isnan(errors[at])]


def worst(predictions: Predictions, config: ReportConfig) -> str:
    """Return the clips with the largest errors."""
    texts: dict[str, str] = {}
    if config.data is not None:
        with DatasetReader(config.data) as reader:
            texts = dict(zip(reader.clip_ids, reader.texts, strict=True))
    rows = []
    for at in _worst_first(predictions)[:N_WORST]:
        clip_id = predictions.clip_ids[at]
        words = [_words(predictions.task, values[at]) for values in (predictions.labels, predictions.answers)]
        rows.append((clip_id, *words, texts.get(clip_id, "")))
    return html_table(Table(header=("clip", "label", "prediction", "text"), rows=tuple(rows)), text_columns=(3,))


def settings_of(runs: Sequence[Path]) -> PageSection:
    """Return the settings of the first run, without the names of the features."""
    settings = load_settings_of_run(runs[0])
    settings["data"] = {**settings["data"], "streams": list(settings["data"]["streams"])}
    rows = tuple(
        (str(name), json.dumps(value, ensure_ascii=False)) for name, value in settings.items() if name != "result"
    )
    return PageSection(
        title="Settings", blocks=(html_table(Table(header=("setting", "value"), rows=rows), text_columns=(1,)),)
    )
