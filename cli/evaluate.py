"""The commands that use a trained run: evaluate, predict."""

from __future__ import annotations

from pathlib import Path

import click

from .options import FILE, FOLDER, device_option, json_option, overwrite_option

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
@click.argument("data", type=FILE)
@click.option("--split", "part", type=PARTS, default=None, help="Part to predict; default all clips.")
@own_scheme_option
@click.option("--out", "output", type=FILE, default=None, help="CSV file to make; default RUN/predictions.csv.")
@device_option
@overwrite_option
def predict(
    run: Path, data: Path, part: str | None, scheme: str | None, output: Path | None, device: str, *, overwrite: bool
) -> None:
    """Write what RUN predicts for the clips of DATA: clip_id, prediction, label.

    Without --out the run's own predictions.csv, which holds its last predictions, is replaced.

    \b
    Example:
      skesl predict runs/mosi new_clips.h5 --out new_clips.csv
    """
    from mmfeat import OutputExistsError, Split
    from skesl import RunFolder, predict_run

    if output is not None and output.exists() and not overwrite:
        raise OutputExistsError(output)
    predictions = predict_run(run, data, part=Split[part.upper()] if part else None, scheme=scheme, device=device)
    target = output or RunFolder(path=run).predictions
    predictions.save(target)
    click.echo(f"{target}: {len(predictions.clip_ids)} clips")
