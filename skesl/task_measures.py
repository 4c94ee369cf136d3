"""The measures that suit a task, and the one that chooses an epoch unless another one is asked for."""

from __future__ import annotations

from collections.abc import Mapping

from mmfeat.errors import ConfigError
from skesl.measures import Measure, Values
from skesl.metrics import (
    class_measures,
    mer23_measures,
    multilabel_measures,
    numbers,
    sentiment_measures,
    several_regressions,
    sims_measures,
)
from skesl.task import MER23_CLASSES, Problem, Task

SELECTION_METRIC: Mapping[Problem, str] = {
    "regression": "mae",
    "regressions": "mean_mae",
    "class": "class_f1_weighted",
    "multilabel": "micro_f1",
    "mer23": "mer23_combined",
}


def measures_of(task: Task, truth: Values, said: Values) -> dict[str, Measure]:
    """Return the measures of what is said of some clips.

    Args:
        task: what is predicted.
        truth: float64, shape (clip, label).
        said: float64, shape (clip, label): values, numbers of classes, scores of yes.
    """
    n_class = len(task.class_names)
    if task.problem == "multilabel":
        return multilabel_measures(truth, said, task.labels)
    if task.problem == "regressions":
        return several_regressions(truth, said, task.labels)
    if task.problem == "regression":
        return {**sentiment_measures(truth[:, 0], said[:, 0]), **sims_measures(truth[:, 0], said[:, 0])}
    measures = class_measures(truth[:, 0], said[:, 0], n_class)
    if task.problem == "mer23":
        return measures | mer23_measures(truth[:, 0], said[:, 0], truth[:, 1], said[:, 1])
    if set(task.class_names) == set(MER23_CLASSES):
        measures["mer23_f1"] = measures["class_f1_weighted"]
    return measures


def metrics_of(task: Task, truth: Values, said: Values) -> dict[str, float]:
    """Return the number of each measure; arguments as in ``measures_of``."""
    return numbers(measures_of(task, truth, said))


def choose_selection_metric(task: Task, truth: Values, chosen: str | None) -> str:
    """Return the metric that chooses the epoch: the chosen one, else the problem's own.

    Args:
        task: what is predicted.
        truth: float64, shape (clip, label), of the clips that choose.
        chosen: name of a metric.

    Raises:
        ConfigError: there is no such metric of the task; the message names those there are.
    """
    metric = chosen or SELECTION_METRIC[task.problem]
    known = measures_of(task, truth, truth)
    if metric not in known:
        raise ConfigError(f"selection_metric: expected one of {', '.join(known)}, got {metric!r}")
    return metric
