"""The dataset file: writing and reading clips, mmfeat against one HDF5 group per clip and a padded pickle.

    python benchmarks/reading.py [--clips N] [--write]

All run in turn, on one thread but for the hash that the writer computes beside; what is read is in the page cache.
Reading is CPU time, writing is wall clock and ends when the file is on the disk. Memory is that of fresh processes. The
clips are made: noise, as long as those of MOSI. ``--write`` puts the tables into RESULTS.md and README.md.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # before numpy is imported

import argparse  # noqa: E402
import shutil  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Iterator, Sequence  # noqa: E402
from functools import partial  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
import numpy.typing as npt  # noqa: E402
from batch_loop import read_batches  # noqa: E402
from file_layouts import (  # noqa: E402
    LAYOUTS,
    Corpus,
    GroupPerClip,
    KnownOrder,
    Layout,
    Mmfeat,
    PaddedPickle,
    write_bare_bytes,
)
from peer_layouts import PEERS, absent, installed_packages, is_installed  # noqa: E402
from report import FOLDER, conditions, cpu_time_s, publish  # noqa: E402

N_ROUND = 7
COLUMNS = {"all 709 columns of faces": ("all",), "41 columns of faces": ("au", "pose")}
ABOUT = (
    "The same clips, 33 columns of sound and those of faces. One group per clip: `.csd` files of the CMU SDK, written "
    "and read with plain h5py. Padded pickle: MMSA's way, one array of (clip, longest clip, feature). Batches are 32 "
    "clips in random order; in the order of the file mmfeat takes 64 at a time. A padded batch is one array a stream; "
    "Arrow is mapped into memory and read with the padding, webdataset reads its tar files in their order and shuffles "
    "in memory. Writing is wall clock and ends when every file was flushed to the disk with fsync; mmfeat "
    "also computes the hash of the content, and writes around the page cache; plain writes go through it, 1 MiB a call."
)
HEADER = ["| clips | what | mmfeat | the other | ratio (quartiles) |", "|---|---|---|---|---|"]


def ask_for_writing(name: str, corpus: Corpus, folder: Path) -> Iterator[str]:
    """Yield the rows of writing: against one group per clip, and against the bytes alone."""
    writers: dict[str, Callable[[Path], None]] = {
        "mmfeat": lambda place: Mmfeat(place).write(corpus),
        "one group per clip": lambda place: GroupPerClip(place).write(corpus),
        "plain writes of the values": lambda place: write_bare_bytes(corpus, place),
    }
    rounds = np.array([[_wall_s(write, folder / "written") for write in writers.values()] for _ in range(N_ROUND)])
    for column, what in enumerate(writers):
        if column:
            yield _row(name, f"writing, against {what}", rounds[:, [0, column]], corpus.n_clip)


def _wall_s(write: Callable[[Path], None], place: Path) -> float:
    """Return how long it takes until everything is on the disk."""
    place.mkdir()
    start_s = time.perf_counter()
    write(place)
    for path in place.iterdir():
        with path.open("rb") as handle:
            os.fsync(handle.fileno())
    time_s = time.perf_counter() - start_s
    shutil.rmtree(place)
    return time_s


def ask_for_reading(name: str, corpus: Corpus, folder: Path) -> Iterator[str]:
    """Yield the rows of reading."""
    layouts = {layout: layout(folder / layout.__name__) for layout in LAYOUTS.values()}
    for layout in layouts.values():
        layout.folder.mkdir()
        layout.write(corpus)
    own, groups, pickled = (layouts[layout] for layout in (Mmfeat, GroupPerClip, PaddedPickle))
    with own.open() as own_handle, groups.open() as group_handle:
        batches = [partial(read_batches, own, own_handle), partial(read_batches, groups, group_handle)]
        yield _row(name, "batches, against one group per clip", _rounds(batches, corpus.n_clip), corpus.n_clip)
        passes = [partial(_read_all, own, own_handle), partial(_read_all, groups, group_handle)]
        yield _row(name, "in the order of the file, against one group per clip", _rounds(passes), corpus.n_clip)
        with pickled.open() as pickle_handle:
            padded = [
                partial(read_batches, own, own_handle, pad=True),
                partial(read_batches, pickled, pickle_handle, pad=True),
            ]
            yield _row(name, "padded batches, against a padded pickle", _rounds(padded, corpus.n_clip), corpus.n_clip)
        for peer in PEERS:
            if is_installed(peer):
                yield _against_peer(name, corpus, peer(folder / peer.__name__), padded[0])


def _against_peer(name: str, corpus: Corpus, peer: Layout, own: partial[None]) -> str:
    """Return the row of padded batches against another package."""
    peer.folder.mkdir()
    peer.write(corpus)
    with peer.open() as handle:
        rounds = _rounds([own, partial(read_batches, peer, handle, pad=True)], corpus.n_clip)
    shutil.rmtree(peer.folder)
    return _row(name, f"padded batches, against {peer.name}", rounds, corpus.n_clip)


def ask_for_memory(name: str, groups: tuple[str, ...], n_clip: int, folder: Path) -> Iterator[str]:
    """Yield the rows of the memory that batches take in fresh processes, of so many clips and of a quarter of them."""
    for number in (n_clip // 4, n_clip):
        peaks = []
        for layout in (Mmfeat, PaddedPickle):
            place = folder / f"{layout.__name__} {number}"
            place.mkdir()
            layout(place).write(Corpus(number, groups))
            command = [sys.executable, str(FOLDER / "batch_loop.py"), layout.name, str(place)]
            peaks.append(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
            shutil.rmtree(place)
        own_mb, other_mb = peaks
        yield (
            f"| {number:,} of {name} | peak memory of a process that reads batches, against a padded pickle | "
            f"{own_mb:,.0f} MB | {other_mb:,.0f} MB | **{other_mb / own_mb:.1f}x** |"
        )


def _read_all(layout: KnownOrder, handle: object, _seed: int) -> None:
    for _clips in layout.all_clips(handle):
        pass


def _rounds(ways: Sequence[partial[None]], *arguments: int) -> list[list[float]]:
    """Return CPU times, one row a round."""
    for way in ways:
        way(*arguments, 0)
    return [
        [cpu_time_s(partial(way, *arguments, seed), n_repeat=1)[0] for way in ways] for seed in range(1, 1 + N_ROUND)
    ]


def _row(name: str, what: str, rounds: Sequence[Sequence[float]] | npt.NDArray[np.float64], n_clip: int) -> str:
    own, other = np.array(rounds).T
    low, ratio, high = np.quantile(other / own, [0.25, 0.5, 0.75])
    own_per_s, other_per_s = n_clip / np.median(own), n_clip / np.median(other)
    return (
        f"| {n_clip:,} of {name} | {what} | {own_per_s:,.0f} clips/s | {other_per_s:,.0f} clips/s | "
        f"**{ratio:.1f}x** ({low:.1f} to {high:.1f}) |"
    )


def table(n_clip: int, folder: Path) -> Iterator[str]:
    """Yield the lines of the table as they are known."""
    yield from HEADER
    for name, groups in COLUMNS.items():
        place = folder / name
        place.mkdir()
        corpus = Corpus(n_clip, groups)
        yield from ask_for_reading(name, corpus, place)
        shutil.rmtree(place)
    for name, groups in COLUMNS.items():
        yield from ask_for_writing(name, Corpus(n_clip, groups), folder)
    name, groups = next(iter(COLUMNS.items()))
    yield from ask_for_memory(name, groups, n_clip, folder)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=2_000, help="how many to make")
    parser.add_argument("--write", action="store_true", help="put the table into RESULTS.md and README.md")
    arguments = parser.parse_args()
    measured = f"{conditions(('mmfeat', 'h5py', 'numpy', *installed_packages()))}."
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for line in table(arguments.clips, Path(folder)):
            print(line, flush=True)
            lines.append(line)
    print(f"\n{absent()}{measured}", file=sys.stderr)
    if arguments.write:
        made_by = f"{absent()}{N_ROUND} rounds in turn, medians. Made by `make bench-reading`: {measured}"
        publish("## Writing and reading", "bench-reading", ABOUT, lines, made_by, readme=True)


if __name__ == "__main__":
    main()
