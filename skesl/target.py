"""What predictions are held against: the labels of one part of a dataset, and the measures that suit them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmfeat import DatasetReader, InputError, LabelTable, Split
from skesl.batches import group_numbers
from skesl.measures import Codes, Flags, Measure, Values
from skesl.metrics import numbers, smaller_is_better
from skesl.selection import as_written, choose_labels, label_values, task_of
from skesl.task import Problem, Task
from skesl.task_measures import measures_of

MAIN_METRIC: Mapping[Problem, str] = {
    "regression": "acc2_non0",
    "regressions": "",  # mimic_pearson, or the error of the first label
    "class": "class_acc",
    "multilabel": "ml_acc",
    "mer23": "mer23_combined",
}
MOST_LABELS = 10  # of which every set is tried; their number doubles with each label
_CONSTANTS = (-3.0, -2.0, -1.0, -0.4, 0.0, 0.4, 1.0, 2.0, 3.0)  # one in every bin of every convention


@dataclass(frozen=True, kw_only=True, eq=False)
class Target:
    """The labels of one part of a dataset.

    Args:
        data: the dataset file.
        name: name of the dataset.
        content_sha256: its content hash.
        part: train, valid or test.
        scheme: split scheme.
        labels: the label tables.
        task: what they ask for.
        n_clip: clips of the part.
        clip_ids: those that have every label; what follows is theirs.
        truth: float64, shape (clip, label).
        recordings: shape (clip,), number of the recording.
        train_truth: float64, shape (clip, label), of the labelled clips of the train part; may be empty.
        all_clip_ids: ids of all clips of the file.
    """

    data: Path
    name: str
    content_sha256: str
    part: Split
    scheme: str
    labels: tuple[LabelTable, ...]
    task: Task
    n_clip: int
    clip_ids: tuple[str, ...]
    truth: Values
    recordings: Codes
    train_truth: Values
    all_clip_ids: tuple[str, ...]

    @property
    def problem(self) -> Problem:
        """The problem that the labels pose."""
        return self.task.problem

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names of the labels."""
        return self.task.labels

    @property
    def label_range(self) -> tuple[float, float]:
        """Lowest and highest label of these clips."""
        return float(self.truth.min()), float(self.truth.max())

    @property
    def n_recording(self) -> int:
        """How many recordings these clips come from."""
        return int(self.recordings.max()) + 1

    @property
    def main_metric(self) -> str:
        """The metric that a comparison is about unless another one is asked for."""
        known = self.measures(self.truth)
        preferred = MAIN_METRIC[self.problem]
        return preferred if preferred in known else next(iter(known))

    def measures(self, said: Values) -> dict[str, Measure]:
        """Return the measures of predictions, shape (clip, label): values, or numbers of classes."""
        return measures_of(self.task, self.truth, said)

    def metrics(self, said: Values) -> dict[str, float]:
        """Return the number of each measure."""
        return numbers(self.measures(said))

    def constant(self, values: Sequence[float]) -> Values:
        """Return one prediction, a value for each label, for all clips."""
        return np.tile(np.asarray(values, dtype=np.float64), (len(self.clip_ids), 1))

    def train_median(self) -> tuple[float, ...] | None:
        """Return the median of each label in the train part, of classes the most frequent; None where it has none."""
        if not len(self.train_truth):
            return None
        return self.task.usual_answer(self.train_truth)

    def best_constant(self) -> dict[str, float]:
        """Return for each metric the best that any one answer for all clips can reach; it knows the labels.

        Of more than ``MOST_LABELS`` yes-or-no labels only sets of the most frequent ones are tried, among which is the
        best one of every metric but ``ml_acc`` and ``ml_acc_empty0``.
        """
        found = [self.metrics(self.constant(values)) for values in self._constants()]
        return {name: _best([metrics[name] for metrics in found], smaller=smaller_is_better(name)) for name in found[0]}

    @property
    def tries_every_answer(self) -> bool:
        """Whether no answer can be better than that of ``best_constant``."""
        return self.problem != "multilabel" or len(self.label_names) <= MOST_LABELS

    def _constants(self) -> list[tuple[float, ...]]:
        medians = tuple(float(value) for value in np.median(self.truth, axis=0))
        if self.problem == "regression":
            polar = self.truth[self.truth != 0]  # of which mae_mag is the error
            of_polar = [float(np.median(polar))] if polar.size else []
            return [medians, *((value,) for value in (*of_polar, *_CONSTANTS))]
        if self.task.class_names:
            means = tuple(float(value) for value in self.truth[:, 1:].mean(axis=0))  # valence: the least squared error
            return [(float(value), *means) for value in range(len(self.task.class_names))]
        if self.problem == "multilabel":
            return [tuple(map(float, chosen)) for chosen in _likely_sets(self.truth > 0)]
        return [medians]


def open_target(data: Path, *, labels: Sequence[str] = (), part: Split = Split.TEST, scheme: str = "default") -> Target:
    """Return the labels of one part of a dataset.

    Args:
        data: the dataset file.
        labels: names of the labels; may be empty where the file has exactly one.
        part: train, valid or test.
        scheme: split scheme.

    Raises:
        InputError: no such label or scheme, labels that no measure takes together, or no clip that has them.
    """
    with DatasetReader(data) as reader:
        tables = choose_labels(reader, labels)
        task = task_of(reader, tables)
        members, trained = reader.members(scheme, part), reader.members(scheme, Split.TRAIN)
        present = np.logical_and.reduce([table.present for table in tables])
        values = as_written(label_values(tables))
        chosen = members[present[members]]
        names = ", ".join(repr(table.name) for table in tables)
        if not chosen.size:
            raise InputError(
                f"{data}: expected clips with the label {names} in the {part.name.lower()} part of the split "
                f"{scheme!r}, got {members.size} clip(s) and 0 with the label"
            )
        return Target(
            data=data,
            name=reader.attributes["name"],
            content_sha256=reader.attributes["content_sha256"],
            part=part,
            scheme=scheme,
            labels=tables,
            task=task,
            n_clip=int(members.size),
            clip_ids=tuple(reader.clip_ids[index] for index in chosen),
            truth=values[chosen],
            recordings=group_numbers([reader.recording_ids[index] for index in chosen]),
            train_truth=values[trained[present[trained]]],
            all_clip_ids=reader.clip_ids,
        )


def _likely_sets(truth: Flags) -> list[Flags]:
    """Return sets of labels, shape (label,) each, among which is the best one of every metric.

    Labels are wrong most seldom, and F1 is the largest, where the most frequent ones are said, more and more of them.
    The best Jaccard index may be of any set.
    """
    order = np.argsort(-truth.mean(axis=0), kind="stable")
    nested = [np.isin(np.arange(order.size), order[:size]) for size in range(order.size + 1)]
    return nested if order.size > MOST_LABELS else [*nested, *_best_jaccard_sets(truth)]


def _best_jaccard_sets(truth: Flags) -> list[Flags]:
    """Return the sets of the best mean Jaccard index where nothing against nothing is 1, and where it is 0."""
    n_label = truth.shape[1]
    sets = np.arange(2**n_label)[:, None] >> np.arange(n_label) & 1
    rows, counts = np.unique(truth, axis=0, return_counts=True)
    common = sets @ rows.T
    union = sets.sum(axis=1)[:, None] + rows.sum(axis=1) - common
    jaccards = [np.where(union > 0, common / np.maximum(union, 1), empty) for empty in (1.0, 0.0)]
    return [sets[(jaccard @ counts).argmax()] > 0 for jaccard in jaccards]


def _best(values: Sequence[float], *, smaller: bool) -> float:
    defined = [value for value in values if not np.isnan(value)]
    return (min if smaller else max)(defined, default=float("nan"))
