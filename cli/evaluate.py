"""The commands that use a trained run: evaluate, predict."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from .options import FILE, FOLDER, device_option, fps_option, json_option, overwrite_option

PARTS = click.Choice(["train", "valid", "test"])
own_scheme_option = click.option("--split-scheme", "scheme", default=None, help="Split scheme; default the run's own.")


@click.command()
@click.argument("run", type=FOLDER)
@click.argument("data", type=FILE)
@click.option("--split", "part", type=PARTS, default="test", show_default=True, help="Part to evaluate.")
@own_scheme_option
@json_option
@device_option
def evaluate(run: Path, data: Path, part: str, scheme: str | None, device: str, *, as_json: bool) -> None:
    """Evaluate RUN on one part of DATA under every metric convention.

    The predictions are stored as predictions.csv in RUN.

    \b
    Example:
      skesl evaluate runs/mosi mosi.h5 --split test --json
    """
    from mmfeat import Split
    from skesl import evaluate_run

    report = evaluate_run(run, data, part=Split[part.upper()], scheme=scheme, device=device)
    click.echo(report.to_json() if as_json else report.to_text())


@click.command()
@click.argument("run", type=FOLDER)
@click.argument("data", type=FILE, required=False)
@click.option("--split", "part", type=PARTS, default=None, help="Part to predict; default all clips.")
@own_scheme_option
@click.option("--out", "output", type=FILE, default=None, help="CSV file to make; default RUN/predictions.csv.")
@click.option("--text", default=None, help="Of one clip: what is said.")
@click.option("--video", type=FILE, default=None, help="Of one clip: a video, for its sound.")
@click.option("--wav", type=FILE, default=None, help="Of one clip: a sound file; it goes before the video's sound.")
@click.option("--openface", type=FILE, default=None, help="Of one clip: the CSV of OpenFace.")
@click.option("--openface-bin", default=None, metavar="PATH", help="Your FeatureExtraction, to make it of the video.")
@fps_option
@json_option
@device_option
@overwrite_option
def predict(
    run: Path,
    data: Path | None,
    part: str | None,
    scheme: str | None,
    output: Path | None,
    device: str,
    *,
    as_json: bool,
    overwrite: bool,
    **clip: Any,
) -> None:
    """Write what RUN predicts for the clips of DATA: clip_id, prediction, label. Or predict one clip without DATA.

    Without --out the run's own predictions.csv, which holds its last predictions, is replaced. One clip goes through
    the whole line with the settings by which the run's own data were made; what it lacks is said on stderr.

    \b
    Example:
      skesl predict runs/mosi new_clips.h5 --out new_clips.csv
      skesl predict runs/mosi --video clip.mp4 --openface clip.csv --text "it was great"
    """
    given = {name: value for name, value in clip.items() if value is not None}
    if data is None:
        _predict_clip(run, given, {"--split": part, "--split-scheme": scheme, "--out": output}, device, as_json=as_json)
        return
    if given:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise click.UsageError(f"{options}: of one clip, without DATA; got both")
    _predict_data(run, data, part, scheme, output, device, as_json=as_json, overwrite=overwrite)


def _predict_data(
    run: Path,
    data: Path,
    part: str | None,
    scheme: str | None,
    output: Path | None,
    device: str,
    *,
    as_json: bool,
    overwrite: bool,
) -> None:
    """Write the predictions of a dataset."""
    from mmfeat import OutputExistsError, Split
    from skesl import RunFolder, predict_run

    if output is not None and output.exists() and not overwrite:
        raise OutputExistsError(output)
    predictions = predict_run(run, data, part=Split[part.upper()] if part else None, scheme=scheme, device=device)
    target = output or RunFolder(path=run).predictions
    predictions.save(target)
    n_clip = len(predictions.clip_ids)
    click.echo(json.dumps({"output": str(target), "n_clip": n_clip}) if as_json else f"{target}: {n_clip} clips")


def _predict_clip(run: Path, given: dict[str, Any], of_data: dict[str, Any], device: str, *, as_json: bool) -> None:
    """Print the prediction of one clip."""
    from mmfeat import find_openface
    from skesl import predict_clip

    needless = [name for name, value in of_data.items() if value is not None]
    if needless:
        raise click.UsageError(f"{', '.join(needless)}: of a dataset, expected DATA")
    if not given:
        raise click.UsageError("expected DATA, or one clip by --video, --wav, --openface or --text")
    program, rate_hz = given.pop("openface_bin", None), given.pop("fps", None)
    tool = find_openface(program, multi=None, image="", docker="docker") if program is not None else None
    found = predict_clip(run, **given, tool=tool, frame_rate_hz=rate_hz, device=device)
    for note in found.notes:
        click.echo(f"note: {note}", err=True)
    click.echo(json.dumps(asdict(found), indent=2) if as_json else f"{found.clip_id}: {found.label} {found.value:.4f}")
