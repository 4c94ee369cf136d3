"""Predictions of a run: by clip id, unrounded.

Columns of the file: ``clip_id``; then for one regression ``prediction`` and ``label``. For everything else a column for
each label with what is said (a value, the name of a class, a score of yes), one for each class with its probability,
and ``true:LABEL`` for each label. ``skesl evaluate --predictions`` reads the same files, csv and Parquet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from mmfeat import Float64Array
from mmfeat.errors import InputError
from skesl.prediction_files import read_rows, write_rows
from skesl.task import Task


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions:
    """What a run says of each clip.

    Args:
        clip_ids: names of the clips.
        task: what is predicted.
        scores: float64, shape (clip, column): see ``Task.columns``.
        labels: float64, shape (clip, label): the true labels, NaN where the clip has none.
    """

    clip_ids: tuple[str, ...]
    task: Task
    scores: Float64Array
    labels: Float64Array

    @property
    def answers(self) -> Float64Array:
        """What is said of each label, shape (clip, label); see ``Task.answers``."""
        return self.task.answers(self.scores)

    @property
    def header(self) -> list[str]:
        """Names of the columns of the file."""
        return _header(self.task)

    def save(self, path: Path) -> None:
        """Write one row a clip, as csv or as Parquet; see ``write_rows``."""
        write_rows(path, self.header, self.rows())

    @classmethod
    def load(cls, path: Path, task: Task) -> Self:
        """Return what ``save`` wrote.

        Raises:
            InputError: the file cannot be read, or is none that ``save`` wrote for this task.
        """
        header, numbered = read_rows(path)
        if header != _header(task):
            raise InputError(f"{path}: expected the columns {', '.join(_header(task))}, got {header}")
        rows = [row for _, row in numbered]
        said, classes, truth = _columns(task)
        columns = [*classes, *said[1:]] if classes else said
        return cls(
            clip_ids=tuple(row["clip_id"] for row in rows),
            task=task,
            scores=np.array([[float(row[name]) for name in columns] for row in rows]).reshape(-1, task.n_column),
            labels=np.array([[_truth(row[name], task) for name in truth] for row in rows]).reshape(-1, len(truth)),
        )

    def rows(self) -> Iterator[Mapping[str, str | float]]:
        """Yield one row a clip, by the names of ``header``; a label that is not known is empty."""
        n_class, answers = len(self.task.class_names), self.answers
        for place, clip_id in enumerate(self.clip_ids):
            classes = self.scores[place, :n_class].tolist()
            truth = ["" if word != word else word for word in self.task.words(self.labels[place])]
            yield dict(zip(self.header, [clip_id, *self.task.words(answers[place]), *classes, *truth], strict=True))

    @property
    def errors(self) -> Float64Array:
        """How wrong each clip is, shape (clip,), NaN where it lacks a label.

        The mean absolute error over the labels; of a class 1 - the probability of the true one.
        """
        if not self.task.class_names:
            truth = self.labels > 0 if self.task.problem == "multilabel" else self.labels
            errors = np.abs(self.scores - truth).mean(axis=1)
        else:
            classes = np.nan_to_num(self.labels[:, 0]).astype(np.int64)
            errors = 1.0 - self.scores[np.arange(len(classes)), classes]
        return np.where(np.isnan(self.labels).any(axis=1), np.nan, errors)


def _columns(task: Task) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
    """Return the names of the columns with what is said, with the probabilities of classes, and with the labels."""
    if task.problem == "regression":
        return ["prediction"], [], ["label"]
    return task.labels, task.class_names, [f"true:{name}" for name in task.labels]


def _header(task: Task) -> list[str]:
    said, classes, truth = _columns(task)
    return ["clip_id", *said, *classes, *truth]


def _truth(cell: str, task: Task) -> float:
    if cell in task.class_names:
        return float(task.class_names.index(cell))
    return float(cell or "nan")
