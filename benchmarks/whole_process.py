"""A thousand files from the command line: `mmfeat extract-audio` against the same loop in librosa."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from questions import Answer, Clip

from mmfeat import DatasetReader

N_FILE = 1000
N_SAMPLE = 48  # files of librosa's loop
N_START = 4  # files of its shortest run, which is mostly start-up
N_RUN = 3
LOOP = Path(__file__).with_name("librosa_loop.py")


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a process took with all its children."""

    wall_s: float
    cpu_s: float


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What both took for all files, and their features of the sample."""

    librosa: Cost
    mmfeat: Cost
    expected: Sequence[Answer]
    found: Sequence[Answer]


def compare(clips: Sequence[Clip], folder: Path) -> Comparison:
    """Run both, in turn; librosa's cost for all files is that of its start-up and of a sample, scaled.

    Of every kind of run the fastest counts: whatever else runs on the machine can only make it slower.
    """
    paths = _links(clips, folder / "sound")
    _run_mmfeat(folder)  # the file cache, and the kernels'
    runs = [
        (_run_librosa(paths[:N_START], folder), _run_mmfeat(folder), _run_librosa(paths[:N_SAMPLE], folder))
        for _ in range(N_RUN)
    ]
    start, mmfeat, sample = (_fastest(costs) for costs in zip(*runs, strict=True))
    return Comparison(
        librosa=_scaled(start, sample),
        mmfeat=mmfeat,
        expected=_librosa_answers(folder),
        found=_mmfeat_answers(folder),
    )


def _fastest(costs: Sequence[Cost]) -> Cost:
    return Cost(wall_s=min(cost.wall_s for cost in costs), cpu_s=min(cost.cpu_s for cost in costs))


def _scaled(start: Cost, sample: Cost) -> Cost:
    """Return the cost of all files from that of few and of more."""
    factor = (N_FILE - N_START) / (N_SAMPLE - N_START)
    return Cost(
        wall_s=start.wall_s + factor * (sample.wall_s - start.wall_s),
        cpu_s=start.cpu_s + factor * (sample.cpu_s - start.cpu_s),
    )


def _links(clips: Sequence[Clip], folder: Path) -> list[Path]:
    """Return the paths of a thousand files: links to the clips, over and over."""
    folder.mkdir()
    sources = [clips[index % len(clips)].path.resolve() for index in range(N_FILE)]
    paths = [folder / f"{index:04}{source.suffix}" for index, source in enumerate(sources)]
    for path, source in zip(paths, sources, strict=True):
        path.symlink_to(source)
    return paths


def _run_mmfeat(folder: Path) -> Cost:
    program = Path(sys.executable).with_name("mmfeat")
    options = ("--out", folder / "sound.h5", "-j", "2", "--overwrite")
    return _cost([program, "extract-audio", folder / "sound", *options])


def _run_librosa(paths: Sequence[Path], folder: Path) -> Cost:
    return _cost([sys.executable, LOOP, folder / "librosa.npz", *paths])


def _cost(command: Sequence[Path | str]) -> Cost:
    """Return what a process took, from before its start to after its end, workers included."""
    start_s, cpu_start_s = time.perf_counter(), _cpu_s()
    subprocess.run(command, check=True, capture_output=True)
    return Cost(wall_s=time.perf_counter() - start_s, cpu_s=_cpu_s() - cpu_start_s)


def _cpu_s() -> float:
    """Return the CPU time of all processes that ended and were waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _librosa_answers(folder: Path) -> list[Answer]:
    with np.load(folder / "librosa.npz") as stored:
        names = tuple(stored["names"])
        lengths = np.cumsum(stored["n_frame"])[:-1]
        parts = zip(np.split(stored["values"], lengths), np.split(stored["voiced"], lengths), strict=True)
        return [Answer(values=values, names=names, voiced=voiced) for values, voiced in parts]


def _mmfeat_answers(folder: Path) -> list[Answer]:
    with DatasetReader(folder / "sound.h5") as reader:
        found = [reader.read("audio", index) for index in range(N_SAMPLE)]
    return [Answer(values=one.values, names=one.names, voiced=one.voiced) for one in found]
