"""What several trainings with the same settings have in common: one for each seed, or for each fold."""

from __future__ import annotations

import json
import math
import statistics
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from mmfeat import Track, defined, untracked
from skesl.data import Batch
from skesl.experiment import ExperimentConfig, StageReport
from skesl.processes import is_first

Train = Callable[..., StageReport]


@dataclass(frozen=True, kw_only=True)
class RepeatedReport(ABC):
    """What several trainings ended with.

    Args:
        run: the folder that holds the run folders and ``summary.json``.
        reports: one for each training.
    """

    differ_by: ClassVar[str]

    run: Path
    reports: tuple[StageReport, ...]

    @property
    @abstractmethod
    def names(self) -> tuple[int | str, ...]:
        """What each training is called."""

    @property
    def values(self) -> dict[str, tuple[float, ...]]:
        """Training loss and validation values of the kept epochs, one number for each training."""
        results = [report.result for report in self.reports]
        names = ("loss", *results[0].best_values)
        rows = [{"loss": result.loss, **result.best_values} for result in results]
        return {name: tuple(row[name] for row in rows) for name in names}

    def summary(self) -> str:
        """Return a table: mean ± standard deviation over the trainings, and each one's value."""
        first = self.reports[0]
        names = ", ".join(map(str, self.names))
        title = f"{self.run}: {first.method} {first.stage} on {first.n_train} clips, {self.differ_by}s {names}"
        rows = [_row("loss" if name == "loss" else f"valid {name}", values) for name, values in self.values.items()]
        return "\n".join([title, *rows])

    def to_json(self) -> str:
        """Return the same as JSON; a number that is not defined is null."""
        return json.dumps(defined(self._document()), indent=2)

    def save(self) -> None:
        """Write ``summary.json``, in the first process."""
        if is_first():
            unfinished = self.run / "summary.json.part"
            unfinished.write_text(self.to_json() + "\n", encoding="utf-8")
            unfinished.replace(self.run / "summary.json")

    def _document(self) -> Mapping[str, Any]:
        first = self.reports[0]
        return {
            "run": str(self.run),
            "stage": first.stage,
            "method": first.method,
            "n_train": first.n_train,
            "selection_metric": first.selection_metric,
            f"{self.differ_by}s": list(self.names),
            "best_epochs": [report.result.best_epoch for report in self.reports],
            "values": {
                name: {
                    "mean": statistics.fmean(values),
                    "sd": _deviation(values),
                    f"by_{self.differ_by}": list(values),
                }
                for name, values in self.values.items()
            },
        }


def train_each(
    train: Train,
    data: Path,
    run: Path,
    configs: Mapping[str, ExperimentConfig],
    *,
    overwrite: bool = False,
    track: Track[Batch] = untracked,
) -> tuple[StageReport, ...]:
    """Train once with each of some settings, into the folder of its name; see ``skesl.seeds`` and ``skesl.folds``.

    The same call again takes finished trainings as they are and goes on with the one that was killed.
    """
    return tuple(
        train(data, run / name, replace(config, reuse_finished=True), overwrite=overwrite, track=track)
        for name, config in configs.items()
    )


def _row(name: str, values: tuple[float, ...]) -> str:
    by_seed = " ".join(f"{value:.4f}" for value in values)
    return f"{name:<18}{statistics.fmean(values):>9.4f} ± {_deviation(values):.4f}   {by_seed}"


def _deviation(values: tuple[float, ...]) -> float:
    """Return the standard deviation of a sample; NaN of a single value, and where a value is not defined."""
    is_defined = len(values) > 1 and all(map(math.isfinite, values))
    return statistics.stdev(values) if is_defined else math.nan
