"""Batches for training: skesl's reading of whole batches against the released loader, speed and equality in one row.

    python benchmarks/loading.py [--write] [--clips N] [--rounds N]

All ways run in this process, in turn: on one thread for the time of the processor, skesl again with its reading
threads for the time on the clock. The clips have the released shapes: 39 tokens, 400 x 33 of sound, 55 x 709 of
faces. The texts are MOSI's where ``MMFEAT_REAL_DATA`` names them, else random words of as many letters and words.
``--write`` puts the table into RESULTS.md.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"  # before numpy is imported
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import argparse  # noqa: E402
import resource  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
from collections.abc import Callable, Iterable, Iterator  # noqa: E402
from functools import partial  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import h5py  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from made_clips import STREAMS, write_clips  # noqa: E402
from released_loader import N_AUDIO_FRAME, N_TOKEN, N_VISION_FRAME, ReleasedDataset, padded, released_loader  # noqa: E402
from report import conditions, publish, ratio, seconds  # noqa: E402

from mmfeat import DatasetReader  # noqa: E402
from skesl import ClipSet, TextEncoder, load_lexicon, load_text_encoder  # noqa: E402
from skesl.batches import epoch_batches  # noqa: E402
from skesl.config import Stage  # noqa: E402
from skesl.loading import read_ahead  # noqa: E402

BATCH_SIZE = 32
_MOST_BYTES = N_VISION_FRAME * 709 * 4  # of one stream in a clip
ABOUT = (
    "One epoch in shuffled batches of 32. Released: the way of SKESL's released code, everything padded in memory as "
    "float64, every clip tokenised when it is asked for and turned into float32 tensors, stacked by torch's loader in "
    "the process that trains. skesl: `ClipSet` and `read_ahead` from a dataset file in the page cache. Copy alone: the "
    "system's `preadv` of the same frames into memory of one batch, clip by clip, which no loader that reads this file "
    "can beat. The difference is the largest one between the tokens, frames and labels of the two, over all clips."
)
HEADER = [
    "| stage | released | skesl | copy alone | ratio, time of the processor (quartiles) | skesl on the clock, 1 and 2 "
    "reading threads | ratio on the clock, 2 threads (quartiles) | max abs difference |",
    "|---|---|---|---|---|---|---|---|",
]


class Question:
    """One stage, loaded both ways."""

    def __init__(self, reader: DatasetReader, encoder: TextEncoder, stage: Stage) -> None:
        self.stage, self.n_clip = stage, reader.n_clip
        lexicon = load_lexicon() if stage == "pretrain" else {}
        indices = np.arange(reader.n_clip, dtype=np.int64)
        labels = reader.labels("sentiment").values
        self.clips = ClipSet(
            reader,
            indices,
            encoder,
            stage=stage,
            streams=STREAMS,
            labels=labels[:, None],
            lexicon=lexicon,
            max_text_tokens=N_TOKEN,
        )
        self._descriptor = os.open(reader.path, os.O_RDONLY)
        self._buffer = memoryview(bytearray(BATCH_SIZE * _MOST_BYTES))
        self._places = [_places(reader, name) for name in STREAMS]
        limits = dict(zip(STREAMS, (N_AUDIO_FRAME, N_VISION_FRAME), strict=True))
        audio, vision = (
            padded([reader.read(name, index).values for index in range(self.n_clip)], n) for name, n in limits.items()
        )
        hidden = lexicon if stage == "pretrain" else None
        dataset = ReleasedDataset(reader.texts, audio, vision, labels.tolist(), encoder.tokenizer, hidden)
        self.released, self.in_order = (released_loader(dataset, BATCH_SIZE, shuffle=on) for on in (True, False))

    def by_skesl(self, epoch: int, *, n_thread: int) -> None:
        """Load one epoch by skesl."""
        batches = epoch_batches(self.n_clip, BATCH_SIZE, seed=0, epoch=epoch)
        _consume(read_ahead(self.clips, batches, n_thread=n_thread))

    def copy_alone(self, epoch: int) -> None:
        """Let the system copy the frames of one epoch, and do nothing else."""
        order = np.concatenate(epoch_batches(self.n_clip, BATCH_SIZE, seed=0, epoch=epoch)).tolist()
        for places in self._places:
            for row, (begin, size) in enumerate(map(places.__getitem__, order)):
                place = row % BATCH_SIZE * _MOST_BYTES
                os.preadv(self._descriptor, [self._buffer[place : place + size]], begin)

    def difference(self) -> float:
        """Return the largest difference between the two, in what both define alike."""
        batches = [
            np.arange(first, min(first + BATCH_SIZE, self.n_clip)) for first in range(0, self.n_clip, BATCH_SIZE)
        ]
        pairs = zip(read_ahead(self.clips, batches, n_thread=0), self.in_order, strict=True)
        return max(self._difference(own, other) for own, other in pairs)

    def _difference(self, own: Any, other: Any) -> float:
        ids, _, attended, audio, vision, label, *_ = other
        found = [_largest(own.streams["audio"], audio), _largest(own.streams["vision"], vision)]
        if self.stage == "finetune":  # in pretraining the two hide other words
            found += [_largest(own.labels, label), _largest(own.input_ids, (ids * attended).squeeze(1))]
        return max(found)


def _places(reader: DatasetReader, stream: str) -> list[tuple[int, int]]:
    """Return the byte of the file at which the frames of each clip begin, and their bytes."""
    with h5py.File(reader.path) as file:
        values = file[f"streams/{stream}/values"]
        offsets = values.id.get_offset() + reader.offsets(stream) * values.dtype.itemsize * values.shape[1]
    return list(zip(offsets[:-1].tolist(), np.diff(offsets).tolist(), strict=True))


def _largest(own: torch.Tensor, other: torch.Tensor) -> float:
    """Return the largest difference where both are, and the largest value where only one is: that must be padding."""
    n = own.shape[1]
    return max(float((own - other[:, :n]).abs().max()), float(other[:, n:].abs().max()) if other.shape[1] > n else 0.0)


def _consume(batches: Iterable[Any]) -> None:
    for _ in batches:
        pass


def ask(question: Question, n_round: int) -> str:
    """Return one row of the table: all ways in turn, a ratio from each round."""
    ways: list[Callable[[int], None]] = [lambda _: _consume(question.released), question.copy_alone]
    ways += [partial(question.by_skesl, n_thread=n_thread) for n_thread in (0, 1, 2)]
    for way in ways[1:]:
        way(0)
    times = np.array([[seconds(partial(way, epoch)) for way in ways] for epoch in range(1, n_round + 1)])
    cpu_s, clock_s = times[..., 0], times[..., 1]
    released, copied, own, *_ = 1e6 * np.median(cpu_s, axis=0) / question.n_clip
    one, two = question.n_clip / np.median(clock_s[:, 3:], axis=0)
    return (
        f"| {question.stage} | {released:.0f} µs a clip | {own:.1f} µs | {copied:.1f} µs "
        f"| {ratio(cpu_s[:, 0] / cpu_s[:, 2])} | {one:,.0f} and {two:,.0f} clips/s "
        f"| {ratio(clock_s[:, 0] / clock_s[:, 4])} | {question.difference():g} |"
    )


def memory(path: Path, encoder: TextEncoder) -> str:
    """Return what an epoch and a clip take in memory."""
    with DatasetReader(path) as reader:
        clips = ClipSet(
            reader,
            np.arange(reader.n_clip, dtype=np.int64),
            encoder,
            stage="pretrain",
            streams=STREAMS,
            labels=np.zeros((reader.n_clip, 1), dtype=np.float32),
            lexicon=load_lexicon(),
            max_text_tokens=N_TOKEN,
        )
        _consume(read_ahead(clips, epoch_batches(1_000, BATCH_SIZE, seed=0, epoch=0)))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for epoch in range(3):
            _consume(read_ahead(clips, epoch_batches(reader.n_clip, BATCH_SIZE, seed=0, epoch=epoch)))
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        return (
            f"Memory: the texts take {clips.n_byte / reader.n_clip:.0f} bytes a clip, the frames none: after 1,000 "
            f"clips, three epochs of {reader.n_clip:,} clips ({path.stat().st_size / 1e9:.1f} GB) raised the peak by "
            f"{grown / 1024:.0f} MB."
        )


def table(path: Path, encoder: TextEncoder, n_round: int) -> Iterator[str]:
    """Yield the lines of the table as they are known."""
    yield from HEADER
    with DatasetReader(path) as reader:
        stages: tuple[Stage, ...] = ("finetune", "pretrain")
        for stage in stages:
            yield ask(Question(reader, encoder, stage), n_round)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=1_284, help="clips of the table; MOSI's train part by default")
    parser.add_argument("--rounds", type=int, default=11, help="of which medians and quartiles are taken")
    parser.add_argument("--write", action="store_true", help="put the table into RESULTS.md")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    measured = f"{conditions(('mmfeat', 'torch', 'transformers', 'numpy', 'h5py'))}."
    encoder = load_text_encoder("minilm-l6")  # BERT's own vocabulary and tokenizer
    with tempfile.TemporaryDirectory() as name:
        used = memory(write_clips(Path(name, "many.h5"), 8 * arguments.clips), encoder)
        lines = []
        for line in table(write_clips(Path(name, "clips.h5"), arguments.clips), encoder, arguments.rounds):
            print(line, flush=True)
            lines.append(line)
    print(f"\n{used}\n{measured}", file=sys.stderr)
    if arguments.write:
        rounds = f"{arguments.rounds} rounds in turn, {arguments.clips:,} clips"
        made_by = f"{used} {rounds}. Made by `make bench-loading`: {measured}"
        publish("## Batches for training", "bench-loading", ABOUT, lines, made_by)


if __name__ == "__main__":
    main()
