"""The zero-crossing rate."""

import librosa
import numpy as np
import pytest

from mmfeat.audio.engine import zero_crossing_rate


@pytest.mark.parametrize(("frame_length", "hop_length"), [(2048, 512), (1024, 160), (400, 128)])
def test_rates_are_those_of_librosa(signal, librosa_says, stress_name, frame_length, hop_length):
    samples = signal(stress_name, 16000)
    expected = librosa_says(
        librosa.feature.zero_crossing_rate, samples, frame_length=frame_length, hop_length=hop_length
    )[0]
    result = zero_crossing_rate(samples, frame_length=frame_length, hop_length=hop_length)
    assert np.array_equal(result, expected.astype(np.float32))


@pytest.mark.parametrize("n_samples", [1, 100, 600])
def test_short_clips_are_as_in_librosa(signal, librosa_says, n_samples):
    samples = signal("white_noise", 16000)[:n_samples]
    expected = librosa_says(librosa.feature.zero_crossing_rate, samples)[0]
    assert np.array_equal(zero_crossing_rate(samples), expected.astype(np.float32))


def test_a_tone_crosses_zero_twice_a_period():
    samples = np.sin(2.0 * np.pi * 500.0 * np.arange(16000) / 16000 + 0.1).astype(np.float32)
    assert zero_crossing_rate(samples)[4:-4] == pytest.approx(2 * 500.0 / 16000, rel=0.01)
