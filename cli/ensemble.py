"""The command that averages what several runs predict."""

from __future__ import annotations

import json
from pathlib import Path

import click

from .evaluate import PARTS
from .options import FILE, FOLDER, device_option, json_option, overwrite_option


@click.command()
@click.argument("runs", nargs=-1, type=FOLDER, required=True)
@click.argument("data", type=FILE)
@click.option("--split", "part", type=PARTS, default=None, help="Part to predict; default all clips.")
@click.option("--split-scheme", "scheme", default=None, help="Split scheme; default the runs' own, if it is one.")
@click.option("--out", "output", type=FILE, required=True, help="CSV file to make.")
@click.option("--mer23", is_flag=True, help="In the layout that MER2023 takes: name,discrete,valence.")
@json_option
@device_option
@overwrite_option
def ensemble(
    runs: tuple[Path, ...],
    data: Path,
    part: str | None,
    scheme: str | None,
    output: Path,
    device: str,
    *,
    mer23: bool,
    as_json: bool,
    overwrite: bool,
) -> None:
    """Write the mean of what RUNS predict for the clips of DATA, such as the runs of finetune --folds.

    Values, scores and the probabilities of classes are averaged; the class is the likeliest after that.

    \b
    Example:
      skesl ensemble runs/mer23/fold-* mer23.h5 --split test --split-scheme mer-multi --out multi.csv --mer23
    """
    from mmfeat import OutputExistsError, Split
    from skesl import predict_mean, write_submission

    if output.exists() and not overwrite:
        raise OutputExistsError(output)
    predictions = predict_mean(runs, data, part=Split[part.upper()] if part else None, scheme=scheme, device=device)
    if mer23:
        write_submission(predictions, output)
    else:
        predictions.save(output)
    n_clip = len(predictions.clip_ids)
    said = {"output": str(output), "n_clip": n_clip, "n_run": len(runs)}
    click.echo(json.dumps(said) if as_json else f"{output}: {n_clip} clips, the mean of {len(runs)} runs")
