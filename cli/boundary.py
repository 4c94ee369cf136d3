"""The one place where errors become exit codes.

0 done · 1 finished with failed clips · 2 usage · 3 input or validation refused · 4 a missing tool or extra ·
130 interrupted (Ctrl-C) · 143 terminated (SIGTERM, which batch systems send before they kill); both keep the work. An
error of the project is one message; a bug keeps its traceback.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

import click

from mmfeat.errors import MmfeatError

INTERRUPTED, TERMINATED = 130, 143


class BoundaryGroup(click.Group):
    """A command group whose ``main`` ends the process with a documented exit code."""

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Run the command line; see the module for the exit codes."""
        terminated: list[int] = []
        try:
            with _sigterm_interrupts(terminated):
                code = super().main(*args, **{**kwargs, "standalone_mode": False})
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except MmfeatError as error:
            _show(error)
            sys.exit(error.exit_code)
        except (click.Abort, KeyboardInterrupt):
            click.echo("terminated" if terminated else "interrupted", err=True)
            sys.exit(TERMINATED if terminated else INTERRUPTED)
        sys.exit(code if isinstance(code, int) else 0)


@contextmanager
def _sigterm_interrupts(terminated: list[int]) -> Iterator[None]:
    """Let the first SIGTERM end everything as Ctrl-C does, and note it in ``terminated``; a second one kills.

    The note does not depend on which exception arrives: libraries make a new KeyboardInterrupt of what they caught.
    """

    def terminate(number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        terminated.append(number)
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, terminate)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _show(error: MmfeatError) -> None:
    for line in (str(error), *getattr(error, "__notes__", ())):
        click.echo(f"error: {line}", err=True)
