"""From a waveform to the frame features of the audio stream, by the fast engine or by librosa."""

from __future__ import annotations

from importlib.metadata import version
from typing import Literal

import numpy as np

from mmfeat.audio import engine as fast
from mmfeat.audio.config import AUDIO_PRESETS, AudioFeatureConfig, Feature
from mmfeat.audio.reference import reference_features
from mmfeat.config import config_to_dict
from mmfeat.errors import ClipError, InputError
from mmfeat.types import BoolArray, Float32Array, FrameFeatures, StreamInfo, StreamStatus, Waveform

Engine = Literal["fast", "librosa"]


def extract_audio(
    waveform: Waveform, config: AudioFeatureConfig | None = None, *, engine: Engine = "fast"
) -> FrameFeatures:
    """Return the features of a clip on one frame grid.

    The fast engine gives librosa's values (``tests/mmfeat/audio/engine`` holds it to them) at a hundred times its
    speed; what it does not do (see ``engine_for``) librosa computes.

    Args:
        waveform: mono audio at the configuration's sample rate.
        config: settings; the default preset where None.
        engine: ``fast`` or ``librosa``.

    Returns:
        values of shape (1 + n_samples // hop_length, feature), columns ``config.feature_names``; ``voiced`` says
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
    compute = _fast_features if engine_for(config, engine) == "fast" else reference_features
    columns, voiced = compute(waveform, config)
    values = np.concatenate([columns[feature][:n_frame] for feature in config.features], axis=1)
    return FrameFeatures(
        values=np.ascontiguousarray(values, dtype=np.float32),
        times_s=np.arange(n_frame, dtype=np.float64) * config.hop_s,
        names=config.feature_names,
        units=config.feature_units,
        valid=np.ones(n_frame, dtype=np.bool_),
        voiced=None if voiced is None else voiced[:n_frame],
        hop_s=config.hop_s,
    )


def engine_for(config: AudioFeatureConfig, engine: Engine = "fast") -> Engine:
    """Return the engine that computes these settings: ``librosa`` where the fast one does not do them all."""
    if engine == "fast" and fast.supports(config.sample_rate, _settings(config)):
        return "fast"
    return "librosa"


def prepare_engine(config: AudioFeatureConfig, engine: Engine = "fast") -> None:
    """Compile the engine, or load it from the cache: once, before worker processes start and all do the same."""
    if engine_for(config, engine) == "fast":
        fast.compile_kernels()


def audio_stream_info(config: AudioFeatureConfig, *, engine: Engine = "fast") -> StreamInfo:
    """Return what the dataset file says of an audio stream made with ``config``."""
    preset = next((name for name, value in AUDIO_PRESETS.items() if value == config), "custom")
    extractor = {"fast": "mmfeat", "librosa": "librosa"}[engine_for(config, engine)]
    return StreamInfo(
        name="audio",
        feature_names=config.feature_names,
        feature_units=config.feature_units,
        extractor=extractor,
        extractor_version=version(extractor),
        preset=preset,
        config=config_to_dict(config),
        hop_s=config.hop_s,
        has_voiced="log_f0" in config.features,
    )


def _settings(config: AudioFeatureConfig) -> fast.Settings:
    """Return the engine's settings; MFCC and log-mel share a window there, so both at once are librosa's."""
    mel = config.log_mel if "log_mel" in config.features else config.mfcc
    return fast.Settings(
        features=tuple("logmel" if feature == "log_mel" else feature for feature in config.features),
        hop_length=config.hop_length,
        f0_min_hz=config.pitch.f0_min_hz,
        f0_max_hz=config.pitch.f0_max_hz,
        frame_length=config.pitch.frame_length,
        zero_crossing_frame_length=config.zero_crossings.frame_length,
        n_fft=mel.n_fft,
        n_mels=mel.n_mels,
        n_mfcc=config.mfcc.n_mfcc,
        htk=mel.htk,
        tuning=config.chroma.tuning,
    )


def _fast_features(
    waveform: Waveform, config: AudioFeatureConfig
) -> tuple[dict[Feature, Float32Array], BoolArray | None]:
    found = fast.extract(waveform.samples, waveform.sample_rate, _settings(config))
    columns = {feature: found["logmel" if feature == "log_mel" else feature] for feature in config.features}
    if "log_f0" not in columns:
        return columns, None
    if config.pitch.store_probability:
        columns["log_f0"] = np.concatenate([found["log_f0"], found["voicing_probability"]], axis=1)
    return columns, found["voiced"][:, 0] > 0


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
