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
import sys  # noqa: E402
import tempfile  # noqa: E402
import textwrap  # noqa: E402
import warnings  # noqa: E402
from collections.abc import Iterator, Sequence  # noqa: E402
from functools import partial  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
import whole_process  # noqa: E402
from questions import Clip, Question, beginning, error, questions, read_clip, synthetic_clip  # noqa: E402
from report import README, RESULTS, conditions, cpu_time_s, put  # noqa: E402

from mmfeat.audio import AudioFeatureConfig, prepare_engine  # noqa: E402

N_REPEAT = 7  # of mmfeat's short calls; librosa's are long enough for one
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
        mmfeat_s, answer = cpu_time_s(partial(question.by_mmfeat, clip), n_repeat=N_REPEAT)
        found.append(answer)
        librosa_s, answer = cpu_time_s(partial(question.by_librosa, clip), n_repeat=1)
        expected.append(answer)
        times_s.append((librosa_s, mmfeat_s))
    librosa_ms, mmfeat_ms = 1e3 * np.median(times_s, axis=0)
    low, ratio, high = np.quantile([one / other for one, other in times_s], [0.25, 0.5, 0.75])
    times = f"{librosa_ms:.1f} ms | {mmfeat_ms:.2f} ms | **{ratio:.0f}x** ({low:.0f} to {high:.0f})"
    return f"| {question.name} | {times} | {error(expected, found)} |"


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


def clips_in_words(clips: Sequence[Clip]) -> str:
    """Return how many clips there are, and how long."""
    lengths_s = sorted({f"{clip.waveform.duration_s:.2g}" for clip in clips}, key=float)
    length = lengths_s[0] if len(lengths_s) == 1 else f"{lengths_s[0]} to {lengths_s[-1]}"
    return f"{len(clips)} clips of {length} s"


def write(lines: Sequence[str], measured: str) -> None:
    """Put the table into the two documents."""
    made = (
        "CPU time of one thread, median over the clips, keeps most of a busy machine's noise out, not all of it: read "
        f"the ratios, not the milliseconds. Made by `make bench-extraction`: {measured}"
    )
    paragraphs = [textwrap.fill(ABOUT, 120), "\n".join(lines), textwrap.fill(made, 120)]
    for path, title in ((RESULTS, "## Audio features"), (README, README_TITLE)):
        put(path, title, "bench-extraction", "\n\n".join(paragraphs))


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
        packages = ("mmfeat", "librosa", "numpy", "numba")
        measured = f"{conditions(packages)}; {clips_in_words(clips)}."
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
