"""The command that draws a page about runs: report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .evaluate import PARTS, missing_option, shares
from .options import ANY_PATH, FILE, FOLDER, device_option, given_options, overwrite_option

_OF_DATA = ("part", "clip_id", "media", "text_only", "missing")


@click.command()
@click.argument("paths", metavar="RUNS... [DATA]", nargs=-1, required=True, type=ANY_PATH)
@click.option("--out", "output", type=FILE, default=Path("report.html"), show_default=True, help="HTML page to make.")
@click.option("--split", "part", type=PARTS, default="test", show_default=True, help="Part of DATA to show.")
@click.option("--clip", "clip_id", default=None, help="Clip to show over time; default the worst one.")
@click.option("--media", type=FOLDER, default=None, help="Folder with the sound of the clips as CLIP_ID.wav or alike.")
@click.option("--text-only", type=FOLDER, default=None, help="Run of text alone to stand beside the runs.")
@click.option("--no-ablate", "ablate", is_flag=True, flag_value=False, default=True, help="Leave out the modalities.")
@missing_option
@device_option
@overwrite_option
def report(paths: tuple[Path, ...], output: Path, part: str, missing: str, *, overwrite: bool, **choices: Any) -> None:
    """Draw one HTML page about RUNS: curves, confusions, recordings, modalities, a clip over time, the worst clips.

    The page needs no network and no other file. Without DATA, the dataset file, it shows what lies in the runs.
    Needs the extra "report": pip install 'mmfeat[report]'.

    \b
    Example:
      skesl report runs/mosi mosi.h5 --out mosi.html
      skesl report runs/seed-0 runs/seed-1 mosi.h5 --text-only runs/text --missing 0,.25,.5
    """
    from mmfeat import Split
    from skesl import ReportConfig, write_report

    data = paths[-1] if paths[-1].is_file() else None
    runs = paths[:-1] if data else paths
    if not runs:
        raise click.UsageError("expected RUNS before DATA, got none")
    if data is None:
        _refuse_options_of_data()
    config = ReportConfig(data=data, part=Split[part.upper()], missing=shares(missing), **choices)
    click.echo(str(write_report(runs, output, config, overwrite=overwrite)))


def _refuse_options_of_data() -> None:
    """Refuse the options that choose what is shown of DATA, where there is none."""
    given = given_options(click.get_current_context())
    idle = [given[name] for name in _OF_DATA if name in given]
    if idle:
        raise click.UsageError(f"{', '.join(idle)}: about DATA, the dataset file; expected it behind RUNS, got none")
