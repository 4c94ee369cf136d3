"""The command ``skesl``: train, evaluate, compare, report, predict, estimate. Also mounted as ``mmfeat skesl``."""

from __future__ import annotations

from importlib.metadata import version

import click

from .boundary import BoundaryGroup
from .ensemble import ensemble
from .estimate import estimate, presets
from .evaluate import compare, evaluate, predict
from .report import report
from .train import finetune, pretrain
from .va_fit import va_fit


@click.group(cls=BoundaryGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("mmfeat"), prog_name="skesl")
def skesl() -> None:
    """Pretrain, fine-tune, evaluate, compare and predict on a dataset file made by mmfeat.

    Needs the extra "train": pip install 'mmfeat[train]'.

    Exit codes: 0 done, 2 usage, 3 input refused, 4 a missing package.
    """


for _command in (pretrain, finetune, evaluate, compare, report, predict, ensemble, estimate, presets, va_fit):
    skesl.add_command(_command)


def main() -> None:
    """Run ``skesl``; the entry point of the console script."""
    skesl.main(prog_name="skesl")
