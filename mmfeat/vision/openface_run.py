"""One run of OpenFace over one video or one folder of frames: call it, and judge what it left."""

from __future__ import annotations

import math
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmfeat.clip_jobs import JobResult
from mmfeat.errors import ConfigError
from mmfeat.openface_output import DETAILS_SUFFIX
from mmfeat.tool_process import ProcessEnd, ToolProcesses
from mmfeat.types import StreamStatus
from mmfeat.vision.columns import flags_for, select_columns
from mmfeat.vision.leftovers import note_container
from mmfeat.vision.openface_tool import OpenFaceTool, thread_limits

CSV_SUFFIX = ".csv"


@dataclass(frozen=True, kw_only=True)
class OpenFaceRunConfig:
    """What OpenFace is asked for, and how long it may take."""

    groups: tuple[str, ...] = ("all",)  # names of mmfeat.vision.columns.GROUPS, or "all", "au"
    au_static: bool = False  # True: action units of each frame by itself, not corrected for the person
    options: tuple[str, ...] = ()  # further arguments of the program; OpenFace ignores those that it does not know
    timeout_s: float = 3600.0  # a clip that takes longer is killed

    def __post_init__(self) -> None:
        select_columns(self.groups)
        if not 0 < self.timeout_s < math.inf:
            raise ConfigError(f"timeout_s must be positive and finite, got {self.timeout_s}")

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the csv must have."""
        return select_columns(self.groups)

    @property
    def flags(self) -> tuple[str, ...]:
        """The arguments of the program; ``-q`` keeps older versions from opening a window."""
        static = ("-au_static",) if self.au_static else ()
        return (*flags_for(self.columns), *static, "-q", *self.options)


@dataclass(frozen=True, kw_only=True)
class OpenFaceRunner:
    """Runs one program with one configuration.

    Args:
        tool: the program.
        config: what it is asked for.
        processes: where its processes run.
        n_thread: threads of one process, 0 for as many as it likes.
    """

    tool: OpenFaceTool
    config: OpenFaceRunConfig
    processes: ToolProcesses
    n_thread: int = 0

    def run(self, source: Path, work: Path) -> JobResult:
        """Return what OpenFace made of one video or folder of frames in the empty folder ``work``."""
        output = work / "output"
        output.mkdir()
        name = f"mmfeat-{uuid.uuid4().hex}"
        if self.tool.image:
            note_container(work, name)
        command = self.tool.command(source.absolute(), output, self.config.flags, name=name, n_thread=self.n_thread)
        try:
            end = self.processes.run(
                command,
                work,
                timeout_s=self.config.timeout_s,
                environment=thread_limits(self.n_thread),
                kill_command=self.tool.kill_command(name),
            )
        except OSError as error:
            reason = f"{command[0]}: expected a program that starts, got {error.strerror!r}"
            return JobResult(status=StreamStatus.TOOL_FAILED, reason=reason, facts={"command": command})
        return self._judged(source, end, output, {"command": command, **_facts(end)})

    def _judged(self, source: Path, end: ProcessEnd, output: Path, facts: dict[str, Any]) -> JobResult:
        """Return the result of a process that came to an end."""
        files = _files(output)
        if not end.ended_well:
            return _failed(f"{source}: OpenFace {end.describe()}", facts)
        if CSV_SUFFIX in files:
            fault = _csv_fault(files[CSV_SUFFIX], self.config.columns)
            if fault:
                return _failed(f"{source}: OpenFace ended well, but {fault}", facts)
            return JobResult(status=StreamStatus.OK, files=files, facts=facts)
        if self.tool.multi and DETAILS_SUFFIX in files:
            reason = f"{source}: OpenFace tracked no face"
            return JobResult(status=StreamStatus.NO_FACE, reason=reason, files=files, facts=facts)
        last = f"; last line {end.last_lines[-1]!r}" if end.last_lines else ""
        return _failed(f"{source}: OpenFace ended well, but wrote no csv (it could not read this){last}", facts)


def _failed(reason: str, facts: dict[str, Any]) -> JobResult:
    return JobResult(status=StreamStatus.TOOL_FAILED, reason=reason, facts=facts)


def _facts(end: ProcessEnd) -> dict[str, Any]:
    return {
        "exit_code": end.exit_code,
        "signal": end.signal,
        "timed_out": end.timed_out,
        "seconds": end.seconds,
        "last_lines": list(end.last_lines),
    }


def _files(output: Path) -> dict[str, Path]:
    """Return the two files that are kept, details first, so that a csv under its name is complete.

    OpenFace names them after the video or the folder.
    """
    found = {suffix: sorted(output.glob(f"*{suffix}")) for suffix in (DETAILS_SUFFIX, CSV_SUFFIX)}
    return {suffix: paths[0] for suffix, paths in found.items() if paths}


def _csv_fault(path: Path, columns: tuple[str, ...]) -> str:
    """Return what is missing in a csv, or an empty string."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        header, first_row = lines.readline(), lines.readline()
    present = {name.strip() for name in header.split(",")}
    missing = [name for name in columns if name not in present]
    if missing:
        return f"{len(missing)} columns are missing, first {missing[0]!r}; download all of its models"
    return "" if first_row.strip() else "its csv has no frame"
