"""Run the user's own OpenFace over many videos: several at a time, with a journal, and again only where needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmfeat.clip_jobs import JobResult, RunPlan, RunReport, run_jobs
from mmfeat.openface_output import DETAILS_SUFFIX, JOURNAL
from mmfeat.run_folder import part_folder
from mmfeat.tool_process import ToolProcesses
from mmfeat.types import ClipEntry, Track, untracked
from mmfeat.vision.leftovers import end_leftovers, mark
from mmfeat.vision.openface_check import check_openface
from mmfeat.vision.openface_run import CSV_SUFFIX, OpenFaceRunConfig, OpenFaceRunner
from mmfeat.vision.openface_tool import OpenFaceTool


def run_openface(
    entries: Sequence[ClipEntry],
    output: Path | str,
    tool: OpenFaceTool,
    config: OpenFaceRunConfig | None = None,
    *,
    n_jobs: int = 1,
    self_test: bool = True,
    overwrite: bool = False,
    track: Track[str] = untracked,
) -> RunReport:
    """Write the csv and the details file of OpenFace for each video, or folder of frames.

    The same call again runs only the clips that failed, whose source changed or whose output is gone; other settings
    or another program run everything again. Each process works in a folder of its own, and its files get their names
    when it ended well, so that no half-written csv is ever seen. A clip that fails is recorded; the others go on.

    Args:
        entries: the clips; ``video`` is the video or a folder of frames.
        output: the folder of ``ID.csv``, ``ID_of_details.txt`` and the journal ``run-openface.jsonl``.
        tool: the program, from ``find_openface``.
        config: columns, further arguments, time limit.
        n_jobs: processes at a time; with more than one each is limited to one thread.
        self_test: try the program on grey pictures first.
        overwrite: run every clip again, and replace files of other programs.
        track: shows progress.

    Returns:
        The last line of each clip's journal: ``ok``, ``no_face``, ``missing_source`` or ``tool_failed``, with the
        command line, exit code, signal, last lines and seconds.

    Raises:
        MissingToolError: the self-test failed.
        InputError: no clips, the folder is in use, or it holds files of other programs.
    """
    output = Path(output)
    config = config or OpenFaceRunConfig()
    part = part_folder(output)
    processes = ToolProcesses(mark(part))
    runner = OpenFaceRunner(tool=tool, config=config, processes=processes, n_thread=1 if n_jobs > 1 else 0)

    def job(_entry: ClipEntry, source: Path, work: Path) -> JobResult:
        return runner.run(source, work)

    def prepare(work: Path) -> None:
        if self_test:
            check_openface(runner, work)

    plan = RunPlan(
        journal=JOURNAL,
        suffixes=(DETAILS_SUFFIX, CSV_SUFFIX),
        settings=_settings(tool, config),
        n_jobs=n_jobs,
        overwrite=overwrite,
        prepare=prepare,
        stop=processes.stop,
        end_leftovers=lambda abandoned: end_leftovers(part, abandoned, tool),
    )
    return run_jobs(entries, output, job, plan, track=track)


def _settings(tool: OpenFaceTool, config: OpenFaceRunConfig) -> dict[str, Any]:
    """Return what decides the content of the files."""
    # FaceLandmarkVidMulti always predicts action units frame by frame: it does not know who is who.
    static = config.au_static or tool.multi
    return {"tool": tool.identity(), "flags": list(config.flags), "au": "static" if static else "dynamic"}
