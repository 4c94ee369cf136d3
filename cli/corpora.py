"""The commands that turn the raw tree of a corpus into a dataset file: build-mosi and its sisters."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .build import openface_settings
from .options import (
    FAILED_CLIPS,
    FILE,
    FOLDER,
    clip_progress,
    config_option,
    engine_option,
    fps_option,
    groups_option,
    jobs_option,
    json_option,
    origin,
    out_option,
    overwrite_option,
    progress_bar,
    set_option,
    show_report,
)

if TYPE_CHECKING:
    from mmfeat import Corpus, CorpusChoice

Command = Callable[..., None]

_OPTIONS = (
    click.argument("root", type=FOLDER),
    out_option,
    click.option(
        "--audio",
        "preset",
        default="default",
        show_default=True,
        metavar="PRESET",
        help="Audio settings by name; mmfeat presets lists them.",
    ),
    click.option("--openface", type=FOLDER, help="Folder of OpenFace csv files, as mmfeat run-openface writes it."),
    click.option(
        "--openface-bin", "program", metavar="PATH", help="Your FeatureExtraction; it runs first, into OUT.openface/."
    ),
    groups_option,
    fps_option,
    click.option("--frames", is_flag=True, help="Extract frames of the videos as well."),
    click.option(
        "--text-from",
        type=click.Choice(["transcripts", "asr"]),
        default="transcripts",
        show_default=True,
        help="asr takes the texts of a recogniser from --transcripts.",
    ),
    click.option(
        "--transcripts", type=FILE, help="transcripts.jsonl of mmfeat transcribe; in ROOT where it is not given."
    ),
    click.option("--labels", type=FILE, help="The table of labels, where it is not in ROOT."),
    config_option,
    set_option,
    engine_option,
    jobs_option,
    click.option("--limit", type=click.IntRange(min=1), help="Only the first N clips."),
    click.option("--dry-run", is_flag=True, help="Print what was found, what is missing and what would be done."),
    json_option,
    overwrite_option,
)


def _corpus_command(choose: Callable[..., Corpus]) -> Command:
    """Return the body of a command; ``choose`` takes the command's own options and returns the corpus."""

    @wraps(choose)
    def command(**options: Any) -> None:
        common = {name: options.pop(name) for name in list(options) if name in signature(_run).parameters}
        _run(choose(**options), **common)

    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def _run(
    corpus: Corpus,
    *,
    root: Path,
    output: Path,
    preset: str,
    openface: Path | None,
    program: str | None,
    groups: str | None,
    fps: float | None,
    frames: bool,
    text_from: str,
    transcripts: Path | None,
    labels: Path | None,
    config_file: Path | None,
    overrides: tuple[str, ...],
    engine: str,
    n_jobs: int,
    limit: int | None,
    dry_run: bool,
    as_json: bool,
    overwrite: bool,
) -> None:
    """Plan or build a corpus, print the report, and end with 1 where clips failed or are missing."""
    from mmfeat import CorpusChoice, build_corpus, plan_corpus, resolve_build_config

    if openface is not None and program is not None:
        raise click.UsageError("expected --openface or --openface-bin, one of the two")
    if transcripts is not None and text_from != "asr":
        raise click.UsageError("--transcripts goes with --text-from asr")
    settings = [f"engine={engine}", *openface_settings(groups, None, fps), *overrides]
    config = resolve_build_config(preset=preset, file=config_file, overrides=settings, frames=frames)
    recognised = (transcripts or root / "transcripts.jsonl") if text_from == "asr" else None
    choice = CorpusChoice(labels=labels, openface=openface, recognised=recognised, limit=limit)
    if dry_run:
        show_report(plan_corpus(corpus, root, output, config, choice), as_json=as_json)
        return
    choice = _with_openface(corpus, root, choice, output, program, n_jobs)
    report = build_corpus(
        corpus,
        root,
        output,
        config,
        choice,
        n_jobs=n_jobs,
        overwrite=overwrite,
        track=clip_progress,
        origin=origin(),
    )
    show_report(report, as_json=as_json)
    if report.failed:
        click.get_current_context().exit(FAILED_CLIPS)


def _with_openface(
    corpus: Corpus, root: Path, choice: CorpusChoice, output: Path, program: str | None, n_jobs: int
) -> CorpusChoice:
    """Run the user's OpenFace where one is given."""
    from mmfeat import find_openface, run_openface_over

    if program is None:
        return choice
    folder = output.with_name(f"{output.stem}.openface")
    return run_openface_over(corpus, root, choice, folder, find_openface(program), n_jobs=n_jobs, track=progress_bar)


def _named(name: str) -> Corpus:
    from mmfeat import CORPORA

    return CORPORA[name]


@click.command("build-mosi")
@_corpus_command
def build_mosi() -> Corpus:
    """Build CMU-MOSI: 2,199 clips of film reviews with sentiment.

    ROOT holds MOSI-label.csv, and of the raw download Transcript/Segmented, Audio/WAV_16000/Segmented and
    Video/Segmented, as far as they are there; a .csd file of word times is read as well. All is joined by id, and every
    difference is listed.

    \b
    Example:
      mmfeat build-mosi CMU-MOSI/ --out mosi.h5 --openface openface/ -j 4
    """
    return _named("mosi")


CORPUS_COMMANDS = (build_mosi,)
