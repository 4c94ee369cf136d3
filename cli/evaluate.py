"""The commands that use what was trained: evaluate, compare, predict."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from .options import (
    ANY_PATH,
    FILE,
    FOLDER,
    device_option,
    fps_option,
    json_option,
    labels_option,
    listed,
    overwrite_option,
)
from .train_options import is_first_process

PARTS = click.Choice(["train", "valid", "test"])
own_scheme_option = click.option("--split-scheme", "scheme", default=None, help="Split scheme; default the run's own.")


missing_option = click.option(
    "--missing", default="", metavar="SHARES", help="Shares of missing frames and modalities: 0,.1,…,.9"
)
resamples_option = click.option(
    "--resamples",
    "n_resample",
    type=click.IntRange(min=100),
    default=2000,
    show_default=True,
    help="How often recordings are drawn anew.",
)
seed_option = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of everything that is drawn."
)


@click.command()
@click.argument("runs", nargs=-1, type=FOLDER)
@click.argument("data", type=FILE)
@click.option(
    "--predictions",
    multiple=True,
    type=FILE,
    help="csv or Parquet file of any program in place of RUNS; may be repeated.",
)
@labels_option
@click.option("--split", "part", type=PARTS, default="test", show_default=True, help="Part to evaluate.")
@own_scheme_option
@click.option("--text-only", type=FOLDER, default=None, help="Run of text alone to stand beside the model.")
@click.option("--ablate", is_flag=True, help="Remove and shuffle each modality of RUNS.")
@missing_option
@resamples_option
@seed_option
@json_option
@click.option("--latex", "shape", flag_value="latex", help="Print LaTeX tables (booktabs).")
@click.option("--csv", "shape", flag_value="csv", help="Print csv tables with every digit.")
@device_option
def evaluate(
    runs: tuple[Path, ...],
    data: Path,
    predictions: tuple[Path, ...],
    labels: str,
    part: str,
    missing: str,
    shape: str | None,
    *,
    as_json: bool,
    **choices: Any,
) -> None:
    """Evaluate RUNS on one part of DATA under every metric convention, with intervals.

    Several RUNS are seeds of one method: their mean and standard deviation are shown. The predictions of a run are
    stored as predictions.csv in it. --predictions takes those of any program instead: the columns clip_id and
    prediction, or one column for each class.

    \b
    Example:
      skesl evaluate runs/mosi mosi.h5 --ablate --text-only runs/text
      skesl evaluate runs/seed-0 runs/seed-1 runs/seed-2 mosi.h5 --json
      skesl evaluate --predictions theirs.csv mosi.h5 --label sentiment
    """
    from mmfeat import Split
    from skesl import EvaluationConfig, evaluate_predictions, evaluate_runs

    if bool(runs) == bool(predictions):
        raise click.UsageError("expected RUNS or --predictions, one of the two")
    if runs and labels:
        raise click.UsageError("--label goes with --predictions; a run knows its own")
    if predictions and (choices["ablate"] or missing):
        raise click.UsageError("--ablate and --missing predict anew, which needs RUNS")
    if as_json and shape:
        raise click.UsageError(f"expected --json or --{shape}, one of the two")
    config = EvaluationConfig(part=Split[part.upper()], missing=shares(missing), **choices)
    if runs:
        report = evaluate_runs(runs, data, config)
    else:
        report = evaluate_predictions(predictions, data, listed(labels), config)
    if not is_first_process():
        return
    for warning in report.warnings:
        click.echo(f"warning: {warning}", err=True)
    if as_json:
        click.echo(report.to_json())
    else:
        click.echo({None: report.to_text, "latex": report.to_latex, "csv": report.to_csv}[shape]())


@click.command()
@click.argument("first", metavar="A", type=ANY_PATH)
@click.argument("second", metavar="B", type=ANY_PATH)
@click.argument("data", type=FILE)
@labels_option
@click.option("--metric", default=None, help="What the sentence is about; default acc2_non0 for sentiment.")
@click.option("--split", "part", type=PARTS, default="test", show_default=True, help="Part to compare on.")
@own_scheme_option
@resamples_option
@seed_option
@json_option
@device_option
def compare(
    first: Path, second: Path, data: Path, labels: str, part: str, n_resample: int, *, as_json: bool, **choices: Any
) -> None:
    """Say whether A and B differ on DATA by more than the noise.

    A and B are runs, folders of runs that differ by their seed, or files of predictions. Both are held against
    the same clips: paired bootstrap and permutation test over recordings, McNemar's exact test for accuracies.

    \b
    Example:
      skesl compare runs/text runs/skesl mosi.h5
      skesl compare theirs.csv runs/skesl mosi.h5 --metric mae
    """
    from mmfeat import Split
    from skesl import compare as compare_models

    comparison = compare_models(
        first, second, data, labels=listed(labels), part=Split[part.upper()], n_resample=n_resample, **choices
    )
    if is_first_process():
        click.echo(comparison.to_json() if as_json else comparison.to_text())


@click.command()
@click.argument("run", type=FOLDER)
@click.argument("data", type=FILE, required=False)
@click.option("--split", "part", type=PARTS, default=None, help="Part to predict; default all clips.")
@own_scheme_option
@click.option(
    "--out", "output", type=FILE, default=None, help="csv or Parquet file to make; default RUN/predictions.csv."
)
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

    Without --out the run's own predictions.csv, which holds its last predictions, is replaced. A file that ends in
    .parquet needs the extra "parquet": pip install 'mmfeat[parquet]'. One clip goes through the whole line with the
    settings by which the run's own data were made; what it lacks is said on stderr.

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
    from skesl import RunFolder, check_format, predict_run

    if output is not None:
        check_format(output)
        if output.exists() and not overwrite:
            raise OutputExistsError(output)
    predictions = predict_run(run, data, part=Split[part.upper()] if part else None, scheme=scheme, device=device)
    if not is_first_process():
        return
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
    click.echo(json.dumps(asdict(found), indent=2) if as_json else f"{found.clip_id}: {found.summary()}")


def shares(text: str) -> tuple[float, ...]:
    """Return the numbers of a list such as ``0,.1,.5`` or ``0,.1,…,.9``, where the gap is filled with the same step.

    Raises:
        click.UsageError: a part is no number in 0 … 1, or a gap does not stand behind two numbers and before one.
    """
    cells = [cell.strip() for cell in text.replace("...", "…").split(",") if cell.strip()]
    try:
        if "…" in cells:
            at = cells.index("…")
            low, high = float(cells[at - 1]), float(cells[at + 1])
            step = low - float(cells[at - 2]) if at > 1 else 0.0
            n_step = round((high - low) / step)
            cells[at : at + 1] = [str(low + step * number) for number in range(1, n_step)]
        shares = [round(float(cell), 10) for cell in cells]
    except (ValueError, IndexError, ZeroDivisionError):
        shares = [-1.0]
    if not all(0 <= share <= 1 for share in shares):
        raise click.UsageError(f"--missing: expected shares from 0 to 1 such as 0,.1,.5 or 0,.1,…,.9, got {text!r}")
    return tuple(shares)
