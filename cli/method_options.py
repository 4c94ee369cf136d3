"""Options for settings of a method: presets, and shorthands for what ablations change."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click

from .options import FILE, FOLDER

method_option = click.option(
    "--method",
    default="skesl",
    show_default=True,
    help="Method by name: skesl, text_only, self_mm, tam_ulag, univa, vat.",
)
preset_option = click.option("--preset", default=None, help="Settings by name; skesl presets lists them.")
_SETTINGS = {
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
_PRETRAINING_SETTINGS = {
    "masking.max_neutral_fraction": click.option(
        "--max-neutral-fraction",
        type=float,
        default=None,
        help="Of the clips at most this fraction without a sentiment word; default: all of them.",
    ),
}
_PRETRAINING_OPTIONS = (
    click.option("--lexicon", type=FILE, default=None, help="Sentiment words, WORD<tab>SCORE a line; default VADER."),
    click.option(
        "--mask-states",
        type=FOLDER,
        default=None,
        help="Keep the frozen text encoder's states of the hidden words in this folder: faster.",
    ),
)


def method_options(*, pretrains: bool) -> Callable[[Any], Any]:
    """Return what adds the options of the method to a command.

    Args:
        pretrains: whether the command hides words.
    """
    settings = {**_SETTINGS, **(_PRETRAINING_SETTINGS if pretrains else {})}
    options = [method_option, preset_option, *(_PRETRAINING_OPTIONS if pretrains else ()), *settings.values()]

    def add(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def take_method_overrides(choices: dict[str, Any]) -> list[str]:
    """Take the options for settings of the method out of a command's, and return those given as overrides."""
    overrides = []
    for setting in (*_SETTINGS, *_PRETRAINING_SETTINGS):
        value = choices.pop(setting.rpartition(".")[2], None)
        if setting == "inputs.modalities" and value is not None:
            value = [word.strip() for word in value.split(",")]
        if value is not None:
            overrides.append(f"method.{setting}={json.dumps(value)}")
    return overrides
