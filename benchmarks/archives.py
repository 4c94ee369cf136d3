"""Compressed dataset files of real OpenFace output: their size, and what they cost to write and to read.

    MMFEAT_REAL_DATA=… python benchmarks/archives.py [--clips N] [--write]

Sizes are those of whole files with all 709 columns. For the times the same clips are repeated until there are N of
them; what is read is in the page cache. All ways run in turn, on one thread. ``--write`` puts the table into
RESULTS.md.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"  # before numpy is imported

import argparse  # noqa: E402
import tempfile  # noqa: E402
from collections.abc import Iterator, Sequence  # noqa: E402
from functools import partial  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any, get_args  # noqa: E402

import numpy as np  # noqa: E402
import numpy.typing as npt  # noqa: E402
from report import conditions, cpu_time_s, publish  # noqa: E402

from mmfeat import (  # noqa: E402
    ClipEntry,
    Compression,
    DatasetReader,
    build_dataset,
    entries_from_paths,
    resolve_build_config,
    subset_dataset,
)

N_ROUND = 5
CORPORA = {"46 clips of GRID": "grid/openface", "13 talking heads": "talking/openface"}
WAYS: tuple[Compression, ...] = get_args(Compression)
BATCH, BLOCK = 32, 64
ABOUT = (
    "All 709 columns of real OpenFace files, stored in each of the ways that `--compression` names. The content, and "
    "its hash, are the same. Size is that of the whole file; the other figures are the CPU time of one thread against "
    "the plain file: writing a finished file anew (`mmfeat subset`, without its check of the input), batches of 32 "
    "clips in random order, and 64 clips at a time in the order of the file."
)
HEADER = [
    "| clips | stored | size | smaller | writing | batches | in order |",
    "|---|---|---|---|---|---|---|",
]


def table(data: Path, n_clip: int, folder: Path) -> Iterator[str]:
    """Yield the lines of the table as they are known."""
    yield from HEADER
    for name, place in CORPORA.items():
        entries = entries_from_paths([data / place], [".csv"], column="openface")
        once = _built(entries, folder / "once.h5")
        many = _built(_repeated(entries, n_clip), folder / "many.h5")
        sizes = {way: _stored(once, way).stat().st_size for way in WAYS}
        files = {way: many.with_name(f"{way}.h5") for way in WAYS}
        writing = _rounds([partial(_stored, many, way) for way in WAYS])
        batches = _rounds([partial(_read_batches, files[way]) for way in WAYS])
        in_order = _rounds([partial(_read_all, files[way]) for way in WAYS])
        for index, way in enumerate(WAYS):
            costs = [_cost(times_s, index) for times_s in (writing, batches, in_order)]
            smaller = sizes["none"] / sizes[way]
            yield f"| {name} | `{way}` | {sizes[way] / 1e6:.2f} MB | **{smaller:.1f}x** | {' | '.join(costs)} |"


def _built(entries: Sequence[ClipEntry], path: Path) -> Path:
    build_dataset(entries, path, resolve_build_config(overrides=['streams=["vision"]']), overwrite=True)
    return path


def _repeated(entries: Sequence[ClipEntry], n_clip: int) -> list[ClipEntry]:
    given = [entries[index % len(entries)] for index in range(n_clip)]
    return [ClipEntry(clip_id=f"{index}", openface=entry.openface) for index, entry in enumerate(given)]


def _stored(path: Path, way: Compression) -> Path:
    output = path.with_name(f"{way}.h5")
    subset_dataset(path, output, compression=way, overwrite=True, verify=False)
    return output


def _read_batches(path: Path) -> None:
    with DatasetReader(path) as reader:
        order = np.random.default_rng(0).permutation(reader.n_clip)
        for start in range(0, order.size, BATCH):
            reader.read_batch("vision", order[start : start + BATCH])


def _read_all(path: Path) -> None:
    with DatasetReader(path) as reader:
        for start in range(0, reader.n_clip, BLOCK):
            reader.read_batch("vision", range(start, min(reader.n_clip, start + BLOCK)))


def _rounds(ways: Sequence[partial[Any]]) -> npt.NDArray[np.float64]:
    """Return CPU times, one row a round; each way has run once before."""
    for way in ways:
        way()
    return np.array([[cpu_time_s(way, n_repeat=1)[0] for way in ways] for _ in range(N_ROUND)])


def _cost(times_s: npt.NDArray[np.float64], index: int) -> str:
    low, ratio, high = np.quantile(times_s[:, index] / times_s[:, 0], [0.25, 0.5, 0.75])
    return f"{ratio:.1f}x ({low:.1f} to {high:.1f})" if index else "1x"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=150, help="how many to read")
    parser.add_argument("--write", action="store_true", help="put the table into RESULTS.md")
    arguments = parser.parse_args()
    if "MMFEAT_REAL_DATA" not in os.environ:
        print("archives.py: skipped: MMFEAT_REAL_DATA names no folder; the decimals of made files say nothing")
        return
    measured = f"{conditions(('mmfeat', 'h5py', 'hdf5plugin', 'numpy'))}."
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for line in table(Path(os.environ["MMFEAT_REAL_DATA"]), arguments.clips, Path(folder)):
            print(line, flush=True)
            lines.append(line)
    if arguments.write:
        rounds = f"{N_ROUND} rounds in turn over {arguments.clips} clips, medians"
        made_by = f"{rounds}. Made by `make bench-archives`: {measured}"
        publish("## Compressed files", "bench-archives", ABOUT, lines, made_by)


if __name__ == "__main__":
    main()
