"""Mel-frequency cepstral coefficients.

The orthonormal cosine transform (DCT-II) of the ``M`` log-mel levels ``x`` of a frame:

    c(k) = sqrt((2 - [k = 0]) / M) * sum over m of x(m) cos(pi k (2m + 1) / (2M))

Source: Davis and Mermelstein, "Comparison of parametric representations for monosyllabic word recognition",
IEEE Trans. ASSP 28 (1980); equal to ``librosa.feature.mfcc`` 0.11.

Two things keep the sums good to 1e-4 in float32, though c(0) is about -600. A constant is taken from all levels first,
which changes only c(0) and is put back there. And x(m) is added to, or subtracted from, its mirror image x(M - 1 - m)
first, since cos is even or odd about the middle: half the products, and half the rounding.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from mmfeat.audio.engine.frames import as_clip, lane_rows, n_frames_of, n_groups_of
from mmfeat.audio.engine.lanes import FloatArray, fused_multiply_add, larger, load, splat, store
from mmfeat.audio.engine.mel import TOP_DB, MelBands, maximum, mel_bands, mel_decibels, rows_to_frames
from mmfeat.audio.engine.stft import StftPlan, power_spectra, stft_buffers, stft_plan
from mmfeat.compile import kernel

_N_LANES = 16
_TOP_DB = np.float32(TOP_DB)


@lru_cache(maxsize=32)
def cosine_basis(n_mfcc: int, n_mels: int) -> FloatArray:
    """Return the first halves of the basis functions: float32, shape (n_mfcc, n_mels / 2)."""
    k = np.arange(n_mfcc)[:, None]
    m = np.arange(n_mels // 2)
    basis = np.sqrt(2.0 / n_mels) * np.cos(np.pi * k * (2 * m + 1) / (2 * n_mels))
    basis[0] /= np.sqrt(2.0)
    return np.asarray(basis, np.float32)


def mfcc(
    samples: FloatArray,
    sample_rate: float,
    *,
    n_mfcc: int = 20,
    n_fft: int = 2048,
    hop_length: int = 512,
    n_mels: int = 128,
    htk: bool = True,
) -> FloatArray:
    """Return the mel-frequency cepstral coefficients of each frame.

    Args:
        samples: float32, shape (n_samples,), range [-1, 1].
        sample_rate: Hz.
        n_mfcc: number of coefficients, from the zeroth on.
        n_fft: samples of the Hann window, a power of two.
        hop_length: samples.
        n_mels: number of mel bands, even.
        htk: HTK's mel scale; Slaney's otherwise.

    Returns:
        float32, shape (1 + n_samples // hop_length, n_mfcc). Levels more than 80 dB below the clip's largest are raised
        to there before the cosine transform.

    Raises:
        ValueError: the clip is empty or has more than one dimension.
    """
    bands = mel_bands(sample_rate, n_fft, n_mels, htk=htk)
    return _mfcc(as_clip(samples), stft_plan(n_fft, hop_length), bands, cosine_basis(n_mfcc, n_mels))


@kernel
def _mfcc(samples: FloatArray, plan: StftPlan, bands: MelBands, basis: FloatArray) -> FloatArray:
    """Return the coefficients of all frames."""
    n_groups, n_mels = n_groups_of(n_frames_of(samples.size, plan.hop_length)), bands.first_bin.size
    buffers = stft_buffers(plan)
    levels = lane_rows(n_groups * n_mels).reshape((n_groups, n_mels * _N_LANES))
    for group in range(n_groups):
        power_spectra(samples, group, plan, buffers)
        mel_decibels(buffers.power, bands, levels[group])
    return cepstra(levels, n_frames_of(samples.size, plan.hop_length), basis)


@kernel
def cepstra(levels: FloatArray, n_frames: int, basis: FloatArray) -> FloatArray:
    """Return the cosine transform of log-mel levels of range 80 dB.

    Args:
        levels: dB, float32, shape (n_groups, n_mels * 16): rows of sixteen lanes; changed.
        n_frames: the lanes beyond are dropped.
        basis: of ``cosine_basis``.

    Returns:
        float32, shape (n_frames, n_mfcc).
    """
    top = _loudest(levels, n_frames)
    centre = top - _TOP_DB * np.float32(0.5)
    result = np.empty((n_frames, basis.shape[0]), np.float32)
    rows = lane_rows(basis.shape[0])
    for group in range(levels.shape[0]):
        _fold(levels[group], top - _TOP_DB, centre)
        _project(levels[group], basis, centre, rows)
        rows_to_frames(rows, result[group * _N_LANES : (group + 1) * _N_LANES])
    return result


@kernel
def _loudest(levels: FloatArray, n_frames: int) -> np.float32:
    """Return the largest level of the clip, the unused lanes of the last group left out."""
    n_used = n_frames - (levels.shape[0] - 1) * _N_LANES
    last = levels[-1].reshape(-1, _N_LANES)
    top = np.float32(last[:, :n_used].max())
    for group in range(levels.shape[0] - 1):
        top = max(top, maximum(levels[group]))
    return top


@kernel
def _fold(levels: FloatArray, floor: np.float32, centre: np.float32) -> None:
    """Replace the levels, raised to ``floor`` and relative to ``centre``, by sums and differences of mirror images."""
    n = levels.size
    for at in range(0, n // 2, _N_LANES):
        low = larger(load(levels, at), splat(floor)) - splat(centre)
        high = larger(load(levels, n - _N_LANES - at), splat(floor)) - splat(centre)
        store(levels, at, low + high)
        store(levels, n - _N_LANES - at, low - high)


@kernel
def _project(folded: FloatArray, basis: FloatArray, centre: np.float32, rows: FloatArray) -> None:
    """Write the coefficients of sixteen frames, even ones from the sums, odd ones from the differences."""
    n_mels = folded.size // _N_LANES
    for k in range(basis.shape[0]):
        total = splat(np.float32(0.0))
        for m in range(n_mels // 2):
            at = m * _N_LANES if k % 2 == 0 else (n_mels - 1 - m) * _N_LANES
            total = fused_multiply_add(splat(basis[k, m]), load(folded, at), total)
        store(rows, k * _N_LANES, total)
    # Last, while the sum is small: c(0) of a constant is the constant times sqrt(M).
    store(rows, 0, load(rows, 0) + splat(np.float32(centre * np.sqrt(n_mels))))
