"""The commands that make one file for each clip: run-openface, extract-wav."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import (
    ANY_PATH,
    FOLDER,
    exclude_option,
    groups_option,
    include_option,
    jobs_option,
    json_option,
    overwrite_option,
    progress_bar,
    show_run,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmfeat import ClipEntry


def split_arguments(_context: click.Context, _option: click.Parameter, text: str) -> tuple[str, ...]:
    """Return the arguments of a command line that was given as one text."""
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise click.BadParameter(f"{text!r}: {error}") from error


folder_option = click.option("--out", "output", type=FOLDER, required=True, help="Folder to write into.")


@click.command("run-openface")
@click.argument("paths", type=ANY_PATH, nargs=-1, required=True)
@folder_option
@click.option("--openface-bin", "program", metavar="PATH", help="Your FeatureExtraction or FaceLandmarkVidMulti.")
@click.option("--multi/--single", "multi", default=None, help="Which of the two it is; told by its name.")
@click.option("--docker", "image", metavar="IMAGE", default="", help="Run it in a container, e.g. algebr/openface.")
@click.option("--docker-bin", "docker", metavar="PATH", default="docker", help="What runs containers, e.g. podman.")
@click.option("--frame-folders", is_flag=True, help="A clip is a folder of images (jpg, png, bmp), not a video.")
@groups_option
@click.option("--au-static", is_flag=True, help="Action units of each frame by itself (-au_static).")
@click.option(
    "--tool-option",
    "options",
    metavar="ARGS",
    default="",
    callback=split_arguments,
    help="More arguments of OpenFace, as one text.",
)
@click.option("--timeout", "timeout_s", type=float, default=3600.0, show_default=True, help="Seconds for one clip.")
@click.option("--no-self-test", is_flag=True, help="Do not try OpenFace on grey pictures first.")
@include_option
@exclude_option
@jobs_option
@json_option
@overwrite_option
def run_openface(
    paths: tuple[Path, ...],
    output: Path,
    program: str | None,
    multi: bool | None,  # noqa: FBT001 - Click passes it by name
    image: str,
    docker: str,
    groups: str | None,
    options: tuple[str, ...],
    timeout_s: float,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    n_jobs: int,
    *,
    frame_folders: bool,
    au_static: bool,
    no_self_test: bool,
    as_json: bool,
    overwrite: bool,
) -> None:
    """Run your own OpenFace 2 over videos and keep its csv and details files.

    PATHS are videos, folders and quoted patterns such as 'day*/**/*.mp4'; folders are searched through. Files are named
    by the relative paths without suffix. The same command again runs only what failed, changed or is missing; the
    journal run-openface.jsonl says why. Then: mmfeat parse-openface DIR --out faces.h5.

    OpenFace is not part of mmfeat. Its licence allows academic or non-profit, non-commercial research only.

    \b
    Example:
      mmfeat run-openface videos/ --openface-bin OpenFace/build/bin/FeatureExtraction --out openface/ -j 4
    """
    from mmfeat import OpenFaceRunConfig, find_openface, run_openface

    config = OpenFaceRunConfig(
        groups=tuple(name.strip() for name in (groups or "all").split(",")),
        au_static=au_static,
        options=options,
        timeout_s=timeout_s,
    )
    tool = find_openface(program, multi=multi, image=image, docker=docker)
    report = run_openface(
        _face_entries(paths, include, exclude, frame_folders=frame_folders),
        output,
        tool,
        config,
        n_jobs=n_jobs,
        self_test=not no_self_test,
        overwrite=overwrite,
        track=progress_bar,
    )
    show_run(report, as_json=as_json)


def _face_entries(
    paths: tuple[Path, ...], include: tuple[str, ...], exclude: tuple[str, ...], *, frame_folders: bool
) -> Sequence[ClipEntry]:
    from mmfeat import FRAME_SUFFIXES, VIDEO_SUFFIXES, entries_from_frame_folders, entries_from_paths

    if not frame_folders:
        return entries_from_paths(paths, VIDEO_SUFFIXES, column="video", include=include, exclude=exclude)
    if include or exclude:
        raise click.UsageError("--include and --exclude choose videos; with --frame-folders give a pattern as PATH")
    return entries_from_frame_folders(paths, FRAME_SUFFIXES)


@click.command("extract-wav")
@click.argument("paths", type=ANY_PATH, nargs=-1, required=True)
@folder_option
@click.option("--sample-rate", type=int, default=16_000, show_default=True, help="Rate of the files in Hz.")
@click.option("--float", "floating", is_flag=True, help="Write 32-bit floats instead of 16-bit integers.")
@include_option
@exclude_option
@jobs_option
@json_option
@overwrite_option
def extract_wav(
    paths: tuple[Path, ...],
    output: Path,
    sample_rate: int,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    n_jobs: int,
    *,
    floating: bool,
    as_json: bool,
    overwrite: bool,
) -> None:
    """Write the sound of video and sound files as mono wav files.

    PATHS are files, folders and quoted patterns such as 'day*/**/*.mp4'; folders are searched through. Files are named
    by the relative paths without suffix. The same command again does only what failed, changed or is missing.

    \b
    Example:
      mmfeat extract-wav videos/ --out wav/ --sample-rate 16000 -j 2
    """
    from mmfeat import AUDIO_SUFFIXES, entries_from_paths, extract_wav, written_wavs

    written = written_wavs(output)  # with the ids of the files they are made from
    entries = entries_from_paths(
        paths, AUDIO_SUFFIXES, column="audio", include=include, exclude=exclude, leave_out=written
    )
    report = extract_wav(
        entries,
        output,
        sample_rate=sample_rate,
        floating=floating,
        n_jobs=n_jobs,
        overwrite=overwrite,
        track=progress_bar,
    )
    show_run(report, as_json=as_json)
