"""The same training under several seeds, and what its results have in common."""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmfeat import InputError, Track, defined, untracked
from skesl.data import Batch
from skesl.experiment import ExperimentConfig, StageReport
from skesl.processes import is_first

Train = Callable[..., StageReport]


@dataclass(frozen=True, kw_only=True)
class SeedsReport:
    """What several trainings ended with, one for each seed.

    Args:
        run: the folder that holds the run folders ``seed-N`` and ``summary.json``.
        seeds: the seeds.
        reports: one for each of them.
    """

    run: Path
    seeds: tuple[int, ...]
    reports: tuple[StageReport, ...]

    @property
    def values(self) -> dict[str, tuple[float, ...]]:
        """Training loss and validation values of the kept epochs, one number for each seed."""
        results = [report.result for report in self.reports]
        names = ("loss", *results[0].best_values)
        rows = [{"loss": result.loss, **result.best_values} for result in results]
        return {name: tuple(row[name] for row in rows) for name in names}

    def summary(self) -> str:
        """Return a table: mean ± standard deviation over the seeds, and each seed's value."""
        first = self.reports[0]
        seeds = ", ".join(map(str, self.seeds))
        title = f"{self.run}: {first.method} {first.stage} on {first.n_train} clips, seeds {seeds}"
        rows = [_row("loss" if name == "loss" else f"valid {name}", values) for name, values in self.values.items()]
        return "\n".join([title, *rows])

    def to_json(self) -> str:
        """Return the same as JSON; a number that is not defined is null."""
        return json.dumps(defined(self._document()), indent=2)

    def _document(self) -> Mapping[str, Any]:
        first = self.reports[0]
        return {
            "run": str(self.run),
            "stage": first.stage,
            "method": first.method,
            "n_train": first.n_train,
            "selection_metric": first.selection_metric,
            "seeds": list(self.seeds),
            "best_epochs": [report.result.best_epoch for report in self.reports],
            "values": {
                name: {"mean": statistics.fmean(values), "sd": _deviation(values), "by_seed": list(values)}
                for name, values in self.values.items()
            },
        }


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
    reports = []
    for seed in seeds:
        own = dataclasses.replace(config, train=dataclasses.replace(config.train, seed=seed), reuse_finished=True)
        reports.append(train(data, run / f"seed-{seed}", own, overwrite=overwrite, track=track))
    report = SeedsReport(run=run, seeds=seeds, reports=tuple(reports))
    if is_first():
        unfinished = run / "summary.json.part"
        unfinished.write_text(report.to_json() + "\n", encoding="utf-8")
        unfinished.replace(run / "summary.json")
    return report


def _row(name: str, values: tuple[float, ...]) -> str:
    by_seed = " ".join(f"{value:.4f}" for value in values)
    return f"{name:<18}{statistics.fmean(values):>9.4f} ± {_deviation(values):.4f}   {by_seed}"


def _deviation(values: tuple[float, ...]) -> float:
    """Return the standard deviation of a sample; NaN of a single value."""
    return statistics.stdev(values) if len(values) > 1 else float("nan")
