"""Log-mel spectra: the power spectrum in triangular bands, in decibels.

Bands are those of ``librosa.filters.mel`` with ``norm="slaney"`` (each triangle has unit area), on the HTK mel scale
(2595 log10(1 + f / 700)) or on Slaney's (linear below 1 kHz, logarithmic above), from 0 Hz to half the sample rate.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mmfeat.audio.engine.decibel import decibel
from mmfeat.audio.engine.frames import as_clip, lane_rows, n_frames_of, n_groups_of
from mmfeat.audio.engine.lanes import FloatArray, fused_multiply_add, larger, largest_lane, load, splat, store
from mmfeat.audio.engine.stft import StftPlan, power_spectra, stft_buffers, stft_plan
from mmfeat.compile import kernel

TOP_DB = 80.0  # dB: everything further below the loudest band of the clip is raised to this distance
_N_LANES = 16


class MelBands(NamedTuple):
    """Triangular bands, without the zeros around them."""

    first_bin: npt.NDArray[np.int64]  # (n_mels,): frequency bin of the first weight
    starts: npt.NDArray[np.int64]  # (n_mels + 1,): weights of band m are starts[m] to starts[m + 1]
    weights: FloatArray


@lru_cache(maxsize=32)
def mel_bands(sample_rate: float, n_fft: int, n_mels: int, *, htk: bool) -> MelBands:
    """Return the bands for spectra of ``n_fft / 2 + 1`` bins."""
    bank = triangles(sample_rate, n_fft, n_mels, htk=htk)
    inside = [np.flatnonzero(band) for band in bank]
    first_bin = np.array([bins[0] if bins.size else 0 for bins in inside])
    n_bins = [bins[-1] - bins[0] + 1 if bins.size else 0 for bins in inside]
    weights = [band[first : first + n] for band, first, n in zip(bank, first_bin, n_bins, strict=True)]
    starts = np.concatenate([[0], np.cumsum(n_bins)])
    return MelBands(first_bin, starts.astype(np.int64), np.concatenate(weights).astype(np.float32))


def triangles(sample_rate: float, n_fft: int, n_mels: int, *, htk: bool) -> FloatArray:
    """Return triangles of unit area, shape (n_mels, n_fft / 2 + 1): ``librosa.filters.mel`` to the bit.

    Written out because importing ``librosa.filters`` costs each process half a second of scipy.
    """
    corners_hz = _mel_to_hz(np.linspace(0.0, _hz_to_mel(sample_rate / 2.0, htk=htk), n_mels + 2), htk=htk)
    widths_hz = np.diff(corners_hz)
    distances_hz = np.subtract.outer(corners_hz, np.fft.rfftfreq(n_fft, 1.0 / sample_rate))
    rising = -distances_hz[:-2] / widths_hz[:-1, None]
    falling = distances_hz[2:] / widths_hz[1:, None]
    bank = np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)
    bank *= (2.0 / (corners_hz[2:] - corners_hz[:-2]))[:, None]
    return np.asarray(bank, dtype=np.float32)


_SLANEY_LINEAR_HZ, _SLANEY_BREAK_HZ, _SLANEY_LOG_STEP = 200.0 / 3.0, 1000.0, np.log(6.4) / 27.0


def _hz_to_mel(hz: float, *, htk: bool) -> float:
    """Return the mel of a frequency."""
    if htk:
        return float(2595.0 * np.log10(1.0 + hz / 700.0))
    if hz < _SLANEY_BREAK_HZ:
        return hz / _SLANEY_LINEAR_HZ
    return float(_SLANEY_BREAK_HZ / _SLANEY_LINEAR_HZ + np.log(hz / _SLANEY_BREAK_HZ) / _SLANEY_LOG_STEP)


def _mel_to_hz(mels: npt.NDArray[np.float64], *, htk: bool) -> npt.NDArray[np.float64]:
    """Return the frequencies of mels."""
    if htk:
        return np.asarray(700.0 * (10.0 ** (mels / 2595.0) - 1.0))
    bend = _SLANEY_BREAK_HZ / _SLANEY_LINEAR_HZ
    logarithmic = _SLANEY_BREAK_HZ * np.exp(_SLANEY_LOG_STEP * (mels - bend))
    return np.where(mels < bend, _SLANEY_LINEAR_HZ * mels, logarithmic)


@kernel
def mel_decibels(power: FloatArray, bands: MelBands, result: FloatArray) -> None:
    """Write the level in each band, in dB, for the power spectra of sixteen frames.

    Args:
        power: rows of sixteen lanes, one per frequency bin.
        bands: the triangles.
        result: rows of sixteen lanes, one per band; -100 dB is the lowest value.
    """
    for band in range(bands.first_bin.size):
        level = splat(np.float32(0.0))
        at = bands.first_bin[band] * _N_LANES
        for i in range(bands.starts[band], bands.starts[band + 1]):
            level = fused_multiply_add(splat(bands.weights[i]), load(power, at), level)
            at += _N_LANES
        store(result, band * _N_LANES, decibel(level))


@kernel
def maximum(values: FloatArray) -> np.float32:
    """Return the largest value of an array whose size is a multiple of sixteen."""
    best = load(values, 0)
    for at in range(_N_LANES, values.size, _N_LANES):
        best = larger(best, load(values, at))
    return largest_lane(best)


def logmel(
    samples: FloatArray, sample_rate: float, *, n_fft: int, hop_length: int, n_mels: int, htk: bool = False
) -> FloatArray:
    """Return the log-mel spectrum of each frame.

    Args:
        samples: float32, shape (n_samples,), range [-1, 1].
        sample_rate: Hz.
        n_fft: samples of the Hann window, a power of two.
        hop_length: samples.
        n_mels: number of bands.
        htk: HTK's mel scale instead of Slaney's.

    Returns:
        float32, shape (1 + n_samples // hop_length, n_mels), unit dB relative to power 1, at most 80 dB below the
        largest value of the clip, and at least -100.

    Raises:
        ValueError: the clip is empty or has more than one dimension.

    Source: ``librosa.power_to_db(librosa.feature.melspectrogram(...)).T`` of librosa 0.11.
    """
    plan = stft_plan(n_fft, hop_length)
    levels = _logmel(as_clip(samples), plan, mel_bands(sample_rate, n_fft, n_mels, htk=htk))
    floor: np.float32 = levels.max() - np.float32(TOP_DB)
    return np.maximum(levels, floor)


@kernel
def _logmel(samples: FloatArray, plan: StftPlan, bands: MelBands) -> FloatArray:
    """Return the levels of all frames, before the range is limited."""
    n_frames, n_mels = n_frames_of(samples.size, plan.hop_length), bands.first_bin.size
    levels = np.empty((n_frames, n_mels), np.float32)
    buffers = stft_buffers(plan)
    rows = lane_rows(n_mels)
    for group in range(n_groups_of(n_frames)):
        power_spectra(samples, group, plan, buffers)
        mel_decibels(buffers.power, bands, rows)
        rows_to_frames(rows, levels[group * _N_LANES : (group + 1) * _N_LANES])
    return levels


@kernel
def rows_to_frames(rows: FloatArray, frames: FloatArray) -> None:
    """Write rows of sixteen lanes into up to sixteen frames: ``frames[lane, n] = rows[n, lane]``."""
    for lane in range(frames.shape[0]):
        for n in range(frames.shape[1]):
            frames[lane, n] = rows[n * _N_LANES + lane]
