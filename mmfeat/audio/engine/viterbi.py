"""The most probable pitch track: Viterbi decoding over the pitch bins, voiced and unvoiced.

States are N pitch bins voiced (0 … N - 1) and the same N bins unvoiced (N … 2N - 1). From frame to frame the pitch
moves by at most ``half_width`` bins, with a triangular probability, and the voicing changes with probability 0.01:

    V_t(j) = log P(frame t | j) + max over i of (V_{t-1}(i) + log A(i, j))

Source: Mauch and Dixon, "pYIN", ICASSP 2014, section 2.2. librosa 0.11 evaluates the maximum over all (2N)^2 pairs,
with log(2.2e-308) in the place of log 0. Here the same maximum is found in three steps:

* within the triangle, by running over its ``2 half_width + 1`` offsets with sixteen target bins at a time;
* outside of it all transitions cost the same, so only the best state of all can matter there;
* the observation is the same for all unvoiced bins, and zero for all voiced bins but the few candidates. A voiced bin
  that is no candidate loses at least 600 to the same bin unvoiced, so it is left out; except where the voicing
  probability is exactly 1 and the unvoiced bins are impossible too.

Scores are float32, relative to the best score of the frame before (a sum over a whole clip would lose the last digits).
No back pointers are kept: the way back finds the argmax of the one state per frame that it needs. Of long clips only
every ``SEGMENT``-th frame is kept and the way back computes the rest again, so that memory does not grow by 2N floats a
frame.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mmfeat.audio.engine.lanes import FloatArray, Lanes, larger, largest_lane, load, splat, store
from mmfeat.compile import kernel

SEGMENT = 2048  # frames whose scores are kept at a time: 7 MB at 431 bins
LOG_TINY = float(np.log(np.finfo(np.float64).tiny))  # librosa's log 0
_SWITCH_PROBABILITY = 0.01
_N_LANES = 16
_MINUS_INFINITY = np.float32(-np.inf)
_LOG_TINY = np.float32(LOG_TINY)

IndexArray = npt.NDArray[np.int64]


class Transitions(NamedTuple):
    """The logarithms of the transition probabilities."""

    n_bins: int
    n_padded: int  # n_bins, rounded up to four vectors
    half_width: int  # bins that the pitch can move by
    margin: int  # half_width, rounded up to whole vectors
    log_triangle: FloatArray  # (2 * half_width + 1,), rounded up to whole vectors by log 0
    log_row_sum: FloatArray  # (n_padded,): what normalizes the triangle, cut off at the lowest and highest pitch
    log_stay: np.float32
    log_switch: np.float32


@lru_cache(maxsize=32)
def transitions(n_bins: int, half_width: int) -> Transitions:
    """Return the tables for ``n_bins`` pitch bins that move by at most ``half_width`` bins a frame."""
    offsets = np.arange(-half_width, half_width + 1)
    triangle = half_width + 1.0 - np.abs(offsets)
    target = np.arange(n_bins)[:, None] + offsets
    row_sum = (triangle * ((target >= 0) & (target < n_bins))).sum(axis=1)
    n_padded = _rounded_up(n_bins, 4 * _N_LANES)
    log_triangle = np.full(_rounded_up(triangle.size, _N_LANES), _MINUS_INFINITY)
    log_triangle[: triangle.size] = np.log(triangle)
    log_row_sum = np.zeros(n_padded, np.float32)
    log_row_sum[:n_bins] = np.log(row_sum)
    return Transitions(
        n_bins,
        n_padded,
        half_width,
        _rounded_up(half_width, _N_LANES),
        log_triangle,
        log_row_sum,
        np.float32(np.log(1.0 - _SWITCH_PROBABILITY)),
        np.float32(np.log(_SWITCH_PROBABILITY)),
    )


def _rounded_up(n: int, multiple: int) -> int:
    """Return the smallest multiple that is not less than ``n``."""
    return -(-n // multiple) * multiple


class Scores(NamedTuple):
    """Scores of a segment's frames, the last frame of the segment before in front."""

    values: FloatArray  # (n_frames + 1, 2, n_padded): voiced, unvoiced; -inf where a state is left out
    best: FloatArray  # (n_frames + 1,): largest of each frame


class Observations(NamedTuple):
    """What the frames say: for each its candidates, and how probable each unvoiced bin is."""

    starts: IndexArray  # (n_frames + 1,): the candidates of frame t are starts[t] to starts[t + 1]
    bins: IndexArray  # (n_candidates,): pitch bin
    log_probabilities: FloatArray  # (n_candidates,)
    log_unvoiced: FloatArray  # (n_frames,): LOG_TINY where the frame is certainly voiced


@kernel
def decode(observations: Observations, tables: Transitions) -> IndexArray:
    """Return the most probable state of each frame: int64, shape (n_frames,), voiced below ``n_bins``."""
    n_frames = observations.log_unvoiced.size
    n_segments = (n_frames + SEGMENT - 1) // SEGMENT
    n_kept = min(n_frames, SEGMENT) + 1
    scores = Scores(np.empty((n_kept, 2, tables.n_padded), np.float32), np.empty(n_kept, np.float32))
    checkpoints = Scores(np.empty((n_segments, 2, tables.n_padded), np.float32), np.empty(n_segments, np.float32))
    sources = np.full((2, tables.n_padded + 2 * tables.margin + _N_LANES), _MINUS_INFINITY, np.float32)
    for segment in range(n_segments):
        _copy_frame(scores, min(segment * SEGMENT, SEGMENT), checkpoints, segment)
        _copy_frame(checkpoints, segment, scores, 0)
        _score_segment(observations, segment, tables, sources, scores)
    states = np.empty(n_frames, np.int64)
    states[-1] = _best_state(scores.values[n_frames - (n_segments - 1) * SEGMENT], tables)
    for segment in range(n_segments - 1, -1, -1):
        if segment < n_segments - 1:
            _copy_frame(checkpoints, segment, scores, 0)
            _score_segment(observations, segment, tables, sources, scores)
        _trace_segment(segment, tables, scores, states)
    return states


@kernel
def _copy_frame(origin: Scores, i: int, target: Scores, j: int) -> None:
    """Copy the scores of one frame."""
    target.values[j] = origin.values[i]
    target.best[j] = origin.best[i]


@kernel
def _score_segment(
    observations: Observations, segment: int, tables: Transitions, sources: FloatArray, scores: Scores
) -> None:
    """Write the scores of the segment's frames behind those of the frame before."""
    first = segment * SEGMENT
    n = min(SEGMENT, observations.log_unvoiced.size - first)
    for i in range(n):
        if first + i == 0:
            scores.best[1] = _score_first_frame(observations, tables, scores.values[1])
        else:
            _prepare_sources(scores.values[i], scores.best[i], tables, sources)
            scores.best[i + 1] = _score_frame(observations, first + i, tables, sources, scores.values[i + 1])


@kernel
def _score_first_frame(observations: Observations, tables: Transitions, scores: FloatArray) -> np.float32:
    """Write the scores of the first frame, all states alike before it; return the best."""
    log_unvoiced = observations.log_unvoiced[0]
    scores[:] = _MINUS_INFINITY
    scores[1, : tables.n_bins] = log_unvoiced
    if log_unvoiced <= _LOG_TINY:
        scores[0, : tables.n_bins] = _LOG_TINY
    for c in range(observations.starts[1]):
        scores[0, observations.bins[c]] = observations.log_probabilities[c]
    return np.float32(scores.max())


@kernel
def _prepare_sources(scores: FloatArray, best: np.float32, tables: Transitions, sources: FloatArray) -> None:
    """Write what each bin offers to voiced (0) and unvoiced (1) successors, before the triangle, less ``best``."""
    stay, switch = splat(tables.log_stay), splat(tables.log_switch)
    voiced, unvoiced, to_voiced, to_unvoiced = scores[0], scores[1], sources[0], sources[1]
    for i in range(0, tables.n_padded, _N_LANES):
        offset = load(tables.log_row_sum, i) + splat(best)
        v, u = load(voiced, i), load(unvoiced, i)
        store(to_voiced, tables.margin + i, larger(v + stay, u + switch) - offset)
        store(to_unvoiced, tables.margin + i, larger(u + stay, v + switch) - offset)


@kernel
def _score_frame(
    observations: Observations, frame: int, tables: Transitions, sources: FloatArray, scores: FloatArray
) -> np.float32:
    """Write the scores of one frame from what the frame before offers; return the best."""
    to_voiced, voiced = sources[0], scores[0]
    log_unvoiced = observations.log_unvoiced[frame]
    best = _score_bins(sources[1], log_unvoiced, tables, scores[1])
    if log_unvoiced <= _LOG_TINY:
        best = max(best, _score_bins(to_voiced, _LOG_TINY, tables, voiced))
    else:
        voiced[:] = _MINUS_INFINITY
    for c in range(observations.starts[frame], observations.starts[frame + 1]):
        bin_ = observations.bins[c]
        voiced[bin_] = observations.log_probabilities[c] + _reach(to_voiced, bin_, tables)
        best = max(best, voiced[bin_])
    return best


@kernel
def _score_bins(source: FloatArray, log_observation: np.float32, tables: Transitions, scores: FloatArray) -> np.float32:
    """Write the scores of all bins under one observation; return the best."""
    observation = splat(log_observation)
    best = splat(_MINUS_INFINITY)
    for j in range(0, tables.n_padded, 4 * _N_LANES):
        reached = _reach_four_vectors(source, j, tables)
        for part in range(4):
            score = reached[part] + observation
            store(scores, j + part * _N_LANES, score)
            best = larger(best, score)
    scores[tables.n_bins :] = _MINUS_INFINITY
    return largest_lane(best)


@kernel
def _reach_four_vectors(source: FloatArray, first_bin: int, tables: Transitions) -> tuple[Lanes, Lanes, Lanes, Lanes]:
    """Return the best scores with which 64 bins are reached: four chains of maxima, so that none waits for the last.

    The triangle is symmetric, so both neighbours at a distance compete before it is added.
    """
    at = tables.margin + first_bin
    floor, centre = splat(_LOG_TINY), splat(tables.log_triangle[tables.half_width])
    a = larger(floor, load(source, at) + centre)
    b = larger(floor, load(source, at + _N_LANES) + centre)
    c = larger(floor, load(source, at + 2 * _N_LANES) + centre)
    d = larger(floor, load(source, at + 3 * _N_LANES) + centre)
    for distance in range(1, tables.half_width + 1):
        step = splat(tables.log_triangle[tables.half_width - distance])
        low, high = at - distance, at + distance
        a = larger(a, larger(load(source, low), load(source, high)) + step)
        b = larger(b, larger(load(source, low + _N_LANES), load(source, high + _N_LANES)) + step)
        c = larger(c, larger(load(source, low + 2 * _N_LANES), load(source, high + 2 * _N_LANES)) + step)
        d = larger(d, larger(load(source, low + 3 * _N_LANES), load(source, high + 3 * _N_LANES)) + step)
    return a, b, c, d


@kernel
def _reach(source: FloatArray, bin_: int, tables: Transitions) -> np.float32:
    """Return the best score with which one bin is reached."""
    first = tables.margin - tables.half_width + bin_
    best = splat(_LOG_TINY)
    for d in range(0, tables.log_triangle.size, _N_LANES):
        best = larger(best, load(source, first + d) + load(tables.log_triangle, d))
    return largest_lane(best)


@kernel
def _best_state(scores: FloatArray, tables: Transitions) -> int:
    """Return the first of the best states: voiced before unvoiced, low before high."""
    voiced, unvoiced = int(np.argmax(scores[0])), int(np.argmax(scores[1]))
    if scores[0, voiced] >= scores[1, unvoiced]:
        return voiced
    return tables.n_bins + unvoiced


@kernel
def _trace_segment(segment: int, tables: Transitions, scores: Scores, states: IndexArray) -> None:
    """Write the states of the segment's frames but its last, and of the frame before, walking backwards."""
    first = segment * SEGMENT
    last = min(first + SEGMENT, states.size) - 1
    for frame in range(last, max(first, 1) - 1, -1):
        before = frame - first
        states[frame - 1] = _predecessor(scores.values[before], scores.best[before], states[frame], tables)


@kernel
def _predecessor(scores: FloatArray, best: np.float32, state: int, tables: Transitions) -> int:
    """Return the state of the frame with these scores from which ``state`` is reached best."""
    target = state % tables.n_bins
    first, end = max(target - tables.half_width, 0), min(target + tables.half_width + 1, tables.n_bins)
    reached = best + _LOG_TINY
    winner = -1
    for plane in range(2):
        log_voicing = tables.log_stay if plane == state // tables.n_bins else tables.log_switch
        for i in range(first, end):
            offset = tables.log_triangle[target - i + tables.half_width] - tables.log_row_sum[i]
            score = scores[plane, i] + log_voicing + offset
            if score > reached:
                reached = score
                winner = plane * tables.n_bins + i
    return winner if winner >= 0 else _best_state(scores, tables)
