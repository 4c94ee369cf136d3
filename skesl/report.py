"""The report of one or several runs: one page to look at, to print and to send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmfeat import ConfigError, PageSection, check_page_path, html_page, html_paragraph, write_page
from skesl import report_sections as sections
from skesl.checkpoint import RunFolder, load_settings_of_run
from skesl.evaluate import EvaluationConfig, evaluate_runs
from skesl.evaluation_report import EvaluationReport
from skesl.predictions import Predictions
from skesl.report_sections import ReportConfig
from skesl.runs import selection_of, settings_of_runs
from skesl.task import task_from_json


def write_report(
    runs: Sequence[Path], output: Path, config: ReportConfig | None = None, *, overwrite: bool = False
) -> Path:
    """Write one HTML page about some runs, which needs no network and no other file.

    Args:
        runs: fine-tuned runs of one method that differ by their seed, or folders of such runs; or one pretrained run.
        output: the page to make.
        config: what it shows.
        overwrite: replace an existing page.

    Raises:
        CheckpointError: a run is no run, or does not fit the dataset.
        InputError: the dataset does not have the label or the clip, or the page cannot be written.
        MissingExtraError: matplotlib is not installed.
        OutputExistsError: the page exists and ``overwrite`` is false.
    """
    config = config or ReportConfig()
    check_page_path(output, overwrite=overwrite)
    first = load_settings_of_run(runs[0]) if RunFolder(path=runs[0]).config.exists() else None
    if first is not None and first["stage"] == "pretrain":
        text = _pretraining_page(runs, first, config)
    else:
        text = _finetuning_page(runs, config)
    return write_page(output, text)


def _pretraining_page(runs: Sequence[Path], settings: Mapping[str, Any], config: ReportConfig) -> str:
    if len(runs) > 1 or config.data is not None:
        raise ConfigError(f"{runs[0]}: is a pretrained run, which predicts nothing; report it alone and without DATA")
    lead = f"{settings['method']}, pretrained on {settings['data']['name']}"
    return html_page(f"skesl report: {runs[0].name}", lead, [sections.training(runs), sections.settings_of(runs)])


def _finetuning_page(runs: Sequence[Path], config: ReportConfig) -> str:
    folders, settings = settings_of_runs(runs)
    report = _evaluated(folders, config)
    own = settings[0]
    task = task_from_json(own["data"]["task"])
    predictions = Predictions.load(RunFolder(path=folders[0]).predictions, task)
    where = f"{report.part} part of {report.data}" if report else "predictions stored in the run"
    lead = f"{own['method']} on {own['data']['name']}, label {', '.join(task.labels)}: {where}; {selection_of(own)}."
    several = [html_paragraph(f"Pictures of single clips are those of {folders[0].name}.")] if len(folders) > 1 else []
    return html_page(
        f"skesl report: {', '.join(folder.name for folder in folders)}",
        lead,
        [
            PageSection(title="Metrics", blocks=(*sections.metrics(report, predictions),)),
            sections.training(folders),
            PageSection(title="Predictions", blocks=(*several, *sections.predictions_of(predictions))),
            PageSection(title="Recordings", blocks=tuple(sections.recordings(predictions, config))),
            PageSection(title="Modalities", blocks=tuple(sections.modalities(report, task))),
            PageSection(title="One clip over time", blocks=tuple(sections.clip(folders[0], predictions, config))),
            PageSection(title=f"The worst {sections.N_WORST} clips", blocks=(sections.worst(predictions, config),)),
            sections.settings_of(folders),
        ],
    )


def _evaluated(folders: Sequence[Path], config: ReportConfig) -> EvaluationReport | None:
    if config.data is None:
        return None
    evaluation = EvaluationConfig(
        part=config.part,
        device=config.device,
        ablate=config.ablate,
        missing=config.missing,
        text_only=config.text_only,
    )
    return evaluate_runs(folders, config.data, evaluation)
