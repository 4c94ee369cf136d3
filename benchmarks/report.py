"""What the benchmarks share: the clock, the machine's name, and the tables in the documents."""

from __future__ import annotations

import os
import platform
import re
import textwrap
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Result = TypeVar("Result")

FOLDER = Path(__file__).resolve().parent
RESULTS = FOLDER / "RESULTS.md"
README = FOLDER.parent / "README.md"


def cpu_time_s(function: Callable[[], Result], *, n_repeat: int) -> tuple[float, Result]:
    """Return the median CPU time of a call, and its answer."""
    times_s = []
    for _ in range(n_repeat):
        start_s = time.process_time()
        answer = function()
        times_s.append(time.process_time() - start_s)
    return float(np.median(times_s)), answer


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Return the CPU time of a call, and its time on the clock."""
    cpu_s, clock_s = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu_s, time.perf_counter() - clock_s


def raced(pairs: Sequence[tuple[Callable[[], object], Callable[[], object]]], n_round: int) -> npt.NDArray[np.float64]:
    """Return what each of two ways takes for a list of tasks, shape (round, way, 2): CPU time, and on the clock.

    The two do each task in turn, so that what else the machine does falls upon both.
    """
    rounds = [[[seconds(way) for way in pair] for pair in pairs] for _ in range(n_round)]
    times_s: npt.NDArray[np.float64] = np.array(rounds).sum(axis=1)
    return times_s


def ratio(ratios: npt.NDArray[np.float64]) -> str:
    """Return the median of some ratios, and their quartiles."""
    low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75])
    return f"**{middle:.1f}x** ({low:.1f} to {high:.1f})"


def conditions(packages: Sequence[str]) -> str:
    """Return when, where and with what it was measured."""
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {processor()}, {os.cpu_count()} cores with a load of {os.getloadavg()[0]:.1f} "
        f"before the run; Python {platform.python_version()}, {versions}"
    )


def processor() -> str:
    """Return the processor's name."""
    information = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*: (.*)$", information.read_text(), re.MULTILINE) if information.exists() else None
    return found[1].strip() if found else platform.processor() or platform.machine()


def publish(title: str, name: str, about: str, lines: Sequence[str], made_by: str, *, readme: bool = False) -> None:
    """Put a table with what it is about and how it was made into RESULTS.md, and into README where that is wanted."""
    text = "\n\n".join([textwrap.fill(about, 120), "\n".join(lines), textwrap.fill(made_by, 120)])
    for document in (RESULTS, README) if readme else (RESULTS,):
        put(document, title, name, text)


def put(path: Path, title: str, name: str, text: str) -> None:
    """Replace what stands between the markers of a benchmark; a document without them gets a section at its end."""
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    document = path.read_text(encoding="utf-8") if path.exists() else "# Results of the benchmarks\n"
    between = f"{re.escape(start)}.*{re.escape(end)}"
    if not re.search(between, document, re.DOTALL):
        document = f"{document.rstrip()}\n\n{title}\n\n{start}\n{end}\n"
    framed = "\n".join([start, text, end])
    path.write_text(re.sub(between, lambda _: framed, document, flags=re.DOTALL), encoding="utf-8")
