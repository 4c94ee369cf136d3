"""A momentum copy of a network: its weights follow those of the network slowly.

Source: ALBEF, section 3.3, momentum 0.995.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


@torch.no_grad()
def follow(copy: nn.Module, network: nn.Module, momentum: float) -> None:
    """Set each weight of the copy to ``momentum`` of it and the rest of the network's; buffers are taken as they are.

    Args:
        copy: a network of the same shape, which is not trained.
        network: what it follows.
        momentum: share that stays, in [0, 1].
    """
    own, followed = list(copy.parameters()), [parameter.detach() for parameter in network.parameters()]
    average = get_ema_multi_avg_fn(momentum)  # type: ignore[no-untyped-call]
    average(own, followed, torch.zeros(()))
    for buffer, given in zip(copy.buffers(), network.buffers(), strict=True):
        buffer.copy_(given)
