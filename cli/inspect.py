"""The commands that look into a dataset file: validate, describe."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import click

from .options import FILE, json_option, settings_table

REFUSED = 3


@click.command()
@click.argument("file", type=FILE)
@click.option(
    "--level",
    type=click.Choice(["structure", "content"]),
    default="structure",
    show_default=True,
    help="structure reads the tables, content every frame as well.",
)
@json_option
def validate(file: Path, level: Literal["structure", "content"], *, as_json: bool) -> None:
    """Check every rule of the format in FILE; one line for each that is broken, exit code 3.

    \b
    Example:
      mmfeat validate clips.h5 --level content
    """
    from mmfeat import validate as validate_file

    report = validate_file(file, level=level)
    findings = [asdict(finding) for finding in report.findings]
    click.echo(json.dumps({"ok": report.ok, "findings": findings}, indent=2) if as_json else report.summary())
    if not report.ok:
        click.get_current_context().exit(REFUSED)


@click.command()
@json_option
def presets(*, as_json: bool) -> None:
    """List the audio presets with every value.

    \b
    Example:
      mmfeat presets --json
    """
    from mmfeat import AUDIO_PRESETS, config_to_dict

    values = {name: config_to_dict(config) for name, config in AUDIO_PRESETS.items()}
    click.echo(json.dumps(values, indent=2) if as_json else settings_table(values))


@click.command()
@click.argument("file", type=FILE)
@json_option
def describe(file: Path, *, as_json: bool) -> None:
    """Print what is in FILE: clips, durations, splits, labels, streams, failures.

    \b
    Example:
      mmfeat describe clips.h5 --json
    """
    from mmfeat import describe as describe_file, format_description

    description = describe_file(file)
    click.echo(json.dumps(description, indent=2) if as_json else format_description(description))
