"""What is to be predicted of a clip: which labels, what problem they pose together, and what an answer looks like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

import numpy as np

from mmfeat import Float64Array, InputError
from mmfeat.errors import ConfigError

Problem = Literal["regression", "regressions", "class", "multilabel", "mer23"]
PROBLEMS: tuple[Problem, ...] = get_args(Problem)

MER23_CLASSES = ("neutral", "angry", "happy", "sad", "worried", "surprise")


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is to be predicted.

    Args:
        problem: ``regression`` one value · ``regressions`` several · ``class`` one of several classes · ``multilabel``
            several yes-or-no labels · ``mer23`` an emotion, which is a class, and valence.
        labels: names of the labels.
        class_names: names of the classes where a label has classes.
    """

    problem: Problem = "regression"
    labels: tuple[str, ...] = ("label",)
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.problem not in PROBLEMS:
            raise ConfigError(f"problem: expected one of {', '.join(PROBLEMS)}, got {self.problem!r}")
        n_label = {"regression": 1, "class": 1, "mer23": 2}.get(self.problem, max(1, len(self.labels)))
        if len(self.labels) != n_label:
            raise ConfigError(f"problem {self.problem!r}: expected {n_label} label(s), got {len(self.labels)}")
        if bool(self.class_names) != (self.problem in ("class", "mer23")):
            raise ConfigError(f"problem {self.problem!r}: got the classes {list(self.class_names)}")

    @classmethod
    def example(cls, problem: Problem) -> Self:
        """Return the task of a well-known dataset: MOSI, MuSe-Mimic, MER23's emotions, MOSEI's emotions, MER23."""
        return {
            "regression": cls(labels=("sentiment",)),
            "regressions": cls(problem="regressions", labels=("Approval", "Disappointment", "Uncertainty")),
            "class": cls(problem="class", labels=("emotion",), class_names=MER23_CLASSES),
            "multilabel": cls(problem="multilabel", labels=("happy", "sad", "anger", "surprise", "disgust", "fear")),
            "mer23": cls(problem="mer23", labels=("emotion", "valence"), class_names=MER23_CLASSES),
        }[problem]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of a prediction: of the classes where there are some, then of the other labels."""
        if self.problem == "class":
            return self.class_names
        if self.problem == "mer23":
            return (*self.class_names, self.labels[1])
        return self.labels

    @property
    def n_column(self) -> int:
        """Columns of a prediction."""
        return len(self.columns)

    def answers(self, scores: Float64Array) -> Float64Array:
        """Return what is said of each label: a value, the number of the likeliest class, a score of yes.

        Args:
            scores: shape (clip, column).

        Returns:
            Shape (clip, label); NaN where a score is.
        """
        if not self.class_names:
            return scores
        of_classes = scores[:, : len(self.class_names)]
        said = np.where(np.isfinite(of_classes).all(axis=1), of_classes.argmax(axis=1) if len(scores) else 0.0, np.nan)
        return np.column_stack([said, scores[:, len(self.class_names) :]])

    def words(self, answers: Float64Array) -> list[float | str]:
        """Return the answers for one clip, shape (label,), with a class by its name."""
        said: list[float | str] = answers.tolist()
        if self.class_names and not np.isnan(answers[0]):
            said[0] = self.class_names[int(answers[0])]
        return said

    def usual_answer(self, labels: Float64Array) -> tuple[float, ...]:
        """Return the median of each label, of classes the most frequent one.

        Args:
            labels: shape (clip, label), of at least one clip.
        """
        answers = [float(np.median(column)) for column in labels.T]
        if self.class_names:
            answers[0] = float(np.bincount(labels[:, 0].astype(np.int64)).argmax())
        return tuple(answers)

    def check(self, labels: Float64Array) -> None:
        """Refuse labels that this task does not have.

        Args:
            labels: shape (clip, label).

        Raises:
            InputError: a class has no name.
        """
        if not self.class_names:
            return
        classes = labels[:, 0]
        wrong = classes[(classes != np.floor(classes)) | (classes < 0) | (classes >= len(self.class_names))]
        if wrong.size:
            raise InputError(
                f"label {self.labels[0]!r}: expected classes 0 to {len(self.class_names) - 1} "
                f"({', '.join(self.class_names)}), got {wrong[0]:g} in {wrong.size} clip(s)"
            )


def task_from_json(values: Mapping[str, Any]) -> Task:
    """Return the task that a run's ``config.json`` holds."""
    return Task(problem=values["problem"], labels=tuple(values["labels"]), class_names=tuple(values["class_names"]))
