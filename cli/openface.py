"""The command that reads OpenFace files into a dataset file: parse-openface."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .build import openface_settings, run_build
from .options import (
    ANY_PATH,
    FILE,
    compression_option,
    exclude_option,
    face_option,
    fps_option,
    given_clips,
    groups_option,
    include_option,
    jobs_option,
    json_option,
    out_option,
    overwrite_option,
    retry_option,
)

if TYPE_CHECKING:
    from mmfeat import Compression


@click.command("parse-openface")
@click.argument("paths", type=ANY_PATH, nargs=-1)
@out_option
@click.option("--preset", default=None, help="openface-709 (the default, all columns) or openface-au35.")
@groups_option
@face_option
@fps_option
@click.option("--manifest", type=FILE, default=None, help="Take the clips of a manifest instead of PATHS.")
@include_option
@exclude_option
@compression_option
@jobs_option
@json_option
@overwrite_option
@retry_option
def parse_openface(
    paths: tuple[Path, ...],
    output: Path,
    preset: str | None,
    groups: str | None,
    face: str | None,
    fps: float | None,
    manifest: Path | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    compression: Compression,
    n_jobs: int,
    *,
    as_json: bool,
    overwrite: bool,
    retry_failed: bool,
) -> None:
    """Read CSV files of OpenFace by column name into a dataset file.

    PATHS are csv files, folders and quoted patterns; folders are searched through. Ids are the relative paths without
    suffix. Frames without a face are kept as not valid; frames that the multi-face tool skipped are put back. A clip of
    which it wrote only the details file has no face. Files of OpenFace 1.x are read for the columns that they have. An
    interrupted run is continued by the same command. A file that cannot be read is listed with its reason.

    \b
    Example:
      mmfeat parse-openface openface/ --out faces.h5 --groups au,pose -j 2
    """
    from mmfeat import resolve_build_config

    if preset is not None and groups is not None:
        raise click.UsageError("expected --preset or --groups, one of the two")
    settings = ['streams=["vision"]', *openface_settings(groups or preset, face, fps)]
    config = resolve_build_config(overrides=settings)
    entries = given_clips(paths, manifest, [".csv"], column="openface", include=include, exclude=exclude)
    run_build(
        entries,
        output,
        config,
        n_jobs,
        overwrite=overwrite,
        retry_failed=retry_failed,
        compression=compression,
        as_json=as_json,
    )
