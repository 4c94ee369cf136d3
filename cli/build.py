"""The commands that make a dataset file: build, extract-audio, parse-openface."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import (
    ANY_PATH,
    FILE,
    config_option,
    jobs_option,
    out_option,
    overwrite_option,
    progress_bar,
    set_option,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmfeat import BuildConfig, ClipEntry

FAILED_CLIPS = 1

preset_option = click.option(
    "--preset", default="default", show_default=True, help="Audio settings by name: default, skesl-33."
)
groups_option = click.option(
    "--groups", default=None, help="OpenFace columns: all, au, pose, gaze, …; several with commas."
)
fps_option = click.option(
    "--fps", type=float, default=None, help="Frame rate of OpenFace files that have no timestamp column."
)


@click.command()
@click.argument("manifest", type=FILE)
@out_option
@preset_option
@groups_option
@fps_option
@config_option
@set_option
@jobs_option
@overwrite_option
def build(
    manifest: Path,
    output: Path,
    preset: str,
    groups: str | None,
    fps: float | None,
    config_file: Path | None,
    overrides: tuple[str, ...],
    n_jobs: int,
    *,
    overwrite: bool,
) -> None:
    """Extract the features of every clip in MANIFEST into one dataset file.

    MANIFEST is a CSV file. Columns: clip_id (the only one that must be there), recording_id, speaker_id,
    position, split, split:NAME, audio, video, openface, text, label:NAME, note:NAME. Paths are relative to the
    manifest's folder. A clip that cannot be read is recorded with its reason; the rest is built and the exit
    code is 1.

    \b
    Example:
      mmfeat build clips.csv --out clips.h5 --groups au,pose -j 2
    """
    from mmfeat import read_manifest, resolve_build_config

    settings = [*_openface_settings(groups, fps), *overrides]
    config = resolve_build_config(preset=preset, file=config_file, overrides=settings)
    _build(read_manifest(manifest), output, config, n_jobs, overwrite=overwrite)


@click.command("extract-audio")
@click.argument("paths", type=ANY_PATH, nargs=-1, required=True)
@out_option
@preset_option
@set_option
@jobs_option
@overwrite_option
def extract_audio(
    paths: tuple[Path, ...],
    output: Path,
    preset: str,
    overrides: tuple[str, ...],
    n_jobs: int,
    *,
    overwrite: bool,
) -> None:
    """Extract log-F0, MFCC and CQT chroma of sound and video files into a dataset file.

    PATHS are files and folders; folders are searched through. Ids are the relative paths without suffix.

    \b
    Example:
      mmfeat extract-audio recordings/ --out sound.h5 --preset skesl-33 --set pitch.f0_max_hz=500
    """
    from mmfeat import AUDIO_SUFFIXES, entries_from_paths, resolve_build_config

    config = resolve_build_config(preset=preset, overrides=[f"audio.{override}" for override in overrides])
    entries = entries_from_paths(paths, AUDIO_SUFFIXES, column="audio")
    _build(entries, output, config, n_jobs, overwrite=overwrite)


@click.command("parse-openface")
@click.argument("paths", type=ANY_PATH, nargs=-1, required=True)
@out_option
@groups_option
@fps_option
@jobs_option
@overwrite_option
def parse_openface(
    paths: tuple[Path, ...],
    output: Path,
    groups: str | None,
    fps: float | None,
    n_jobs: int,
    *,
    overwrite: bool,
) -> None:
    """Read CSV files of OpenFace 2 by column name into a dataset file.

    PATHS are csv files and folders; folders are searched through. Frames without a face are kept as not valid.

    \b
    Example:
      mmfeat parse-openface openface/ --out faces.h5 --groups au,pose
    """
    from mmfeat import entries_from_paths, resolve_build_config

    config = resolve_build_config(overrides=_openface_settings(groups, fps))
    entries = entries_from_paths(paths, [".csv"], column="openface")
    _build(entries, output, config, n_jobs, overwrite=overwrite)


def _openface_settings(groups: str | None, fps: float | None) -> list[str]:
    settings = []
    if groups is not None:
        names = ", ".join(f'"{name.strip()}"' for name in groups.split(","))
        settings.append(f"openface.groups=[{names}]")
    if fps is not None:
        settings.append(f"openface.frame_rate_hz={fps}")
    return settings


def _build(entries: Sequence[ClipEntry], output: Path, config: BuildConfig, n_jobs: int, *, overwrite: bool) -> None:
    """Build, print the report, and end with 1 where clips failed."""
    from mmfeat import build_dataset

    report = build_dataset(
        entries,
        output,
        config,
        n_jobs=n_jobs,
        overwrite=overwrite,
        track=progress_bar,
        origin={"command": sys.argv},
    )
    click.echo(report.summary())
    if report.failures:
        click.get_current_context().exit(FAILED_CLIPS)
