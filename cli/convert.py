"""The commands that bring the files of other tools in: import-mmsa, import-csd and the rest of their kind."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from .options import FAILED_CLIPS, FILE, FOLDER, json_option, origin, out_option, overwrite_option, show_report

if TYPE_CHECKING:
    from mmfeat import ImportReport


def import_options(run: Callable[..., ImportReport]) -> Callable[..., None]:
    """Add the options that every import has; ``run`` gets ``info``, ``overwrite`` and ``origin`` as its last words."""

    @functools.wraps(run)
    def command(
        output: Path, language: str, licence: str, citation: str, *, overwrite: bool, as_json: bool, **rest: Any
    ) -> None:
        from mmfeat import DatasetInfo

        info = DatasetInfo(name=output.stem, language=language, license=licence, citation=citation)
        report = run(output=output, info=info, overwrite=overwrite, origin=origin(), **rest)
        show_report(report, as_json=as_json)
        if report.failures:
            click.get_current_context().exit(FAILED_CLIPS)

    options = (
        click.option("--citation", default="", help="How to cite the data; stored in the file."),
        click.option("--license", "licence", default="", help="Licence of the data; stored in the file."),
        click.option("--language", default="", help="Language of the texts, as BCP 47 (en, zh); stored in the file."),
        json_option,
        overwrite_option,
        out_option,
    )
    return functools.reduce(lambda decorated, option: option(decorated), options, command)


@click.command("import-mmsa")
@click.argument("file", type=FILE)
@click.option(
    "--aligned/--unaligned",
    default=None,
    help="Row i of every stream is word i. [default: where all streams have as many rows and no lengths are stored]",
)
@import_options
def import_mmsa(file: Path, output: Path, *, aligned: bool | None, **common: Any) -> ImportReport:
    """Turn a pickle of MMSA (unaligned_50.pkl, aligned_50.pkl) into a dataset file.

    Nothing in the pickle is executed: it may hold arrays, texts, numbers and plain containers, and is refused
    otherwise. Padding is left out; columns get their names where these are known; what was done is printed and stored.

    \b
    Example:
      mmfeat import-mmsa unaligned_50.pkl --out mosi.h5 --language en
    """
    from mmfeat import import_mmsa as import_file

    return import_file(file, output, aligned=aligned, **common)


@click.command("import-skesl-pkl")
@click.argument("file", type=FILE)
@import_options
def import_skesl_pkl(file: Path, output: Path, **common: Any) -> ImportReport:
    """Turn a pickle of SKESL (mosi.pkl, emovoxceleb.pkl) into a dataset file.

    These have no ids and no lengths: ids are made, all-zero rows at the end are padding. Nothing in the pickle is
    executed.

    \b
    Example:
      mmfeat import-skesl-pkl mosi.pkl --out mosi.h5
    """
    from mmfeat import import_skesl_pkl as import_file

    return import_file(file, output, **common)


@click.command("import-univa")
@click.argument("folder", type=FOLDER)
@import_options
def import_univa(folder: Path, output: Path, **common: Any) -> ImportReport:
    """Turn the data of UniVA (CMU-MOSEI or M3ED) into a dataset file, joined by id.

    FOLDER has MOSEI_train_audio_utt_VA.pkl and its kin, final_multi_labels.csv or utt_annot.json, videos_structure.json
    and raw_utt_text_textVA.json, at any depth; what is missing is left out. Files that differ in utterances, their
    number, labels or scores are refused. Nothing in a pickle is executed.

    \b
    Example:
      mmfeat import-univa MOSEI/ --out mosei.h5 --language en
    """
    from mmfeat import import_univa as import_folder

    return import_folder(folder, output, **common)


@click.command("import-csd")
@click.argument("files", metavar="[NAME=]FILE...", nargs=-1, required=True)
@click.option("--labels", type=FILE, default=None, help="Sequence whose intervals are the clips, with their labels.")
@import_options
def import_csd(files: tuple[str, ...], output: Path, labels: Path | None, **common: Any) -> ImportReport:
    """Turn computational sequences of the CMU SDK into a dataset file, joined by id.

    Each FILE becomes a stream, called NAME or as its root; a sequence of words becomes texts and word times. Entries
    are read one by one, so any size will do. Ids that a sequence lacks are listed.

    \b
    Example:
      mmfeat import-csd audio=CMU_MOSI_COVAREP.csd words.csd --labels CMU_MOSI_Opinion_Labels.csd --out mosi.h5
    """
    from mmfeat import import_csd as import_files

    sequences = _sequences([_named(argument) for argument in files])
    return import_files(sequences, output, labels=labels, **common)


@click.command("import-csv")
@click.argument("manifest", type=FILE)
@click.option(
    "--hop-s", type=click.FloatRange(min=0, min_open=True), default=None, help="Step between rows in seconds."
)
@import_options
def import_csv(manifest: Path, output: Path, hop_s: float | None, **common: Any) -> ImportReport:
    """Turn feature files that MANIFEST names into a dataset file.

    MANIFEST is that of mmfeat build with columns stream:NAME: a .npy, .npz or .csv file for each clip, one row a frame.
    A csv file has a header; its columns time_s, or start_s and end_s, are times. Without times and --hop-s the stream
    has no clock.

    \b
    Example:
      mmfeat import-csv clips.csv --out clips.h5 --hop-s 0.01
    """
    from mmfeat import import_csv as import_files

    return import_files(manifest, output, hop_s=hop_s, **common)


@click.command("import-arrays")
@click.argument("folder", type=FOLDER)
@click.option(
    "--padding",
    type=click.Choice(["end", "start", "none"]),
    default="end",
    show_default=True,
    help="Where rows of zeros are padding; the SDK's own arrays have it at the start.",
)
@click.option("--label", default="sentiment", show_default=True, help="Name of the label in the files y_PART.")
@import_options
def import_arrays(
    folder: Path, output: Path, padding: Literal["end", "start", "none"], label: str, **common: Any
) -> ImportReport:
    """Turn a folder of padded arrays, one for each stream and part, into a dataset file.

    FOLDER has audio_train.h5, video_train.h5, text_train.h5, y_train.h5 and the same for valid and test; .npy and .npz
    will do as well.

    \b
    Example:
      mmfeat import-arrays mmmo/ --out mmmo.h5 --padding start
    """
    from mmfeat import import_arrays as import_folder

    return import_folder(folder, output, padding=padding, label=label, **common)


def _sequences(named: list[tuple[str, Path]]) -> dict[str, Path] | list[Path]:
    """Return the files by name where one has a name, else the files."""
    if not any(name for name, _ in named):
        return [path for _, path in named]
    sequences = {name or path.stem: path for name, path in named}
    if len(sequences) < len(named):
        raise click.UsageError("expected another NAME for each FILE")
    return sequences


def _named(argument: str) -> tuple[str, Path]:
    """Return (name or empty, file) of NAME=FILE; a file that exists under the whole argument is just that."""
    name, separator, path = argument.partition("=")
    if not separator or Path(argument).exists():
        return "", Path(argument)
    return name, Path(path)
