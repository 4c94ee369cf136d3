"""The pitch candidates of one frame: which troughs of d' count, with what probability.

pYIN asks at which period YIN would answer if its threshold s were drawn from a beta distribution. With the troughs of
d' in the order of their periods, threshold s sees those below s, and shares its probability among them by a Boltzmann
law:

    P(trough i) = sum over thresholds s of P(s) [h_i < s] (1 - e^-2) e^(-2 rank_i(s)) / (1 - e^(-2 n(s)))

where h_i is the depth of trough i, n(s) the number of troughs below s, and rank_i(s) how many of them have a shorter
period. Thresholds that see no trough give a hundredth of their probability to the deepest one. What is missing to 1 is
the probability that the frame is unvoiced.

Source: Mauch and Dixon, "pYIN: a fundamental frequency estimator using probabilistic threshold distributions",
ICASSP 2014, section 2.1, with the constants of librosa 0.11: 100 thresholds, beta(2, 18), Boltzmann 2, no-trough 0.01.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import betainc

from mmfeat.audio.engine.difference import DifferenceRows, exact_normalized_difference
from mmfeat.audio.engine.lanes import is_less_or_equal, load, lowest_lane, smaller, splat
from mmfeat.compile import kernel

N_THRESHOLDS = 100
_BETA = (2.0, 18.0)
_BOLTZMANN = 2.0
_NO_TROUGH_PROBABILITY = 0.01
_N_LANES = 16

DoubleArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int64]


class ThresholdPrior(NamedTuple):
    """Constants of the distributions over thresholds and troughs."""

    thresholds: DoubleArray  # (101,): 0, 0.01, …, 1
    cumulative: DoubleArray  # (101,): probability that the threshold is at most thresholds[i]
    decay: DoubleArray  # (rank,): e^(-2 rank)
    norm: DoubleArray  # (n,): (1 - e^-2) / (1 - e^(-2 n)); norm[0] is not used


@lru_cache(maxsize=8)
def threshold_prior(max_troughs: int) -> ThresholdPrior:
    """Return the constants for frames of at most ``max_troughs`` troughs."""
    thresholds = np.linspace(0.0, 1.0, N_THRESHOLDS + 1)
    counts = np.arange(max_troughs + 1)
    decay = np.exp(-_BOLTZMANN * counts)
    norm = np.ones(max_troughs + 1)
    norm[1:] = (1.0 - np.exp(-_BOLTZMANN)) / (1.0 - decay[1:])
    return ThresholdPrior(thresholds, betainc(*_BETA, thresholds), decay, norm)


class Troughs(NamedTuple):
    """The troughs of sixteen frames; entry ``[lane, i]`` is the i-th, in the order of their periods."""

    counts: IndexArray  # (16,)
    lags: IndexArray  # (16, max_troughs): index into d', 0 is the shortest period
    depths: DoubleArray  # (16, max_troughs): d' at the trough


@kernel
def trough_lists(n_lags: int) -> Troughs:
    """Return empty lists for frames with ``n_lags`` lags."""
    shape = (_N_LANES, n_lags // 2 + 1)
    return Troughs(np.zeros(_N_LANES, np.int64), np.empty(shape, np.int64), np.empty(shape, np.float64))


@kernel
def find_troughs(rows: DifferenceRows, min_period: int, troughs: Troughs) -> None:
    """List the troughs of sixteen frames that can be candidates: those below 1, or else the deepest one.

    A trough is below the neighbour before and not above the one behind; at the first and the last lag only one
    neighbour exists, and must be above. Lanes are searched in float32, where neighbours may have become equal; the few
    that are left are compared exactly.

    Args:
        rows: d' of sixteen frames, at least 2 lags.
        min_period: samples, lag of the first row.
        troughs: receives the lists.
    """
    n_lags = rows.normalized.size // _N_LANES
    one = splat(np.float32(1.0))
    troughs.counts[:] = 0
    before = load(rows.normalized, 0)
    here = load(rows.normalized, _N_LANES)
    _list_troughs(rows, min_period, 0, is_less_or_equal(before, smaller(here, one)), troughs)
    for lag in range(1, n_lags - 1):
        behind = load(rows.normalized, (lag + 1) * _N_LANES)
        lanes = is_less_or_equal(here, smaller(smaller(before, behind), one))
        _list_troughs(rows, min_period, lag, lanes, troughs)
        before, here = here, behind
    _list_troughs(rows, min_period, n_lags - 1, is_less_or_equal(here, smaller(before, one)), troughs)
    for lane in range(_N_LANES):
        if troughs.counts[lane] == 0:
            _list_deepest(rows, min_period, lane, troughs)


@kernel
def _list_deepest(rows: DifferenceRows, min_period: int, lane: int, troughs: Troughs) -> None:
    """List the deepest trough of a frame without any below 1."""
    deepest = np.inf
    for index in range(lane, rows.normalized.size, _N_LANES):
        lag = index // _N_LANES
        depth = exact_normalized_difference(rows, index, min_period + lag)
        if depth < deepest and _is_trough(rows, index, min_period + lag, depth):
            deepest = depth
            troughs.lags[lane, 0] = lag
            troughs.depths[lane, 0] = depth
            troughs.counts[lane] = 1


@kernel
def _list_troughs(rows: DifferenceRows, min_period: int, lag: int, lanes: int, troughs: Troughs) -> None:
    """Append ``lag`` to the lists of the lanes whose bits are set and which have a trough there."""
    while lanes != 0:
        lane = lowest_lane(lanes)
        lanes &= lanes - 1
        index = lag * _N_LANES + lane
        depth = exact_normalized_difference(rows, index, min_period + lag)
        if depth < 1.0 and _is_trough(rows, index, min_period + lag, depth):
            count = troughs.counts[lane]
            troughs.lags[lane, count] = lag
            troughs.depths[lane, count] = depth
            troughs.counts[lane] = count + 1


@kernel
def _is_trough(rows: DifferenceRows, index: int, period: int, depth: float) -> bool:
    """Return whether ``depth``, at ``index`` of the rows, is below the value before and not above the one behind."""
    is_first, is_last = index < _N_LANES, index >= rows.normalized.size - _N_LANES
    if not is_first and depth >= exact_normalized_difference(rows, index - _N_LANES, period - 1):
        return False
    if is_last:
        return True
    behind = exact_normalized_difference(rows, index + _N_LANES, period + 1)
    return depth < behind or (depth == behind and not is_first)


@kernel
def refined_period(rows: DifferenceRows, min_period: int, lag: int, lane: int) -> float:
    """Return the period of the trough at row ``lag``, in samples, where a parabola through three lags is lowest."""
    index, period = lag * _N_LANES + lane, min_period + lag
    if index < _N_LANES or index >= rows.normalized.size - _N_LANES:
        return float(period)
    return period + _parabolic_shift(
        exact_normalized_difference(rows, index - _N_LANES, period - 1),
        exact_normalized_difference(rows, index, period),
        exact_normalized_difference(rows, index + _N_LANES, period + 1),
    )


@kernel
def _parabolic_shift(before: float, here: float, behind: float) -> float:
    """Return where the parabola through three neighbours is lowest, from the middle one; 0 if outside of them."""
    curvature = before + behind - 2.0 * here
    slope = (behind - before) / 2.0
    if abs(slope) >= abs(curvature):
        return 0.0
    return -slope / curvature


class TroughBuffers(NamedTuple):
    """Working memory for the troughs of one frame."""

    first_threshold: IndexArray  # (max_troughs,): how many thresholds do not see the trough
    n_first: IndexArray  # (101,): how many troughs each threshold is the first to see


@kernel
def trough_buffers(max_troughs: int) -> TroughBuffers:
    """Return working memory for ``trough_probabilities``."""
    return TroughBuffers(np.empty(max_troughs, np.int64), np.zeros(N_THRESHOLDS + 1, np.int64))


@kernel
def trough_probabilities(
    depths: DoubleArray, prior: ThresholdPrior, buffers: TroughBuffers, probabilities: DoubleArray
) -> None:
    """Write the probability of each trough of one frame.

    Thresholds between one trough and the next deeper one see the same troughs, and are taken together.

    Args:
        depths: float64, shape (n,), in the order of the periods.
        prior: the constants.
        buffers: of ``trough_buffers``.
        probabilities: receives float64, shape (n,).
    """
    first_threshold = buffers.first_threshold[: depths.size]
    buffers.n_first[:] = 0
    for i in range(depths.size):
        first_threshold[i] = _first_threshold_above(depths[i], prior)
        buffers.n_first[first_threshold[i]] += 1
        probabilities[i] = 0.0
    deepest = np.argmin(depths)
    threshold = first_threshold[deepest]
    probabilities[deepest] = _NO_TROUGH_PROBABILITY * prior.cumulative[threshold]
    n_seen = 0
    while threshold < N_THRESHOLDS:
        n_seen += buffers.n_first[threshold]
        following = threshold + 1
        while following < N_THRESHOLDS and buffers.n_first[following] == 0:
            following += 1
        mass = prior.cumulative[following] - prior.cumulative[threshold]
        _share(mass * prior.norm[n_seen], threshold, first_threshold, prior.decay, probabilities)
        threshold = following


@kernel
def _first_threshold_above(depth: float, prior: ThresholdPrior) -> int:
    """Return how many of the thresholds 0.01, 0.02, …, 1 do not see a trough of this depth."""
    if depth >= 1.0:
        return N_THRESHOLDS
    index = max(int(depth * N_THRESHOLDS) - 1, 0)  # one too few at most, whatever the rounding
    while prior.thresholds[index + 1] <= depth:
        index += 1
    return index


@kernel
def _share(
    mass: float, threshold: int, first_threshold: IndexArray, decay: DoubleArray, probabilities: DoubleArray
) -> None:
    """Share ``mass`` among the troughs that ``threshold`` sees, less and less from the shortest period on."""
    rank = 0
    for i in range(first_threshold.size):
        is_seen = first_threshold[i] <= threshold
        probabilities[i] += mass * decay[rank] if is_seen else 0.0
        rank += is_seen
