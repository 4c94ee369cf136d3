"""All features of a clip, the spectra computed once."""

from __future__ import annotations

import numpy as np

from mmfeat.audio.engine.cepstrum import cepstra, cosine_basis, mfcc
from mmfeat.audio.engine.chroma import chroma_cqt
from mmfeat.audio.engine.cqt import BINS_PER_OCTAVE
from mmfeat.audio.engine.frames import as_clip, lane_rows, n_frames_of, n_groups_of
from mmfeat.audio.engine.lanes import FloatArray
from mmfeat.audio.engine.mel import MelBands, logmel, mel_bands, mel_decibels
from mmfeat.audio.engine.pitch import pyin
from mmfeat.audio.engine.settings import Settings, reason_unsupported
from mmfeat.audio.engine.stft import StftPlan, power_spectra, stft_buffers, stft_plan
from mmfeat.audio.engine.tuning import (
    TUNING_HOP_LENGTH,
    TUNING_N_FFT,
    PeakRange,
    collect_peaks,
    empty_peaks,
    peak_lanes,
    peak_range,
    tuning_of_peaks,
)
from mmfeat.audio.engine.zero_crossings import zero_crossing_rate
from mmfeat.compile import kernel

_N_LANES = 16


def extract(samples: FloatArray, sample_rate: float, settings: Settings) -> dict[str, FloatArray]:
    """Return the features of a clip by name, in the order of ``settings.features``.

    Args:
        samples: float32, shape (n_samples,), range [-1, 1].
        sample_rate: Hz.
        settings: which features, and how.

    Returns:
        For each feature float32 of shape (1 + n_samples // hop_length, n_columns): ``log_f0`` 1 (ln Hz, 0 where
        unvoiced), ``zero_crossing_rate`` 1, ``mfcc`` n_mfcc, ``chroma_cqt`` 12, ``logmel`` n_mels (dB). With ``log_f0``
        there come, last, ``voiced`` (0 or 1) and ``voicing_probability``, 1 column each.

    Raises:
        ValueError: the engine does not support the settings, or the clip is empty.
    """
    reason = reason_unsupported(sample_rate, settings)
    if reason is not None:
        raise ValueError(reason)
    clip = as_clip(samples)
    found = {**_pitch(clip, sample_rate, settings), **_spectral(clip, sample_rate, settings)}
    if "zero_crossing_rate" in settings.features:
        rate = zero_crossing_rate(
            clip, frame_length=settings.zero_crossing_frame_length, hop_length=settings.hop_length
        )
        found["zero_crossing_rate"] = rate[:, None]
    extras = [name for name in found if name not in settings.features]
    return {name: found[name] for name in (*settings.features, *extras)}


def _pitch(clip: FloatArray, sample_rate: float, settings: Settings) -> dict[str, FloatArray]:
    """Return log-F0 and voicing, if asked for."""
    if "log_f0" not in settings.features:
        return {}
    f0_hz, voiced, probability = pyin(
        clip,
        sample_rate,
        f0_min_hz=settings.f0_min_hz,
        f0_max_hz=settings.f0_max_hz,
        frame_length=settings.frame_length,
        hop_length=settings.hop_length,
    )
    log_f0 = np.log(np.where(voiced, f0_hz, np.float32(1.0)))
    columns = {"log_f0": log_f0, "voiced": voiced.astype(np.float32), "voicing_probability": probability}
    return {name: column[:, None] for name, column in columns.items()}


def _spectral(clip: FloatArray, sample_rate: float, settings: Settings) -> dict[str, FloatArray]:
    """Return MFCC, chroma and log-mel, those that are asked for."""
    found = {}
    tuning = settings.tuning
    if _shares_spectra(settings):
        found["mfcc"], tuning = mfcc_and_tuning(clip, sample_rate, settings)
    elif "mfcc" in settings.features:
        found["mfcc"] = mfcc(
            clip,
            sample_rate,
            n_mfcc=settings.n_mfcc,
            n_fft=settings.n_fft,
            hop_length=settings.hop_length,
            n_mels=settings.n_mels,
            htk=settings.htk,
        )
    if "chroma_cqt" in settings.features:
        found["chroma_cqt"] = chroma_cqt(clip, sample_rate, hop_length=settings.hop_length, tuning=tuning)
    if "logmel" in settings.features:
        found["logmel"] = logmel(
            clip,
            sample_rate,
            n_fft=settings.n_fft,
            hop_length=settings.hop_length,
            n_mels=settings.n_mels,
            htk=settings.htk,
        )
    return found


def _shares_spectra(settings: Settings) -> bool:
    """Return whether MFCC and an estimated tuning see the same frames."""
    return (
        {"mfcc", "chroma_cqt"} <= set(settings.features)
        and settings.tuning is None
        and (settings.n_fft, settings.hop_length) == (TUNING_N_FFT, TUNING_HOP_LENGTH)
    )


def mfcc_and_tuning(clip: FloatArray, sample_rate: float, settings: Settings) -> tuple[FloatArray, float]:
    """Return ``mfcc`` and ``estimate_tuning`` of a clip from the same spectra."""
    bands = mel_bands(sample_rate, settings.n_fft, settings.n_mels, htk=settings.htk)
    peak_bins = peak_range(sample_rate, settings.n_fft)
    coefficients, frequencies_hz, magnitudes = _cepstra_and_peaks(
        clip,
        stft_plan(settings.n_fft, settings.hop_length),
        bands,
        cosine_basis(settings.n_mfcc, settings.n_mels),
        peak_bins,
    )
    tuning = tuning_of_peaks(clip, (frequencies_hz, magnitudes), peak_bins, bins_per_octave=BINS_PER_OCTAVE)
    return coefficients, tuning


@kernel
def _cepstra_and_peaks(
    samples: FloatArray, plan: StftPlan, bands: MelBands, basis: FloatArray, peak_bins: PeakRange
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the cepstral coefficients, and frequencies and magnitudes of the spectral peaks."""
    n_frames, n_mels = n_frames_of(samples.size, plan.hop_length), bands.first_bin.size
    n_groups = n_groups_of(n_frames)
    buffers = stft_buffers(plan)
    levels = lane_rows(n_groups * n_mels).reshape((n_groups, n_mels * _N_LANES))
    peaks = empty_peaks(n_frames)
    for group in range(n_groups):
        power_spectra(samples, group, plan, buffers)
        mel_decibels(buffers.power, bands, levels[group])
        peaks = collect_peaks(buffers.power, peak_lanes(samples, group, plan), peak_bins, peaks)
    n = peaks.n_found[0]
    return cepstra(levels, n_frames, basis), peaks.frequencies_hz[:n], peaks.magnitudes[:n]


def compile_kernels() -> None:
    """Compile everything, or load it from the cache: once, before worker processes start and all do the same."""
    clip = np.zeros(4096, np.float32)
    extract(clip, 16000.0, Settings(features=("log_f0", "zero_crossing_rate", "mfcc", "chroma_cqt", "logmel")))
    extract(clip, 16000.0, Settings(features=("mfcc", "chroma_cqt"), tuning=0.0))
