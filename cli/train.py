"""The commands that train: pretrain, finetune."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .method_options import method_options, take_method_overrides
from .options import (
    FILE,
    FOLDER,
    config_option,
    device_option,
    json_option,
    labels_option,
    listed,
    overwrite_option,
    progress_bar,
    scheme_option,
    set_option,
    show_report,
)
from .train_options import chosen_settings, is_first_process, run_options, train_options

if TYPE_CHECKING:
    from skesl import ExperimentConfig, FoldsReport, SeedsReport, Stage, StageReport

run_option = click.option("--run", type=FOLDER, required=True, help="Run folder to make.")
encoder_option = click.option(
    "--text-encoder",
    default=None,
    help="Local folder, hub name, or minilm-l6 (bundled with the extra 'minilm', needs no download).",
)


@click.command()
@click.argument("data", type=FILE)
@run_option
@encoder_option
@scheme_option
@method_options(pretrains=True)
@train_options(validates=False)
@config_option
@set_option
@device_option
@json_option
@overwrite_option
def pretrain(data: Path, run: Path, *, as_json: bool, overwrite: bool, **choices: Any) -> None:
    """Pretrain a method without labels on DATA, a dataset file made by mmfeat.

    Clips of the valid and test parts are left out. Settings: --preset, the method's first where none is named, then
    --config FILE.toml with the sections [train] and [method], then single ones with --set train.max_text_tokens=64 or
    --set method.dropout=0.1.

    A training that was killed goes on when the same command is given again. On several GPUs or machines:
    torchrun --nproc-per-node 2 -- "$(which skesl)" pretrain …, or accelerate launch in its place.

    \b
    Example:
      skesl pretrain voxceleb.h5 --run runs/pretrained --text-encoder bert-base-uncased --epochs 20
    """
    from skesl import pretrain as run_pretraining

    _train("pretrain", run_pretraining, data, run, choices, as_json=as_json, overwrite=overwrite)


@click.command()
@click.argument("data", type=FILE)
@run_option
@encoder_option
@click.option("--from", "from_run", type=FOLDER, default=None, help="Pretrained run to start from.")
@labels_option
@scheme_option
@method_options(pretrains=False)
@train_options(validates=True)
@config_option
@set_option
@device_option
@json_option
@overwrite_option
def finetune(data: Path, run: Path, *, as_json: bool, overwrite: bool, **choices: Any) -> None:
    """Train a method on a label of DATA; the epoch with the best validation value is kept.

    A training that was killed goes on when the same command is given again.

    Without --from nothing is pretrained, everything else is the same: the baseline of what pretraining gains.
    Settings: --preset, the method's first where none is named, then --config FILE.toml with the sections [train] and
    [method], then single ones with --set train.selection_metric=corr or --set method.dropout=0.1. A run that is
    started from hands on its own.

    \b
    Example:
      skesl finetune mosi.h5 --run runs/mosi --from runs/pretrained
      skesl finetune mosi.h5 --run runs/text --method text_only --text-encoder minilm-l6 --lr 1e-3 --lr-text 5e-5
    """
    from skesl import finetune as run_finetuning

    _train("finetune", run_finetuning, data, run, choices, as_json=as_json, overwrite=overwrite)


def _train(
    stage: Stage,
    train: Callable[..., StageReport],
    data: Path,
    run: Path,
    choices: dict[str, Any],
    *,
    as_json: bool,
    overwrite: bool,
) -> None:
    """Train once, or once for each seed or fold, and print the report."""
    from skesl import train_folds, train_seeds

    n_seed, folds = choices.pop("n_seed"), choices.pop("folds")
    if n_seed is not None and folds is not None:
        raise click.UsageError("--seeds and --folds exclude each other; give one")
    config = _experiment(stage, **choices)
    report: StageReport | SeedsReport | FoldsReport
    if folds is not None:
        report = train_folds(train, data, run, config, folds=folds, overwrite=overwrite, track=progress_bar)
    elif n_seed is None:
        report = train(data, run, config, overwrite=overwrite, track=progress_bar)
    else:
        report = train_seeds(train, data, run, config, n_seed=n_seed, overwrite=overwrite, track=progress_bar)
    if is_first_process():
        show_report(report, as_json=as_json)


def _experiment(
    stage: Stage,
    *,
    config_file: Path | None,
    overrides: tuple[str, ...],
    device: str,
    method: str,
    preset: str | None,
    text_encoder: str | None,
    scheme: str,
    from_run: Path | None = None,
    labels: str = "",
    lexicon: Path | None = None,
    mask_states: Path | None = None,
    **train_choices: Any,
) -> ExperimentConfig:
    """Return the settings that the command line describes."""
    from skesl import ExperimentConfig, find_preset, load_settings

    options = run_options(train_choices)
    of_method = take_method_overrides(train_choices)
    of_preset = find_preset(method, preset).train.get(stage)
    train_choices["compile"] = train_choices.pop("compile_")
    given = {name: value for name, value in train_choices.items() if value is not None}
    chosen = [f"train.{name}={json.dumps(value)}" for name, value in given.items()]
    train, method_settings = load_settings(
        preset=of_preset, file=config_file, overrides=[f"train.device={device}", *chosen, *of_method, *overrides]
    )
    return ExperimentConfig(
        method=method,
        preset=preset,
        text_encoder=text_encoder,
        from_run=from_run,
        train=train,
        method_settings=method_settings,
        labels=listed(labels),
        scheme=scheme,
        lexicon=lexicon,
        options=options,
        chosen_settings=chosen_settings(given, overrides),
        mask_states=mask_states,
    )
