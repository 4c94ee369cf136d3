"""The commands that draw what is in a dataset file: plot, report."""

from __future__ import annotations

from pathlib import Path

import click

from .options import ANY_PATH, FILE, json_option, overwrite_option, progress_bar


@click.command()
@click.argument("file", type=FILE)
@click.argument("clip_id", metavar="CLIP")
@click.option("--out", "output", type=FILE, required=True, help="Picture to make: png, svg or pdf.")
@click.option(
    "--media",
    type=ANY_PATH,
    default=None,
    help="Sound of the clip, or a folder with it as CLIP.wav or alike or under the name of its source.",
)
@overwrite_option
def plot(file: Path, clip_id: str, output: Path, media: Path | None, *, overwrite: bool) -> None:
    """Draw CLIP of FILE over time: sound, log-F0 over a spectrogram, MFCC, chroma, action units, words.

    Without --media there is no waveform and no spectrogram. Needs the extra "report": pip install 'mmfeat[report]'.

    \b
    Example:
      mmfeat plot clips.h5 interview_07 --media wav/ --out interview_07.png
    """
    from mmfeat import write_clip_plot

    for note in write_clip_plot(file, clip_id, output, media=media, overwrite=overwrite):
        click.echo(note, err=True)
    click.echo(str(output))


@click.command("report")
@click.argument("file", type=FILE)
@click.option("--out", "output", type=FILE, required=True, help="HTML page to make.")
@click.option("--split-scheme", "scheme", default=None, help='Split to tell parts apart by; default "default".')
@json_option
@overwrite_option
def data_report(file: Path, output: Path, scheme: str | None, *, as_json: bool, overwrite: bool) -> None:
    """Draw one HTML page about FILE: parts, durations, labels, features, failures, overlaps, duplicates.

    The page needs no network and no other file. What should be looked at is printed as well.
    Needs the extra "report": pip install 'mmfeat[report]'.

    \b
    Example:
      mmfeat report clips.h5 --out clips.html
    """
    from mmfeat import write_data_report

    survey = write_data_report(file, output, scheme=scheme, overwrite=overwrite, track=progress_bar)
    click.echo(survey.to_json() if as_json else "\n".join([str(output), *survey.findings()]))
