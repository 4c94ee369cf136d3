"""Which clips stand in which batch: a function of the seed and the epoch alone.

A run that is continued asks for the same epoch again and leaves out what is done; nothing has to be stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]

_BUCKETED = 50  # batches that are shuffled together before clips of similar length come together


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """What one process does for one batch.

    Args:
        items: int64, the clips that this process reads; never empty.
        n_clip: how many of them count; 0 where there were fewer clips than processes.
        weight: what the mean loss of ``items`` is multiplied with, so that the gradients of all parts of a step,
            averaged over the processes and added over the batches, are those of the mean over the step's clips.
        ends_step: the optimiser takes its step after this part.
    """

    items: IntArray
    n_clip: int
    weight: float
    ends_step: bool


def epoch_batches(
    n_clip: int,
    batch_size: int,
    *,
    seed: int,
    epoch: int,
    lengths: npt.NDArray[np.integer] | None = None,
    recordings: IntArray | None = None,
) -> list[IntArray]:
    """Return the clips of each batch of an epoch, shuffled; every clip stands in one batch.

    Args:
        n_clip: number of clips.
        batch_size: clips in a batch; the last batch may have fewer.
        seed: of the order.
        epoch: each epoch has an order of its own.
        lengths: shape (clip,); where given, batches hold clips of similar length.
        recordings: shape (clip,), number of the recording of each clip; where given, whole recordings are shuffled, and
            a batch holds as many as fill it. A recording stands in two batches where one ends inside it.
    """
    rng = np.random.default_rng((seed, epoch))
    order = rng.permutation(n_clip)
    if recordings is not None:
        _, numbers = np.unique(recordings, return_inverse=True)
        places = rng.permutation(int(numbers.max(initial=-1)) + 1)
        return _cut(order[np.argsort(places[numbers[order]], kind="stable")], batch_size)
    if lengths is None:
        return _cut(order, batch_size)
    sorted_runs = [run[np.argsort(lengths[run], kind="stable")] for run in _cut(order, _BUCKETED * batch_size)]
    batches = [batch for run in sorted_runs for batch in _cut(run, batch_size)]
    return [batches[index] for index in rng.permutation(len(batches))]


def group_numbers(names: Sequence[str]) -> IntArray:
    """Return a number for each name, equal for equal ones: the recording of each clip, shape (clip,)."""
    return np.unique(np.asarray(names, dtype=np.str_), return_inverse=True)[1].astype(np.int64).reshape(-1)


def parts_of(batches: list[IntArray], n_accumulated: int, *, process: int = 0, n_process: int = 1) -> list[Part]:
    """Return what one of several processes does for each batch.

    Args:
        batches: the clips of each batch.
        n_accumulated: batches that make one step; the last step takes what is left.
        process: index of the process.
        n_process: number of processes; each takes its share of every batch.
    """
    parts = []
    for first in range(0, len(batches), n_accumulated):
        group = batches[first : first + n_accumulated]
        n_group = sum(batch.size for batch in group)
        for place, batch in enumerate(group):
            own = batch[process::n_process]
            parts.append(
                Part(
                    items=own if own.size else batch[:1],
                    n_clip=own.size,
                    weight=n_process * own.size / n_group,
                    ends_step=place == len(group) - 1,
                )
            )
    return parts


def _cut(items: IntArray, size: int) -> list[IntArray]:
    return [items[start : start + size] for start in range(0, items.size, size)]
