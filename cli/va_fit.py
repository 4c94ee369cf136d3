"""The command that fits a model of valence and arousal: va-fit."""

from __future__ import annotations

from pathlib import Path

import click

from .options import FILE, FOLDER, json_option, listed, overwrite_option, scheme_option


@click.command("va-fit")
@click.argument("data", type=FILE)
@click.option("--out", "model", type=FOLDER, required=True, help="Folder to make.")
@click.option("--stream", type=click.Choice(["audio", "vision"]), required=True, help="What is read of a clip.")
@click.option(
    "--label",
    "labels",
    required=True,
    help="Valence and arousal, with a comma; or a label with emotions as its classes; or several emotions.",
)
@click.option(
    "--point",
    "points",
    multiple=True,
    metavar="NAME=V,A",
    help="Valence and arousal, in [0, 1], of an emotion that is not known or lies elsewhere.",
)
@scheme_option
@json_option
@overwrite_option
def va_fit(
    data: Path,
    model: Path,
    stream: str,
    labels: str,
    points: tuple[str, ...],
    scheme: str,
    *,
    as_json: bool,
    overwrite: bool,
) -> None:
    """Fit a small model of valence and arousal on the voices or faces of DATA.

    UniVA contrasts clips by the valence and arousal of each modality. The models it was published with were never
    released; this one is a linear map from mean and deviation of the features, fitted on any dataset that has valence
    and arousal, or emotions, whose points in that plane are known.

    \b
    Example:
      skesl va-fit ravdess.h5 --out models/voice --stream audio --label emotion
      skesl finetune mosei.h5 --method univa … --set method.audio_va_model=models/voice
    """
    from skesl import fit_va

    report = fit_va(
        data,
        model,
        stream=stream,
        labels=listed(labels),
        scheme=scheme,
        own_points=points,
        overwrite=overwrite,
    )
    click.echo(report.to_json() if as_json else report.summary())
