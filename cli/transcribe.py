"""The commands that make a file of transcripts: transcribe, align."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import (
    ANY_PATH,
    FILE,
    device_option,
    exclude_option,
    given_clips,
    include_option,
    jobs_option,
    json_option,
    overwrite_option,
    progress_bar,
    show_run,
)
from .run import split_arguments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmfeat import ClipEntry

transcripts_option = click.option(
    "--out", "output", type=FILE, required=True, help="File of transcripts to make, one JSON object a line."
)


@click.command()
@click.argument("paths", type=ANY_PATH, nargs=-1)
@transcripts_option
@click.option(
    "--backend",
    type=click.Choice(["faster-whisper", "transformers", "pocketsphinx", "command"]),
    default="faster-whisper",
    show_default=True,
    help="Which recogniser.",
)
@click.option("--model", default="", metavar="DIR", help="Folder of a model, or a name that the back end knows.")
@click.option("--language", default="", metavar="TAG", help="BCP 47 tag of all clips, e.g. de; found out otherwise.")
@click.option(
    "--command",
    default="",
    metavar="ARGS",
    callback=split_arguments,
    help="Command line of a recogniser, as one text: {audio} is the path of a wav file; it prints the text, or writes "
    "text or JSON into the file {output} where that is named.",
)
@click.option("--timeout", "timeout_s", type=float, default=3600.0, show_default=True, help="Seconds of a --command.")
@click.option("--no-vad", is_flag=True, help="Give Whisper the whole sound; it writes words into noise and silence.")
@device_option
@click.option(
    "--compute-type",
    default="default",
    show_default=True,
    help="Of Whisper's arithmetic, e.g. int8, which is faster on a CPU.",
)
@click.option("--manifest", type=FILE, default=None, help="Take the clips of a manifest instead of PATHS.")
@include_option
@exclude_option
@jobs_option
@json_option
@overwrite_option
def transcribe(
    paths: tuple[Path, ...],
    output: Path,
    backend: str,
    model: str,
    language: str,
    command: tuple[str, ...],
    timeout_s: float,
    device: str,
    compute_type: str,
    manifest: Path | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    n_jobs: int,
    *,
    no_vad: bool,
    as_json: bool,
    overwrite: bool,
) -> None:
    """Write what is said in sound and video files, with the times of the words and the language.

    PATHS are files, folders and quoted patterns such as 'day*/**/*.mp4'; folders are searched through. Ids are the
    relative paths without suffix. The same command again does only what failed, changed or is missing, also after a
    kill. A clip that cannot be transcribed has a line with its reason. Then: mmfeat build --transcripts FILE.

    \b
    Example:
      mmfeat transcribe videos/ --out transcripts.jsonl --backend faster-whisper --model whisper-base/ -j 2
    """
    from mmfeat import AUDIO_SUFFIXES, TranscriberOptions, open_transcriber, transcribe_clips

    entries = given_clips(paths, manifest, AUDIO_SUFFIXES, column="audio", include=include, exclude=exclude)
    options = TranscriberOptions(
        model=model,
        language=language,
        device=device,
        compute_type=compute_type,
        n_jobs=n_jobs,
        command=command,
        timeout_s=timeout_s,
        only_speech=not no_vad,
    )
    transcriber = open_transcriber(backend, options)
    report = transcribe_clips(entries, output, transcriber, n_jobs=n_jobs, overwrite=overwrite, track=progress_bar)
    show_run(report, as_json=as_json)


@click.command()
@click.argument("manifest", type=FILE)
@transcripts_option
@click.option("--transcripts", type=FILE, default=None, help="Texts of clips for which the manifest has none.")
@click.option("--model", default="", metavar="DIR", help="Folder of a pocketsphinx model; English where none is given.")
@click.option("--language", default="", metavar="TAG", help="BCP 47 tag of the --model.")
@jobs_option
@json_option
@overwrite_option
def align(
    manifest: Path,
    output: Path,
    transcripts: Path | None,
    model: str,
    language: str,
    n_jobs: int,
    *,
    as_json: bool,
    overwrite: bool,
) -> None:
    """Find when each word of known texts is said, by forced alignment.

    MANIFEST is a CSV file with the columns clip_id, audio or video, and text. Numbers and compounds are spoken out;
    words that the dictionary does not have are pronounced by their letters (English). The output is as mmfeat
    transcribe makes it; the same command again does only what failed or changed.

    \b
    Example:
      mmfeat align clips.csv --out words.jsonl -j 2
      mmfeat build clips.csv --transcripts words.jsonl --out clips.h5
    """
    from mmfeat import SphinxAligner, TranscriptTable, align_clips, read_manifest

    entries: Sequence[ClipEntry] = read_manifest(manifest)
    if transcripts is not None:
        entries, notes = TranscriptTable(transcripts).fill(entries)
        for note in notes:
            click.echo(f"note: {note}", err=True)
    report = align_clips(
        entries, output, SphinxAligner(model, language), n_jobs=n_jobs, overwrite=overwrite, track=progress_bar
    )
    show_run(report, as_json=as_json)
