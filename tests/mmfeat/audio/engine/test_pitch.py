"""pYIN: librosa's values, and the laws that any pitch must obey."""

import librosa
import numpy as np
import pytest

from mmfeat.audio.engine import pyin

SETTINGS = [  # sample rate, hop, range in Hz
    (16000, 512, 50.0, 600.0),
    (16000, 512, 65.0, 2093.0),
    (16000, 256, 50.0, 600.0),
    (16000, 160, 60.0, 400.0),
    (22050, 512, 50.0, 600.0),
    (44100, 512, 65.0, 2093.0),
]


@pytest.mark.parametrize(("sample_rate", "hop_length", "low_hz", "high_hz"), SETTINGS)
def test_pitch_is_that_of_librosa(signal, librosa_says, stress_name, sample_rate, hop_length, low_hz, high_hz):
    samples = signal(stress_name, sample_rate, duration_s=1.0)
    f0_hz, voiced, probability = pyin(samples, sample_rate, f0_min_hz=low_hz, f0_max_hz=high_hz, hop_length=hop_length)
    expected_hz, expected_voiced, expected_probability = librosa_says(
        librosa.pyin, samples, fmin=low_hz, fmax=high_hz, sr=sample_rate, hop_length=hop_length
    )
    assert np.array_equal(voiced, expected_voiced)
    assert f0_hz[voiced] == pytest.approx(expected_hz[voiced], rel=1e-6)  # float32 against float64: the same bin
    assert not f0_hz[~voiced].any()
    # A trough that lies on a threshold to the last digit may fall on its other side: one threshold is at most 0.08.
    assert probability == pytest.approx(expected_probability, abs=0.09)


@pytest.mark.parametrize("n_samples", [1, 100, 511, 512, 1500, 4000])
def test_short_clips_are_as_in_librosa(signal, librosa_says, n_samples):
    samples = signal("vibrato", 16000)[2000 : 2000 + n_samples]
    f0_hz, voiced, _ = pyin(samples, 16000, f0_min_hz=50.0, f0_max_hz=600.0)
    expected_hz, expected_voiced, _ = librosa_says(librosa.pyin, samples, fmin=50.0, fmax=600.0, sr=16000)
    assert np.array_equal(voiced, expected_voiced)
    assert f0_hz[voiced] == pytest.approx(expected_hz[voiced], rel=1e-6)


def test_a_short_frame_and_a_long_one_are_as_in_librosa(signal, librosa_says):
    samples = signal("vibrato_with_gaps", 16000)
    for frame_length in (1024, 4096):
        _, voiced, _ = pyin(samples, 16000, f0_min_hz=65.0, f0_max_hz=500.0, frame_length=frame_length)
        _, expected, _ = librosa_says(
            librosa.pyin, samples, fmin=65.0, fmax=500.0, sr=16000, frame_length=frame_length, hop_length=512
        )
        assert np.array_equal(voiced, expected)


@pytest.mark.parametrize("frequency_hz", [80.0, 160.0, 320.0, 441.0])
def test_log_f0_of_a_tone_is_the_log_of_its_frequency(frequency_hz):
    time_s = np.arange(16000) / 16000
    samples = (0.5 * np.sin(2.0 * np.pi * frequency_hz * time_s)).astype(np.float32)
    f0_hz, voiced, _ = pyin(samples, 16000, f0_min_hz=50.0, f0_max_hz=600.0)
    assert voiced[3:-3].all()
    assert np.log(f0_hz[3:-3]) == pytest.approx(np.log(frequency_hz), rel=0.01)


def test_silence_in_front_shifts_the_frames(signal):
    samples = signal("syllables", 16000)
    shifted = np.concatenate([np.zeros(10 * 512, np.float32), samples])
    f0_hz, voiced, _ = pyin(samples, 16000, f0_min_hz=50.0, f0_max_hz=600.0)
    shifted_hz, shifted_voiced, _ = pyin(shifted, 16000, f0_min_hz=50.0, f0_max_hz=600.0)
    assert np.array_equal(
        shifted_voiced[10:][3:], voiced[3:]
    )  # away from the beginning, before which nothing was known
    assert np.array_equal(shifted_hz[10:][3:], f0_hz[3:])


def test_gain_changes_nothing(signal):
    samples = signal("vibrato_with_gaps", 16000)
    f0_hz, voiced, _ = pyin(samples, 16000, f0_min_hz=50.0, f0_max_hz=600.0)
    louder_hz, louder_voiced, _ = pyin(samples * np.float32(4.0), 16000, f0_min_hz=50.0, f0_max_hz=600.0)
    assert np.array_equal(voiced, louder_voiced)
    assert np.array_equal(f0_hz, louder_hz)


def test_silence_is_unvoiced():
    f0_hz, voiced, probability = pyin(np.zeros(8000, np.float32), 16000, f0_min_hz=50.0, f0_max_hz=600.0)
    assert not voiced.any()
    assert not f0_hz.any()
    assert not probability.any()


def test_an_empty_clip_is_refused():
    with pytest.raises(ValueError, match=r"at least one sample, got shape \(0,\)"):
        pyin(np.zeros(0, np.float32), 16000, f0_min_hz=50.0, f0_max_hz=600.0)
