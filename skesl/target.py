"""What predictions are held against: the labels of one part of a dataset, and the measures that suit them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from mmfeat import DatasetReader, InputError, LabelTable, Split
from skesl.measures import Codes, Measure, Values
from skesl.metrics import (
    MER23_CLASSES,
    class_measures,
    mer23_measures,
    multilabel_measures,
    numbers,
    sentiment_measures,
    several_regressions,
    sims_measures,
    smaller_is_better,
)
from skesl.selection import as_written, choose_label
from skesl.statistics import group_numbers

Problem = Literal["regression", "regressions", "class", "multilabel", "mer23"]

MAIN_METRIC: Mapping[Problem, str] = {
    "regression": "acc2_non0",
    "regressions": "",  # mimic_pearson, or the error of the first label
    "class": "class_acc",
    "multilabel": "ml_acc",
    "mer23": "mer23_combined",
}
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
        problem: which measures suit them.
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
    problem: Problem
    n_clip: int
    clip_ids: tuple[str, ...]
    truth: Values
    recordings: Codes
    train_truth: Values
    all_clip_ids: tuple[str, ...]

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names of the labels."""
        return tuple(label.name for label in self.labels)

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
        if self.problem == "multilabel":
            return multilabel_measures(self.truth, said, self.label_names)
        if self.problem == "regressions":
            return several_regressions(self.truth, said, self.label_names)
        if self.problem == "class":
            return class_measures(self.truth[:, 0], said[:, 0], self._n_class(0)) | self._of_emotions(said)
        if self.problem == "mer23":
            emotion, valence = self._mer23_columns()
            return {
                **class_measures(self.truth[:, emotion], said[:, emotion], self._n_class(emotion)),
                **mer23_measures(self.truth[:, emotion], said[:, emotion], self.truth[:, valence], said[:, valence]),
            }
        y, p = self.truth[:, 0], said[:, 0]
        return {**sentiment_measures(y, p), **sims_measures(y, p)}

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
        return tuple(
            _mode(column) if label.problem == "class" else float(np.median(column))
            for label, column in zip(self.labels, self.train_truth.T, strict=True)
        )

    def best_constant(self) -> dict[str, float]:
        """Return for each metric the best that any one answer for all clips can reach; it knows the labels."""
        found = [self.metrics(self.constant(values)) for values in self._constants()]
        return {name: _best([metrics[name] for metrics in found], smaller=smaller_is_better(name)) for name in found[0]}

    def _constants(self) -> list[tuple[float, ...]]:
        medians = tuple(float(value) for value in np.median(self.truth, axis=0))
        if self.problem == "regression":
            return [medians, *((value,) for value in _CONSTANTS)]
        if self.problem == "class":
            return [(float(value),) for value in range(self._n_class(0))]
        if self.problem == "mer23":
            emotion, valence = self._mer23_columns()
            mean = float(self.truth[:, valence].mean())
            pairs = [{emotion: float(value), valence: mean} for value in range(self._n_class(emotion))]
            return [(pair[0], pair[1]) for pair in pairs]
        if self.problem == "multilabel":  # the likeliest labels, more and more of them
            order = np.argsort(-(self.truth > 0).mean(axis=0), kind="stable")
            sets = [order[:size] for size in range(order.size + 1)]
            return [tuple(float(label in chosen) for label in range(order.size)) for chosen in sets]
        return [medians]

    def _n_class(self, column: int) -> int:
        named = len(self.labels[column].class_names)
        return max(named, int(self.truth[:, column].max(initial=0)) + 1)

    def _of_emotions(self, said: Values) -> dict[str, Measure]:
        """Return MER23's F1 where the classes are MER23's."""
        if set(self.labels[0].class_names) != set(MER23_CLASSES):
            return {}
        weighted = class_measures(self.truth[:, 0], said[:, 0], self._n_class(0))["class_f1_weighted"]
        return {"mer23_f1": weighted}

    def _mer23_columns(self) -> tuple[int, int]:
        """Return the columns of the emotion and of valence."""
        emotion = [label.problem for label in self.labels].index("class")
        return emotion, 1 - emotion


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
        tables = tuple(choose_label(reader, name) for name in (labels or (None,)))
        problem = _problem(data, tables)
        members, trained = reader.members(scheme, part), reader.members(scheme, Split.TRAIN)
        present = np.logical_and.reduce([table.present for table in tables])
        values = np.stack([as_written(table.values) for table in tables], axis=1)
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
            problem=problem,
            n_clip=int(members.size),
            clip_ids=tuple(reader.clip_ids[index] for index in chosen),
            truth=values[chosen],
            recordings=group_numbers([reader.recording_ids[index] for index in chosen]),
            train_truth=values[trained[present[trained]]],
            all_clip_ids=reader.clip_ids,
        )


def _problem(data: Path, labels: Sequence[LabelTable]) -> Problem:
    """Return which measures suit some labels together.

    Raises:
        InputError: none do.
    """
    problems = [label.problem for label in labels]
    if set(problems) == {"multilabel"}:
        return "multilabel"
    if set(problems) == {"regression"}:
        return "regression" if len(labels) == 1 else "regressions"
    if problems == ["class"]:
        return "class"
    emotion = [label for label in labels if label.problem == "class"]
    if sorted(problems) == ["class", "regression"] and set(emotion[0].class_names) == set(MER23_CLASSES):
        return "mer23"
    listed = ", ".join(f"{label.name} ({label.problem})" for label in labels)
    raise InputError(
        f"{data}: expected one label, several yes-or-no labels, several regressions, or MER23's emotion and valence, "
        f"got {listed}; name fewer with --label"
    )


def _mode(column: Values) -> float:
    values, counts = np.unique(column, return_counts=True)
    return float(values[counts.argmax()])


def _best(values: Sequence[float], *, smaller: bool) -> float:
    defined = [value for value in values if not np.isnan(value)]
    return (min if smaller else max)(defined, default=float("nan"))
