"""The deviation of a clip from concert pitch.

Peaks of the magnitude spectrum between 150 and 4,000 Hz, at least a tenth of the frame's maximum, are refined by the
parabola through three bins; the louder half of them votes, in hundredths of a pitch bin, for its distance from the
nearest bin of an equal temperament on A = 440 Hz.

Source: the method of ``librosa.estimate_tuning`` 0.11; Smith, "Spectral Audio Signal Processing", chapter on quadratic
interpolation of spectral peaks. Where librosa computes in float32 this does too, since a vote must not fall into
another hundredth.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mmfeat.audio.engine.frames import as_clip, n_frames_of, n_groups_of
from mmfeat.audio.engine.lanes import (
    FloatArray,
    Lanes,
    is_less,
    is_less_or_equal,
    larger,
    load,
    lowest_lane,
    splat,
    square_root,
    store,
)
from mmfeat.audio.engine.sparse import exact_magnitudes, sparse_frames, sparse_lanes
from mmfeat.audio.engine.stft import StftPlan, power_spectra, stft_buffers, stft_plan
from mmfeat.compile import kernel

TUNING_N_FFT = 2048  # samples, whatever the sample rate
TUNING_HOP_LENGTH = 512  # samples
_LOWEST_HZ, _HIGHEST_HZ = 150.0, 4000.0
_THRESHOLD = np.float32(0.1)
_N_VOTES = 100  # steps of a hundredth of a pitch bin
_LOWEST_OCTAVE_HZ = 440.0 / 16.0
_N_LANES = 16


class PeakRange(NamedTuple):
    """Where peaks are searched, and how wide a bin is."""

    first_bin: int
    end_bin: int
    bin_width_hz: float


class Peaks(NamedTuple):
    """Peaks of all frames so far, in arrays that grow."""

    n_found: npt.NDArray[np.int64]  # (1,)
    frequencies_hz: FloatArray
    magnitudes: FloatArray


def peak_range(sample_rate: float, n_fft: int) -> PeakRange:
    """Return the bins between 150 Hz and 4 kHz."""
    frequencies_hz = np.fft.rfftfreq(n_fft, 1.0 / sample_rate)
    highest_hz = min(_HIGHEST_HZ, sample_rate / 2.0)
    inside = np.flatnonzero((frequencies_hz >= _LOWEST_HZ) & (frequencies_hz < highest_hz))
    return PeakRange(max(int(inside[0]), 1), int(inside[-1]) + 1, sample_rate / n_fft)


def estimate_tuning(samples: FloatArray, sample_rate: float, *, bins_per_octave: int = 12) -> float:
    """Return how far the clip is from concert pitch, in fractions of a pitch bin, from -0.5 to 0.49 in steps of 0.01.

    Args:
        samples: float32, shape (n_samples,), range [-1, 1].
        sample_rate: Hz.
        bins_per_octave: pitch bins; 12 are semitones. ``chroma_cqt`` uses 36.

    Returns:
        The tuning; 0 for a clip without peaks.

    Raises:
        ValueError: the clip is empty or has more than one dimension.
    """
    clip = as_clip(samples)
    peak_bins = peak_range(sample_rate, TUNING_N_FFT)
    peaks = _clip_peaks(clip, stft_plan(TUNING_N_FFT, TUNING_HOP_LENGTH), peak_bins)
    return tuning_of_peaks(clip, peaks, peak_bins, bins_per_octave=bins_per_octave)


def tuning_of_peaks(
    clip: FloatArray, peaks: tuple[FloatArray, FloatArray], peak_bins: PeakRange, *, bins_per_octave: int
) -> float:
    """Return the tuning of a clip whose peaks are known but for those of its sparse frames.

    Args:
        clip: float32, shape (n_samples,).
        peaks: frequencies in Hz and magnitudes, float32, shape (n_peaks,).
        peak_bins: where peaks are searched.
        bins_per_octave: pitch bins of the temperament.
    """
    frames = sparse_frames(clip, TUNING_HOP_LENGTH, TUNING_N_FFT)
    if frames.size:
        magnitudes = exact_magnitudes(clip, frames, TUNING_HOP_LENGTH, TUNING_N_FFT)
        stray = _peaks_of_magnitudes(magnitudes, frames.size, peak_bins)
        peaks = np.concatenate([peaks[0], stray[0]]), np.concatenate([peaks[1], stray[1]])
    return vote(*peaks, bins_per_octave=bins_per_octave)


@kernel
def _clip_peaks(samples: FloatArray, plan: StftPlan, peak_bins: PeakRange) -> tuple[FloatArray, FloatArray]:
    """Return frequencies and magnitudes of the peaks of all frames."""
    n_frames = n_frames_of(samples.size, plan.hop_length)
    peaks = empty_peaks(n_frames)
    buffers = stft_buffers(plan)
    for group in range(n_groups_of(n_frames)):
        power_spectra(samples, group, plan, buffers)
        peaks = collect_peaks(buffers.power, peak_lanes(samples, group, plan), peak_bins, peaks)
    n = peaks.n_found[0]
    return peaks.frequencies_hz[:n], peaks.magnitudes[:n]


@kernel
def peak_lanes(samples: FloatArray, group: int, plan: StftPlan) -> int:
    """Return sixteen bits: which lanes of a group are frames of the clip, and not sparse."""
    n_used = min(n_frames_of(samples.size, plan.hop_length) - group * _N_LANES, _N_LANES)
    first = group * _N_LANES * plan.hop_length - plan.n_fft // 2
    return ((1 << n_used) - 1) & ~sparse_lanes(samples, first, plan.hop_length, plan.n_fft)


@kernel
def _peaks_of_magnitudes(magnitudes: FloatArray, n_frames: int, peak_bins: PeakRange) -> tuple[FloatArray, FloatArray]:
    """Return the peaks of magnitude spectra, (n_groups, n_bins * 16): rows of sixteen lanes."""
    peaks = empty_peaks(n_frames)
    for group in range(magnitudes.shape[0]):
        used = (1 << min(n_frames - group * _N_LANES, _N_LANES)) - 1
        threshold = _largest(magnitudes[group]) * splat(_THRESHOLD)
        peaks = _peaks_above(threshold, magnitudes[group], used, peak_bins, peaks)
    n = peaks.n_found[0]
    return peaks.frequencies_hz[:n], peaks.magnitudes[:n]


@kernel
def empty_peaks(n_frames: int) -> Peaks:
    """Return an empty collection with some room for ``n_frames`` frames."""
    n = 16 * n_frames + 1024
    return Peaks(np.zeros(1, np.int64), np.empty(n, np.float32), np.empty(n, np.float32))


@kernel
def collect_peaks(power: FloatArray, lanes: int, peak_bins: PeakRange, peaks: Peaks) -> Peaks:
    """Return ``peaks`` with those of a group of frames added.

    Args:
        power: power spectra, rows of sixteen lanes; changed to magnitudes in the range of the peaks.
        lanes: of ``peak_lanes``.
        peak_bins: where peaks are searched.
        peaks: what was found before; it may be moved.
    """
    threshold = square_root(_largest(power)) * splat(_THRESHOLD)
    for at in range((peak_bins.first_bin - 1) * _N_LANES, (peak_bins.end_bin + 1) * _N_LANES, _N_LANES):
        store(power, at, square_root(load(power, at)))
    return _peaks_above(threshold, power, lanes, peak_bins, peaks)


@kernel
def _peaks_above(threshold: Lanes, magnitudes: FloatArray, used: int, peak_bins: PeakRange, peaks: Peaks) -> Peaks:
    """Return ``peaks`` with those of sixteen magnitude spectra added that are above ``threshold``."""
    before = load(magnitudes, (peak_bins.first_bin - 1) * _N_LANES)
    here = load(magnitudes, peak_bins.first_bin * _N_LANES)
    for k in range(peak_bins.first_bin, peak_bins.end_bin):
        behind = load(magnitudes, (k + 1) * _N_LANES)
        lanes = is_less(threshold, here) & is_less(before, here) & is_less_or_equal(behind, here) & used
        if lanes != 0:
            peaks = _add_peaks(magnitudes, k, lanes, peak_bins, peaks)
        before, here = here, behind
    return peaks


@kernel
def _largest(rows: FloatArray) -> Lanes:
    """Return the largest value of each lane."""
    best = load(rows, 0)
    for at in range(_N_LANES, rows.size, _N_LANES):
        best = larger(best, load(rows, at))
    return best


@kernel
def _add_peaks(magnitudes: FloatArray, k: int, lanes: int, peak_bins: PeakRange, peaks: Peaks) -> Peaks:
    """Return ``peaks`` with bin ``k`` of the lanes whose bits are set."""
    if peaks.n_found[0] + _N_LANES > peaks.magnitudes.size:
        peaks = _with_more_room(peaks)
    while lanes != 0:
        at = k * _N_LANES + lowest_lane(lanes)
        lanes &= lanes - 1
        before, here, behind = magnitudes[at - _N_LANES], magnitudes[at], magnitudes[at + _N_LANES]
        shift = _shift(before, here, behind)
        i = peaks.n_found[0]
        peaks.frequencies_hz[i] = (k + np.float64(shift)) * peak_bins.bin_width_hz
        peaks.magnitudes[i] = here + np.float32(0.5) * ((behind - before) * np.float32(0.5)) * shift
        peaks.n_found[0] = i + 1
    return peaks


@kernel
def _shift(before: np.float32, here: np.float32, behind: np.float32) -> np.float32:
    """Return where the parabola through three neighbours is largest, from the middle one; 0 if outside of them."""
    curvature = np.float64(behind + before) - 2.0 * here
    slope = np.float64(behind - before) / 2.0
    if abs(slope) >= abs(curvature):
        return np.float32(0.0)
    return np.float32(-slope / curvature)


@kernel
def _with_more_room(peaks: Peaks) -> Peaks:
    """Return a copy with twice the room."""
    n = peaks.magnitudes.size
    longer = Peaks(peaks.n_found, np.empty(2 * n, np.float32), np.empty(2 * n, np.float32))
    longer.frequencies_hz[:n] = peaks.frequencies_hz
    longer.magnitudes[:n] = peaks.magnitudes
    return longer


def vote(frequencies_hz: FloatArray, magnitudes: FloatArray, *, bins_per_octave: int) -> float:
    """Return the tuning that the louder half of the peaks agrees on; 0 without peaks.

    Args:
        frequencies_hz: float32, shape (n_peaks,).
        magnitudes: float32, shape (n_peaks,).
        bins_per_octave: pitch bins of the temperament.
    """
    if frequencies_hz.size == 0:
        return 0.0
    loud_hz = _louder(frequencies_hz, magnitudes, np.median(magnitudes))
    edges = np.linspace(-0.5, 0.5, _N_VOTES + 1)
    # numpy's own float32 logarithm, because that of the C library rounds differently in one case of fifty.
    votes = _count_votes(bins_per_octave * np.log2(loud_hz / _LOWEST_OCTAVE_HZ), edges)
    return float(edges[np.argmax(votes)])


@kernel
def _louder(frequencies_hz: FloatArray, magnitudes: FloatArray, threshold: np.float32) -> FloatArray:
    """Return the frequencies of the peaks of at least this magnitude."""
    loud_hz = np.empty(frequencies_hz.size, np.float32)
    n = 0
    for i in range(frequencies_hz.size):
        loud_hz[n] = frequencies_hz[i]
        n += magnitudes[i] >= threshold
    return loud_hz[:n]


@kernel
def _count_votes(bins: FloatArray, edges: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return how many of the positions ``bins`` are how far from a whole number, between ``edges``."""
    votes = np.zeros(edges.size - 1, np.int64)
    for position in bins:
        residual = position - np.floor(position)
        if residual >= np.float32(0.5):
            residual -= np.float32(1.0)
        index = int((residual + 0.5) * votes.size)  # but for the rounding
        index += int(index + 1 < votes.size and residual >= edges[index + 1]) - int(residual < edges[index])
        votes[index] += 1
    return votes
