"""Ask a function of a batch about many clips, shared among the processes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from skesl.data import Batch
from skesl.loading import Clips, read_ahead
from skesl.processes import n_process, process_index, summed


def over_clips(
    function: Callable[[Batch], Tensor],
    clips: Clips,
    *,
    width: int,
    batch_size: int,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Return what a function says of each clip, in the order of ``clips``, without gradients.

    Several processes take every so many batches each; all of them return the rows of all clips, each computed once.

    Args:
        function: returns shape (clip, width) of a batch.
        clips: what it is asked about.
        width: columns of its answer.
        batch_size: clips that it gets at once.
        device: where it wants them.

    Returns:
        float64, shape (clip, width), on the CPU.
    """
    batches = [np.arange(first, min(first + batch_size, len(clips))) for first in range(0, len(clips), batch_size)]
    own = batches[process_index() :: n_process()]
    values = torch.zeros((len(clips), width), dtype=torch.float64)
    with torch.inference_mode():
        for items, batch in zip(own, read_ahead(clips, own, device=device), strict=True):
            values[items] = function(batch).cpu().double()
    # Each clip was asked about in one process and is 0 in the others.
    return summed(values.to(device)).cpu() if n_process() > 1 else values
