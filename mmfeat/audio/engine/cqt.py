"""Tables of the constant-Q transform: how it is cut into octaves, and the filters of one octave.

The filters of an octave are those of the octave above at half the sample rate. So the clip is halved in rate from
octave to octave, and one bank of 36 filters serves all seven: multiplied with the spectra of short frames it gives the
response.

Source: Schoerkhuber and Klapuri, "Constant-Q transform toolbox for music processing", SMC 2010; constants and
sparseness as in librosa 0.11 (``librosa.vqt`` with ``gamma=0``).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.fft

from mmfeat.audio.engine.fft import RealFftPlan, real_fft_plan
from mmfeat.audio.engine.lanes import FloatArray

BINS_PER_OCTAVE = 36
N_OCTAVES = 7
F_MIN_HZ = 440.0 * 2.0 ** (-45.0 / 12.0)  # C1
_SPARSITY = 0.01  # of a filter's magnitude may be dropped
_HANN_BANDWIDTH = 1.50018310546875  # bins of noise bandwidth of a Hann window, as librosa has measured it


class CqtPlan(NamedTuple):
    """Filters of one octave, and the frames that they see."""

    early_factor: int  # the clip is decimated by this first: nothing above its highest octave is needed
    hop_length: int  # samples, at the rate after that
    n_fft: int  # samples of a frame in every octave
    fft: RealFftPlan
    ones: FloatArray  # (n_fft,): frames have no window, the filters have
    first_bin: npt.NDArray[np.int64]  # (36,): frequency bin of a filter's first weight
    starts: npt.NDArray[np.int64]  # (37,): weights of filter k are starts[k] to starts[k + 1]
    real: FloatArray  # (n_weights,)
    imaginary: FloatArray  # (n_weights,)


def relative_bandwidth() -> float:
    """Return bandwidth / frequency of the filters: neighbours but one just touch."""
    step = 2.0 ** (2.0 / BINS_PER_OCTAVE)
    return float((step - 1.0) / (step + 1.0))


def highest_frequency_hz(tuning: float) -> float:
    """Return where the highest filter has decayed by 3 dB; this must not exceed half the sample rate."""
    top_hz = F_MIN_HZ * 2.0 ** ((N_OCTAVES * BINS_PER_OCTAVE - 1 + tuning) / BINS_PER_OCTAVE)
    return float(top_hz) * (1.0 + 0.5 * _HANN_BANDWIDTH * relative_bandwidth())


def early_decimation(sample_rate: float, hop_length: int, tuning: float) -> int:
    """Return by which power of two the clip can be decimated before the transform begins."""
    spare_octaves = math.ceil(math.log2(sample_rate / 2.0 / highest_frequency_hz(tuning))) - 2
    halvings_of_hop = (hop_length & -hop_length).bit_length() - 1
    return 1 << max(0, min(spare_octaves, halvings_of_hop - N_OCTAVES + 1))


@lru_cache(maxsize=128)  # librosa's tuning has a hundred values
def cqt_plan(sample_rate: float, hop_length: int, tuning: float) -> CqtPlan:
    """Return the plan for clips with this deviation from concert pitch, in fractions of a bin."""
    factor = early_decimation(sample_rate, hop_length, tuning)
    bank = filter_bank(sample_rate / factor, tuning)
    used = [np.flatnonzero(row) for row in bank]
    weights = [row[bins[0] : bins[-1] + 1] for row, bins in zip(bank, used, strict=True)]
    starts = np.concatenate([[0], np.cumsum([row.size for row in weights])]).astype(np.int64)
    joined = np.concatenate(weights)
    n_fft = 2 * (bank.shape[1] - 1)
    return CqtPlan(
        factor,
        hop_length // factor,
        n_fft,
        real_fft_plan(n_fft),
        np.ones(n_fft, np.float32),
        np.array([bins[0] for bins in used]),
        starts,
        np.ascontiguousarray(joined.real, np.float32),
        np.ascontiguousarray(joined.imag, np.float32),
    )


def filter_bank(sample_rate: float, tuning: float) -> npt.NDArray[np.complex64]:
    """Return the filters of the highest octave as spectra: shape (36, n_fft / 2 + 1), scaled to unit response.

    A filter is a complex tone under a Hann window of ``Q`` periods, Q = 1 / ``relative_bandwidth()``.
    """
    bins = np.arange(BINS_PER_OCTAVE * (N_OCTAVES - 1), BINS_PER_OCTAVE * N_OCTAVES)
    frequencies_hz = F_MIN_HZ * 2.0 ** (tuning / BINS_PER_OCTAVE) * 2.0 ** (bins / BINS_PER_OCTAVE)
    lengths = sample_rate / (relative_bandwidth() * frequencies_hz)  # samples
    n_fft = 2 ** math.ceil(math.log2(lengths.max()))
    tones = [_tone(f / sample_rate, length, n_fft) for f, length in zip(frequencies_hz, lengths, strict=True)]
    # float32 from here on, as librosa: it decides in a close case which weights are dropped.
    bank = np.array(tones, np.complex64) * (lengths / n_fft).astype(np.float32)[:, None]
    spectra = _sparse(scipy.fft.fft(bank, axis=1)[:, : n_fft // 2 + 1])
    return np.asarray(spectra / np.sqrt(lengths)[:, None], np.complex64)


def _tone(frequency: float, length: float, n_fft: int) -> npt.NDArray[np.complex128]:
    """Return a tone of ``frequency`` cycles per sample under a Hann window of unit sum, amid ``n_fft`` samples."""
    time = np.arange(-length // 2, length // 2)  # samples
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(time.size) / time.size)
    tone = np.exp(2j * np.pi * frequency * time) * window / window.sum()
    before = (n_fft - time.size) // 2
    return np.pad(tone, (before, n_fft - time.size - before))


def _sparse(spectra: npt.NDArray[np.complex64]) -> npt.NDArray[np.complex64]:
    """Return ``spectra`` without the smallest values of each row that make up less than a hundredth of it."""
    magnitudes = np.abs(spectra)
    ordered = np.sort(magnitudes, axis=1)
    shares = np.cumsum(ordered / magnitudes.sum(axis=1, keepdims=True), axis=1)
    first_kept = np.argmin(shares < _SPARSITY, axis=1)
    threshold = np.take_along_axis(ordered, first_kept[:, None], axis=1)
    return np.where(magnitudes >= threshold, spectra, np.complex64(0.0))
