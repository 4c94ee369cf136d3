"""Predict with a trained run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mmfeat import DatasetReader, Float32Array, Split
from skesl.checkpoint import Run, check_finetuned, load_run
from skesl.config import TrainConfig
from skesl.data import ClipSet
from skesl.loading import Clips
from skesl.methods import Method
from skesl.over_clips import over_clips
from skesl.predictions import Predictions
from skesl.processes import join_processes
from skesl.selection import as_written, known_values
from skesl.streams import check_streams

Change = Callable[[ClipSet], Clips]


def predict_clips(method: Method, clips: Clips, *, batch_size: int) -> Predictions:
    """Return the prediction for each clip, in the order of ``clips``; padding and order change nothing."""
    method.eval()
    scores = over_clips(
        method.predict,
        clips,
        width=method.task.n_column,
        batch_size=batch_size,
        device=next(method.parameters()).device,
    )
    return Predictions(
        clip_ids=clips.clip_ids, task=method.task, scores=scores.numpy(), labels=clips.labels.astype(np.float64)
    )


def predict_run(
    run: Path,
    data: Path,
    *,
    part: Split | None = None,
    scheme: str | None = None,
    device: str = "auto",
    change: Change | None = None,
) -> Predictions:
    """Return a run's predictions for clips of a dataset; nothing is written.

    Processes that ``torchrun`` started share the clips; each of them gets the predictions of all.

    Args:
        run: a fine-tuned run.
        data: a dataset file whose streams were made as the run's were.
        part: which part of the split; all clips where None.
        scheme: split scheme; the run's own where None.
        device: auto, cpu, cuda or mps.
        change: what is taken from the clips or changed in them before they are predicted; see ``skesl.controls``.

    Raises:
        CheckpointError: the run is no fine-tuned run, or the dataset's streams differ from the run's.
        InputError: the file cannot be read, or has no such scheme.
    """
    loaded = load_run(run)
    check_finetuned(run, loaded.settings)
    with DatasetReader(data) as reader:
        check_streams(loaded.settings, reader)
        if scheme is not None:
            reader.parts(scheme)
        chosen_scheme = scheme or loaded.settings["data"]["scheme"]
        indices = np.arange(reader.n_clip, dtype=np.int64) if part is None else reader.members(chosen_scheme, part)
        labels = as_written(
            np.stack([known_values(reader, name)[indices] for name in loaded.method.task.labels], axis=1)
        )
        predictions = _predict(loaded, reader, indices, device, change)
    return replace(predictions, labels=labels)


def open_clips(
    run: Run, reader: DatasetReader, indices: npt.NDArray[np.int64], *, labels: Float32Array | None = None
) -> ClipSet:
    """Return clips of a dataset as a run's input; without labels, or with those of shape (clip of the file, label)."""
    if labels is None:
        labels = np.zeros((reader.n_clip, len(run.method.task.labels)), dtype=np.float32)
    return ClipSet(
        reader,
        indices,
        run.encoder,
        stage="finetune",
        streams=tuple(run.method.normalisers),
        labels=labels,
        lexicon={},
        max_text_tokens=TrainConfig(**run.settings["train"]).max_text_tokens,
        inputs=run.method.inputs,
    )


def _predict(
    run: Run, reader: DatasetReader, indices: npt.NDArray[np.int64], device: str, change: Change | None
) -> Predictions:
    clips = open_clips(run, reader, indices)
    if not len(clips):
        task = run.method.task
        return Predictions(
            clip_ids=(), task=task, scores=np.zeros((0, task.n_column)), labels=np.zeros((0, len(task.labels)))
        )
    batch_size = TrainConfig(**run.settings["train"]).batch_size
    return predict_clips(
        run.method.to(join_processes(device)), change(clips) if change else clips, batch_size=batch_size
    )
