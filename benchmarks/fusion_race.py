"""SKESL's fusion, released way and ours: the rows of the table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from plain_fusion import plain_fusion
from report import raced, ratio
from torch import Tensor

from skesl.nn.fusion import CrossmodalEncoder, FusionConfig

WIDTH, N_TOKEN = 768, 39
N_FRAME = {"audio": 400, "vision": 55}
N_FEATURE = {"audio": 33, "vision": 709}

Fuse = Callable[[], tuple[Tensor, Tensor]]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Outputs of the rows that count, and the gradient of every weight."""

    states: Tensor
    gradients: dict[str, Tensor]


def fusion_rows(n_clip: int, n_round: int) -> Iterator[str]:
    """Yield the rows of the table.

    Every clip has all 400 and 55 frames, so that masks gain nothing.
    """
    torch.set_num_threads(1)
    torch.manual_seed(0)
    encoder = CrossmodalEncoder(WIDTH, N_FEATURE, FusionConfig(dropout=0.0))
    text = torch.randn(n_clip, N_TOKEN, WIDTH)
    streams = {name: torch.randn(n_clip, N_FRAME[name], n) for name, n in N_FEATURE.items()}
    masks = {name: torch.ones(n_clip, n_frame, dtype=torch.bool) for name, n_frame in N_FRAME.items()}

    def released(n_read: int) -> Answer:
        fused = plain_fusion(encoder, text, streams, dict.fromkeys(streams))
        return _backward(encoder, fused[:, :n_read])

    def ours(n_read: int) -> Answer:
        return _backward(encoder, encoder(text[:, :n_read], streams, masks))

    for name, n_read in (("pretraining: the [MASK] row", 1), ("fine-tuning: 15 tokens", 15), ("fine-tuning: 39", 39)):
        yield race(f"fusion, {name}", partial(released, n_read), partial(ours, n_read), n_round)


def race(name: str, released: Callable[[], Answer], ours: Callable[[], Answer], n_round: int) -> str:
    """Return one row of a table: both in turn, the median of each, and how far they lie apart."""
    expected, found = released(), ours()
    times_s = raced([(released, ours)], n_round)
    released_ms, ours_ms = 1e3 * np.median(times_s[..., 0], axis=0)
    errors = f"outputs {_error(expected.states, found.states):.0e}, gradients {_worst(expected, found):.0e}"
    ratios = " | ".join(map(ratio, (times_s[:, 0] / times_s[:, 1]).T))
    return f"| {name} | {released_ms:.0f} ms | {ours_ms:.1f} ms | {ratios} | {errors} |"


def _backward(encoder: CrossmodalEncoder, states: Tensor) -> Answer:
    encoder.zero_grad(set_to_none=True)
    states.mean(dim=1).square().mean().backward()  # type: ignore[no-untyped-call]
    gradients = {name: weight.grad for name, weight in encoder.named_parameters() if weight.grad is not None}
    return Answer(states=states.detach(), gradients=gradients)


def _worst(expected: Answer, found: Answer) -> float:
    largest = max(float(gradient.abs().max()) for gradient in expected.gradients.values())
    differences = (
        float((gradient - found.gradients[name]).abs().max()) for name, gradient in expected.gradients.items()
    )
    return max(differences) / largest


def _error(expected: Tensor, found: Tensor) -> float:
    return float((expected - found).abs().max() / expected.abs().max())
