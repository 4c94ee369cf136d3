"""True log-F0 by probabilistic YIN."""

from __future__ import annotations

import inspect

import numpy as np

from mmfeat.audio.config import PitchConfig
from mmfeat.types import BoolArray, Float32Array, Waveform


def log_f0(waveform: Waveform, config: PitchConfig, *, hop_length: int) -> tuple[Float32Array, BoolArray]:
    """Return the natural logarithm of the fundamental frequency of each frame, and which frames are voiced.

    Frame ``t`` is centred on sample ``t * hop_length``.

    Args:
        waveform: mono audio.
        config: search range in Hz and window in samples.
        hop_length: samples between frames.

    Returns:
        float32, shape (1 + n_samples // hop_length,), unit ln(Hz), 0 where unvoiced; and bool of that shape.

    Source: Mauch and Dixon, "pYIN: a fundamental frequency estimator using probabilistic threshold
    distributions", ICASSP 2014; values of librosa 0.11 (``librosa.pyin``).
    """
    import librosa

    f0_hz, voiced, _ = librosa.pyin(
        waveform.samples,
        fmin=config.f0_min_hz,
        fmax=config.f0_max_hz,
        sr=waveform.sample_rate,
        frame_length=config.frame_length,
        hop_length=hop_length,
        **_pinned_transitions(librosa.pyin),
    )
    log_hz = np.log(np.where(voiced, f0_hz, 1.0)).astype(np.float32)
    return log_hz, np.asarray(voiced, dtype=np.bool_)


def _pinned_transitions(pyin: object) -> dict[str, float]:
    """Return the setting that keeps librosa 1.x at the voicing of 0.11.

    From 1.0 on, transitions below ``transition_min_prob`` are dropped; its default of 1e-4 flips the voicing of
    up to 4 % of the frames, 1e-6 none.
    """
    if "transition_min_prob" in inspect.signature(pyin).parameters:  # type: ignore[arg-type]
        return {"transition_min_prob": 1e-6}
    return {}
