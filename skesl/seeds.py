"""The same training under several seeds."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from mmfeat import InputError, Track, untracked
from skesl.data import Batch
from skesl.experiment import ExperimentConfig
from skesl.repeated import RepeatedReport, Train, train_each


@dataclass(frozen=True, kw_only=True)
class SeedsReport(RepeatedReport):
    """What several trainings ended with, one for each seed; the run folders are ``seed-N``.

    Args:
        seeds: the seeds.
    """

    differ_by = "seed"

    seeds: tuple[int, ...]

    @property
    def names(self) -> tuple[int | str, ...]:
        """The seeds."""
        return self.seeds


def train_seeds(
    train: Train,
    data: Path,
    run: Path,
    config: ExperimentConfig,
    *,
    n_seed: int,
    overwrite: bool = False,
    track: Track[Batch] = untracked,
) -> SeedsReport:
    """Train once for each of the seeds ``config.train.seed``, and so on.

    The same call again takes finished trainings as they are and goes on with the one that was killed.

    Args:
        train: ``skesl.pretrain`` or ``skesl.finetune``.
        data: the dataset file.
        run: the folder to make; each seed gets the run folder ``seed-N`` in it.
        config: what is trained, on what, how.
        n_seed: number of seeds, at least 1.
        overwrite: replace existing runs.
        track: shows progress.

    Raises:
        InputError: there is no seed, or a file cannot be read or written.
        CheckpointError: a run in the folder has other settings.
    """
    if n_seed < 1:
        raise InputError(f"seeds: expected at least 1, got {n_seed}")
    seeds = tuple(range(config.train.seed, config.train.seed + n_seed))
    configs = {
        f"seed-{seed}": dataclasses.replace(config, train=dataclasses.replace(config.train, seed=seed))
        for seed in seeds
    }
    reports = train_each(train, data, run, configs, overwrite=overwrite, track=track)
    report = SeedsReport(run=run, seeds=seeds, reports=reports)
    report.save()
    return report
