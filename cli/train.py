"""The commands that train: pretrain, finetune."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

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
method_option = click.option("--method", default="skesl", show_default=True, help="Method by name: skesl, text_only.")
preset_option = click.option("--preset", default=None, help="Settings by name; skesl presets lists them.")
_TRAIN_OPTIONS = (
    click.option("--epochs", "n_epochs", type=int, default=None, help="train.n_epochs"),
    click.option("--batch-size", type=int, default=None, help="train.batch_size, in clips"),
    click.option("--lr", "learning_rate", type=float, default=None, help="train.learning_rate"),
    click.option("--lr-text", "text_encoder_learning_rate", type=float, default=None, help="the text encoder's own"),
    click.option("--seed", type=int, default=None, help="train.seed"),
)
_NEUTRAL = "masking.max_neutral_fraction"
_METHOD_OPTIONS = {
    "n_layers": click.option("--n-layers", type=int, default=None, help="method.n_layers"),
    "share_layers": click.option(
        "--share-layers/--no-share-layers", default=None, help="One layer's weights for all layers, or each its own."
    ),
    "inputs.modalities": click.option(
        "--modalities", default=None, metavar="LIST", help="Of text,audio,vision those that are read."
    ),
    "inputs.max_audio_frames": click.option(
        "--max-audio-frames", type=int, default=None, help="Cut longer clips and say how many; default: all frames."
    ),
    "inputs.max_vision_frames": click.option("--max-vision-frames", type=int, default=None, help="The same of faces."),
}


def train_options(command: Any) -> Any:
    """Add the options of training and of the method to a command."""
    for option in reversed((*_METHOD_OPTIONS.values(), *_TRAIN_OPTIONS)):
        command = option(command)
    return command


@click.command()
@click.argument("data", type=FILE)
@run_option
@method_option
@preset_option
@encoder_option
@scheme_option
@click.option("--lexicon", type=FILE, default=None, help="Sentiment words, WORD<tab>SCORE a line; default VADER.")
@click.option(
    "--max-neutral-fraction",
    type=float,
    default=None,
    help="Of the clips at most this fraction without a sentiment word; default: all of them.",
)
@click.option(
    "--mask-states",
    type=FOLDER,
    default=None,
    help="Keep the frozen text encoder's states of the hidden words in this folder: faster.",
)
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
@method_option
@preset_option
@encoder_option
@click.option("--from", "from_run", type=FOLDER, default=None, help="Pretrained run to start from.")
@label_option
@scheme_option
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
    **choices: Any,
) -> ExperimentConfig:
    """Return the settings that the command line describes."""
    from skesl import ExperimentConfig, find_preset, load_settings

    of_preset = find_preset(method, preset).train.get(stage) if preset is not None else None
    train, method_settings = load_settings(
        preset=of_preset, file=config_file, overrides=[f"train.device={device}", *_overrides(choices), *overrides]
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


def _overrides(choices: Mapping[str, Any]) -> list[str]:
    """Return the options that were given, as overrides of settings."""
    of_method = {name.rpartition(".")[2]: f"method.{name}" for name in (*_METHOD_OPTIONS, _NEUTRAL)}
    given = {of_method.get(name, f"train.{name}"): value for name, value in choices.items() if value is not None}
    if "method.inputs.modalities" in given:
        given["method.inputs.modalities"] = [word.strip() for word in given["method.inputs.modalities"].split(",")]
    return [f"{name}={json.dumps(value)}" for name, value in given.items()]
