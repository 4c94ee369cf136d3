"""The commands that bring the files of other tools in: import-mmsa, import-csd and the rest of their kind."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from .options import FAILED_CLIPS, FILE, FOLDER, json_option, out_option, overwrite_option

if TYPE_CHECKING:
    from mmfeat import DatasetInfo, ImportReport

Command = TypeVar("Command", bound=Callable[..., Any])


def import_options(command: Command) -> Command:
    """Add the options that every import has."""
    for option in (
        click.option("--citation", default="", help="How to cite the data; stored in the file."),
        click.option("--license", "licence", default="", help="Licence of the data; stored in the file."),
        click.option("--language", default="", help="Language of the texts, as BCP 47 (en, zh); stored in the file."),
        json_option,
        overwrite_option,
        out_option,
    ):
        command = option(command)
    return command


@click.command("import-mmsa")
@click.argument("file", type=FILE)
@click.option(
    "--aligned/--unaligned",
    default=None,
    help="Row i of every stream is word i. [default: where all streams have as many rows and no lengths are stored]",
)
@import_options
def import_mmsa(
    file: Path,
    output: Path,
    language: str,
    licence: str,
    citation: str,
    *,
    aligned: bool | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Turn a pickle of MMSA (unaligned_50.pkl, aligned_50.pkl) into a dataset file.

    Nothing in the pickle is executed: it may hold arrays, texts, numbers and plain containers, and is refused
    otherwise. Padding is left out; columns get their names where these are known; what was done is printed and stored.

    \b
    Example:
      mmfeat import-mmsa unaligned_50.pkl --out mosi.h5 --language en
    """
    from mmfeat import import_mmsa as import_file

    info = _info(output, language, licence, citation)
    report = import_file(file, output, info=info, aligned=aligned, overwrite=overwrite, origin=_origin())
    _finish(report, as_json=as_json)


@click.command("import-skesl-pkl")
@click.argument("file", type=FILE)
@import_options
def import_skesl_pkl(
    file: Path, output: Path, language: str, licence: str, citation: str, *, overwrite: bool, as_json: bool
) -> None:
    """Turn a pickle of SKESL (mosi.pkl, emovoxceleb.pkl) into a dataset file.

    These have no ids and no lengths: ids are made, all-zero rows at the end are padding. Nothing in the pickle is
    executed.

    \b
    Example:
      mmfeat import-skesl-pkl mosi.pkl --out mosi.h5
    """
    from mmfeat import import_skesl_pkl as import_file

    info = _info(output, language, licence, citation)
    _finish(import_file(file, output, info=info, overwrite=overwrite, origin=_origin()), as_json=as_json)


@click.command("import-csd")
@click.argument("files", metavar="[NAME=]FILE...", nargs=-1, required=True)
@click.option("--labels", type=FILE, default=None, help="Sequence whose intervals are the clips, with their labels.")
@import_options
def import_csd(
    files: tuple[str, ...],
    output: Path,
    labels: Path | None,
    language: str,
    licence: str,
    citation: str,
    *,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Turn computational sequences of the CMU SDK into a dataset file, joined by id.

    Each FILE becomes a stream, called NAME or as its root; a sequence of words becomes texts and word times. Entries
    are read one by one, so any size will do. Ids that a sequence lacks are listed.

    \b
    Example:
      mmfeat import-csd audio=CMU_MOSI_COVAREP.csd words.csd --labels CMU_MOSI_Opinion_Labels.csd --out mosi.h5
    """
    from mmfeat import import_csd as import_files

    sequences = _sequences([_named(argument) for argument in files])
    info = _info(output, language, licence, citation)
    report = import_files(sequences, output, labels=labels, info=info, overwrite=overwrite, origin=_origin())
    _finish(report, as_json=as_json)


@click.command("import-csv")
@click.argument("manifest", type=FILE)
@click.option(
    "--hop-s", type=click.FloatRange(min=0, min_open=True), default=None, help="Step between rows in seconds."
)
@import_options
def import_csv(
    manifest: Path,
    output: Path,
    hop_s: float | None,
    language: str,
    licence: str,
    citation: str,
    *,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Turn feature files that MANIFEST names into a dataset file.

    MANIFEST is that of mmfeat build with columns stream:NAME: a .npy, .npz or .csv file for each clip, one row a frame.
    A csv file has a header; its columns time_s, or start_s and end_s, are times. Without times and --hop-s the stream
    has no clock.

    \b
    Example:
      mmfeat import-csv clips.csv --out clips.h5 --hop-s 0.01
    """
    from mmfeat import import_csv as import_files

    info = _info(output, language, licence, citation)
    report = import_files(manifest, output, info=info, hop_s=hop_s, overwrite=overwrite, origin=_origin())
    _finish(report, as_json=as_json)


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
    folder: Path,
    output: Path,
    padding: Literal["end", "start", "none"],
    label: str,
    language: str,
    licence: str,
    citation: str,
    *,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Turn a folder of padded arrays, one for each stream and part, into a dataset file.

    FOLDER has audio_train.h5, video_train.h5, text_train.h5, y_train.h5 and the same for valid and test; .npy and .npz
    will do as well.

    \b
    Example:
      mmfeat import-arrays mmmo/ --out mmmo.h5 --padding start
    """
    from mmfeat import import_arrays as import_folder

    info = _info(output, language, licence, citation)
    report = import_folder(
        folder, output, info=info, padding=padding, label=label, overwrite=overwrite, origin=_origin()
    )
    _finish(report, as_json=as_json)


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


def _info(output: Path, language: str, licence: str, citation: str) -> DatasetInfo:
    from mmfeat import DatasetInfo

    return DatasetInfo(name=output.stem, language=language, license=licence, citation=citation)


def _origin() -> dict[str, Any]:
    return {"command": sys.argv}


def _finish(report: ImportReport, *, as_json: bool) -> None:
    click.echo(report.to_json() if as_json else report.summary())
    if report.failures:
        click.get_current_context().exit(FAILED_CLIPS)
