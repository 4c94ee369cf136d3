"""From a waveform to the frame features of the audio stream."""

from __future__ import annotations

import warnings
from importlib.metadata import version

import numpy as np

from mmfeat.audio.config import AUDIO_PRESETS, AudioFeatureConfig, ChromaConfig, MfccConfig
from mmfeat.audio.pitch import log_f0
from mmfeat.config import config_to_dict
from mmfeat.errors import ClipError, InputError
from mmfeat.types import Float32Array, FrameFeatures, StreamInfo, StreamStatus, Waveform


def extract_audio(waveform: Waveform, config: AudioFeatureConfig | None = None) -> FrameFeatures:
    """Return log-F0, MFCC and CQT chroma of a clip on one frame grid.

    Args:
        waveform: mono audio at the configuration's sample rate.
        config: settings; the default preset where None.

    Returns:
        values of shape (1 + n_samples // hop_length, 33), columns ``config.feature_names``; ``voiced`` says
        where log-F0 is defined (it is 0 elsewhere).

    Raises:
        InputError: the waveform has another sample rate than the configuration.
        ClipError: the clip is shorter than two hops (status ``too_short``).

    Example:
        >>> from mmfeat import extract_audio
        >>> from mmfeat.testing import tone
        >>> features = extract_audio(tone(220.0, duration_s=1.0))
        >>> features.values.shape
        (32, 33)
        >>> bool(abs(np.exp(features.values[16, 0]) / 220.0 - 1) < 0.01)
        True
    """
    config = config or AudioFeatureConfig()
    _check_waveform(waveform, config)
    n_frame = 1 + waveform.samples.size // config.hop_length
    with warnings.catch_warnings():
        # librosa warns when a clip is shorter than a filter; the padded frames are the documented result.
        warnings.simplefilter("ignore", UserWarning)
        log_hz, voiced = log_f0(waveform, config.pitch, hop_length=config.hop_length)
        mfcc = mel_cepstrum(waveform, config.mfcc, hop_length=config.hop_length)
        chroma = chroma_cqt(waveform, config.chroma, hop_length=config.hop_length)
    values = np.concatenate([log_hz[:n_frame, None], mfcc[:n_frame], chroma[:n_frame]], axis=1)
    return FrameFeatures(
        values=np.ascontiguousarray(values, dtype=np.float32),
        times_s=np.arange(n_frame, dtype=np.float64) * config.hop_s,
        names=config.feature_names,
        units=config.feature_units,
        valid=np.ones(n_frame, dtype=np.bool_),
        voiced=voiced[:n_frame],
        hop_s=config.hop_s,
    )


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


def audio_stream_info(config: AudioFeatureConfig) -> StreamInfo:
    """Return what the dataset file says of an audio stream made with ``config``."""
    preset = next((name for name, value in AUDIO_PRESETS.items() if value == config), "custom")
    return StreamInfo(
        name="audio",
        feature_names=config.feature_names,
        feature_units=config.feature_units,
        extractor="librosa",
        extractor_version=version("librosa"),
        preset=preset,
        config=config_to_dict(config),
        hop_s=config.hop_s,
        has_voiced=True,
    )


def _check_waveform(waveform: Waveform, config: AudioFeatureConfig) -> None:
    if waveform.sample_rate != config.sample_rate:
        raise InputError(
            f"waveform: expected {config.sample_rate} Hz, got {waveform.sample_rate} Hz; "
            "read the file with read_audio(path, config.sample_rate)"
        )
    if waveform.samples.size < 2 * config.hop_length:
        raise ClipError(
            f"waveform: expected at least {2 * config.hop_length} samples (two hops), "
            f"got {waveform.samples.size}; remove the clip",
            StreamStatus.TOO_SHORT,
        )
