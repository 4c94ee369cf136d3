"""Count, mean, spread and range of columns, block by block.

Source of the sums: Chan, Golub and LeVeque, "Algorithms for computing the sample variance", The American Statistician,
1983.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from mmfeat.types import BoolArray, Float32Array, Float64Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Moments:
    """What is known of the values of each column so far; every array has the shape (feature,).

    Args:
        count: values that were counted.
        n_not_finite: values that are NaN or infinite; they count nowhere else.
        mean: NaN where nothing was counted.
        squares: sum of squared distances from the mean.
        low: smallest value, infinity where nothing was counted.
        high: largest value, minus infinity where nothing was counted.
    """

    count: npt.NDArray[np.int64]
    n_not_finite: npt.NDArray[np.int64]
    mean: Float64Array
    squares: Float64Array
    low: Float64Array
    high: Float64Array

    @classmethod
    def nothing(cls, n_feature: int) -> Self:
        """Return what is known before the first block."""
        return cls(
            count=np.zeros(n_feature, dtype=np.int64),
            n_not_finite=np.zeros(n_feature, dtype=np.int64),
            mean=np.full(n_feature, np.nan),
            squares=np.zeros(n_feature),
            low=np.full(n_feature, np.inf),
            high=np.full(n_feature, -np.inf),
        )

    @classmethod
    def of(cls, values: Float32Array, wanted: BoolArray) -> Self:
        """Return the moments of one block.

        Args:
            values: shape (frame, feature).
            wanted: shape (frame, feature), which of them count.
        """
        finite = np.isfinite(values)
        used = finite & wanted
        count = used.sum(axis=0)
        numbers = np.where(used, values, 0).astype(np.float64)
        mean = np.where(count > 0, numbers.sum(axis=0) / np.maximum(count, 1), np.nan)
        distances = np.where(used, numbers - np.nan_to_num(mean), 0.0)
        return cls(
            count=count,
            n_not_finite=(~finite & wanted).sum(axis=0),
            mean=mean,
            squares=np.einsum("ij,ij->j", distances, distances),
            low=np.where(used, values, np.inf).min(axis=0, initial=np.inf).astype(np.float64),
            high=np.where(used, values, -np.inf).max(axis=0, initial=-np.inf).astype(np.float64),
        )

    def merged(self, other: Self) -> Self:
        """Return the moments of both."""
        count = self.count + other.count
        share = other.count / np.maximum(count, 1)
        one, two = np.nan_to_num(self.mean), np.nan_to_num(other.mean)
        apart = np.where((self.count > 0) & (other.count > 0), two - one, 0.0)
        mean = np.where(self.count > 0, one + apart * share, other.mean)
        return type(self)(
            count=count,
            n_not_finite=self.n_not_finite + other.n_not_finite,
            mean=mean,
            squares=self.squares + other.squares + apart**2 * self.count * share,
            low=np.minimum(self.low, other.low),
            high=np.maximum(self.high, other.high),
        )

    @property
    def sd(self) -> Float64Array:
        """Standard deviation of each column over what was counted, NaN where that is nothing."""
        return np.where(self.count > 0, np.sqrt(self.squares / np.maximum(self.count, 1)), np.nan)

    @property
    def is_constant(self) -> BoolArray:
        """Whether a column has one value only."""
        return np.asarray((self.count > 0) & (self.low == self.high))
