"""The command extract-frames: video to encoded frames in a dataset file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .build import run_build
from .options import (
    ANY_PATH,
    FILE,
    FOLDER,
    face_option,
    given_clips,
    jobs_option,
    json_option,
    out_option,
    overwrite_option,
    retry_option,
)

if TYPE_CHECKING:
    from mmfeat import ClipEntry


@click.command("extract-frames")
@click.argument("paths", type=ANY_PATH, nargs=-1)
@out_option
@click.option("--n-frames", type=int, default=None, help="Frames of each clip, evenly spread.  [default: 8]")
@click.option("--fps", type=float, default=None, help="Frames per second, instead of --n-frames.")
@click.option("--size", type=int, default=224, show_default=True, help="Height and width of a frame in pixels.")
@click.option(
    "--crop",
    type=click.Choice(["none", "face"]),
    default="none",
    show_default=True,
    help="none: the centre square of the frame; face: a square around the landmarks of OpenFace.",
)
@click.option(
    "--openface", type=FOLDER, default=None, help="For --crop face: folder with OpenFace's ID.csv of each clip."
)
@face_option
@click.option("--margin", type=float, default=1.5, show_default=True, help="Side of a face crop in sides of the face.")
@click.option("--quality", type=int, default=95, show_default=True, help="Quality of the JPEG files, 1 to 100.")
@click.option("--manifest", type=FILE, default=None, help="Take the clips of a manifest instead of PATHS.")
@click.option("--include", multiple=True, metavar="GLOB", help="Of folders take only files that match.")
@click.option("--exclude", multiple=True, metavar="GLOB", help="Leave out files that match.")
@click.option("--preview", type=FILE, default=None, help="Draw some clips on a contact sheet (png or jpg) to look at.")
@jobs_option
@json_option
@overwrite_option
@retry_option
def extract_frames(
    paths: tuple[Path, ...],
    output: Path,
    n_frames: int | None,
    fps: float | None,
    size: int,
    crop: str,
    openface: Path | None,
    face: str | None,
    margin: float,
    quality: int,
    manifest: Path | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    preview: Path | None,
    n_jobs: int,
    *,
    as_json: bool,
    overwrite: bool,
    retry_failed: bool,
) -> None:
    """Extract frames of videos as JPEG files into a dataset file.

    PATHS are files, folders and quoted patterns such as 'day*/**/*.mp4'; folders are searched through. Ids are the
    relative paths without suffix. Of a clip with fewer frames than are wanted each is taken once. An interrupted run
    is continued by the same command. A file that cannot be read is listed with its reason.

    \b
    Example:
      mmfeat extract-frames clips/ --out faces.h5 --crop face --openface openface/ --preview faces.png -j 2
    """
    from mmfeat import BuildConfig, FrameConfig, OpenFaceConfig, check_preview_path

    for name, given in (("--openface", openface), ("--face", face)):
        if given is not None and crop != "face":
            raise click.UsageError(f"{name} is for --crop face")
    frames = FrameConfig(
        n_frames=n_frames,
        fps=fps,
        size=size,
        crop=crop,  # type: ignore[arg-type]
        margin=margin,
        quality=quality,
    )
    entries = _video_entries(paths, manifest, include, exclude, openface)
    if crop == "face" and not any(entry.openface for entry in entries):
        raise click.UsageError("--crop face needs --openface, or a manifest with the column openface")
    if preview is not None:
        check_preview_path(preview, overwrite=overwrite)
    faces = OpenFaceConfig() if face is None else OpenFaceConfig(face=face)
    config = BuildConfig(frames=frames, openface=faces, streams=("frames",))
    run_build(
        entries,
        output,
        config,
        n_jobs,
        overwrite=overwrite,
        retry_failed=retry_failed,
        as_json=as_json,
        preview=preview,
    )


def _video_entries(
    paths: tuple[Path, ...],
    manifest: Path | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    openface: Path | None,
) -> list[ClipEntry]:
    """Return the clips of the command line, of video alone, each with its OpenFace file where there is a folder."""
    from mmfeat import VIDEO_SUFFIXES

    clips = given_clips(paths, manifest, VIDEO_SUFFIXES, column="video", include=include, exclude=exclude)
    entries = [replace(entry, audio=None) for entry in clips]
    if openface is None:
        return entries
    return [replace(entry, openface=openface / f"{entry.clip_id}.csv") for entry in entries]
