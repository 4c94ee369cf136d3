"""The command ``mmfeat``: its own subcommands and those of plugins."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import click

from mmfeat.errors import PluginError
from mmfeat.plugins import COMMANDS, discover, load

from .boundary import BoundaryGroup
from .build import build, extract_audio
from .convert import import_arrays, import_csd, import_csv, import_mmsa, import_skesl_pkl, import_univa
from .corpora import CORPUS_COMMANDS
from .export import export_csd, export_mmsa, export_npz
from .frames import extract_frames
from .inspect import describe, doctor, presets, validate
from .look import data_report, plot
from .merge import join, merge
from .openface import parse_openface
from .run import extract_wav, run_openface
from .split import split, subset
from .transcribe import align, transcribe

BUILT_IN = (
    align,
    build,
    data_report,
    *CORPUS_COMMANDS,
    describe,
    doctor,
    export_csd,
    export_mmsa,
    export_npz,
    extract_audio,
    extract_frames,
    extract_wav,
    import_arrays,
    import_csd,
    import_csv,
    import_mmsa,
    import_skesl_pkl,
    import_univa,
    join,
    merge,
    parse_openface,
    plot,
    presets,
    run_openface,
    split,
    subset,
    transcribe,
    validate,
)


class PluginGroup(BoundaryGroup):
    """The root group: commands of plugins stand beside the built-in ones."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of built-in and plugin commands."""
        names = super().list_commands(ctx)
        return sorted([*names, *discover(COMMANDS, taken=names)])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; a plugin that does not load becomes a command that says why."""
        built_in = super().get_command(ctx, cmd_name)
        if built_in is not None:
            return built_in
        entry = discover(COMMANDS, taken=self.commands).get(cmd_name)
        if entry is None:
            return None
        try:
            command = load(entry)
        except PluginError as error:
            return _unavailable(cmd_name, error)
        if not isinstance(command, click.Command):
            return _unavailable(cmd_name, PluginError(f"plugin {cmd_name!r}: {entry.value} is no Click command"))
        return command


def _unavailable(name: str, error: PluginError) -> click.Command:
    def refuse(**_arguments: Any) -> None:
        raise error

    return click.Command(
        name,
        callback=refuse,
        help=f"(unavailable) {error}",
        short_help=f"(unavailable) {error}",
        context_settings={"ignore_unknown_options": True},
        params=[click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)],
    )


@click.group(cls=PluginGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("mmfeat"), prog_name="mmfeat")
def mmfeat() -> None:
    """Turn opinion videos into one validated HDF5 file, and look into it.

    Exit codes: 0 done, 1 finished with failed clips, 2 usage, 3 input refused, 4 a missing package or tool.
    """


for _command in BUILT_IN:
    mmfeat.add_command(_command)


def main() -> None:
    """Run ``mmfeat``; the entry point of the console script."""
    mmfeat.main(prog_name="mmfeat")
