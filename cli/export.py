"""The commands that hand a dataset to other tools: export-mmsa, export-csd, export-npz."""

from __future__ import annotations

from pathlib import Path

import click

from .options import FILE, FOLDER, overwrite_option, scheme_option


@click.command("export-mmsa")
@click.argument("dataset", type=FILE)
@click.option("--out", "output", type=FILE, required=True, help="Pickle to make.")
@scheme_option
@click.option("--label", default="sentiment", show_default=True, help="Label that becomes regression_labels.")
@click.option(
    "--rows", multiple=True, metavar="STREAM=N", help="Rows of a stream's arrays. [default: as many as needed]"
)
@overwrite_option
def export_mmsa(
    dataset: Path, output: Path, scheme: str, label: str, rows: tuple[str, ...], *, overwrite: bool
) -> None:
    """Write DATASET as a pickle that MMSA's loader reads.

    The streams text, audio and vision are padded with zeros at the end; lengths are stored beside them.

    \b
    Example:
      mmfeat export-mmsa mosi.h5 --out mosi.pkl --rows audio=375 --rows vision=500
    """
    from mmfeat import export_mmsa as export

    n_rows = dict(_row_count(option) for option in rows)
    report = export(dataset, output, scheme=scheme, label=label, n_rows=n_rows, overwrite=overwrite)
    click.echo(report.summary())


@click.command("export-csd")
@click.argument("dataset", type=FILE)
@click.option("--out", "folder", type=FOLDER, required=True, help="Folder for the files, one for each stream.")
@overwrite_option
def export_csd(dataset: Path, folder: Path, *, overwrite: bool) -> None:
    """Write DATASET as computational sequences that the CMU SDK reads, one file for each stream.

    \b
    Example:
      mmfeat export-csd mosi.h5 --out sequences/
    """
    from mmfeat import export_csd as export

    click.echo(export(dataset, folder, overwrite=overwrite).summary())


@click.command("export-npz")
@click.argument("dataset", type=FILE)
@click.option("--out", "output", type=FILE, required=True, help="File to make.")
@overwrite_option
def export_npz(dataset: Path, output: Path, *, overwrite: bool) -> None:
    """Write everything in DATASET as one npz file; the keys are the paths of the dataset file.

    \b
    Example:
      mmfeat export-npz mosi.h5 --out mosi.npz
    """
    from mmfeat import export_npz as export

    click.echo(export(dataset, output, overwrite=overwrite).summary())


def _row_count(option: str) -> tuple[str, int]:
    name, _, count = option.partition("=")
    if not count.isdecimal():
        raise click.UsageError(f"--rows {option}: expected STREAM=N")
    return name, int(count)
