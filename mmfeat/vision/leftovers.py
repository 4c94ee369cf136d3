"""What a killed run left running: its programs and containers, found by marks that nothing else carries.

A program inherits a variable of the environment that names the folder of unfinished work, and so does all that it
starts; a number of a process would belong to somebody else soon. Only who holds that folder's lock may look for it. The
name of a container is noted in the folder of its clip.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from mmfeat.vision.openface_tool import OpenFaceTool

_VARIABLE = "MMFEAT_PART"
_CONTAINER = "container"
_CONTAINER_NAME = re.compile(r"mmfeat-[0-9a-f]{32}")
_N_PASS = 5  # a program that is killed may just have started another
_KILL_TIMEOUT_S = 60.0


def mark(part: Path) -> dict[str, str]:
    """Return the variables for programs that work for the folder ``part``."""
    return {_VARIABLE: str(part.resolve())}


def note_container(work: Path, name: str) -> None:
    """Note in a clip's folder that a container with this name is about to start."""
    (work / _CONTAINER).write_text(name, encoding="utf-8")


def end_leftovers(part: Path, abandoned: Iterable[Path], tool: OpenFaceTool) -> None:
    """Kill the programs on this machine, and the containers, that worked for a run that is no more.

    Programs are found on Linux alone.

    Args:
        part: the folder of unfinished work, whose lock is held.
        abandoned: the folders inside that earlier runs left.
        tool: what kills containers.
    """
    for _ in range(_N_PASS):
        if not _kill_marked(part):
            break
    for name in _containers(abandoned) if tool.image else ():
        with suppress(OSError, subprocess.TimeoutExpired):
            command = tool.kill_command(name)
            subprocess.run(command, capture_output=True, check=False, timeout=_KILL_TIMEOUT_S)


def _kill_marked(part: Path) -> int:
    """Kill every process with the mark, and return how many there were."""
    if sys.platform != "linux":
        return 0
    ((name, value),) = mark(part).items()
    marked = os.fsencode(f"{name}={value}")
    n_killed = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # ended meanwhile, or of another user
            handle = os.pidfd_open(int(folder.name))  # whoever gets the number later is not meant
            try:
                if marked in (folder / "environ").read_bytes().split(b"\0"):
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
                    n_killed += 1
            finally:
                os.close(handle)
    return n_killed


def _containers(abandoned: Iterable[Path]) -> list[str]:
    notes = [note for folder in abandoned for note in folder.rglob(_CONTAINER) if note.is_file()]
    names = [note.read_text(encoding="utf-8", errors="replace") for note in notes]
    return [name for name in names if _CONTAINER_NAME.fullmatch(name)]
