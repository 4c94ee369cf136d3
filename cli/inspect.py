"""The commands that look into files: validate, describe, doctor."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import click

from .options import ANY_PATH, FILE, json_option, settings_table, show_report

REFUSED = 3
DATASETS = ("m3ed", "mer23", "mimic", "mosei", "mosei-emotions", "mosi", "sims", "simsv2", "voxceleb")


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
    """Print what is in FILE: clips, durations, splits, labels, streams, words, provenance, failures.

    \b
    Example:
      mmfeat describe clips.h5 --json
    """
    from mmfeat import describe as describe_file, format_description

    description = describe_file(file)
    click.echo(json.dumps(description, indent=2) if as_json else format_description(description))


@click.command()
@click.argument("dataset", type=click.Choice(DATASETS))
@click.argument("root", type=ANY_PATH)
@json_option
def doctor(dataset: str, root: Path, *, as_json: bool) -> None:
    """Say what a local copy of DATASET is, what it lacks, and where its licence is asked for.

    ROOT is the folder of the raw data, a pickle or a computational sequence. Published pickles are known by their
    hashes. Nothing is downloaded. The exit code is 3 where nothing can be built from it.

    \b
    Example:
      mmfeat doctor mosi CMU-MOSI/
    """
    from mmfeat import CORPORA, diagnose

    diagnosis = diagnose(CORPORA[dataset], root, CORPORA.values())
    show_report(diagnosis, as_json=as_json)
    if not diagnosis.usable:
        click.get_current_context().exit(REFUSED)
