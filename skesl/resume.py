"""Checkpoints of a training under way: what a killed run needs to end as if it had not been killed.

A checkpoint is a folder ``checkpoints/epoch-000003-batch-000120`` in the run folder with ``weights.safetensors``,
``optimiser.safetensors`` and ``state.json``; it appears whole or not at all, and nothing in it is unpickled. It says
how many epochs and batches are done; which clips come next and which random numbers they meet follow from that and the
seed.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save

from mmfeat import defined
from skesl.checkpoint import CHECKPOINT_NAMES, RunFolder, weights_of
from skesl.errors import CheckpointError
from skesl.methods import Method

_PART = ".part"
_ERRORS = (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError)


@dataclass(kw_only=True)
class Progress:
    """How far a training is.

    Args:
        epoch: the epoch under way, from 1.
        batch: batches of it that are done.
        step: steps of the optimiser since the beginning.
        loss_sum: sum of the losses of the epoch's clips so far.
        n_clip: number of these clips.
        best_epoch: the epoch whose weights are kept, 0 for none.
        best_values: its validation values.
        best_loss: its training loss.
        scaler: state of the loss scaling, with fp16.
    """

    epoch: int = 1
    batch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    n_clip: int = 0
    best_epoch: int = 0
    best_values: dict[str, float] = field(default_factory=dict)
    best_loss: float = math.nan
    scaler: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Progress:
        """Return what ``state.json`` says; null is NaN."""
        progress = cls(**values)
        progress.best_values = {name: _number(value) for name, value in progress.best_values.items()}
        progress.best_loss = _number(progress.best_loss)
        return progress


class CheckpointStore:
    """The checkpoints of one run, and the weights of its best epoch.

    Args:
        folder: the run folder.
        n_kept: how many checkpoints are kept.
    """

    def __init__(self, folder: RunFolder, *, n_kept: int) -> None:
        self._folder = folder
        self._n_kept = n_kept

    def save(self, progress: Progress, method: Method, optimiser: torch.optim.Optimizer) -> None:
        """Write a checkpoint; older ones than the last few are removed."""
        target = self._folder.checkpoints / f"epoch-{progress.epoch:06d}-batch-{progress.batch:06d}"
        unfinished = target.with_name(target.name + _PART)
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        tensors, groups = flat_state(optimiser.state_dict())
        _write(unfinished / "weights.safetensors", save(weights_of(method, for_training=True)))
        _write(unfinished / "optimiser.safetensors", save(tensors))
        state = {"progress": defined(asdict(progress)), "param_groups": groups}
        _write(unfinished / "state.json", (json.dumps(state, indent=2, allow_nan=False) + "\n").encode())
        shutil.rmtree(target, ignore_errors=True)  # of a run that came as far, and was continued from before it
        unfinished.rename(target)
        _flush(self._folder.checkpoints)
        self._prune()

    def restore(self, method: Method) -> tuple[Progress, dict[str, Any]] | None:
        """Load the newest checkpoint's weights into a method; a damaged checkpoint gives way to the one before.

        Returns:
            How far the training was and the optimiser's state, or None where there is no checkpoint.

        Raises:
            CheckpointError: there are checkpoints, and none can be read.
        """
        faults = []
        for path in reversed(self._paths()):
            try:
                return self._read(path, method)
            except _ERRORS as error:
                faults.append(f"{path.name}: {str(error).splitlines()[0]}")
        if faults:
            raise CheckpointError(
                f"{self._folder.path}: expected a checkpoint to continue from, none of {len(faults)} can be read "
                f"({'; '.join(faults)}); begin anew with --overwrite"
            )
        return None

    def save_best(self, progress: Progress, method: Method) -> None:
        """Write ``weights.safetensors``; the former ones stay beside the checkpoints while one of these needs them."""
        weights = self._folder.weights
        unfinished = weights.with_name(weights.name + _PART)
        _write(unfinished, save(weights_of(method, for_training=False), metadata={"epoch": str(progress.best_epoch)}))
        former = epoch_of_weights(weights)
        if former in self._needed_epochs():
            weights.replace(self._best(former))
        unfinished.replace(weights)

    def restore_best(self, progress: Progress) -> None:
        """Make ``weights.safetensors`` that of the best epoch, as it was at the checkpoint.

        Raises:
            CheckpointError: they are lost.
        """
        best = self._best(progress.best_epoch)
        if epoch_of_weights(self._folder.weights) == progress.best_epoch:
            return
        if progress.best_epoch == 0:
            self._folder.weights.unlink(missing_ok=True)
        elif best.exists():
            best.replace(self._folder.weights)
        else:
            raise CheckpointError(
                f"{self._folder.weights}: expected the weights of epoch {progress.best_epoch}, which the checkpoint "
                "speaks of; begin anew with --overwrite"
            )

    def _read(self, path: Path, method: Method) -> tuple[Progress, dict[str, Any]]:
        state = json.loads((path / "state.json").read_text(encoding="utf-8"))
        progress = Progress.from_json(state["progress"])
        optimiser = nested_state(load_file(path / "optimiser.safetensors"), state["param_groups"])
        method.load_state_dict(load_file(path / "weights.safetensors"))
        return progress, optimiser

    def _paths(self) -> list[Path]:
        """Return the finished checkpoints, oldest first."""
        return sorted(self._folder.checkpoints.glob(CHECKPOINT_NAMES))

    def _needed_epochs(self) -> set[int]:
        """Return the best epochs that the checkpoints speak of."""
        epochs = set()
        for path in self._paths():
            try:
                state = json.loads((path / "state.json").read_text(encoding="utf-8"))
                epochs.add(int(state["progress"]["best_epoch"]))
            except _ERRORS:  # it cannot be continued from, so it needs nothing
                continue
        return epochs - {0}

    def _best(self, epoch: int) -> Path:
        return self._folder.checkpoints / f"best-{epoch:06d}.safetensors"

    def _prune(self) -> None:
        for path in self._paths()[: -self._n_kept]:
            shutil.rmtree(path)
        for path in self._folder.checkpoints.glob(f"epoch-*{_PART}"):
            shutil.rmtree(path)
        needed = {self._best(epoch) for epoch in self._needed_epochs()}
        current = epoch_of_weights(self._folder.weights)
        for path in self._folder.checkpoints.glob("best-*.safetensors"):
            if path not in needed or path == self._best(current):
                path.unlink()


def epoch_of_weights(path: Path) -> int:
    """Return the epoch that a file of weights is of, 0 where there is none."""
    try:
        with safe_open(path, framework="pt") as file:
            return int((file.metadata() or {}).get("epoch", 0))
    except _ERRORS:
        return 0


def flat_state(state: Mapping[str, Any]) -> tuple[dict[str, torch.Tensor], list[dict[str, Any]]]:
    """Return an optimiser's state as named tensors, and its groups as plain values."""
    tensors = {}
    for number, values in state["state"].items():
        for name, value in values.items():
            tensors[f"{number}.{name}"] = torch.as_tensor(value).detach().cpu().contiguous()
    return tensors, [dict(group) for group in state["param_groups"]]


def nested_state(tensors: Mapping[str, torch.Tensor], groups: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what ``flat_state`` took apart."""
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, tensor in tensors.items():
        number, _, name = key.partition(".")
        state.setdefault(int(number), {})[name] = tensor
    pairs = {"betas"}  # JSON has no tuples
    return {
        "state": state,
        "param_groups": [{name: tuple(v) if name in pairs else v for name, v in group.items()} for group in groups],
    }


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _write(path: Path, content: bytes) -> None:
    """Write a file and wait until it is on the disk."""
    with path.open("wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())


def _flush(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
