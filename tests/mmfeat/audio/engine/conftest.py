"""Signals that are made, not shipped, and what librosa says about them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

Signal = np.ndarray[Any, np.dtype[np.float32]]
MakeSignal = Callable[..., Signal]


def _phase(frequency_hz: Any, n: int, sample_rate: int) -> Any:
    """Return the phase of a tone whose frequency may change."""
    return 2.0 * np.pi * np.cumsum(np.broadcast_to(frequency_hz, n)) / sample_rate


def _harmonics(frequency_hz: Any, n: int, sample_rate: int, n_harmonics: int = 10) -> Any:
    """Return a tone with overtones that fall like 1 / k."""
    phase = _phase(frequency_hz, n, sample_rate)
    return 0.2 * sum(np.sin(k * phase) / k for k in range(1, n_harmonics + 1))


def _click_train(t: Any, sr: int, rng: Any, *, n_per_s: float) -> Any:
    """Return single samples of 0.8."""
    return np.where(np.arange(t.size) % int(sr / n_per_s) == 0, 0.8, 0.0)


def _vibrato_hz(t: Any) -> Any:
    """Return a pitch around 180 Hz, as sung."""
    return 180.0 * 2.0 ** (0.05 * np.sin(2.0 * np.pi * 5.5 * t))


def _stairs_hz(t: Any, low_hz: float, high_hz: float) -> Any:
    """Return a pitch that jumps every quarter of a second."""
    return np.where((4.0 * t).astype(int) % 2, high_hz, low_hz)


def _glide_hz(t: Any, low_hz: float, high_hz: float) -> Any:
    """Return a pitch that rises exponentially."""
    return low_hz * (high_hz / low_hz) ** (t / t[-1])


def _gate(t: Any, n_per_s: float = 3.0) -> Any:
    """Return 1 and 0 in turn."""
    return np.sin(2.0 * np.pi * n_per_s * t) > 0.0


STRESS: dict[str, Callable[[Any, int, Any], Any]] = {
    "tone_60": lambda t, sr, rng: 0.5 * np.sin(_phase(60.0, t.size, sr)),
    "tone_110": lambda t, sr, rng: 0.5 * np.sin(_phase(110.0, t.size, sr)),
    "tone_440": lambda t, sr, rng: 0.5 * np.sin(_phase(440.0, t.size, sr)),
    "tone_523": lambda t, sr, rng: 0.5 * np.sin(_phase(523.25, t.size, sr)),
    "chirp": lambda t, sr, rng: 0.5 * np.sin(_phase(_glide_hz(t, 80.0, 560.0), t.size, sr)),
    "falling_harmonics": lambda t, sr, rng: _harmonics(_glide_hz(t, 500.0, 80.0), t.size, sr),
    "vibrato": lambda t, sr, rng: _harmonics(_vibrato_hz(t), t.size, sr),
    "octave_jumps": lambda t, sr, rng: _harmonics(_stairs_hz(t, 110.0, 220.0), t.size, sr),
    "two_octave_jumps_of_a_tone": lambda t, sr, rng: 0.5 * np.sin(_phase(_stairs_hz(t, 110.0, 440.0), t.size, sr)),
    "harmonics_with_gaps": lambda t, sr, rng: _harmonics(150.0, t.size, sr) * _gate(t),
    "vibrato_with_gaps": lambda t, sr, rng: _harmonics(_vibrato_hz(t), t.size, sr) * _gate(t),
    "white_noise": lambda t, sr, rng: 0.1 * rng.standard_normal(t.size),
    "brown_noise": lambda t, sr, rng: 0.005 * np.cumsum(rng.standard_normal(t.size)) / np.sqrt(t.size / sr),
    "pulses": lambda t, sr, rng: _click_train(t, sr, rng, n_per_s=100.0),
    "dense_clicks": lambda t, sr, rng: _click_train(t, sr, rng, n_per_s=30.0),
    "clicks": lambda t, sr, rng: _click_train(t, sr, rng, n_per_s=7.0),
    "one_click": lambda t, sr, rng: np.where(np.arange(t.size) == t.size // 2, 1.0, 0.0),
    "stray_samples": lambda t, sr, rng: np.where(rng.random(t.size) < 8.0 / sr, 0.001, 0.0),
    "stray_last_bits": lambda t, sr, rng: np.where(rng.random(t.size) < 8.0 / sr, 2.0**-15, 0.0),
    "dc": lambda t, sr, rng: np.full(t.size, 0.5),
    "tone_on_dc": lambda t, sr, rng: 0.4 + 0.2 * np.sin(_phase(200.0, t.size, sr)),
    "clipped": lambda t, sr, rng: np.clip(5.0 * _harmonics(130.0, t.size, sr), -0.5, 0.5),
    "8_bit": lambda t, sr, rng: np.round(127.0 * _harmonics(_vibrato_hz(t), t.size, sr)) / 128.0,
    "8_bit_and_quiet": lambda t, sr, rng: np.round(2.5 * _harmonics(_vibrato_hz(t), t.size, sr)) / 128.0,
    "gated_below_threshold": lambda t, sr, rng: np.where(
        np.abs(_harmonics(170.0, t.size, sr)) * (0.5 + 0.5 * np.sin(4.0 * np.pi * t)) > 0.05,
        _harmonics(170.0, t.size, sr),
        0.0,
    ),
    "major_chord": lambda t, sr, rng: sum(
        0.15 * np.sin(_phase(f, t.size, sr)) for f in (261.63, 329.63, 392.0, 523.25)
    ),
    "chord_of_harmonics": lambda t, sr, rng: sum(0.5 * _harmonics(f, t.size, sr, 6) for f in (196.0, 246.94, 293.66)),
    "silence": lambda t, sr, rng: np.zeros(t.size),
    "tone_in_noise": lambda t, sr, rng: 0.3 * np.sin(_phase(250.0, t.size, sr)) + 0.03 * rng.standard_normal(t.size),
    "quiet": lambda t, sr, rng: 1e-4 * _harmonics(_vibrato_hz(t), t.size, sr),
    "silence_then_harmonics": lambda t, sr, rng: np.where(t > t[-1] / 2.0, _harmonics(_vibrato_hz(t), t.size, sr), 0.0),
    "square": lambda t, sr, rng: 0.3 * np.sign(np.sin(_phase(100.0, t.size, sr))),
    "fading": lambda t, sr, rng: _harmonics(_vibrato_hz(t), t.size, sr) * np.exp(-6.0 * t),
    "syllables": lambda t, sr, rng: (
        _harmonics(120.0 * 2.0 ** (0.3 * np.sin(8.2 * t)), t.size, sr) * np.clip(np.sin(25.1 * t), 0.0, 1.0)
        + 0.001 * rng.standard_normal(t.size)
    ),
}


def make_signal(name: str, sample_rate: int, duration_s: float = 1.5) -> Signal:
    """Return a signal as float32."""
    t = np.arange(int(sample_rate * duration_s)) / sample_rate
    samples: Signal = np.asarray(STRESS[name](t, sample_rate, np.random.default_rng(0)), np.float32)
    return samples


def reference(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Return what librosa computes, without its warnings about short or silent clips."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, **kwargs)


@pytest.fixture(params=sorted(STRESS))
def stress_name(request: pytest.FixtureRequest) -> str:
    """Return each stress signal's name in turn."""
    return str(request.param)


@pytest.fixture
def signal() -> MakeSignal:
    """Return the maker of signals: ``signal(name, sample_rate, duration_s)``."""
    return make_signal


@pytest.fixture
def librosa_says() -> Callable[..., Any]:
    """Return the caller of librosa: ``librosa_says(function, ...)``."""
    return reference
