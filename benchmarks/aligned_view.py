"""How fast the view word by word is: ``word_means`` beside a plain loop over words, with the largest difference."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from mmfeat.dataset.aligned import word_means
from mmfeat.dataset.open_stream import FrameBatch

HOP_S, CLIP_S, WORD_S = 0.032, 8.0, 0.3


def batch_of(n_clip: int, n_feature: int) -> tuple[FrameBatch, list[npt.NDArray[np.float64]]]:
    """Return clips of speech: frames on a grid, a tenth of them not valid, and words side by side."""
    rng = np.random.default_rng(0)
    n_frame = round(CLIP_S / HOP_S)
    edges_s = np.arange(0.0, CLIP_S, WORD_S)
    batch = FrameBatch(
        values=rng.normal(size=(n_clip * n_frame, n_feature)).astype(np.float32),
        times_s=np.tile(np.arange(n_frame) * HOP_S, n_clip),
        valid=rng.random(n_clip * n_frame) > 0.1,
        offsets=np.arange(n_clip + 1, dtype=np.int64) * n_frame,
    )
    return batch, [np.stack([edges_s[:-1], edges_s[1:]], axis=1)] * n_clip


def plain_loop(batch: FrameBatch, intervals_s: list[npt.NDArray[np.float64]]) -> npt.NDArray[np.float32]:
    """Return the same means, one word at a time."""
    rows = []
    for (first, last), words in zip(pairwise(batch.offsets.tolist()), intervals_s, strict=True):
        values, times_s, valid = batch.values[first:last], batch.times_s[first:last], batch.valid[first:last]
        for start_s, stop_s in words.round(6):
            inside = valid & (times_s.round(6) >= start_s) & (times_s.round(6) < stop_s)
            n_frame = max(int(inside.sum()), 1)
            rows.append(values[inside].astype(np.float64).sum(axis=0) / n_frame)
    return np.array(rows).astype(np.float32)


def cpu_s(call: Callable[[], object], n_round: int) -> float:
    """Return the median CPU time of a call in seconds."""
    times = []
    for _ in range(n_round):
        started = time.process_time()
        call()
        times.append(time.process_time() - started)
    return float(np.median(times))


def main() -> None:
    """Print times, ratio and difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    n_round = parser.parse_args().rounds
    print("| batch | mmfeat | loop / mmfeat | max abs difference |\n|---|---|---|---|")
    for n_clip, n_feature in ((1, 33), (32, 33), (32, 709)):
        batch, words = batch_of(n_clip, n_feature)
        ours = cpu_s(partial(word_means, batch, words), n_round)
        loop = cpu_s(partial(plain_loop, batch, words), n_round)
        difference = np.abs(word_means(batch, words).values - plain_loop(batch, words)).max()
        size = f"{n_clip} x {CLIP_S:g} s, {n_feature} columns"
        print(f"| {size} | {1000 * ours:.2f} ms | **{loop / ours:.1f}x** | {difference:g} |")


if __name__ == "__main__":
    main()
