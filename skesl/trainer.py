"""The one training loop, for every method.

It runs epochs, keeps the weights of the best one, and stops early; it knows nothing of any method. Device,
processes and mixed precision are accelerate's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sized
from dataclasses import dataclass
from typing import Any, cast

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import set_seed
from torch.utils.data import DataLoader

from mmfeat import Track, untracked
from mmfeat.errors import ConfigError
from skesl.checkpoint import RunFolder, save_weights
from skesl.config import SELECTION_METRICS, Stage, TrainConfig
from skesl.data import Batch, ClipSet, Sample, collate
from skesl.errors import MethodError
from skesl.methods import Method

Validate = Callable[[Method], dict[str, float]]


@dataclass(frozen=True, kw_only=True)
class FitResult:
    """What training ended with: the epoch that was kept, its values, and how many epochs were run."""

    best_epoch: int
    best_values: dict[str, float]
    n_epochs: int


def fit(
    method: Method,
    stage: Stage,
    clips: ClipSet,
    config: TrainConfig,
    folder: RunFolder,
    *,
    validate: Validate | None = None,
    track: Track[Batch] = untracked,
) -> FitResult:
    """Train a method and leave the best weights in ``folder``; ``method`` itself ends with the last epoch's.

    Without ``validate`` the last epoch is kept, else the one with the best ``config.selection_metric``.

    Args:
        method: on the CPU; it is trained on the device that ``config`` names.
        stage: pretrain or finetune.
        clips: the training clips of that stage.
        config: settings of training.
        folder: gets one line an epoch in ``metrics.jsonl`` and ``weights.safetensors``.
        validate: returns the metrics of the validation part.
        track: shows progress.

    Raises:
        MethodError: the method does not declare the stage, or its loss is not finite.
    """
    set_seed(config.seed)
    accelerator = _accelerator(config)
    method.start_stage(stage)
    optimiser = torch.optim.AdamW(method.parameter_groups(config), weight_decay=config.weight_decay, fused=True)
    model, optimiser, loader = accelerator.prepare(method, optimiser, _loader(clips, config))
    best_epoch, epoch = 0, 0
    best_values: dict[str, float] = {}
    for epoch in range(1, config.n_epochs + 1):
        loader.set_epoch(epoch)  # and, through it, the clips' own: other words are hidden
        loss = _train_epoch(accelerator, model, optimiser, loader, stage, config, track, epoch)
        method.on_epoch_end(epoch)
        values = validate(method.eval()) if validate is not None else {}
        folder.log({"stage": stage, "epoch": epoch, "loss": loss, **values})
        if validate is None or _is_better(values, best_values, config.selection_metric):
            best_epoch, best_values = epoch, values
            save_weights(method, folder)
        elif config.patience and epoch - best_epoch >= config.patience:
            break
    return FitResult(best_epoch=best_epoch, best_values=best_values, n_epochs=epoch)


def choose_device(name: str) -> torch.device:
    """Return the device that ``name`` means; ``auto`` takes a GPU where there is one.

    Raises:
        ConfigError: the name is unknown or the device is not there.
    """
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device("cuda" if there["cuda"] else "mps" if there["mps"] else "cpu")
    if not there.get(name, False):
        usable = ", ".join(device for device, usable in there.items() if usable)
        raise ConfigError(f"device: expected auto or one of {usable} on this machine, got {name!r}")
    return torch.device(name)


def _accelerator(config: TrainConfig) -> Accelerator:
    device = choose_device(config.device)
    if not torch.distributed.is_initialized():
        # accelerate keeps device and precision of a process's first training; each of ours has its own.
        AcceleratorState._reset_state(reset_partial_state=True)
    return Accelerator(cpu=device.type == "cpu", mixed_precision=config.precision)


def _loader(clips: ClipSet, config: TrainConfig) -> DataLoader[Sample]:
    """Return shuffled batches; the order depends on the seed alone."""
    generator = torch.Generator().manual_seed(config.seed)
    return DataLoader(
        clips,
        batch_size=config.batch_size,
        shuffle=True,
        collate_fn=cast("Any", collate),
        generator=generator,
    )


def _train_epoch(
    accelerator: Accelerator,
    model: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    loader: Any,
    stage: Stage,
    config: TrainConfig,
    track: Track[Batch],
    epoch: int,
) -> float:
    """Run one epoch and return the mean loss of its clips."""
    model.train()
    total, n_clip = 0.0, 0
    for batch in track(loader, len(cast("Sized", loader)), f"{stage} epoch {epoch}/{config.n_epochs}"):
        loss = model(batch, stage)
        if not torch.isfinite(loss):
            raise MethodError(f"{stage} epoch {epoch}: the loss is {loss.item()} for clips {', '.join(batch.clip_ids)}")
        optimiser.zero_grad()
        accelerator.backward(loss)
        if config.max_gradient_norm:
            accelerator.clip_grad_norm_(model.parameters(), config.max_gradient_norm)
        optimiser.step()
        total += loss.item() * len(batch)
        n_clip += len(batch)
    return total / n_clip


def _is_better(values: dict[str, float], best: dict[str, float], metric: str) -> bool:
    """Return whether ``values`` beat ``best``; NaN (r of a constant prediction) beats nothing."""
    if not best:
        return True
    if math.isnan(values[metric]):
        return False
    if math.isnan(best[metric]):
        return True
    larger_is_better = SELECTION_METRICS[metric]
    return values[metric] > best[metric] if larger_is_better else values[metric] < best[metric]
