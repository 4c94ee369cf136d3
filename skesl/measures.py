"""Numbers over clips that scikit-learn or scipy compute once, and that can be resampled a thousand times.

Every number here is a function of sums over clips: how many were right, how often a class was said, the moments of
two columns. ``number`` asks scikit-learn or scipy; a resample needs only the sums of the clips that were drawn, so
thousands of resamples are one product of matrices. The tests hold the two ways to each other.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.stats import pearsonr
from sklearn.metrics import average_precision_score, f1_score

Values = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_SMALLEST_SPREAD = 1e-12  # of a variance relative to the mean square: what is below is rounding, not spread


class Measure(ABC):
    """A number over some clips."""

    @abstractmethod
    def number(self) -> float:
        """Return the number for all clips, NaN where it is not defined."""

    @abstractmethod
    def resampled(self, counts: Values, groups: Codes) -> Values:
        """Return the number of each resample.

        Args:
            counts: shape (resample, group), how often each group was drawn.
            groups: shape (clip,), the group of each clip.

        Returns:
            Shape (resample,), NaN where the number is not defined.
        """


class Additive(Measure):
    """A number that depends on the clips only through sums of ``terms``, shape (clip, term)."""

    terms: Values

    @abstractmethod
    def of_sums(self, sums: Values) -> Values:
        """Return the number for sums of shape (…, term), shape (…,)."""

    def group_sums(self, groups: Codes) -> Values:
        """Return the sums of each group's clips, shape (group, term)."""
        sums = np.zeros((int(groups.max()) + 1, self.terms.shape[1]))
        np.add.at(sums, groups, self.terms)
        return sums

    def resampled(self, counts: Values, groups: Codes) -> Values:
        """See ``Measure.resampled``."""
        return self.of_sums(counts @ self.group_sums(groups))


class Mean(Additive):
    """The mean of one value a clip: accuracy, mean absolute error, Jaccard.

    Args:
        values: float64, shape (clip,).
        kept: bool, shape (clip,): the clips that count; all where None.
    """

    def __init__(self, values: npt.NDArray[np.generic], kept: Flags | None = None) -> None:
        self.values = values.astype(np.float64)
        self.kept = np.ones(values.shape, dtype=np.bool_) if kept is None else kept
        self.terms = np.stack([self.kept, self.kept * self.values], axis=1).astype(np.float64)

    def number(self) -> float:
        """See ``Measure.number``."""
        return float(self.values[self.kept].mean()) if self.kept.any() else np.nan

    def of_sums(self, sums: Values) -> Values:
        """See ``Additive.of_sums``."""
        return _ratio(sums[..., 1], sums[..., 0])


class ClassF1(Additive):
    """F1 over classes: weighted by how often each is true, or the plain mean over the classes that occur.

    Args:
        truth: shape (clip,), true classes.
        said: shape (clip,), predicted classes.
        kept: bool, shape (clip,): the clips that count; all where None.
        average: weighted or macro.
        n_class: how many classes there are, so that the terms of two models can be mixed; those that occur where None.
    """

    def __init__(
        self,
        truth: npt.NDArray[np.generic],
        said: npt.NDArray[np.generic],
        kept: Flags | None = None,
        *,
        average: Literal["weighted", "macro"] = "weighted",
        n_class: int | None = None,
    ) -> None:
        self.kept = np.ones(truth.shape, dtype=np.bool_) if kept is None else kept
        self.truth, self.said, self.average = truth, said, average
        if truth.dtype == np.bool_:
            n_class = 2
        classes = np.union1d(truth, said) if n_class is None else np.arange(n_class)
        is_true, is_said = ((column[:, None] == classes) & self.kept[:, None] for column in (truth, said))
        self.terms = np.concatenate([is_true & is_said, is_true, is_said], axis=1).astype(np.float64)

    def number(self) -> float:
        """See ``Measure.number``."""
        if not self.kept.any():
            return np.nan
        return float(f1_score(self.truth[self.kept], self.said[self.kept], average=self.average, zero_division=0.0))

    def of_sums(self, sums: Values) -> Values:
        """See ``Additive.of_sums``."""
        hits, n_true, n_said = np.split(sums, 3, axis=-1)
        f1 = np.nan_to_num(_ratio(2 * hits, n_true + n_said))
        weights = n_true if self.average == "weighted" else (n_true + n_said > 0).astype(np.float64)
        return _ratio((weights * f1).sum(axis=-1), weights.sum(axis=-1))


class LabelF1(Additive):
    """F1 of yes-or-no labels.

    Args:
        truth: bool, shape (clip, label).
        said: bool, shape (clip, label).
        average: micro counts all labels together, macro is the mean over the labels (0 where one is never true nor
            said).
    """

    def __init__(self, truth: Flags, said: Flags, *, average: Literal["micro", "macro"]) -> None:
        self.truth, self.said, self.average = truth, said, average
        self.terms = np.concatenate([truth & said, truth, said], axis=1).astype(np.float64)

    def number(self) -> float:
        """See ``Measure.number``."""
        single = self.truth.shape[1] == 1
        truth, said = (column[:, 0] if single else column for column in (self.truth, self.said))
        average = "binary" if single else self.average
        return float(f1_score(truth, said, average=average, zero_division=0.0))

    def of_sums(self, sums: Values) -> Values:
        """See ``Additive.of_sums``."""
        parts = np.split(sums, 3, axis=-1)
        if self.average == "micro":
            parts = [part.sum(axis=-1, keepdims=True) for part in parts]
        hits, n_true, n_said = parts
        return np.asarray(np.nan_to_num(_ratio(2 * hits, n_true + n_said)).mean(axis=-1))


class Pearson(Additive):
    """Pearson's correlation; NaN where a column is constant.

    Args:
        y: float64, shape (clip,), labels.
        p: float64, shape (clip,), predictions.
        kept: bool, shape (clip,): the clips that count; all where None.
    """

    def __init__(self, y: Values, p: Values, kept: Flags | None = None) -> None:
        self.kept = np.ones(y.shape, dtype=np.bool_) if kept is None else kept
        self.y, self.p = y, p
        # Centred on the labels alone, so that the terms of two models of the same clips can be mixed.
        centre = y[self.kept].mean() if self.kept.any() else 0.0
        dy, dp = y - centre, p - centre
        self.terms = np.stack([np.ones_like(y), dy, dp, dy * dy, dp * dp, dy * dp], axis=1) * self.kept[:, None]

    def number(self) -> float:
        """See ``Measure.number``."""
        y, p = self.y[self.kept], self.p[self.kept]
        if y.size < 2 or np.ptp(y) == 0 or np.ptp(p) == 0:
            return np.nan
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of columns that are nearly constant: their r is still what it is
            return float(pearsonr(y, p).statistic)

    def of_sums(self, sums: Values) -> Values:
        """See ``Additive.of_sums``."""
        n = sums[..., 0]
        y, p, yy, pp, yp = (_ratio(sums[..., index], n) for index in range(1, 6))
        spreads = [
            np.where(square - mean**2 > _SMALLEST_SPREAD * square, square - mean**2, np.nan)
            for mean, square in ((y, yy), (p, pp))
        ]
        return np.asarray(((yp - y * p) / np.sqrt(spreads[0] * spreads[1])).clip(-1.0, 1.0))


class Combined(Additive):
    """A weighted sum of other numbers, such as F1 - 0.25 MSE.

    Args:
        parts: the numbers.
        weights: one for each.
    """

    def __init__(self, parts: Sequence[Additive], weights: Sequence[float]) -> None:
        self.parts, self.weights = tuple(parts), tuple(weights)
        self.terms = np.concatenate([part.terms for part in parts], axis=1)

    def number(self) -> float:
        """See ``Measure.number``."""
        return float(sum(weight * part.number() for part, weight in zip(self.parts, self.weights, strict=True)))

    def of_sums(self, sums: Values) -> Values:
        """See ``Additive.of_sums``."""
        ends = np.cumsum([part.terms.shape[1] for part in self.parts])[:-1]
        columns = np.split(sums, ends, axis=-1)
        numbers = [part.of_sums(column) for part, column in zip(self.parts, columns, strict=True)]
        return np.asarray(sum(weight * number for number, weight in zip(numbers, self.weights, strict=True)))


class AveragePrecision(Measure):
    """The area under precision over recall of one yes-or-no label; NaN where the label is never true.

    Args:
        truth: bool, shape (clip,).
        scores: float64, shape (clip,), larger where the label is likelier.
    """

    def __init__(self, truth: Flags, scores: Values) -> None:
        self.truth, self.scores = truth, scores

    def number(self) -> float:
        """See ``Measure.number``."""
        return float(average_precision_score(self.truth, self.scores)) if self.truth.any() else np.nan

    def resampled(self, counts: Values, groups: Codes) -> Values:
        """See ``Measure.resampled``."""
        order = np.argsort(-self.scores, kind="stable")
        truth, scores, groups = self.truth[order], self.scores[order], groups[order]
        ends = np.flatnonzero(np.append(scores[1:] != scores[:-1], True))
        return np.array([self._of_weights(row[groups], truth, ends) for row in counts])

    def _of_weights(self, weights: Values, truth: Flags, ends: npt.NDArray[np.int64]) -> float:
        n_said = np.cumsum(weights)[ends]
        hits = np.cumsum(weights * truth)[ends]
        if not hits[-1]:
            return np.nan
        precision = np.nan_to_num(_ratio(hits, n_said))
        return float((np.diff(hits, prepend=0.0) * precision).sum() / hits[-1])


def _ratio(over: Values, under: Values) -> Values:
    """Return ``over / under``, NaN where nothing stands below."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(under > 0, over / under, np.nan)
