"""Audio features: mmfeat against librosa, speed and error in the same row.

    python benchmarks/extraction.py [--clips N] [--seconds S] [--write] [FILE.wav ...]

Both run in this process, in turn, on one thread; times are CPU time, the median over the clips. The last rows are
whole processes. Without files the clips are made: syllables of harmonics with vibrato over a noise
floor, 16 kHz. ``--write`` puts the table into RESULTS.md and README.md.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"  # before numpy is imported

import argparse  # noqa: E402
import platform  # noqa: E402
import re  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import textwrap  # noqa: E402
import time  # noqa: E402
import warnings  # noqa: E402
from collections.abc import Callable, Iterator, Sequence  # noqa: E402
from datetime import UTC, datetime  # noqa: E402
from importlib.metadata import version  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
import whole_process  # noqa: E402
from questions import Answer, Clip, Question, beginning, error, questions, read_clip, synthetic_clip  # noqa: E402

from mmfeat.audio import AudioFeatureConfig, prepare_engine  # noqa: E402

N_REPEAT = 7  # of mmfeat's short calls; librosa's are long enough for one
FOLDER = Path(__file__).resolve().parent
RESULTS = FOLDER / "RESULTS.md"
README = FOLDER.parent / "README.md"
MARKERS = ("<!-- bench-extraction -->", "<!-- /bench-extraction -->")
README_TITLE = "## How fast, how equal"
ABOUT = (
    'The same clips go through `extract_audio` by librosa (`engine="librosa"`) and by the fast engine. '
    "The error is the largest difference between the two results (of log-F0: where both are voiced)."
)
HEADER = ["| features | librosa | mmfeat | ratio (quartiles) | largest error |", "|---|---|---|---|---|"]


def ask(question: Question, clips: Sequence[Clip]) -> str:
    """Return one row of the table."""
    if question.short:
        clips = [beginning(clip, 0.25) for clip in clips]
    question.by_mmfeat(clips[0])  # tables of both, and librosa's own kernels
    question.by_librosa(clips[0])
    times_s, expected, found = [], [], []
    for clip in clips:
        mmfeat_s, answer = cpu_time_s(question.by_mmfeat, clip, n_repeat=N_REPEAT)
        found.append(answer)
        librosa_s, answer = cpu_time_s(question.by_librosa, clip, n_repeat=1)
        expected.append(answer)
        times_s.append((librosa_s, mmfeat_s))
    librosa_ms, mmfeat_ms = 1e3 * np.median(times_s, axis=0)
    low, ratio, high = np.quantile([one / other for one, other in times_s], [0.25, 0.5, 0.75])
    times = f"{librosa_ms:.1f} ms | {mmfeat_ms:.2f} ms | **{ratio:.0f}x** ({low:.0f} to {high:.0f})"
    return f"| {question.name} | {times} | {error(expected, found)} |"


def cpu_time_s(function: Callable[[Clip], Answer], clip: Clip, *, n_repeat: int) -> tuple[float, Answer]:
    """Return the median CPU time of a call, and its answer."""
    times_s = []
    for _ in range(n_repeat):
        start_s = time.process_time()
        answer = function(clip)
        times_s.append(time.process_time() - start_s)
    return float(np.median(times_s)), answer


def ask_for_a_thousand_files(clips: Sequence[Clip], folder: Path) -> Iterator[str]:
    """Yield the last rows: the same runs by wall clock and by CPU time."""
    both = whole_process.compare(clips, folder)
    name = (
        f"`mmfeat extract-audio -j 2` of {whole_process.N_FILE:,} files, whole process, wall clock; librosa: two "
        f"joblib workers, start-up and {whole_process.N_SAMPLE} files measured, the rest scaled; fastest of "
        f"{whole_process.N_RUN} runs"
    )
    wall = _times(both.librosa.wall_s, both.mmfeat.wall_s)
    yield f"| {name} | {wall} | {error(both.expected, both.found)} |"
    yield f"| the same, CPU time of all processes | {_times(both.librosa.cpu_s, both.mmfeat.cpu_s)} | the same |"


def _times(librosa_s: float, mmfeat_s: float) -> str:
    return f"{librosa_s:.0f} s | {mmfeat_s:.1f} s | **{librosa_s / mmfeat_s:.0f}x**"


def table(clips: Sequence[Clip], folder: Path) -> Iterator[str]:
    """Yield the lines of the table as they are known."""
    yield from HEADER
    for question in questions():
        yield ask(question, clips)
    yield from ask_for_a_thousand_files(clips, folder)


def conditions(clips: Sequence[Clip]) -> str:
    """Return when, where and on what it was measured."""
    lengths_s = sorted({f"{clip.waveform.duration_s:.2g}" for clip in clips}, key=float)
    length = lengths_s[0] if len(lengths_s) == 1 else f"{lengths_s[0]} to {lengths_s[-1]}"
    packages = ", ".join(f"{name} {version(name)}" for name in ("mmfeat", "librosa", "numpy", "numba"))
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {processor()}, {os.cpu_count()} cores with a load of {os.getloadavg()[0]:.1f} "
        f"before the run; Python {platform.python_version()}, {packages}; {len(clips)} clips of {length} s."
    )


def processor() -> str:
    """Return the processor's name."""
    information = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*: (.*)$", information.read_text(), re.MULTILINE) if information.exists() else None
    return found[1].strip() if found else platform.processor() or platform.machine()


def write(lines: Sequence[str], measured: str) -> None:
    """Put the table into the two documents."""
    made = (
        "CPU time of one thread, median over the clips, keeps most of a busy machine's noise out, not all of it: read "
        f"the ratios, not the milliseconds. Made by `make bench-extraction`: {measured}"
    )
    paragraphs = [textwrap.fill(ABOUT, 120), "\n".join(lines), textwrap.fill(made, 120)]
    text = "\n".join([MARKERS[0], "\n\n".join(paragraphs), MARKERS[1]])
    put(RESULTS, "## Audio features", text)
    put(README, README_TITLE, text)


def put(path: Path, title: str, text: str) -> None:
    """Replace what stands between the markers; a document without them gets a section with that title."""
    document = path.read_text(encoding="utf-8") if path.exists() else "# Results of the benchmarks\n"
    start, end = map(re.escape, MARKERS)
    if not re.search(f"{start}.*{end}", document, re.DOTALL):
        document = with_section(document, f"{title}\n\n{MARKERS[0]}\n{MARKERS[1]}\n")
    path.write_text(re.sub(f"{start}.*{end}", lambda _: text, document, flags=re.DOTALL), encoding="utf-8")


def with_section(document: str, section: str) -> str:
    """Return the document with a section after its section "Training", or at its end."""
    before, found, after = document.partition("\n## Training\n")
    body, _, rest = after.partition("\n## ")
    if not found or not rest:
        return f"{document.rstrip()}\n\n{section}"
    return f"{before}{found}{body}\n{section}\n## {rest}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--clips", type=int, default=12, help="how many to make")
    parser.add_argument("--seconds", type=float, default=8.0, help="their length; of files, the most that is read")
    parser.add_argument("--write", action="store_true", help="put the table into RESULTS.md and README.md")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.files:
            clips = [read_clip(path, duration_s=arguments.seconds) for path in arguments.files]
        else:
            made = [(folder / f"made{seed}.wav", seed) for seed in range(arguments.clips)]
            clips = [synthetic_clip(path, seed=seed, duration_s=arguments.seconds) for path, seed in made]
        measured = conditions(clips)
        prepare_engine(AudioFeatureConfig())
        lines = []
        for line in table(clips, folder):
            print(line, flush=True)
            lines.append(line)
    print(f"\n{measured}", file=sys.stderr)
    if arguments.write:
        write(lines, measured)


if __name__ == "__main__":
    main()
