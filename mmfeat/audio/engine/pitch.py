"""Fundamental frequency by probabilistic YIN."""

from __future__ import annotations

import math
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from mmfeat.audio.engine.candidates import (
    ThresholdPrior,
    TroughBuffers,
    Troughs,
    find_troughs,
    refined_period,
    threshold_prior,
    trough_buffers,
    trough_lists,
    trough_probabilities,
)
from mmfeat.audio.engine.difference import (
    DifferencePlan,
    DifferenceRows,
    difference_buffers,
    difference_plan,
    difference_rows,
    normalized_difference,
)
from mmfeat.audio.engine.frames import as_clip, n_frames_of, n_groups_of
from mmfeat.audio.engine.lanes import FloatArray
from mmfeat.audio.engine.sparse import SparseFrames, sparse_correlations
from mmfeat.audio.engine.viterbi import Observations, Transitions, decode, transitions
from mmfeat.compile import kernel

BINS_PER_SEMITONE = 10
_BINS_PER_OCTAVE = 12 * BINS_PER_SEMITONE
_MAX_TRANSITION_RATE = 35.92  # octaves per second (librosa's default, after Mauch and Dixon's implementation)
_N_LANES = 16
Number = TypeVar("Number", bound=np.generic)
_TINY = float(np.finfo(np.float64).tiny)


class PitchPlan(NamedTuple):
    """All that depends on the settings and not on the clip."""

    sample_rate: float  # Hz
    f0_min_hz: float
    n_bins: int
    difference: DifferencePlan
    prior: ThresholdPrior
    transitions: Transitions


def pitch_plan(
    sample_rate: float, *, f0_min_hz: float, f0_max_hz: float, frame_length: int, hop_length: int
) -> PitchPlan:
    """Return the plan of ``pyin`` for these settings."""
    min_period = math.floor(sample_rate / f0_max_hz)
    max_period = min(math.ceil(sample_rate / f0_min_hz), frame_length - 1)
    max_semitones = round(_MAX_TRANSITION_RATE * 12 * hop_length / sample_rate)
    n_bins = math.floor(_BINS_PER_OCTAVE * np.log2(f0_max_hz / f0_min_hz)) + 1
    return PitchPlan(
        float(sample_rate),
        float(f0_min_hz),
        n_bins,
        difference_plan(min_period=min_period, max_period=max_period, frame_length=frame_length, hop_length=hop_length),
        threshold_prior((max_period - min_period + 1) // 2 + 1),
        transitions(n_bins, max_semitones * BINS_PER_SEMITONE // 2),
    )


def pyin(
    samples: FloatArray,
    sample_rate: float,
    *,
    f0_min_hz: float,
    f0_max_hz: float,
    frame_length: int = 2048,
    hop_length: int = 512,
) -> tuple[FloatArray, npt.NDArray[np.bool_], FloatArray]:
    """Return the fundamental frequency of each frame, whether it is voiced, and how probably.

    Args:
        samples: float32, shape (n_samples,), range [-1, 1].
        sample_rate: Hz.
        f0_min_hz: lowest frequency searched.
        f0_max_hz: highest frequency searched.
        frame_length: samples, a power of two.
        hop_length: samples.

    Returns:
        f0_hz: float32, shape (1 + n_samples // hop_length,), in steps of a tenth of a semitone, 0 where unvoiced.
        voiced: bool, same shape.
        voicing_probability: float32, same shape, range [0, 1].

    Raises:
        ValueError: the clip is empty or has more than one dimension.

    Source: Mauch and Dixon, "pYIN", ICASSP 2014; equal to ``librosa.pyin`` 0.11 with its defaults.
    """
    plan = pitch_plan(
        sample_rate, f0_min_hz=f0_min_hz, f0_max_hz=f0_max_hz, frame_length=frame_length, hop_length=hop_length
    )
    clip = as_clip(samples)
    sparse = sparse_correlations(
        clip, hop_length=hop_length, frame_length=frame_length, max_lag=plan.difference.max_period
    )
    states, voicing_probability = _track(clip, sparse, plan)
    voiced = states < plan.n_bins
    pitch_hz = f0_min_hz * 2.0 ** (states % plan.n_bins / _BINS_PER_OCTAVE)
    return np.where(voiced, pitch_hz, 0.0).astype(np.float32), voiced, voicing_probability


@kernel
def _track(samples: FloatArray, sparse: SparseFrames, plan: PitchPlan) -> tuple[npt.NDArray[np.int64], FloatArray]:
    """Return the state of each frame, and its voicing probability."""
    observations, voicing_probability = _observe(samples, sparse, plan)
    return decode(observations, plan.transitions), voicing_probability


@kernel
def _observe(samples: FloatArray, sparse: SparseFrames, plan: PitchPlan) -> tuple[Observations, FloatArray]:
    """Return the candidates of all frames, and the voicing probabilities."""
    n_frames = n_frames_of(samples.size, plan.difference.hop_length)
    n_lags = plan.difference.max_period - plan.difference.min_period + 1
    starts = np.zeros(n_frames + 1, np.int64)
    bins = np.empty(16 * n_frames + n_lags, np.int64)
    log_probabilities = np.empty(bins.size, np.float32)
    voicing_probability = np.empty(n_frames, np.float32)
    log_unvoiced = np.empty(n_frames, np.float32)
    buffers = difference_buffers(plan.difference)
    rows = difference_rows(plan.difference)
    troughs = trough_lists(n_lags)
    candidates = _candidate_buffers(n_lags)
    for group in range(n_groups_of(n_frames)):
        normalized_difference(samples, sparse, group, plan.difference, buffers, rows)
        find_troughs(rows, plan.difference.min_period, troughs)
        for frame in range(group * _N_LANES, min((group + 1) * _N_LANES, n_frames)):
            n = _frame_candidates(rows, troughs, frame % _N_LANES, plan, candidates)
            bins = _with_room(bins, starts[frame] + n)
            log_probabilities = _with_room(log_probabilities, starts[frame] + n)
            voiced = _append(candidates, n, starts[frame], bins, log_probabilities)
            starts[frame + 1] = starts[frame] + n
            voicing_probability[frame] = voiced
            log_unvoiced[frame] = math.log((1.0 - voiced) / plan.n_bins + _TINY)
    return Observations(starts, bins, log_probabilities, log_unvoiced), voicing_probability


class CandidateBuffers(NamedTuple):
    """Working memory for the candidates of one frame."""

    troughs: TroughBuffers
    probabilities: npt.NDArray[np.float64]
    bins: npt.NDArray[np.int64]


@kernel
def _candidate_buffers(n_lags: int) -> CandidateBuffers:
    """Return working memory for frames with ``n_lags`` lags."""
    n = n_lags // 2 + 1
    return CandidateBuffers(trough_buffers(n), np.empty(n, np.float64), np.empty(n, np.int64))


@kernel
def _frame_candidates(
    rows: DifferenceRows, troughs: Troughs, lane: int, plan: PitchPlan, candidates: CandidateBuffers
) -> int:
    """Write bin and probability of the candidates of one frame, by falling pitch; return how many there are.

    Of two troughs in the same bin the one of the longer period counts, and a pitch above the highest bin does not count
    at all: both as in librosa, where they overwrite each other.
    """
    n_troughs = troughs.counts[lane]
    if n_troughs == 0:
        return 0
    trough_probabilities(troughs.depths[lane, :n_troughs], plan.prior, candidates.troughs, candidates.probabilities)
    n = 0
    for i in range(n_troughs):
        if candidates.probabilities[i] == 0.0:
            continue
        bin_ = _pitch_bin(rows, troughs.lags[lane, i], lane, plan)
        if bin_ >= plan.n_bins:
            continue
        if n > 0 and candidates.bins[n - 1] == bin_:
            n -= 1
        candidates.bins[n] = bin_
        candidates.probabilities[n] = candidates.probabilities[i]
        n += 1
    return n


@kernel
def _pitch_bin(rows: DifferenceRows, lag: int, lane: int, plan: PitchPlan) -> int:
    """Return the pitch bin of a trough."""
    period = refined_period(rows, plan.difference.min_period, lag, lane)
    position = _BINS_PER_OCTAVE * math.log2(plan.sample_rate / period / plan.f0_min_hz)
    return max(int(np.rint(position)), 0)


@kernel
def _with_room(array: npt.NDArray[Number], n: int) -> npt.NDArray[Number]:
    """Return ``array``, or a copy twice as long, so that ``n`` entries fit."""
    if n <= array.size:
        return array
    longer = np.empty(2 * n, array.dtype)
    longer[: array.size] = array
    return longer


@kernel
def _append(
    candidates: CandidateBuffers,
    n: int,
    start: int,
    bins: npt.NDArray[np.int64],
    log_probabilities: FloatArray,
) -> float:
    """Copy the candidates of a frame behind those of the frames before; return the voicing probability."""
    voiced = 0.0
    for i in range(n - 1, -1, -1):
        voiced += candidates.probabilities[i]
        bins[start + i] = candidates.bins[i]
        log_probabilities[start + i] = math.log(candidates.probabilities[i] + _TINY)
    return min(voiced, 1.0)
