"""The same training on several folds of a dataset, and the mean of what the trained runs say."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmfeat import DatasetReader, InputError, Split, Track, untracked
from skesl.data import Batch
from skesl.experiment import ExperimentConfig
from skesl.predict import predict_run
from skesl.predictions import Predictions
from skesl.repeated import RepeatedReport, Train, train_each


@dataclass(frozen=True, kw_only=True)
class FoldsReport(RepeatedReport):
    """What several trainings ended with, one for each fold; the run folders have the names of the split schemes.

    Args:
        folds: the split schemes.
    """

    differ_by = "fold"

    folds: tuple[str, ...]

    @property
    def names(self) -> tuple[int | str, ...]:
        """The split schemes."""
        return self.folds


def train_folds(
    train: Train,
    data: Path,
    run: Path,
    config: ExperimentConfig,
    *,
    folds: str,
    overwrite: bool = False,
    track: Track[Batch] = untracked,
) -> FoldsReport:
    """Train once on each of the split schemes ``FOLDS-0``, ``FOLDS-1``, … that the dataset has.

    The same call again takes finished trainings as they are and goes on with the one that was killed.

    Args:
        train: ``skesl.pretrain`` or ``skesl.finetune``.
        data: the dataset file.
        run: the folder to make; each fold gets a run folder in it.
        config: what is trained, on what, how; its split scheme is not used.
        folds: what the names of the schemes begin with.
        overwrite: replace existing runs.
        track: shows progress.

    Raises:
        InputError: the dataset has no such schemes, or a file cannot be read or written.
        CheckpointError: a run in the folder has other settings.
    """
    schemes = fold_schemes(data, folds)
    configs = {scheme: dataclasses.replace(config, scheme=scheme) for scheme in schemes}
    reports = train_each(train, data, run, configs, overwrite=overwrite, track=track)
    report = FoldsReport(run=run, folds=schemes, reports=reports)
    report.save()
    return report


def fold_schemes(data: Path, folds: str) -> tuple[str, ...]:
    """Return the split schemes ``FOLDS-0``, ``FOLDS-1``, … of a dataset, by their numbers.

    Raises:
        InputError: there are none.
    """
    with DatasetReader(data) as reader:
        known = reader.scheme_names
    numbered = [(int(found[1]), name) for name in known if (found := re.fullmatch(rf"{re.escape(folds)}-(\d+)", name))]
    if not numbered:
        raise InputError(
            f"{data}: expected split schemes {folds}-0, {folds}-1, …, got {', '.join(known) or 'none'}; "
            f"make them with mmfeat split --scheme {folds} --k-fold 5"
        )
    return tuple(name for _, name in sorted(numbered))


def predict_mean(
    runs: Sequence[Path], data: Path, *, part: Split | None = None, scheme: str | None = None, device: str = "auto"
) -> Predictions:
    """Return the mean of what several runs predict: of values, scores and probabilities of classes.

    Args:
        runs: fine-tuned runs of one task.
        data: a dataset file whose streams were made as the runs' were.
        part: which part of the split; all clips where None.
        scheme: split scheme; needed with ``part`` where the runs have different ones of their own.
        device: auto, cpu, cuda or mps.

    Raises:
        InputError: there is no run, the runs predict different things, or their own schemes part the clips differently.
        CheckpointError: a run is no fine-tuned run, or the dataset's streams differ from its own.
    """
    if not runs:
        raise InputError("expected one or more runs, got none")
    said = [predict_run(run, data, part=part, scheme=scheme, device=device) for run in runs]
    for run, predictions in zip(runs, said, strict=True):
        if predictions.task != said[0].task:
            raise InputError(
                f"{run}: expected predictions of {', '.join(said[0].task.columns)}, as {runs[0]} has, got "
                f"{', '.join(predictions.task.columns)}; average runs of one task"
            )
        if predictions.clip_ids != said[0].clip_ids:
            raise InputError(
                f"{run}: its split scheme has other clips in this part than that of {runs[0]}; name one with "
                "--split-scheme, or predict all clips"
            )
    return dataclasses.replace(said[0], scores=np.mean([predictions.scores for predictions in said], axis=0))
