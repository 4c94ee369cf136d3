"""How learning rates change in the course of training.

A schedule is a function of the step and the epoch alone, so a continued run needs no state of it.

==================== ==========================================================================================
``constant``         the learning rates as they were set; SKESL (ACL 2023 Findings) names no schedule
``linear``           rises from 0 over ``warmup_fraction`` of all steps, then falls to 0 one step behind the last
``cosine``           rises from 0 over ``warmup_fraction`` of all steps, then falls by half a cosine to
                     ``final_rate_fraction`` one step behind the last
``released-cosine``  half a cosine down over 20 epochs and up over the next 20, again and again: SKESL's released
                     code steps ``CosineAnnealingLR(T_max=20)`` once in each of 200 epochs (main.py:80,201)
==================== ==========================================================================================
"""

from __future__ import annotations

import math

from skesl.config import TrainConfig

_HALF_PERIOD = 20  # epochs


def rate_factor(config: TrainConfig, *, step: int, epoch: int, n_step: int) -> float:
    """Return what the learning rates are multiplied with, 0 to 1.

    Args:
        config: settings of training.
        step: steps that are done, 0 for the first.
        epoch: epochs that are done, 0 in the first.
        n_step: steps of the whole training.

    Example:
        >>> cosine = TrainConfig(schedule="released-cosine")
        >>> [rate_factor(cosine, step=0, epoch=epoch, n_step=1) for epoch in (0, 20, 40)]
        [1.0, 0.0, 1.0]
    """
    if config.schedule == "linear":
        return _linear(step, round(config.warmup_fraction * n_step), n_step)
    if config.schedule == "cosine":
        return _cosine(step, round(config.warmup_fraction * n_step), n_step, config.final_rate_fraction)
    if config.schedule == "released-cosine":
        return (1 + math.cos(math.pi * epoch / _HALF_PERIOD)) / 2
    return 1.0


def _linear(step: int, n_warmup: int, n_step: int) -> float:
    if step < n_warmup:
        return step / n_warmup
    return (n_step - step) / (n_step - n_warmup)


def _cosine(step: int, n_warmup: int, n_step: int, final: float) -> float:
    if step < n_warmup:
        return step / n_warmup
    done = (step - n_warmup) / max(1, n_step - n_warmup)
    return final + (1 - final) * (1 + math.cos(math.pi * done)) / 2
