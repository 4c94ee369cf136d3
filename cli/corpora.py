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
    build_options,
    clip_progress,
    compression_option,
    config_option,
    engine_option,
    fps_option,
    groups_option,
    json_option,
    origin,
    out_option,
    progress_bar,
    set_option,
    show_report,
)

if TYPE_CHECKING:
    from mmfeat import Compression, Corpus, CorpusChoice

    from .options import BuildOptions

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
    click.option("--limit", type=click.IntRange(min=1), help="Only the first N clips."),
    click.option("--dry-run", is_flag=True, help="Print what was found, what is missing and what would be done."),
    json_option,
    compression_option,
)


def _corpus_command(choose: Callable[..., Corpus]) -> Command:
    """Return the body of a command; ``choose`` takes the command's own options and returns the corpus."""

    @wraps(choose)
    def command(**options: Any) -> None:
        common = {name: options.pop(name) for name in list(options) if name in signature(_run).parameters}
        _run(choose(**options), **common)

    built: Command = build_options(command)
    for option in reversed(_OPTIONS):
        built = option(built)
    return built


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
    limit: int | None,
    dry_run: bool,
    as_json: bool,
    compression: Compression,
    how: BuildOptions,
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
    choice = _with_openface(corpus, root, choice, output, program, how.n_jobs)
    report = build_corpus(
        corpus,
        root,
        output,
        config,
        choice,
        **vars(how),
        compression=compression,
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


@click.command("build-mosei")
@_corpus_command
def build_mosei() -> Corpus:
    """Build CMU-MOSEI: 22,856 sentences with sentiment and six emotions.

    ROOT holds CMU_MOSEI_Labels.csd of the CMU SDK, and Transcript/Segmented/Combined, Audio/Full/WAV_16000 and
    Videos/Full/Combined, as far as they are there; a .csd file of word times is read as well. Clips are cut out of the
    recordings by time. label.csv of MMSA stands in where there is no .csd file.

    \b
    Example:
      mmfeat build-mosei CMU-MOSEI/ --out mosei.h5 --dry-run
    """
    return _named("mosei")


@click.command("build-mosei-emotions")
@_corpus_command
def build_mosei_emotions() -> Corpus:
    """Build CMU-MOSEI with six emotions that are there or not.

    The clips of build-mosei. An emotion is there where its value is above 0; the order is happy, sad, anger, surprise,
    disgust, fear. final_multi_labels.csv of UniVA stands in where there is no .csd file.

    \b
    Example:
      mmfeat build-mosei-emotions CMU-MOSEI/ --out emotions.h5 -j 4
    """
    return _named("mosei-emotions")


@click.command("build-sims")
@click.option(
    "--version", type=click.Choice(["1", "2"]), default="1", show_default=True, help="CH-SIMS, or the labelled v2."
)
@_corpus_command
def build_sims(version: str) -> Corpus:
    """Build CH-SIMS or CH-SIMS v2: Chinese clips with four sentiments.

    ROOT holds label.csv (v2: meta.csv) and Raw/<video>/<clip>.mp4. The labels are sentiment, of all modalities, and
    sentiment_T, sentiment_A and sentiment_V, of text, sound and picture alone.

    \b
    Example:
      mmfeat build-sims CH-SIMS/ --out sims.h5 --audio ch-sims-33 --openface openface/ -j 4
    """
    return _named({"1": "sims", "2": "simsv2"}[version])


@click.command("build-mer23")
@_corpus_command
def build_mer23() -> Corpus:
    """Build MER2023 (CHEAVD 2.0): six emotions and valence.

    ROOT holds label-6way.npz or train-label.csv, transcription.csv, and the clips anywhere below: sound or videos named
    as in the tables. Schemes: mer-multi, mer-noise, mer-semi, fold-0 to fold-4. Placeholders of -10 are no labels; the
    clips of MER-SEMI without labels are kept for pretraining.

    \b
    Example:
      mmfeat build-mer23 MER2023/ --out mer23.h5 --frames -j 4
    """
    return _named("mer23")


@click.command("build-mimic")
@click.option("--features", "sets", multiple=True, metavar="SET", help="Finished features to take; all of them else.")
@_corpus_command
def build_mimic(sets: tuple[str, ...]) -> Corpus:
    """Build MuSe-Mimic: approval, disappointment, uncertainty.

    ROOT is the folder c1_muse_mimic with labels.csv, partition.csv and features/<set>/<id>.csv. Each set becomes a
    stream; sound and videos are extracted as well where they lie below.

    \b
    Example:
      mmfeat build-mimic c1_muse_mimic/ --out mimic.h5 --features egemaps --features vit
    """
    from mmfeat import mimic_corpus

    return mimic_corpus(sets or None)


@click.command("build-m3ed")
@_corpus_command
def build_m3ed() -> Corpus:
    """Build M3ED: 24,449 utterances of Chinese dialogues, seven emotions.

    ROOT holds annotation.json of RUCM3ED or utt_annot.json of UniVA, and the sound or the videos of the utterances or
    of whole dialogues anywhere below. An utterance may have several emotions.

    \b
    Example:
      mmfeat build-m3ed M3ED/ --out m3ed.h5 -j 4
    """
    return _named("m3ed")


@click.command("build-voxceleb")
@click.option(
    "--nationality",
    "nationalities",
    multiple=True,
    metavar="NAME",
    help="Only speakers from there, by VoxCeleb1's list; skesl stands for USA, UK, Canada and Australia.",
)
@click.option("--language", default="", metavar="CODE", help="Only clips in which --transcripts heard it, such as en.")
@click.option(
    "--min-probability",
    "least_probability",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Of that language.",
)
@_corpus_command
def build_voxceleb(nationalities: tuple[str, ...], language: str, least_probability: float) -> Corpus:
    """Build VoxCeleb1, VoxCeleb2 or EmoVoxCeleb, to pretrain on.

    ROOT holds <speaker>/<video>/<clip>, or audio/<speaker>/<video>_<clip>.wav with text/ and video/ beside. Speakers
    are names or ids. The clips have no labels and no split. A million clips are read one by one.

    \b
    Example:
      mmfeat build-voxceleb VoxCeleb1/wav --out vox.h5 --text-from asr --transcripts t.jsonl --language en -j 16
    """
    from mmfeat import SpeakerChoice, voxceleb_corpus

    choice = SpeakerChoice(nationalities=nationalities or None, language=language, least_probability=least_probability)
    return voxceleb_corpus(choice)


CORPUS_COMMANDS = (
    build_m3ed,
    build_mer23,
    build_mimic,
    build_mosei,
    build_mosei_emotions,
    build_mosi,
    build_sims,
    build_voxceleb,
)
