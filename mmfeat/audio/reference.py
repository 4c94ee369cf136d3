"""The features as librosa computes them: the reference that the fast engine is held to, and its fallback."""

from __future__ import annotations

import inspect
import warnings

import numpy as np
from threadpoolctl import threadpool_limits

from mmfeat.audio.config import AudioFeatureConfig, ChromaConfig, Feature, LogMelConfig, MfccConfig, PitchConfig
from mmfeat.types import BoolArray, Float32Array, Waveform


def reference_features(
    waveform: Waveform, config: AudioFeatureConfig
) -> tuple[dict[Feature, Float32Array], BoolArray | None]:
    """Return the columns of each feature, shape (frame, column), and which frames are voiced (with log-F0 only)."""
    columns: dict[Feature, Float32Array] = {}
    voiced = None
    hop_length = config.hop_length
    # One BLAS thread, as in a worker process: the sums of several round differently, and the hash would tell.
    with threadpool_limits(limits=1, user_api="blas"), warnings.catch_warnings():
        # librosa warns when a clip is shorter than a filter; the padded frames are the documented result.
        warnings.simplefilter("ignore", UserWarning)
        for feature in config.features:
            if feature == "log_f0":
                columns[feature], voiced = log_f0(waveform, config.pitch, hop_length=hop_length)
            elif feature == "zero_crossing_rate":
                frame_length = config.zero_crossings.frame_length
                columns[feature] = zero_crossing_rate(waveform, frame_length=frame_length, hop_length=hop_length)
            elif feature == "mfcc":
                columns[feature] = mel_cepstrum(waveform, config.mfcc, hop_length=hop_length)
            elif feature == "chroma_cqt":
                columns[feature] = chroma_cqt(waveform, config.chroma, hop_length=hop_length)
            else:
                columns[feature] = log_mel(waveform, config.log_mel, hop_length=hop_length)
    return columns, voiced


def log_f0(waveform: Waveform, config: PitchConfig, *, hop_length: int) -> tuple[Float32Array, BoolArray]:
    """Return the natural logarithm of the fundamental frequency of each frame, and which frames are voiced.

    Frame ``t`` is centred on sample ``t * hop_length``.

    Args:
        waveform: mono audio.
        config: search range in Hz and window in samples.
        hop_length: samples between frames.

    Returns:
        float32, shape (1 + n_samples // hop_length, 1), unit ln(Hz), 0 where unvoiced, with the voicing probability
        as a second column where the configuration asks for it; and bool of shape (frame,).

    Source: Mauch and Dixon, "pYIN: a fundamental frequency estimator using probabilistic threshold
    distributions", ICASSP 2014; values of librosa 0.11 (``librosa.pyin``).
    """
    import librosa

    f0_hz, voiced, probability = librosa.pyin(
        waveform.samples,
        fmin=config.f0_min_hz,
        fmax=config.f0_max_hz,
        sr=waveform.sample_rate,
        frame_length=config.frame_length,
        hop_length=hop_length,
        **_pinned_transitions(librosa.pyin),
    )
    log_hz = np.log(np.where(voiced, f0_hz, 1.0))
    columns = [log_hz, probability] if config.store_probability else [log_hz]
    return np.stack(columns, axis=1).astype(np.float32), np.asarray(voiced, dtype=np.bool_)


def _pinned_transitions(pyin: object) -> dict[str, float]:
    """Return the setting that keeps librosa 1.x at the voicing of 0.11.

    From 1.0 on, transitions below ``transition_min_prob`` are dropped; its default of 1e-4 flips the voicing of
    up to 4 % of the frames, 1e-6 none.
    """
    if "transition_min_prob" in inspect.signature(pyin).parameters:  # type: ignore[arg-type]
        return {"transition_min_prob": 1e-6}
    return {}


def zero_crossing_rate(waveform: Waveform, *, frame_length: int, hop_length: int) -> Float32Array:
    """Return the share of neighbouring samples that differ in sign, shape (frame, 1), range [0, 1].

    Source: ``librosa.feature.zero_crossing_rate``.
    """
    import librosa

    rate = librosa.feature.zero_crossing_rate(waveform.samples, frame_length=frame_length, hop_length=hop_length)
    return np.asarray(rate.T, dtype=np.float32)


def mel_cepstrum(waveform: Waveform, config: MfccConfig, *, hop_length: int) -> Float32Array:
    """Return the mel-frequency cepstral coefficients.

    Returns:
        float32, shape (1 + n_samples // hop_length, n_mfcc); coefficient 0 carries the level.

    Source: Davis and Mermelstein, IEEE TASSP 1980; values of ``librosa.feature.mfcc``.
    """
    import librosa

    mfcc = librosa.feature.mfcc(
        y=waveform.samples,
        sr=waveform.sample_rate,
        n_mfcc=config.n_mfcc,
        n_mels=config.n_mels,
        n_fft=config.n_fft,
        hop_length=hop_length,
        htk=config.htk,
    )
    return np.asarray(mfcc.T, dtype=np.float32)


def chroma_cqt(waveform: Waveform, config: ChromaConfig, *, hop_length: int) -> Float32Array:
    """Return the energy of the 12 pitch classes, each frame scaled to a maximum of 1.

    Returns:
        float32, shape (at least 1 + n_samples // hop_length, 12), range [0, 1]; 0 in digital silence.

    Source: Schörkhuber and Klapuri, SMC 2010; values of ``librosa.feature.chroma_cqt``.
    """
    import librosa

    chroma = librosa.feature.chroma_cqt(
        y=waveform.samples, sr=waveform.sample_rate, hop_length=hop_length, tuning=config.tuning
    )
    return np.asarray(chroma.T, dtype=np.float32)


def log_mel(waveform: Waveform, config: LogMelConfig, *, hop_length: int) -> Float32Array:
    """Return the power of mel bands in dB, at most 80 dB below the clip's loudest band.

    Returns:
        float32, shape (1 + n_samples // hop_length, n_mels).

    Source: ``librosa.feature.melspectrogram`` and ``librosa.power_to_db``.
    """
    import librosa

    power = librosa.feature.melspectrogram(
        y=waveform.samples,
        sr=waveform.sample_rate,
        n_mels=config.n_mels,
        n_fft=config.n_fft,
        hop_length=hop_length,
        htk=config.htk,
    )
    return np.asarray(librosa.power_to_db(power).T, dtype=np.float32)
