"""Training on a GPU: clips per second of both stages, and what bounds them.

    python benchmarks/gpu_training.py [--shape bert-base] [--clips N] [--rounds N] [--write]

Whole steps in bf16 (text encoder, fusion, head, gradients, fused AdamW) on batches that lie in the GPU's memory, with
and without ``torch.compile``; beside them what the loader gives to the GPU, and the device's own rate of bf16 matrix
products, measured here. Without a CUDA device it says so and ends.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from made_clips import STREAMS, write_clips
from report import conditions, publish
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModel

from mmfeat import DatasetReader
from skesl import ClipSet, TextEncoder, load_lexicon, load_text_encoder
from skesl.batches import epoch_batches
from skesl.config import Stage, TrainConfig
from skesl.data import Batch
from skesl.loading import read_ahead
from skesl.methods.skesl import Skesl
from skesl.methods.skesl_config import SkeslConfig
from skesl.normalise import FeatureNormaliser
from skesl.task import Task
from skesl.text import text_encoder_config

N_FEATURE = {"audio": 33, "vision": 709}
N_BATCH = 4  # that the GPU goes through again and again
MOST_TOKENS = 39
IDLE = 0.8  # a GPU that works less than this share of the time waits for the next launch
STAGES: tuple[Stage, ...] = ("finetune", "pretrain")
ABOUT = (
    "Whole steps in bf16 on batches of clips of the released lengths, texts of like length together, in the GPU's "
    "memory. Busy: the share of the time in which the GPU computes. Arithmetic: the step's matrix products against the "
    "rate that the same GPU reaches in one large product. Loader: what `read_ahead` puts into the GPU's memory from a "
    "file in the page cache. The bound is the loader where it gives fewer clips than the steps take, the launches "
    "where the GPU is busy less than four fifths of the time, else the arithmetic and the memory of the GPU."
)
HEADER = [
    "| text encoder | stage | clips a batch | `torch.compile` | steps | busy | arithmetic | loader | bound |",
    "|---|---|---|---|---|---|---|---|---|",
]


@dataclass(frozen=True, kw_only=True)
class Steps:
    """Seconds and matrix operations of one step, the share of the time in which the device works, and its clips."""

    step_s: float
    n_operation: float
    busy: float
    n_clip: float

    @property
    def clips_per_s(self) -> float:
        """Clips that are trained on in a second."""
        return self.n_clip / self.step_s

    @property
    def operations_per_s(self) -> float:
        """Rate of the matrix products, one multiplication with its addition counted as two."""
        return self.n_operation / self.step_s


def wait_for(device: torch.device) -> None:
    """Wait until the device has done what it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def median_s(work: Callable[[], object], device: torch.device, *, n_round: int) -> float:
    """Return the median time of a call on the clock, until the device is done."""
    times_s = []
    for _ in range(n_round):
        wait_for(device)
        begin_s = time.perf_counter()
        work()
        wait_for(device)
        times_s.append(time.perf_counter() - begin_s)
    return float(np.median(times_s))


def product_rate(device: torch.device, *, size: int = 8192, n_round: int = 20) -> float:
    """Return the operations per second of one large bf16 matrix product of random numbers."""
    left, right = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    torch.mm(left, right)
    return 2 * size**3 / median_s(lambda: torch.mm(left, right), device, n_round=n_round)


def clip_set(reader: DatasetReader, encoder: TextEncoder, stage: Stage) -> ClipSet:
    """Return the clips of the file for one stage."""
    return ClipSet(
        reader,
        np.arange(reader.n_clip, dtype=np.int64),
        encoder,
        stage=stage,
        streams=STREAMS,
        labels=reader.labels("sentiment").values[:, None],
        lexicon=load_lexicon() if stage == "pretrain" else {},
        max_text_tokens=MOST_TOKENS,
    )


def bucketed(clips: ClipSet, batch_size: int, epoch: int) -> list[Any]:
    """Return the whole batches of an epoch, texts of like length together."""
    batches = epoch_batches(len(clips), batch_size, seed=0, epoch=epoch, lengths=clips.n_tokens)
    return [batch for batch in batches if len(batch) == batch_size]


def loader_rate(clips: ClipSet, batch_size: int, device: torch.device, *, n_round: int = 5) -> float:
    """Return how many clips a second the loader puts into the device's memory."""
    epochs = itertools.count()

    def load() -> None:
        items = bucketed(clips, batch_size, next(epochs))
        for _ in read_ahead(clips, items, device=device, n_thread=os.cpu_count() or 2):
            pass

    load()
    n_clip = len(clips) // batch_size * batch_size
    return n_clip / median_s(load, device, n_round=n_round)


def held_batches(clips: ClipSet, batch_size: int, device: torch.device) -> list[Batch]:
    """Return some batches of an epoch in the device's memory."""
    chosen = bucketed(clips, batch_size, 0)[:N_BATCH]
    return [clips.batch(items).to(device) for items in chosen]


def make_method(config: Any, stage: Stage, device: torch.device) -> Skesl:
    """Return SKESL around a text encoder of a shape, with random weights, ready for a stage."""
    normalisers = {name: FeatureNormaliser(map(str, range(n))) for name, n in N_FEATURE.items()}
    method = Skesl(
        SkeslConfig(normalise_features=False),
        text_encoder=AutoModel.from_config(config),
        text_width=config.hidden_size,
        normalisers=normalisers,
        task=Task(),
    )
    method.start_stage(stage)
    return method.to(device).train()


def measure(
    method: Skesl, stage: Stage, batches: Sequence[Batch], device: torch.device, *, is_compiled: bool, n_round: int
) -> Steps:
    """Train on the batches again and again, and return what a step takes."""
    optimiser = torch.optim.AdamW(method.parameter_groups(TrainConfig()), fused=True)
    model: Any = torch.compile(method, dynamic=True) if is_compiled else method

    def step(run: Any, batch: Batch) -> None:
        with torch.autocast(device.type, dtype=torch.bfloat16):
            loss = run(batch, stage)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()

    def go_through() -> None:
        for batch in batches:
            step(model, batch)

    with FlopCounterMode(display=False) as counter:
        for batch in batches:
            step(method, batch)
    for _ in range(3):  # compiles, and chooses among the ways to multiply
        go_through()
    epoch_s = median_s(go_through, device, n_round=n_round)
    n = len(batches)
    return Steps(
        step_s=epoch_s / n,
        n_operation=counter.get_total_flops() / n,
        busy=busy_s(go_through, device) / epoch_s,
        n_clip=float(np.mean([len(batch) for batch in batches])),
    )


def busy_s(work: Callable[[], object], device: torch.device) -> float:
    """Return the time in which the device computes in a call: that of its kernels, on a processor that of operators."""
    is_cuda = device.type == "cuda"
    with profile(activities=[ProfilerActivity.CUDA if is_cuda else ProfilerActivity.CPU]) as seen:
        work()
        wait_for(device)
    name = "self_device_time_total" if is_cuda else "self_cpu_time_total"
    return float(sum(getattr(event, name) for event in seen.key_averages())) / 1e6


def bound(steps: Steps, loaded_per_s: float) -> str:
    """Return what keeps the training from being faster."""
    if loaded_per_s < steps.clips_per_s:
        return "loader"
    return "launches" if steps.busy < IDLE else "arithmetic"


def rows(
    path: Path, encoder: TextEncoder, shapes: Sequence[str], batch_sizes: Sequence[int], n_round: int
) -> Iterator[str]:
    """Yield the rows of the table."""
    device = torch.device("cuda")
    rate = product_rate(device)
    with DatasetReader(path) as reader:
        for stage, n_clip in itertools.product(STAGES, batch_sizes):
            clips = clip_set(reader, encoder, stage)
            loaded_per_s, batches = loader_rate(clips, n_clip, device), held_batches(clips, n_clip, device)
            for shape, is_compiled in itertools.product(shapes, (False, True)):
                method = make_method(text_encoder_config(shape), stage, device)
                steps = measure(method, stage, batches, device, is_compiled=is_compiled, n_round=n_round)
                yield (
                    f"| {shape} | {stage} | {n_clip} | {'yes' if is_compiled else 'no'} | {steps.clips_per_s:,.0f} "
                    f"clips/s | {steps.busy:.0%} | {steps.operations_per_s / rate:.0%} of {rate / 1e12:.0f} TFLOP/s "
                    f"| {loaded_per_s:,.0f} clips/s | {bound(steps, loaded_per_s)} |"
                )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", action="append", choices=("bert-base", "bert-large"), help="both by default")
    parser.add_argument("--batch", action="append", type=int, help="clips a batch; 32 and 256 by default")
    parser.add_argument("--clips", type=int, default=2_048, help="in the file")
    parser.add_argument("--rounds", type=int, default=10, help="of which the median is taken")
    parser.add_argument("--write", action="store_true", help="put the table into RESULTS.md")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("gpu_training.py: expected a CUDA device, torch finds none; run it on a machine with a GPU")
    shapes, batch_sizes = arguments.shape or ["bert-base", "bert-large"], arguments.batch or [32, 256]
    lines = list(HEADER)
    print("\n".join(lines), flush=True)
    with tempfile.TemporaryDirectory() as name:
        path = write_clips(Path(name, "clips.h5"), arguments.clips)
        for row in rows(path, load_text_encoder("minilm-l6"), shapes, batch_sizes, arguments.rounds):
            print(row, flush=True)
            lines.append(row)
    gpu = torch.cuda.get_device_name()
    made_by = f"Made by `make bench-gpu`: {gpu}; {conditions(('mmfeat', 'torch', 'transformers'))}."
    if arguments.write:
        publish("## Training on a GPU", "bench-gpu", ABOUT, lines, made_by)


if __name__ == "__main__":
    main()
