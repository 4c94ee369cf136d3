"""The commands that train: pretrain, finetune."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .method_options import method_options, take_method_overrides
from .options import (
    FILE,
    FOLDER,
    config_option,
    device_option,
    label_option,
    overwrite_option,
    progress_bar,
    scheme_option,
    set_option,
)

if TYPE_CHECKING:
    from skesl import ExperimentConfig, Stage

run_option = click.option("--run", type=FOLDER, required=True, help="Run folder to make.")
encoder_option = click.option(
    "--text-encoder",
    default=None,
    help="Local folder, hub name, or minilm-l6 (bundled with the extra 'minilm', needs no download).",
)
_TRAIN_OPTIONS = (
    click.option("--epochs", "n_epochs", type=int, default=None, help="train.n_epochs"),
    click.option("--batch-size", type=int, default=None, help="train.batch_size, in clips"),
    click.option("--lr", "learning_rate", type=float, default=None, help="train.learning_rate"),
    click.option("--lr-text", "text_encoder_learning_rate", type=float, default=None, help="the text encoder's own"),
    click.option("--seed", type=int, default=None, help="train.seed"),
)


def train_options(command: Any) -> Any:
    """Add the options of training to a command."""
    for option in reversed(_TRAIN_OPTIONS):
        command = option(command)
    return command


@click.command()
@click.argument("data", type=FILE)
@run_option
@encoder_option
@scheme_option
@method_options(pretrains=True)
@train_options
@config_option
@set_option
@device_option
@overwrite_option
def pretrain(data: Path, run: Path, *, overwrite: bool, **choices: Any) -> None:
    """Pretrain a method without labels on DATA, a dataset file made by mmfeat.

    Clips of the valid and test parts are left out. Settings: --preset, then --config FILE.toml with the sections
    [train] and [method], then single ones with --set train.max_text_tokens=64 or --set method.dropout=0.1.

    \b
    Example:
      skesl pretrain voxceleb.h5 --run runs/pretrained --text-encoder bert-base-uncased --epochs 20
    """
    from skesl import pretrain as run_pretraining

    report = run_pretraining(data, run, _experiment("pretrain", **choices), overwrite=overwrite, track=progress_bar)
    click.echo(report.summary())


@click.command()
@click.argument("data", type=FILE)
@run_option
@encoder_option
@click.option("--from", "from_run", type=FOLDER, default=None, help="Pretrained run to start from.")
@label_option
@scheme_option
@method_options(pretrains=False)
@train_options
@config_option
@set_option
@device_option
@overwrite_option
def finetune(data: Path, run: Path, *, overwrite: bool, **choices: Any) -> None:
    """Train a method on a label of DATA; the epoch with the best validation value is kept.

    Without --from nothing is pretrained, everything else is the same: the baseline of what pretraining gains.
    Settings: --preset, then --config FILE.toml with the sections [train] and [method], then single ones with
    --set train.selection_metric=corr or --set method.dropout=0.1. A run that is started from hands on its own.

    \b
    Example:
      skesl finetune mosi.h5 --run runs/mosi --from runs/pretrained
      skesl finetune mosi.h5 --run runs/text --method text_only --text-encoder minilm-l6 --lr 1e-3 --lr-text 5e-5
    """
    from skesl import finetune as run_finetuning

    report = run_finetuning(data, run, _experiment("finetune", **choices), overwrite=overwrite, track=progress_bar)
    click.echo(report.summary())


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
    label: str | None = None,
    lexicon: Path | None = None,
    mask_states: Path | None = None,
    **train_choices: Any,
) -> ExperimentConfig:
    """Return the settings that the command line describes."""
    from skesl import ExperimentConfig, find_preset, load_settings

    of_method = take_method_overrides(train_choices)
    of_preset = find_preset(method, preset).train.get(stage) if preset is not None else None
    chosen = [f"train.{name}={value}" for name, value in train_choices.items() if value is not None]
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
        label=label,
        scheme=scheme,
        lexicon=lexicon,
        mask_states=mask_states,
    )
