"""Options that several commands share, and the progress bar."""

from __future__ import annotations

import functools
import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from mmfeat import ClipEntry, ClipFeatures, RunReport, Shard

Item = TypeVar("Item")

FILE = click.Path(dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)
ANY_PATH = click.Path(path_type=Path)
FAILED_CLIPS = 1

out_option = click.option("--out", "output", type=FILE, required=True, help="Dataset file to make.")
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace an existing output.")
retry_option = click.option(
    "--retry-failed", is_flag=True, help="Of an existing output, try again what failed and keep the rest."
)
compression_option = click.option(
    "--compression",
    type=click.Choice(["none", "gzip", "blosc2", "decimal"]),
    default="none",
    show_default=True,
    help="Smaller files to keep, read many times slower; decimal is the smallest for OpenFace. All are exact.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
no_verify_option = click.option(
    "--no-verify",
    "verify",
    is_flag=True,
    flag_value=False,
    default=True,
    help="Trust the inputs: faster, but damage in them goes unnoticed.",
)
jobs_option = click.option(
    "-j",
    "--num-jobs",
    "n_jobs",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Worker processes.",
)
scheduler_option = click.option(
    "--scheduler",
    default=None,
    metavar="ADDRESS",
    help="Work on a dask cluster, tcp://HOST:PORT, whose workers see the same files.",
)
shard_option = click.option(
    "--shard", "shard_name", default=None, metavar="I/N", help="Build the I-th of N parts alone; merge unites them."
)
include_option = click.option("--include", multiple=True, metavar="GLOB", help="Of folders take only files that match.")
exclude_option = click.option("--exclude", multiple=True, metavar="GLOB", help="Leave out files that match.")
groups_option = click.option(
    "--groups", default=None, help="OpenFace columns: all, au, pose, gaze, …; several with commas."
)
face_option = click.option(
    "--face",
    default=None,
    metavar="POLICY",
    help="Of several faces: most-confident (the default), largest, longest or id=N.",
)
fps_option = click.option(
    "--fps", type=float, default=None, help="Frame rate of OpenFace files whose timestamps are missing or all 0."
)
set_option = click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change one setting; may be repeated."
)
config_option = click.option("--config", "config_file", type=FILE, help="Settings as a TOML file.")
engine_option = click.option(
    "--engine",
    type=click.Choice(["fast", "librosa"]),
    default="fast",
    show_default=True,
    help="Both give librosa's values; fast is ours.",
)
labels_option = click.option(
    "--label", "labels", default="", help="Label, where the file has several; several to learn together with commas."
)
scheme_option = click.option(
    "--split-scheme", "scheme", default="default", show_default=True, help="Split scheme of the file."
)
device_option = click.option(
    "--device", default="auto", show_default=True, help="auto, cpu, cuda, mps: where to compute."
)


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """How a dataset file is built, whatever is in it; the fields are arguments of ``build_dataset``."""

    n_jobs: int
    scheduler: str | None
    shard: Shard | None
    overwrite: bool
    retry_failed: bool


def build_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of every build, as the one argument ``how``."""

    @functools.wraps(command)
    def bundled(
        *args: Any,
        n_jobs: int,
        scheduler: str | None,
        shard_name: str | None,
        overwrite: bool,
        retry_failed: bool,
        **kwargs: Any,
    ) -> None:
        if overwrite and retry_failed:
            raise click.UsageError("expected --overwrite or --retry-failed, one of the two")
        if scheduler is not None and n_jobs != 1:
            raise click.UsageError("expected --scheduler or --num-jobs, one of the two: a cluster has its own workers")
        how = BuildOptions(
            n_jobs=n_jobs,
            scheduler=scheduler,
            shard=None if shard_name is None else _shard(shard_name),
            overwrite=overwrite,
            retry_failed=retry_failed,
        )
        command(*args, how=how, **kwargs)

    for option in (retry_option, overwrite_option, shard_option, scheduler_option, jobs_option):
        bundled = option(bundled)
    return bundled


def _shard(name: str) -> Shard:
    from mmfeat import ConfigError, Shard

    try:
        return Shard.parse(name)
    except ConfigError as error:
        raise click.UsageError(str(error)) from error


def given_options(context: click.Context) -> dict[str, str]:
    """Return the options that stand on the command line, as they are written there, by their names."""
    source = click.core.ParameterSource.COMMANDLINE
    options = {parameter.name: parameter.opts[0] for parameter in context.command.params if parameter.name}
    return {name: option for name, option in options.items() if context.get_parameter_source(name) is source}


def origin() -> dict[str, Any]:
    """Return what provenance says of a command."""
    return {"command": sys.argv}


def show_report(report: Any, *, as_json: bool) -> None:
    """Print what a command did."""
    click.echo(report.to_json() if as_json else report.summary())


def show_run(report: RunReport, *, as_json: bool) -> None:
    """Print what a run over many clips did, and end with 1 where clips failed."""
    show_report(report, as_json=as_json)
    if report.failures:
        click.get_current_context().exit(FAILED_CLIPS)


def given_clips(
    paths: tuple[Path, ...],
    manifest: Path | None,
    suffixes: Iterable[str],
    *,
    column: str,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
) -> list[ClipEntry]:
    """Return the clips of a command line: those of PATHS, or those of a manifest."""
    from mmfeat import entries_from_paths, read_manifest

    if (manifest is None) == (not paths):
        raise click.UsageError("expected PATHS or --manifest, one of the two")
    if manifest is None:
        return entries_from_paths(paths, suffixes, column=column, include=include, exclude=exclude)
    return read_manifest(manifest)


def listed(text: str) -> tuple[str, ...]:
    """Return the names in a list with commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def settings_table(columns: Mapping[str, Mapping[str, Any]]) -> str:
    """Return settings by name as lines of section.key and one column a name; a dash where a column has no such key."""
    flat = {name: dict(_dotted(settings)) for name, settings in columns.items()}
    keys = list(dict.fromkeys(key for settings in flat.values() for key in settings))
    rows = {key: [settings.get(key, "-") for settings in flat.values()] for key in keys}
    width = max(map(len, rows))
    sizes = [max(len(name), *(len(row[i]) for row in rows.values())) for i, name in enumerate(columns)]
    lines = [("", list(columns)), *rows.items()]
    return "\n".join(
        f"{key:<{width}}  " + "  ".join(f"{cell:<{size}}" for cell, size in zip(cells, sizes, strict=True)).rstrip()
        for key, cells in lines
    )


def _dotted(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield nested settings as ``section.key`` and text."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _dotted(value, f"{prefix}{key}.")
        else:
            yield prefix + key, ",".join(value) if isinstance(value, list) else json.dumps(value)


def progress_bar(items: Iterable[Item], total: int, description: str) -> Iterable[Item]:
    """Show rate and time left on stderr while ``items`` are consumed; silent when stderr is no terminal."""
    from tqdm import tqdm

    bar: Iterable[Item] = tqdm(
        items, total=total, desc=description, disable=not sys.stderr.isatty(), dynamic_ncols=True, leave=False
    )
    return bar


def clip_progress(clips: Iterable[ClipFeatures], total: int, description: str) -> Iterator[ClipFeatures]:
    """Show rate, time left, failures and speed against the sound's own on stderr while ``clips`` are consumed."""
    from tqdm import tqdm

    bar = tqdm(total=total, desc=description, disable=not sys.stderr.isatty(), dynamic_ncols=True, leave=False)
    started, sound_s, n_failed = time.perf_counter(), 0.0, 0
    with bar:
        for clip in clips:
            sound_s += 0.0 if math.isnan(clip.duration_s) else clip.duration_s
            n_failed += len(clip.failures)
            speed = sound_s / (time.perf_counter() - started)
            bar.set_postfix_str(f"{n_failed} failed, {speed:.0f} x real time", refresh=False)
            bar.update()
            yield clip
