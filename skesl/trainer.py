"""The one training loop, for every method, on one device or several.

It runs epochs, keeps the weights of the best one, stops early, and leaves checkpoints from which a killed run goes on;
it knows nothing of any method. Device, processes and mixed precision are accelerate's.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from mmfeat import Track, untracked
from skesl.batches import Part, epoch_batches, parts_of
from skesl.checkpoint import RunFolder
from skesl.config import RunOptions, Stage, TrainConfig
from skesl.data import Batch, ClipSet
from skesl.loading import read_ahead
from skesl.logs import TrainingLog
from skesl.methods import Method
from skesl.metrics import smaller_is_better
from skesl.processes import agreed, is_first, n_process, process_index, seed_everything, start_processes, wait
from skesl.resume import CheckpointStore, Progress
from skesl.schedules import rate_factor
from skesl.task_measures import SELECTION_METRIC
from skesl.watch import LossWatch

Validate = Callable[[Method], dict[str, float]]

OPTIMISERS = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}
_STEPS_BETWEEN_LOOKS = 20  # at the clock, where several processes have to agree on what it says


@dataclass(frozen=True, kw_only=True)
class FitResult:
    """What training ended with: the epoch that was kept, its values and training loss, and how many epochs were run."""

    best_epoch: int
    best_values: dict[str, float]
    n_epochs: int
    loss: float = math.nan


def result_from_json(values: Mapping[str, Any]) -> FitResult:
    """Return the result that a run's ``config.json`` holds; null is NaN."""
    numbers = {name: math.nan if value is None else value for name, value in values["best_values"].items()}
    loss = values.get("loss")
    return FitResult(**{**values, "best_values": numbers, "loss": math.nan if loss is None else loss})


def fit(
    method: Method,
    stage: Stage,
    clips: ClipSet,
    config: TrainConfig,
    folder: RunFolder,
    *,
    validate: Validate | None = None,
    track: Track[Batch] = untracked,
    options: RunOptions | None = None,
) -> FitResult:
    """Train a method and leave the best weights in ``folder``; ``method`` itself ends with the last epoch's.

    Without ``validate`` the last epoch is kept, else the one with the best ``config.selection_metric``. Where the
    folder has a checkpoint, training goes on from it; on a CPU it ends bit for bit as if it had never stopped.

    Args:
        method: on the CPU; it is trained on the device that ``config`` names.
        stage: pretrain or finetune.
        clips: the training clips of that stage.
        config: settings of training.
        folder: gets one line an epoch in ``metrics.jsonl``, lines of steps, checkpoints and ``weights.safetensors``.
        validate: returns the metrics of the validation part, the same in all processes.
        track: shows progress.
        options: how often to log and to save.

    Raises:
        MethodError: the method does not declare the stage, or its loss is not finite.
        CheckpointError: there are checkpoints and none can be read.
    """
    training = _Training(method, stage, clips, config, folder, validate, track, options or RunOptions())
    return training.run()


class _Training:
    """One training under way; see ``fit`` for the arguments."""

    def __init__(
        self,
        method: Method,
        stage: Stage,
        clips: ClipSet,
        config: TrainConfig,
        folder: RunFolder,
        validate: Validate | None,
        track: Track[Batch],
        options: RunOptions,
    ) -> None:
        self._method, self._stage, self._clips, self._config = method, stage, clips, config
        self._validate, self._options = validate, options
        self._metric = config.selection_metric or SELECTION_METRIC[method.task.problem]
        self._track = track if is_first() else untracked
        self._accelerator = start_processes(config)
        method.start_stage(stage)
        method.meet_clips(clips)
        self._store = CheckpointStore(folder, n_kept=options.n_checkpoints)
        restored = self._store.restore(method)
        groups = method.parameter_groups(config)
        self._rates = [float(group["lr"]) for group in groups]
        optimiser = OPTIMISERS[config.optimiser](groups, weight_decay=config.weight_decay, fused=True)
        self._model, self._optimiser = self._accelerator.prepare(method, optimiser)
        self._progress = Progress()
        if restored is not None:
            self._progress, state = restored
            self._optimiser.load_state_dict(state)
            self._load_scaler()
        if is_first():
            self._store.restore_best(self._progress)
        n_batch = math.ceil(len(clips) / config.batch_size)
        self._n_step = config.n_epochs * math.ceil(n_batch / config.n_accumulated)
        self._log = TrainingLog(
            folder,
            stage,
            step=self._progress.step,
            epoch=self._progress.epoch - 1,
            tensorboard=options.tensorboard,
        )
        self._saved_at_s = time.monotonic()
        self._watch: LossWatch | None = None  # of the epoch under way

    def run(self) -> FitResult:
        """Train until the last epoch, or until patience is at its end."""
        try:
            while not self._is_done():
                began_s, n_before = time.monotonic(), self._progress.n_clip
                loss, n_clip = self._train_epoch()
                speed = (n_clip - n_before) / (time.monotonic() - began_s)
                self._end_epoch(loss, {"clips_per_s": round(speed, 1)})
        finally:
            self._log.close()
        wait()
        progress = self._progress
        return FitResult(
            best_epoch=progress.best_epoch,
            best_values=progress.best_values,
            n_epochs=progress.epoch - 1,
            loss=progress.best_loss,
        )

    def _is_done(self) -> bool:
        n_done, patience = self._progress.epoch - 1, self._config.patience
        if n_done >= self._config.n_epochs:
            return True
        is_watched = self._validate is not None and patience > 0 and n_done > 0
        return is_watched and n_done - self._progress.best_epoch >= patience

    def _train_epoch(self) -> tuple[float, int]:
        """Run what is left of an epoch; return the mean loss of its clips, and their number."""
        progress, config = self._progress, self._config
        self._clips.set_epoch(progress.epoch)  # other words are hidden
        self._model.train()
        self._optimiser.zero_grad()
        self._watch = watch = LossWatch(
            self._accelerator.device,
            f"{self._stage} epoch {progress.epoch}",
            total=progress.loss_sum if is_first() else 0.0,
            n_clip=progress.n_clip if is_first() else 0,
        )
        parts = self._parts()[progress.batch :]
        batches = read_ahead(
            self._clips,
            (part.items for part in parts),
            device=self._accelerator.device,
            n_thread=self._options.n_reading_threads,
        )
        title = f"{self._stage} epoch {progress.epoch}/{config.n_epochs}"
        seen: list[str] = []  # clips of the step under way
        step_loss = 0.0
        for batch, part in zip(self._track(batches, len(parts), title), parts, strict=True):
            step_loss = step_loss + self._run_part(batch, part, watch)
            seen += batch.clip_ids
            if part.ends_step:
                self._step(step_loss, tuple(seen), watch)
                seen, step_loss = [], 0.0
        watch.check()
        self._watch = None
        total, n_clip = watch.totals()
        return total / n_clip, n_clip

    def _parts(self) -> list[Part]:
        """Return what this process does in the epoch under way."""
        config = self._config
        batches = epoch_batches(
            len(self._clips),
            config.batch_size,
            seed=config.seed,
            epoch=self._progress.epoch,
            lengths=self._clips.lengths if config.length_buckets else None,
            recordings=self._clips.recordings if config.recording_batches else None,
        )
        return parts_of(batches, config.n_accumulated, process=process_index(), n_process=n_process())

    def _run_part(self, batch: Batch, part: Part, watch: LossWatch) -> Any:
        """Add the gradients of one batch; return its share of the step's loss."""
        progress = self._progress
        seed_everything(self._config.seed, progress.epoch, progress.batch)
        accelerator = self._accelerator
        with nullcontext() if part.ends_step else accelerator.no_sync(self._model):
            loss = self._model(batch, self._stage)
            watch.add(loss, part.n_clip, batch.clip_ids)
            accelerator.backward(loss * part.weight)
        progress.batch += 1
        return loss.detach() * part.weight

    def _step(self, loss: Any, clip_ids: tuple[str, ...], watch: LossWatch) -> None:
        """Take one step of the optimiser, log it, and save where it is time."""
        progress, config, optimiser = self._progress, self._config, self._optimiser
        factor = rate_factor(config, step=progress.step, epoch=progress.epoch - 1, n_step=self._n_step)
        for group, rate in zip(optimiser.param_groups, self._rates, strict=True):
            group["lr"] = rate * factor
        norm = None
        if config.max_gradient_norm:
            norm = self._accelerator.clip_grad_norm_(self._model.parameters(), config.max_gradient_norm)
            if config.precision != "fp16":  # whose scaler leaves such a step out
                watch.add_norm(norm, clip_ids)
        optimiser.step()
        optimiser.zero_grad()
        self._method.on_step_end()
        progress.step += 1
        self._log_step(loss, norm)
        if self._is_time_to_save():
            self._save()

    def _log_step(self, loss: Any, norm: Any) -> None:
        every = self._options.log_steps
        if not every or self._progress.step % every:
            return
        values: dict[str, Any] = {"loss": float(self._accelerator.reduce(loss, "mean"))}
        if norm is not None:
            values["gradient_norm"] = float(norm)
        values["learning_rates"] = [group["lr"] for group in self._optimiser.param_groups]
        self._log.step(self._progress.epoch, self._progress.step, values)

    def _end_epoch(self, loss: float, speed: dict[str, float]) -> None:
        """Validate, log, keep the weights where they are the best, and make ready for the next epoch."""
        progress, config, method = self._progress, self._config, self._method
        seed_everything(config.seed, progress.epoch, progress.batch)
        method.on_epoch_end(progress.epoch)
        values = self._validate(method.eval()) if self._validate is not None else {}
        rates = [group["lr"] for group in self._optimiser.param_groups]
        self._log.epoch(progress.epoch, progress.step, {"loss": loss, **values, "learning_rates": rates, **speed})
        if self._validate is None or is_better(values, progress.best_values, self._metric):
            progress.best_epoch, progress.best_values, progress.best_loss = progress.epoch, values, loss
            if is_first():
                self._store.save_best(progress, method)
        progress.epoch, progress.batch, progress.loss_sum, progress.n_clip = progress.epoch + 1, 0, 0.0, 0
        if self._is_time_to_save():
            self._save()

    def _is_time_to_save(self) -> bool:
        """Return whether a checkpoint is due; all processes say the same."""
        options, step = self._options, self._progress.step
        if options.checkpoint_steps and step % options.checkpoint_steps == 0:
            return True
        if not options.checkpoint_seconds or (n_process() > 1 and step % _STEPS_BETWEEN_LOOKS):
            return False
        is_late = time.monotonic() - self._saved_at_s >= options.checkpoint_seconds
        return agreed(is_late, self._accelerator.device)

    def _save(self) -> None:
        progress = self._progress
        if self._watch is not None:
            self._watch.check()
            progress.loss_sum, progress.n_clip = self._watch.totals()
        if self._accelerator.scaler is not None:
            progress.scaler = self._accelerator.scaler.state_dict()
        if is_first():
            self._store.save(progress, self._method, self._optimiser)
        self._saved_at_s = time.monotonic()

    def _load_scaler(self) -> None:
        if self._accelerator.scaler is not None and self._progress.scaler:
            self._accelerator.scaler.load_state_dict(self._progress.scaler)


def is_better(values: dict[str, float], best: dict[str, float], metric: str) -> bool:
    """Return whether ``values`` beat ``best``; NaN (r of a constant prediction) beats nothing."""
    if not best:
        return True
    if math.isnan(values[metric]):
        return False
    if math.isnan(best[metric]):
        return True
    return values[metric] < best[metric] if smaller_is_better(metric) else values[metric] > best[metric]
