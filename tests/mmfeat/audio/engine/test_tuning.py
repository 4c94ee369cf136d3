"""The deviation from concert pitch."""

import librosa
import numpy as np
import pytest

from mmfeat.audio.engine import estimate_tuning


@pytest.mark.parametrize("sample_rate", [16000, 22050, 44100])
def test_tuning_is_that_of_librosa(signal, librosa_says, stress_name, sample_rate):
    samples = signal(stress_name, sample_rate)
    expected = librosa_says(librosa.estimate_tuning, y=samples, sr=sample_rate, bins_per_octave=36)
    assert estimate_tuning(samples, sample_rate, bins_per_octave=36) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("cents", [-30, -10, 0, 20, 45])
def test_a_chord_that_is_off_by_some_cents_has_that_tuning(cents):
    time_s = np.arange(2 * 22050) / 22050
    notes_hz = 440.0 * 2.0 ** ((np.array([0, 4, 7, 12]) + cents / 100.0) / 12.0)
    samples = sum(0.2 * np.sin(2.0 * np.pi * f * time_s) for f in notes_hz).astype(np.float32)
    assert estimate_tuning(samples, 22050) == pytest.approx(cents / 100.0, abs=0.021)


def test_silence_is_in_tune():
    assert estimate_tuning(np.zeros(8000, np.float32), 16000) == 0.0


def test_many_peaks_do_not_run_out_of_room(librosa_says):
    samples = np.random.default_rng(0).standard_normal(200000).astype(np.float32)
    expected = librosa_says(librosa.estimate_tuning, y=samples, sr=16000)
    assert estimate_tuning(samples, 16000) == pytest.approx(expected, abs=1e-12)
