"""A dataset of a million clips: memory of the writer, and how long opening, describing and reading take.

    python benchmarks/million_clips.py [--clips N] [--folder FOLDER]

The clips have one stream of 3 to 7 frames of 4 features, texts, a label and a split scheme. The same is written for
1,000 clips, and reading a random clip is compared between the two files.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from mmfeat import (
    ClipEntry,
    ClipFeatures,
    DatasetInfo,
    DatasetReader,
    DatasetWriter,
    FrameFeatures,
    LabelInfo,
    Split,
    StreamFailure,
    StreamInfo,
    StreamStatus,
    describe,
)

SMALL = 1_000
N_READ = 2_000
NAMES = ("a", "b", "c", "d")
UNITS = ("1", "1", "1", "1")
HOP_S = 0.032
STREAM = StreamInfo(
    name="audio",
    feature_names=NAMES,
    feature_units=UNITS,
    extractor="made",
    extractor_version="1",
    preset="custom",
    config={},
    hop_s=HOP_S,
)


def clips(n_clip: int) -> Iterator[ClipFeatures]:
    """Yield clips; every hundredth failed."""
    rng = np.random.default_rng(0)
    made = [_frames(rng, 3 + length) for length in range(5)]
    failure = StreamFailure(stream="audio", status=StreamStatus.EMPTY, message="expected sound, got 0 samples")
    for index in range(n_clip):
        failed = index % 100 == 99
        yield ClipFeatures(
            entry=ClipEntry(
                clip_id=f"recording_{index // 20:06d}/clip_{index % 20:02d}",
                recording_id=f"recording_{index // 20:06d}",
                speaker_id=f"speaker_{index // 1000}",
                position=index % 20,
                splits={"default": Split(index // 20 % 3)},
                text=f"This is what is said in clip number {index}." if index % 2 else "",
                labels={"joy": index % 7 - 3.0},
            ),
            streams={} if failed else {"audio": made[index % 5]},
            failures=(failure,) if failed else (),
            duration_s=0.2,
            source_sha256=f"{index:064x}",
        )


def _frames(rng: np.random.Generator, n_frame: int) -> FrameFeatures:
    return FrameFeatures(
        values=rng.normal(size=(n_frame, len(NAMES))).astype(np.float32),
        times_s=np.arange(n_frame, dtype=np.float64) * HOP_S,
        names=NAMES,
        units=UNITS,
        valid=np.ones(n_frame, dtype=np.bool_),
        hop_s=HOP_S,
    )


def write(path: Path, n_clip: int) -> None:
    """Write a file of so many clips."""
    labels = [LabelInfo(name="joy", value_range=(-3.0, 3.0))]
    info = DatasetInfo(name="made")
    with DatasetWriter(path, info=info, streams=[STREAM], labels=labels, schemes=["default"]) as writer:
        for clip in clips(n_clip):
            writer.write(clip)


def seconds(call: Callable[[], object]) -> float:
    """Return the CPU time of a call, the fastest of three: what a busy machine changes least."""
    times_s = []
    for _ in range(3):
        start_s = time.process_time()
        call()
        times_s.append(time.process_time() - start_s)
    return min(times_s)


def open_and_close(path: Path) -> None:
    """Open a file and read its first clip."""
    with DatasetReader(path) as reader:
        reader.read("audio", 0)


def read_time_s(path: Path) -> float:
    """Return how long reading a random clip takes, once the file is open."""
    with DatasetReader(path) as reader:
        order = np.random.default_rng(0).integers(0, reader.n_clip, N_READ)

        def read_all() -> None:
            for index in order:
                reader.read("audio", int(index))

        return seconds(read_all) / N_READ


def peak_mb() -> float:
    """Return the most memory that this process has had."""
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1e3


def measure(n_clip: int, folder: Path) -> dict[str, float]:
    """Return what was measured, by name."""
    large, small = folder / "large.h5", folder / "small.h5"
    start_s = time.perf_counter()
    write(large, n_clip)
    found = {"n_clip": n_clip, "write_s": time.perf_counter() - start_s, "write_peak_mb": peak_mb()}
    write(small, SMALL)
    found["file_mb"] = large.stat().st_size / 1e6
    found["open_s"] = seconds(lambda: open_and_close(large))
    found["describe_s"] = seconds(lambda: describe(large))
    found["read_clip_us"] = 1e6 * read_time_s(large)
    found["read_clip_of_1000_us"] = 1e6 * read_time_s(small)
    found["n_failure"] = sum(describe(large)["failures"].values())
    return found


def main() -> None:
    """Print what was measured as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=1_000_000, help="how many")
    parser.add_argument(
        "--folder", type=Path, default=None, help="where the files are made; a temporary one if not given"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        print(json.dumps(measure(arguments.clips, Path(folder)), indent=2))


if __name__ == "__main__":
    main()
