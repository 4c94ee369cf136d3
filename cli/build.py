"""The commands that make a dataset file: build, extract-audio."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import (
    ANY_PATH,
    FAILED_CLIPS,
    FILE,
    BuildOptions,
    build_options,
    clip_progress,
    compression_option,
    config_option,
    engine_option,
    exclude_option,
    face_option,
    fps_option,
    given_clips,
    groups_option,
    include_option,
    json_option,
    origin,
    out_option,
    set_option,
    show_report,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmfeat import BuildConfig, ClipEntry, Compression, TranscriptTable

preset_option = click.option(
    "--preset", default="default", show_default=True, help="Audio settings by name; mmfeat presets lists them."
)


@click.command()
@click.argument("manifest", type=FILE)
@out_option
@preset_option
@groups_option
@face_option
@fps_option
@click.option(
    "--frames", is_flag=True, help="Extract frames of the videos as well; --set frames.size=112 changes them."
)
@click.option("--transcripts", type=FILE, default=None, help="Texts, words, language: what transcribe and align make.")
@config_option
@set_option
@engine_option
@compression_option
@build_options
def build(
    manifest: Path,
    output: Path,
    preset: str,
    groups: str | None,
    face: str | None,
    fps: float | None,
    transcripts: Path | None,
    config_file: Path | None,
    overrides: tuple[str, ...],
    engine: str,
    compression: Compression,
    *,
    frames: bool,
    how: BuildOptions,
) -> None:
    """Extract the features of every clip in MANIFEST into one dataset file.

    MANIFEST is a CSV file. Columns: clip_id (the only one that must be there), recording_id, speaker_id,
    position, split, split:NAME, audio, video, openface, text, label:NAME, note:NAME. Paths are relative to the
    manifest's folder. A clip that cannot be read is recorded with its reason; the rest is built and the exit
    code is 1. An interrupted build is continued by the same command.

    \b
    Example:
      mmfeat build clips.csv --out clips.h5 --groups au,pose -j 2
    """
    from mmfeat import TranscriptTable, read_manifest, resolve_build_config

    settings = [f"engine={engine}", *openface_settings(groups, face, fps), *overrides]
    config = resolve_build_config(preset=preset, file=config_file, overrides=settings, frames=frames)
    run_build(
        read_manifest(manifest),
        output,
        config,
        how,
        compression=compression,
        transcripts=None if transcripts is None else TranscriptTable(transcripts),
    )


@click.command("extract-audio")
@click.argument("paths", type=ANY_PATH, nargs=-1)
@out_option
@preset_option
@config_option
@set_option
@click.option("--manifest", type=FILE, default=None, help="Take the clips of a manifest instead of PATHS.")
@include_option
@exclude_option
@engine_option
@compression_option
@build_options
@click.option("--dry-run", is_flag=True, help="Print what would be done, and do nothing.")
@json_option
def extract_audio(
    paths: tuple[Path, ...],
    output: Path,
    preset: str,
    config_file: Path | None,
    overrides: tuple[str, ...],
    manifest: Path | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    engine: str,
    compression: Compression,
    *,
    dry_run: bool,
    as_json: bool,
    how: BuildOptions,
) -> None:
    """Extract log-F0, MFCC and CQT chroma of sound and video files into a dataset file.

    PATHS are files, folders and quoted patterns such as 'day*/**/*.wav'; folders are searched through. Ids are the
    relative paths without suffix. An interrupted run is continued by the same command. A file that cannot be read
    is listed with its reason.

    \b
    Example:
      mmfeat extract-audio recordings/ --out sound.h5 --preset skesl-33 --set pitch.f0_max_hz=500 -j 2
    """
    from mmfeat import AUDIO_SUFFIXES, resolve_build_config

    settings = [f"engine={engine}", 'streams=["audio"]', *(f"audio.{override}" for override in overrides)]
    config = resolve_build_config(preset=preset, file=config_file, overrides=settings)
    entries = given_clips(paths, manifest, AUDIO_SUFFIXES, column="audio", include=include, exclude=exclude)
    if dry_run:
        click.echo(_plan(entries if how.shard is None else how.shard.of(entries), output, config))
        return
    run_build(
        entries,
        output,
        config,
        how,
        compression=compression,
        as_json=as_json,
    )


def _plan(entries: Sequence[ClipEntry], output: Path, config: BuildConfig) -> str:
    """Return what would be done, as one fact a line."""
    from mmfeat import engine_for

    paths = [path for entry in entries if (path := entry.audio or entry.video) is not None]
    n_byte = sum(path.stat().st_size for path in paths if path.is_file())
    audio = config.audio
    facts = {
        "clips": f"{len(entries)}, {len(paths)} with sound, {n_byte / 1e6:.1f} MB",
        "columns": f"{len(audio.feature_names)}: {', '.join(audio.features)}",
        "grid": f"{audio.sample_rate} Hz, a frame every {1000 * audio.hop_s:g} ms",
        "engine": engine_for(audio, config.engine),
        "output": f"{output}{' (exists)' if output.exists() else ''}",
    }
    return "\n".join(f"{title:<8} {fact}" for title, fact in facts.items())


def openface_settings(groups: str | None, face: str | None, fps: float | None) -> list[str]:
    """Return the options of OpenFace files as overrides."""
    settings = []
    if groups is not None:
        settings.append(f"openface.groups={json.dumps([name.strip() for name in groups.split(',')])}")
    if face is not None:
        settings.append(f"openface.face={json.dumps(face)}")
    if fps is not None:
        settings.append(f"openface.frame_rate_hz={fps}")
    return settings


def run_build(
    entries: Sequence[ClipEntry],
    output: Path,
    config: BuildConfig,
    how: BuildOptions,
    *,
    compression: Compression = "none",
    as_json: bool = False,
    preview: Path | None = None,
    transcripts: TranscriptTable | None = None,
) -> None:
    """Build, draw a contact sheet where one is wanted, print the report, and end with 1 where clips failed."""
    from mmfeat import build_dataset, write_contact_sheet

    report = build_dataset(
        entries,
        output,
        config,
        **vars(how),
        compression=compression,
        transcripts=transcripts,
        track=clip_progress,
        origin=origin(),
    )
    show_report(report, as_json=as_json)
    if preview is not None:
        n_row = write_contact_sheet(output, preview, overwrite=how.overwrite)
        click.echo(f"{preview}: {n_row} clips", err=as_json)
    if report.failures:
        click.get_current_context().exit(FAILED_CLIPS)
