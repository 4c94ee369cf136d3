"""What a training writes down: a line for each epoch, lines of single steps, and curves for TensorBoard."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmfeat import MissingExtraError, defined, whole_lines
from skesl.checkpoint import RunFolder
from skesl.processes import is_first

Record = Mapping[str, Any]


class TrainingLog:
    """Writes ``metrics.jsonl``, ``steps.jsonl`` and, where wanted, ``tensorboard/`` into a run folder.

    Lines of steps and epochs that a killed run had not kept in a checkpoint are taken back: they come again.

    Args:
        folder: the run folder; only the first process writes into it.
        stage: pretrain or finetune.
        step: steps that are done.
        epoch: epochs that are done.
        tensorboard: write event files too.

    Raises:
        MissingExtraError: event files are wanted and the package ``tensorboard`` is not installed.
    """

    def __init__(self, folder: RunFolder, stage: str, *, step: int, epoch: int, tensorboard: bool) -> None:
        self._folder = folder
        self._stage = stage
        self._events = _event_writer(folder, step) if tensorboard else None
        if is_first():
            _keep_lines(folder.metrics, lambda line: line["epoch"] <= epoch)
            _keep_lines(folder.steps, lambda line: line["step"] <= step)

    def epoch(self, epoch: int, step: int, values: Record) -> None:
        """Write down the mean loss and the metrics of an epoch."""
        self._write(self._folder.metrics, {"stage": self._stage, "epoch": epoch, "step": step, **values}, step, "")

    def step(self, epoch: int, step: int, values: Record) -> None:
        """Write down one step."""
        self._write(self._folder.steps, {"stage": self._stage, "epoch": epoch, "step": step, **values}, step, "step_")

    def close(self) -> None:
        """Write what is left."""
        if self._events is not None:
            self._events.close()

    def _write(self, path: Path, record: Record, step: int, prefix: str) -> None:
        if not is_first():
            return
        with path.open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(defined(record), allow_nan=False) + "\n")
        if self._events is not None:
            for name, value in _curves(record):
                self._events.add_scalar(f"{self._stage}/{prefix}{name}", value, step)


def _curves(record: Record) -> list[tuple[str, float]]:
    """Return what can be drawn: numbers by name, those of a list by name and place."""
    curves: list[tuple[str, float]] = []
    for name, value in record.items():
        if isinstance(value, Sequence) and not isinstance(value, str):
            curves += [(f"{name}_{place}", item) for place, item in enumerate(value)]
        elif isinstance(value, int | float) and name not in ("epoch", "step"):
            curves.append((name, value))
    return curves


def check_tensorboard() -> Any:
    """Return what writes event files.

    Raises:
        MissingExtraError: the package ``tensorboard`` is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ModuleNotFoundError as error:
        raise MissingExtraError("tensorboard", extra="tensorboard", purpose="--tensorboard") from error
    return SummaryWriter


def _event_writer(folder: RunFolder, step: int) -> Any:
    return check_tensorboard()(str(folder.path / "tensorboard"), purge_step=step + 1) if is_first() else None


def _keep_lines(path: Path, is_kept: Callable[[Record], bool]) -> None:
    """Leave only those whole lines of a log that are to be kept."""
    if not path.exists():
        return
    kept = [json.dumps(line) + "\n" for line in whole_lines(path) if is_kept(line)]
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_text("".join(kept), encoding="utf-8")
    unfinished.replace(path)
