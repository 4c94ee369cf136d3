"""Options of the commands that train."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from skesl import RunOptions

Command = TypeVar("Command", bound=Callable[..., Any])

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def _interval(_context: click.Context, _option: click.Parameter, text: str | None) -> dict[str, float]:
    """Return how often to save, as settings."""
    if text is None:
        return {}
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])|([1-9]\d*)", text)
    if found is None:
        raise click.BadParameter(f"{text!r}: expected steps (500) or a time (30s, 10m, 1h)")
    if found[3]:
        return {"checkpoint_steps": int(found[3]), "checkpoint_seconds": 0.0}
    return {"checkpoint_steps": 0, "checkpoint_seconds": float(found[1]) * _SECONDS[found[2]]}


_OF_TRAINING = (
    click.option("--epochs", "n_epochs", type=int, default=None, help="train.n_epochs"),
    click.option("--batch-size", type=int, default=None, help="train.batch_size, in clips, of all processes together."),
    click.option("--accumulate", "n_accumulated", type=int, default=None, help="Batches that make one step."),
    click.option("--length-buckets", is_flag=True, default=None, help="Clips of similar length share a batch: faster."),
    click.option("--lr", "learning_rate", type=float, default=None, help="train.learning_rate"),
    click.option("--lr-text", "text_encoder_learning_rate", type=float, default=None, help="the text encoder's own"),
    click.option("--schedule", default=None, help="Of the learning rates: constant, linear, cosine, released-cosine."),
    click.option(
        "--warmup", "warmup_fraction", type=float, default=None, help="Fraction of all steps, with linear or cosine."
    ),
    click.option("--precision", default=None, help="Mixed precision: no, bf16, fp16."),
    click.option(
        "--compile", "compile_", is_flag=True, default=None, help="torch.compile: for long trainings on GPUs."
    ),
    click.option("--seed", type=int, default=None, help="train.seed"),
)
_OF_VALIDATION = (
    click.option("--patience", type=int, default=None, help="Epochs without a better one before the end; 0: never."),
    click.option("--metric", "selection_metric", default=None, help="Of the validation part; it chooses the epoch."),
)
_OF_RUNNING = (
    click.option("--seeds", "n_seed", type=click.IntRange(min=1), default=None, help="Train for N seeds; a summary."),
    click.option("--folds", default=None, metavar="NAME", help="Train on each split scheme NAME-0, NAME-1, …."),
    click.option(
        "--checkpoint-every",
        "interval",
        metavar="N|TIME",
        default=None,
        callback=_interval,
        help="Steps (500) or time (30s, 10m) between checkpoints; default 10m.",
    ),
    click.option("--keep-checkpoints", "n_checkpoints", type=int, default=None, help="The last N while training."),
    click.option(
        "--log-every", "log_steps", type=int, default=None, help="Steps between lines of steps.jsonl; 0: none."
    ),
    click.option("--tensorboard", is_flag=True, default=None, help="Curves for TensorBoard, in the run folder."),
)


def train_options(*, validates: bool) -> Callable[[Command], Command]:
    """Return a decorator that adds the options of training to a command."""
    options = (*_OF_TRAINING, *(_OF_VALIDATION if validates else ()), *_OF_RUNNING)

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def chosen_settings(choices: Mapping[str, Any], overrides: Iterable[str]) -> frozenset[str]:
    """Return the names of the settings of training that a command line asks for."""
    keys = [override.partition("=")[0].strip() for override in overrides]
    named = [key.removeprefix("train.") for key in keys if key.startswith("train.")]
    return frozenset([*choices, *named])


def run_options(choices: dict[str, Any]) -> RunOptions:
    """Take the choices that are about the running of a training out of ``choices``."""
    from skesl import RunOptions

    names = ("n_checkpoints", "log_steps", "tensorboard")
    given = {name: value for name in names if (value := choices.pop(name)) is not None}
    return RunOptions(**choices.pop("interval"), **given)


def is_first_process() -> bool:
    """Return whether this process prints; ``torchrun`` starts others beside it."""
    return os.environ.get("RANK", "0") == "0"
