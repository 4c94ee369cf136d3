"""Rows of tensors from all the processes that train together; processes may have different numbers of rows."""

from __future__ import annotations

import torch
import torch.distributed
import torch.nn.functional as F
from torch import Tensor


def gather_rows(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Return the rows of every process, those of the first process in front; the tensors themselves where there is one.

    All processes must call this, with as many tensors each of the same row shapes and dtypes. No gradient flows through
    what other processes gave.

    Args:
        tensors: each of shape (row, …), all with the same number of rows, at least 1.
    """
    if not torch.distributed.is_initialized() or torch.distributed.get_world_size() == 1:
        return tensors
    n_process, n_row = torch.distributed.get_world_size(), len(tensors[0])
    sizes = [torch.zeros(1, dtype=torch.int64, device=tensors[0].device) for _ in range(n_process)]
    torch.distributed.all_gather(sizes, torch.tensor([n_row], device=tensors[0].device))
    counts = [int(size) for size in sizes]
    return tuple(_gathered(tensor.detach(), counts) for tensor in tensors)


def _gathered(tensor: Tensor, counts: list[int]) -> Tensor:
    """Return the rows of all processes; each sends as many as the one with the most has."""
    n_missing = max(counts) - len(tensor)
    padded = F.pad(tensor, (0, 0) * (tensor.ndim - 1) + (0, n_missing)).contiguous()
    received = [torch.empty_like(padded) for _ in counts]
    torch.distributed.all_gather(received, padded)
    return torch.cat([part[:count] for part, count in zip(received, counts, strict=True)])
