"""The commands that make one dataset file of several: merge, join."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from .options import (
    FILE,
    compression_option,
    json_option,
    no_verify_option,
    origin,
    out_option,
    overwrite_option,
    progress_bar,
    show_report,
)

if TYPE_CHECKING:
    from mmfeat import Compression


@click.command()
@click.argument("files", type=FILE, nargs=-1, required=True)
@out_option
@click.option(
    "--allow-missing",
    is_flag=True,
    help="Take a stream that a file does not have as 'not requested', and go without shards that are not given.",
)
@compression_option
@no_verify_option
@json_option
@overwrite_option
def merge(
    files: tuple[Path, ...],
    output: Path,
    compression: Compression,
    *,
    allow_missing: bool,
    verify: bool,
    as_json: bool,
    overwrite: bool,
) -> None:
    """Unite dataset FILES that have the same streams and different clips, such as the shards of a build.

    The order is that of the FILES, then of their clips. Every difference between the streams and every clip that
    stands twice is listed, and so is every shard of a build that is not given.

    \b
    Example:
      mmfeat merge shard-*.h5 --out clips.h5
    """
    from mmfeat import merge_datasets

    report = merge_datasets(
        files,
        output,
        allow_missing=allow_missing,
        overwrite=overwrite,
        compression=compression,
        verify=verify,
        track=progress_bar,
        origin=origin(),
    )
    show_report(report, as_json=as_json)


@click.command()
@click.argument("files", type=FILE, nargs=-1, required=True)
@out_option
@click.option(
    "--how",
    type=click.Choice(["strict", "left", "inner"]),
    default="strict",
    show_default=True,
    help="Clips that not every file has: refuse them, keep those of the first file, or leave them out.",
)
@compression_option
@no_verify_option
@json_option
@overwrite_option
def join(
    files: tuple[Path, ...],
    output: Path,
    how: Literal["strict", "left", "inner"],
    compression: Compression,
    *,
    verify: bool,
    as_json: bool,
    overwrite: bool,
) -> None:
    """Bring together FILES that have the same clips and different streams or labels, by the ids of the clips.

    The order is that of the first file. Every id that does not match is listed, and so is every text, label and part
    about which the files disagree.

    \b
    Example:
      mmfeat join sound.h5 faces.h5 labels.h5 --out all.h5
    """
    from mmfeat import join_datasets

    report = join_datasets(
        files,
        output,
        how=how,
        overwrite=overwrite,
        compression=compression,
        verify=verify,
        track=progress_bar,
        origin=origin(),
    )
    show_report(report, as_json=as_json)
