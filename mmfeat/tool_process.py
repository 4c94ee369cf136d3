"""Calls of a program that is not Python: its words go to a file, it has a time limit, and nothing of it stays alive."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import BinaryIO

_N_LAST_LINES = 12
_N_LAST_BYTES = 16_384
_KILL_TIMEOUT_S = 60.0


@dataclass(frozen=True, kw_only=True)
class ProcessEnd:
    """How a process ended.

    Args:
        exit_code: as the operating system gives it; negative where a signal ended the process.
        timed_out: the process was killed because it ran too long.
        seconds: how long it ran, in seconds of wall clock.
        last_lines: the end of what it wrote to its output and its error output.
    """

    exit_code: int
    timed_out: bool
    seconds: float
    last_lines: tuple[str, ...]

    @property
    def signal(self) -> str:
        """Name of the signal that ended the process, empty where none did.

        A shell or a container reports a signal of its child as 128 + number.
        """
        number = -self.exit_code if self.exit_code < 0 else self.exit_code - 128
        with suppress(ValueError):
            return "" if self.timed_out else signal.Signals(number).name
        return ""

    @property
    def ended_well(self) -> bool:
        """Whether the process ended by itself with code 0."""
        return self.exit_code == 0 and not self.timed_out

    def describe(self) -> str:
        """Return how the process ended and its last line."""
        if self.timed_out:
            how = f"was killed after {self.seconds:.0f} s"
        elif self.signal:
            how = f"crashed ({self.signal})"
        else:
            how = f"ended with code {self.exit_code}"
        return f"{how}, last line {self.last_lines[-1]!r}" if self.last_lines else f"{how} and wrote no message"


class ToolProcesses:
    """Runs processes, each in a group of its own, from several threads."""

    def __init__(self, marks: Mapping[str, str] | None = None) -> None:
        self._marks = dict(marks or {})  # variables that all processes inherit
        self._lock = Lock()
        self._running: dict[subprocess.Popen[bytes], Sequence[str]] = {}
        self._stopped = False

    def run(
        self,
        command: Sequence[str],
        folder: Path,
        *,
        timeout_s: float,
        environment: Mapping[str, str],
        kill_command: Sequence[str] = (),
        output: Path | None = None,
    ) -> ProcessEnd:
        """Run a program in a folder to its end, and kill what is left of its process group.

        Args:
            command: the program and its arguments.
            folder: working directory; a file ``log.txt`` is written there.
            timeout_s: seconds after which the program is killed.
            environment: variables that are added to those of this process.
            kill_command: ends what the process group does not hold, such as a container.
            output: file for its standard output; it goes to the log where None.

        Raises:
            OSError: the program cannot be started.
        """
        log = folder / "log.txt"
        started = time.monotonic()
        with log.open("wb") as words, open(output or os.devnull, "wb") as answer:  # noqa: PTH123 - devnull is a text
            out = words if output is None else answer
            process = self._start(command, folder, (out, words), environment, kill_command)
        timed_out = False
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            timed_out = True
        finally:
            self._end(process)
        return ProcessEnd(
            exit_code=process.returncode,
            timed_out=timed_out,
            seconds=round(time.monotonic() - started, 3),
            last_lines=_last_lines(log),
        )

    def stop(self) -> None:
        """Kill every process that runs, and start no more."""
        with self._lock:
            self._stopped = True
            running = list(self._running.items())
        for process, kill_command in running:
            _kill(process, kill_command)

    def _start(
        self,
        command: Sequence[str],
        folder: Path,
        files: tuple[BinaryIO, BinaryIO],
        environment: Mapping[str, str],
        kill_command: Sequence[str],
    ) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._stopped:
                raise InterruptedError("the run was stopped")
            process = subprocess.Popen(
                command,
                cwd=folder,
                env={**os.environ, **self._marks, **environment},
                stdin=subprocess.DEVNULL,
                stdout=files[0],
                stderr=files[1],
                process_group=0,  # of POSIX; Windows has the flag
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
            self._running[process] = kill_command
        return process

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            kill_command = self._running.pop(process)
        _kill(process, kill_command)
        process.wait()


def _kill(process: subprocess.Popen[bytes], kill_command: Sequence[str]) -> None:
    """Kill a process, if it still runs, and whatever it started.

    On Windows what a process started is found only while that process runs.
    """
    if kill_command and process.poll() is None:
        _call(kill_command)
    if sys.platform == "win32":
        if process.poll() is None:
            _call(["taskkill", "/T", "/F", "/PID", str(process.pid)])
            process.kill()
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _call(command: Sequence[str]) -> None:
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(command, capture_output=True, check=False, timeout=_KILL_TIMEOUT_S)


def _last_lines(log: Path) -> tuple[str, ...]:
    with log.open("rb") as handle:
        handle.seek(max(0, log.stat().st_size - _N_LAST_BYTES))
        lines = handle.read().decode("utf-8", errors="replace").splitlines()
    return tuple(line.strip() for line in lines if line.strip())[-_N_LAST_LINES:]
