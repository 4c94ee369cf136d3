"""How far a number can be trusted: intervals, and tests of a difference between two sets of predictions.

Clips of one recording share a speaker and a microphone, so recordings are drawn, not clips: all clips of a recording
stay together. Everything is drawn from a seed.

- ``bootstrap_intervals``: 95 % percentile interval of each number over resamples of the recordings.
- ``compare_measures``: the difference of two models on the same clips, its interval from the same resamples for both
  (paired bootstrap), and the two-sided p of a permutation test that swaps the models' predictions of whole recordings
  at random (all swaps where there are few recordings).
- ``mcnemar``: the exact binomial test on the clips that one model has right and the other wrong.

Sources: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapters 13 and 15; McNemar, Psychometrika 1947;
Field and Welsh, Bootstrapping clustered data, JRSS B 2007.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from skesl.measures import Additive, Codes, Flags, Measure, Values

N_RESAMPLE = 2000
LEVEL = 0.95
FEW_RECORDINGS = 10  # below, the spread among so few that are drawn anew underrates that among all there could be
_ROUNDING = 1e-12  # two differences that are closer than this are equal

Interval = tuple[float, float]
Measures = Mapping[str, Measure]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The difference of one number between two models on the same clips.

    Args:
        first: the number of the first model, the mean over its seeds.
        second: that of the second.
        interval: 95 % interval of second - first.
        p: two-sided p of the permutation test, NaN where there is none (average precision).
        is_testable: whether there are enough recordings for a test to reject equality at 5 %.
    """

    first: float
    second: float
    interval: Interval
    p: float
    is_testable: bool = True

    @property
    def difference(self) -> float:
        """Second - first."""
        return self.second - self.first

    @property
    def exceeds_noise(self) -> bool:
        """Whether the interval leaves out 0 and the permutation test, where there is one, rejects equality at 5 %."""
        low, high = self.interval
        rejects = np.isnan(self.p) or self.p < 1 - LEVEL
        return bool(self.is_testable and rejects and (low > 0 or high < 0))

    def to_dict(self) -> dict[str, Any]:
        """Return every number, and what follows from them."""
        return {**asdict(self), "difference": self.difference, "exceeds_noise": self.exceeds_noise}


@dataclass(frozen=True, kw_only=True)
class McNemar:
    """The clips on which two models disagree about being right.

    Args:
        only_first: clips that only the first model has right.
        only_second: clips that only the second has right.
        p: two-sided exact p.
    """

    only_first: int
    only_second: int
    p: float


def bootstrap_intervals(
    seeds: Sequence[Measures], groups: Codes, *, n_resample: int = N_RESAMPLE, seed: int = 0
) -> dict[str, Interval]:
    """Return the 95 % interval of each number, or of its mean over several runs.

    Args:
        seeds: the measures of each run on the same clips.
        groups: shape (clip,), the recording of each clip.
        n_resample: how often recordings are drawn.
        seed: of the draws.

    Returns:
        Low and high by name; NaN where the number itself is not defined or there is one recording only.
    """
    counts = _draws(groups, n_resample, seed)
    intervals = {}
    for name in seeds[0]:
        undefined = counts.shape[1] < 2 or np.isnan([measures[name].number() for measures in seeds]).any()
        intervals[name] = (np.nan, np.nan) if undefined else _percentiles(_resampled(seeds, name, counts, groups))
    return intervals


def compare_measures(
    first: Sequence[Measures],
    second: Sequence[Measures],
    groups: Codes,
    *,
    n_resample: int = N_RESAMPLE,
    seed: int = 0,
) -> dict[str, Difference]:
    """Return the difference between two models on the same clips, for each number.

    Args:
        first: the measures of each run of the first model.
        second: the same of the second; runs are paired in their order for the swaps.
        groups: shape (clip,), the recording of each clip.
        n_resample: how often recordings are drawn, and predictions swapped.
        seed: of the draws.
    """
    counts = _draws(groups, n_resample, seed)
    swaps = _swaps(counts.shape[1], n_resample, seed)
    is_testable = smallest_p(counts.shape[1], n_resample) < 1 - LEVEL
    differences = {}
    for name in first[0]:
        numbers = [float(np.mean([measures[name].number() for measures in runs])) for runs in (first, second)]
        undefined = bool(np.isnan(numbers).any())
        gain = _resampled(second, name, counts, groups) - _resampled(first, name, counts, groups)
        differences[name] = Difference(
            first=numbers[0],
            second=numbers[1],
            interval=(np.nan, np.nan) if undefined or counts.shape[1] < 2 else _percentiles(gain),
            p=np.nan if undefined else _permutation_p(first, second, name, swaps, groups),
            is_testable=is_testable,
        )
    return differences


def mcnemar(first_right: Flags, second_right: Flags) -> McNemar:
    """Return McNemar's exact test on two models' right answers, shape (clip,) each."""
    only_first = int((first_right & ~second_right).sum())
    only_second = int((second_right & ~first_right).sum())
    n_differ = only_first + only_second
    p = float(binomtest(only_first, n_differ, 0.5).pvalue) if n_differ else 1.0
    return McNemar(only_first=only_first, only_second=only_second, p=p)


def smallest_p(n_group: int, n_resample: int = N_RESAMPLE) -> float:
    """Return the smallest p that the permutation test can give with so many recordings."""
    return max(2.0 ** (1 - n_group), 1 / (n_resample + 1))


def _draws(groups: Codes, n_resample: int, seed: int) -> Values:
    """Return how often each recording is drawn in each resample, shape (resample, group)."""
    n_group = int(groups.max()) + 1
    rng = np.random.default_rng(seed)
    return rng.multinomial(n_group, np.full(n_group, 1 / n_group), size=n_resample).astype(np.float64)


def _swaps(n_group: int, n_resample: int, seed: int) -> Values:
    """Return which recordings are swapped, shape (permutation, group): the first is none; all where they are few."""
    if 2**n_group <= n_resample:
        return (np.arange(2**n_group)[:, None] >> np.arange(n_group) & 1).astype(np.float64)
    drawn = np.random.default_rng(seed).integers(0, 2, size=(n_resample, n_group))
    return np.concatenate([np.zeros((1, n_group)), drawn])


def _resampled(seeds: Sequence[Measures], name: str, counts: Values, groups: Codes) -> Values:
    """Return a number's mean over the runs in each resample, shape (resample,)."""
    return np.mean([measures[name].resampled(counts, groups) for measures in seeds], axis=0)  # type: ignore[no-any-return]


def _percentiles(values: Values) -> Interval:
    defined = values[~np.isnan(values)]
    if not defined.size:
        return np.nan, np.nan
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _permutation_p(
    first: Sequence[Measures], second: Sequence[Measures], name: str, swaps: Values, groups: Codes
) -> float:
    """Return how often a difference at least as large comes out when recordings are swapped; no swap counts too."""
    n_pair = min(len(first), len(second))
    one, other = ([measures[name] for measures in runs[:n_pair]] for runs in (first, second))
    gains: list[npt.NDArray[np.float64]] = []
    for before, after in zip(one, other, strict=True):
        if not (isinstance(before, Additive) and isinstance(after, Additive)):
            return np.nan
        gains.append(_swapped_gain(before, after, swaps, groups))
    gain = np.abs(np.mean(gains, axis=0))
    defined = gain[~np.isnan(gain)]
    return float((defined >= gain[0] - _ROUNDING).mean())


def _swapped_gain(before: Additive, after: Additive, swaps: Values, groups: Codes) -> Values:
    """Return the difference under each swap; sums of swapped predictions are sums of both models' sums."""
    sums, others = before.group_sums(groups), after.group_sums(groups)
    moved = swaps @ (others - sums)
    return after.of_sums(others.sum(axis=0) - moved) - before.of_sums(sums.sum(axis=0) + moved)
