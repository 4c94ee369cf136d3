"""The one place where errors become exit codes.

0 done · 1 finished with failed clips · 2 usage · 3 input or validation refused · 4 a missing tool or extra ·
130 interrupted. An error of the project is one message; a bug keeps its traceback.
"""

from __future__ import annotations

import sys
from typing import Any, NoReturn

import click

from mmfeat.errors import MmfeatError

INTERRUPTED = 130


class BoundaryGroup(click.Group):
    """A command group whose ``main`` ends the process with a documented exit code."""

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Run the command line; see the module for the exit codes."""
        try:
            code = super().main(*args, **{**kwargs, "standalone_mode": False})
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except MmfeatError as error:
            _show(error)
            sys.exit(error.exit_code)
        except (click.Abort, KeyboardInterrupt):
            click.echo("interrupted", err=True)
            sys.exit(INTERRUPTED)
        sys.exit(code if isinstance(code, int) else 0)


def _show(error: MmfeatError) -> None:
    for line in (str(error), *getattr(error, "__notes__", ())):
        click.echo(f"error: {line}", err=True)
