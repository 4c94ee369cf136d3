"""The commands that divide a dataset file: split, subset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from .options import (
    FILE,
    compression_option,
    given_options,
    json_option,
    no_verify_option,
    origin,
    out_option,
    overwrite_option,
    progress_bar,
    scheme_option,
    show_report,
)

if TYPE_CHECKING:
    from mmfeat import Compression

STATUSES = (
    "ok",
    "missing_source",
    "decode_error",
    "empty",
    "too_short",
    "no_face",
    "tool_failed",
    "not_requested",
)
# option that decides how a scheme is made: options that then mean nothing
_MEANINGLESS = {
    "table": ("by", "fractions", "seed", "stratify", "valid_fraction"),
    "leave_one_speaker_out": ("by", "fractions"),
    "k_fold": ("fractions",),
}


@click.command()
@click.argument("file", type=FILE)
@click.option("--scheme", "name", required=True, help="Name of the new split scheme.")
@click.option(
    "--by",
    type=click.Choice(["recording", "speaker", "clip"]),
    default="recording",
    show_default=True,
    help="What stays together.",
)
@click.option("--fractions", default="0.7,0.1,0.2", show_default=True, help="Of train, valid and test.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the order of dealing out.")
@click.option("--stratify", default="", metavar="LABEL", help="Give each part its share of every value of a label.")
@click.option("--k-fold", type=click.IntRange(min=2), default=None, help="Make so many schemes: NAME-0, NAME-1, ….")
@click.option("--leave-one-speaker-out", is_flag=True, help="Make a scheme for each speaker, who is its test part.")
@click.option(
    "--valid-fraction",
    type=float,
    default=0.1,
    show_default=True,
    help="Of folds and speakers: of the clips that are not test.",
)
@click.option("--from", "table", type=FILE, help="CSV file: clip_id, recording_id or speaker_id; and split.")
@click.option("--out", "output", type=FILE, help="Write a new file instead of changing FILE.")
@no_verify_option
@json_option
@click.option("--overwrite", is_flag=True, help="Replace schemes of this name, and an existing output.")
@click.pass_context
def split(
    context: click.Context,
    file: Path,
    name: str,
    by: Literal["recording", "speaker", "clip"],
    fractions: str,
    seed: int,
    stratify: str,
    k_fold: int | None,
    valid_fraction: float,
    table: Path | None,
    output: Path | None,
    *,
    leave_one_speaker_out: bool,
    verify: bool,
    as_json: bool,
    overwrite: bool,
) -> None:
    """Add a split scheme to the dataset FILE: made by fractions, in folds, by speakers, or taken from a table.

    Whole recordings go to a part unless --by says otherwise. FILE is replaced as a whole when everything is written.

    \b
    Example:
      mmfeat split clips.h5 --scheme folds --k-fold 5 --stratify sentiment
    """
    from mmfeat import SplitConfig, split_dataset

    _refuse_meaningless(context)
    config = SplitConfig(
        by=by,
        fractions=_fractions(fractions),
        seed=seed,
        stratify=stratify,
        k_fold=k_fold,
        leave_one_speaker_out=leave_one_speaker_out,
        valid_fraction=valid_fraction,
        table=table,
    )
    report = split_dataset(
        file,
        name,
        config,
        output=output,
        overwrite=overwrite,
        verify=verify,
        track=progress_bar,
        origin=origin(),
    )
    show_report(report, as_json=as_json)


@click.command()
@click.argument("file", type=FILE)
@out_option
@click.option("--ids", default=None, help="Clips: a text file with an id on each line, or ids with commas.")
@click.option("--split", "part", type=click.Choice(["train", "valid", "test", "none"]), help="Clips of one part.")
@scheme_option
@click.option("--streams", default=None, help="Streams to take, with commas; all where it is not given.")
@click.option("--label", default=None, help="Clips that have this label.")
@click.option("--where-status", "status", type=click.Choice(STATUSES), help="Clips of which every taken stream is so.")
@click.option("--head", type=click.IntRange(min=1), default=None, help="So many of the clips, from the start.")
@compression_option
@no_verify_option
@json_option
@overwrite_option
@click.pass_context
def subset(
    context: click.Context,
    file: Path,
    output: Path,
    ids: str | None,
    part: str | None,
    scheme: str,
    streams: str | None,
    label: str | None,
    status: str | None,
    head: int | None,
    compression: Compression,
    *,
    verify: bool,
    as_json: bool,
    overwrite: bool,
) -> None:
    """Copy the clips of the dataset FILE that meet every condition into a new file; their order stays.

    Without a condition all are copied, stored as --compression says: so a file gets into an archive and out of it.

    \b
    Example:
      mmfeat subset clips.h5 --out train.h5 --split train --streams audio,vision --where-status ok
      mmfeat subset clips.h5 --out archive.h5 --compression decimal
    """
    from mmfeat import Split, StreamStatus, read_ids, subset_dataset

    if part is None and "scheme" in given_options(context):
        raise click.UsageError("--split-scheme is for --split; say which part")
    report = subset_dataset(
        file,
        output,
        ids=None if ids is None else read_ids(ids),
        part=None if part is None else Split[part.upper()],
        scheme=scheme,
        streams=None if streams is None else [name.strip() for name in streams.split(",") if name.strip()],
        label=label,
        status=None if status is None else StreamStatus[status.upper()],
        head=head,
        overwrite=overwrite,
        compression=compression,
        verify=verify,
        track=progress_bar,
        origin=origin(),
    )
    show_report(report, as_json=as_json)


def _refuse_meaningless(context: click.Context) -> None:
    """Nothing is silently dropped: an option that would change nothing is a usage error."""
    given = given_options(context)
    for way, meaningless in _MEANINGLESS.items():
        dropped = [given[name] for name in meaningless if way in given and name in given]
        if dropped:
            raise click.UsageError(f"{', '.join(dropped)} would change nothing beside {given[way]}")
    if "valid_fraction" in given and not given.keys() & set(_MEANINGLESS):
        raise click.UsageError("--valid-fraction is for --k-fold and --leave-one-speaker-out; see --fractions")


def _fractions(text: str) -> tuple[float, float, float]:
    try:
        train, valid, test = (float(word) for word in text.split(","))
    except ValueError as error:
        raise click.BadParameter(
            f"expected three numbers with commas, got {text!r}", param_hint="--fractions"
        ) from error
    return train, valid, test
