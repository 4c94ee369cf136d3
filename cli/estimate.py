"""The commands that look ahead: presets of a method, and what a training will cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .method_options import method_option, preset_option
from .options import FILE, config_option, json_option, labels_option, listed, scheme_option, set_option, settings_table

if TYPE_CHECKING:
    from skesl import Stage, TrainConfig


@click.command()
@method_option
@json_option
def presets(method: str, *, as_json: bool) -> None:
    """List the presets of a method: its settings, and what they ask of the training of each stage.

    \b
    Example:
      skesl presets --method skesl --json
    """
    from mmfeat import config_to_dict
    from skesl import TrainConfig, find_method

    defaults = config_to_dict(TrainConfig())
    found = find_method(method).presets
    if not found:
        raise click.UsageError(f"method {method!r} has no presets")
    asked: dict[Stage, dict[str, None]] = {}
    for preset in found.values():
        for stage, keys in preset.train.items():
            asked.setdefault(stage, {}).update(dict.fromkeys(keys))
    values: dict[str, dict[str, Any]] = {
        name: {
            "method": config_to_dict(preset.config),
            **{
                stage: {key: {**defaults, **preset.train.get(stage, {})}[key] for key in keys}
                for stage, keys in asked.items()
            },
        }
        for name, preset in found.items()
    }
    click.echo(json.dumps(values, indent=2) if as_json else settings_table(values))


@click.command()
@click.argument("data", type=FILE, required=False)
@method_option
@preset_option
@click.option(
    "--text-encoder",
    default="bert-base",
    show_default=True,
    help="bert-base, bert-large, bert-base-chinese, minilm-l6, local folder or hub name; no weights are read.",
)
@click.option("--text-tokens", type=click.IntRange(min=3), default=39, show_default=True, help="Of one clip.")
@click.option(
    "--audio-frames", type=click.IntRange(min=1), default=None, help="Of one clip; default 400, or VAT's own."
)
@click.option("--vision-frames", type=click.IntRange(min=1), default=None, help="Of one clip; default 55.")
@labels_option
@scheme_option
@config_option
@set_option
@json_option
def estimate(
    data: Path | None,
    method: str,
    preset: str | None,
    text_encoder: str,
    text_tokens: int,
    audio_frames: int | None,
    vision_frames: int | None,
    labels: str,
    scheme: str,
    config_file: Path | None,
    overrides: tuple[str, ...],
    *,
    as_json: bool,
) -> None:
    """Say what training a method costs before anything runs: parameters, multiplications, memory.

    With DATA also bytes and steps per epoch, and the features of its streams. The settings of training are those of
    skesl pretrain and finetune with the same --preset, --config and --set; the batch size is train.batch_size.

    \b
    Example:
      skesl estimate mosi.h5 --preset released --text-encoder bert-large --set train.batch_size=64
    """
    from skesl import InputShape, estimate as estimate_costs, find_method, find_preset, load_settings, method_config

    of_preset = find_preset(method, preset).train
    train: dict[Stage, TrainConfig] = {}
    settings: dict[str, Any] = {}
    for stage in find_method(method).stages:
        train[stage], settings = load_settings(preset=of_preset.get(stage), file=config_file, overrides=overrides)
    found = estimate_costs(
        method,
        method_config(method, preset=preset, settings=settings),
        text_encoder=text_encoder,
        data=data,
        train=train,
        shape=InputShape(
            n_tokens=text_tokens,
            n_frames={
                name: n_frame
                for name, n_frame in (("audio", audio_frames), ("vision", vision_frames))
                if n_frame is not None
            },
        ),
        labels=listed(labels),
        scheme=scheme,
        n_features=find_preset(method, preset).n_features if preset else None,
    )
    click.echo(found.to_json() if as_json else found.summary())
