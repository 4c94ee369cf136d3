"""Batches read ahead: threads prepare the next ones while one is computed with.

Threads and not processes: reading and copying release Python's lock, and a batch that is read in another process has to
be sent over, which takes longer than reading it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from mmfeat import Float32Array
from skesl.buffers import Buffers
from skesl.data import Batch

IntArray = npt.NDArray[np.int64]


class Clips(Protocol):
    """Clips that can be read a batch at a time: those of a ``ClipSet``, or what is made of them."""

    @property
    def clip_ids(self) -> tuple[str, ...]:
        """Names of the clips."""

    @property
    def labels(self) -> Float32Array:
        """Labels or target of each clip, shape (clip, label)."""

    def __len__(self) -> int: ...

    def batch(self, items: IntArray, buffers: Buffers | None = None) -> Batch:
        """Return some of them, padded; several threads may read at once."""


def read_ahead(
    clips: Clips, items: Iterable[IntArray], *, device: torch.device | str = "cpu", n_thread: int = 2
) -> Iterator[Batch]:
    """Yield the batches of some clips in the order of ``items``.

    A batch is to be used before the next one is asked for: its memory is used again then. Memory does not grow with the
    number of batches.

    Args:
        clips: where they are read.
        items: the clips of each batch.
        device: where the batches are wanted.
        n_thread: threads that read; 0 reads each batch when it is asked for.
    """
    transfer = _Transfer(torch.device(device))
    if n_thread == 0:
        buffers = transfer.buffers()
        yield from (transfer.moved(clips.batch(chosen, buffers)) for chosen in items)
        return
    ahead: deque[tuple[Future[Batch], Buffers]] = deque()
    waiting = iter(items)
    with ThreadPoolExecutor(n_thread, thread_name_prefix="reading") as pool:

        def read_next(buffers: Buffers) -> None:
            chosen = next(waiting, None)
            if chosen is not None:
                ahead.append((pool.submit(lambda: transfer.moved(clips.batch(chosen, buffers))), buffers))

        for _ in range(n_thread + 1):  # one more than threads: a batch lies ready while each thread reads another
            read_next(transfer.buffers())
        while ahead:
            future, buffers = ahead.popleft()
            yield future.result()
            read_next(buffers)


class _Transfer:
    """Moves batches to a device; on a GPU beside what is computed there, in a stream of its own."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._is_cuda = device.type == "cuda"
        self._computing = torch.cuda.current_stream(device) if self._is_cuda else None
        self._copying = torch.cuda.Stream(device) if self._is_cuda else None  # type: ignore[no-untyped-call]

    def buffers(self) -> Buffers:
        """Return memory to read into."""
        return Buffers(pinned=self._is_cuda)

    def moved(self, batch: Batch) -> Batch:
        """Return the batch on the device; when this returns, its first memory may be overwritten."""
        if self._computing is None or self._copying is None:
            return batch if self._device.type == "cpu" else batch.to(self._device)
        with torch.cuda.stream(self._copying):
            moved = batch.to(self._device, non_blocking=True)
        self._copying.synchronize()
        for tensor in moved.tensors():
            tensor.record_stream(self._computing)  # its memory is free only when the computing is done with it
        return moved
