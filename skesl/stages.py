"""The stages of an experiment: each reads a dataset file and leaves a run folder."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from mmfeat import DatasetReader, Split, Track, untracked
from skesl.checkpoint import load_run
from skesl.data import Batch
from skesl.experiment import ExperimentConfig, StageReport
from skesl.methods import Method, find_method, method_config
from skesl.opening import open_experiment
from skesl.predict import predict_clips
from skesl.pretraining import use_mask_states, without_surplus
from skesl.processes import is_first, start_processes
from skesl.selection import as_written, choose_labels, label_values, labelled_clips, pretraining_clips, task_of
from skesl.task_measures import choose_selection_metric, metrics_of


def pretrain(
    data: Path,
    run: Path,
    config: ExperimentConfig,
    *,
    overwrite: bool = False,
    track: Track[Batch] = untracked,
) -> StageReport:
    """Pretrain a method without labels, on the clips that are not kept for validation or test.

    Args:
        data: the dataset file; its labels are not read.
        run: the run folder to make, or one in which the same training did not end: then it goes on.
        config: what is trained, on what, how.
        overwrite: replace an existing run.
        track: shows progress.

    Raises:
        InputError: no clip with text to learn from, or a file cannot be read.
        MethodError: the method cannot be pretrained.
        ConfigError: a setting of the method is wrong, or does not go with ``config.mask_states``.
        OutputExistsError: the run exists and ``overwrite`` is false.
    """
    with DatasetReader(data) as reader:
        indices = pretraining_clips(reader, config.scheme, streams=_streams_to_learn_from(config))
        experiment = open_experiment(reader, run, "pretrain", config, indices, overwrite=overwrite)
        indices, notes = without_surplus(experiment, indices)
        if config.mask_states is not None:
            use_mask_states(experiment, indices, config.mask_states)
        clips = experiment.clips(indices, np.zeros((reader.n_clip, 1), dtype=np.float32))
        return experiment.fit(clips, validate=None, track=track, notes=notes)


def finetune(
    data: Path,
    run: Path,
    config: ExperimentConfig,
    *,
    overwrite: bool = False,
    track: Track[Batch] = untracked,
) -> StageReport:
    """Train a method on labels; the epoch with the best validation value is kept.

    Args:
        data: the dataset file.
        run: the run folder to make, or one in which the same training did not end; it also gets the predictions of the
            validation part.
        config: what is trained, on what, how.
        overwrite: replace an existing run.
        track: shows progress.

    Raises:
        InputError: no such label or scheme, or no labelled clip to train or to validate on.
        CheckpointError: ``config.from_run`` does not fit.
        OutputExistsError: the run exists and ``overwrite`` is false.
    """
    with DatasetReader(data) as reader:
        labels = choose_labels(reader, config.labels)
        values, task = label_values(labels), task_of(reader, labels)
        train_clips = labelled_clips(reader, labels, config.scheme, Split.TRAIN)
        valid_clips = labelled_clips(reader, labels, config.scheme, Split.VALID)
        truth = as_written(values[valid_clips])
        metric = choose_selection_metric(task, truth, config.train.selection_metric)
        config = dataclasses.replace(
            config, labels=task.labels, train=dataclasses.replace(config.train, selection_metric=metric)
        )
        experiment = open_experiment(reader, run, "finetune", config, train_clips, task=task, overwrite=overwrite)
        experiment.settings["data"]["usual_answer"] = task.usual_answer(as_written(values[train_clips]))
        valid = experiment.clips(valid_clips, values)

        def validate(method: Method) -> dict[str, float]:
            predictions = predict_clips(method, valid, batch_size=config.train.batch_size)
            return metrics_of(task, truth, predictions.answers)

        def keep_predictions() -> None:
            best_method = load_run(run).method.to(start_processes(config.train).device)
            best = predict_clips(best_method, valid, batch_size=config.train.batch_size)
            if is_first():
                best.save(experiment.folder.predictions)

        clips = experiment.clips(train_clips, values)
        return experiment.fit(clips, validate=validate, track=track, conclude=keep_predictions)


def _streams_to_learn_from(config: ExperimentConfig) -> tuple[str, ...]:
    """Return the streams that a clip must have to be pretrained on; none where its text is what is learned from."""
    method = find_method(config.method)
    if method.needs_text_encoder:
        return ()
    return method.used_streams(method_config(config.method, preset=config.preset, settings=config.method_settings))
