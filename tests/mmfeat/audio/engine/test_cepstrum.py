"""MFCC: librosa's values, and the laws of decibels."""

import librosa
import numpy as np
import pytest

from mmfeat.audio.engine import mfcc

TOLERANCE = 1e-3  # of values up to 1,000: ten roundings of float32


@pytest.mark.parametrize(("sample_rate", "hop_length"), [(16000, 512), (16000, 160), (22050, 512), (44100, 256)])
def test_coefficients_are_those_of_librosa(signal, librosa_says, stress_name, sample_rate, hop_length):
    samples = signal(stress_name, sample_rate)
    result = mfcc(samples, sample_rate, hop_length=hop_length)
    expected = librosa_says(
        librosa.feature.mfcc, y=samples, sr=sample_rate, n_mfcc=20, htk=True, hop_length=hop_length
    ).T
    assert result.dtype == np.float32
    assert result == pytest.approx(expected, abs=TOLERANCE)


@pytest.mark.parametrize("n_samples", [1, 100, 511, 512, 1500, 4000])
def test_short_clips_are_as_in_librosa(signal, librosa_says, n_samples):
    samples = signal("vibrato", 16000)[:n_samples]
    expected = librosa_says(librosa.feature.mfcc, y=samples, sr=16000, n_mfcc=20, htk=True).T
    assert mfcc(samples, 16000) == pytest.approx(expected, abs=TOLERANCE)


@pytest.mark.parametrize(("n_mfcc", "n_fft", "n_mels", "htk"), [(13, 1024, 64, False), (40, 512, 40, True)])
def test_other_settings_are_as_in_librosa(signal, librosa_says, n_mfcc, n_fft, n_mels, htk):
    samples = signal("syllables", 16000)
    settings = {"n_mfcc": n_mfcc, "n_fft": n_fft, "hop_length": 200, "n_mels": n_mels, "htk": htk}
    expected = librosa_says(librosa.feature.mfcc, y=samples, sr=16000, **settings).T
    assert mfcc(samples, 16000, **settings) == pytest.approx(expected, abs=TOLERANCE)


def test_gain_changes_only_the_zeroth_coefficient(signal):
    samples = signal("syllables", 16000)
    quiet, loud = mfcc(samples, 16000), mfcc(samples * np.float32(2.0), 16000)
    assert loud[:, 1:] == pytest.approx(quiet[:, 1:], abs=TOLERANCE)
    gain_db = 20.0 * np.log10(2.0)
    assert loud[:, 0] - quiet[:, 0] == pytest.approx(gain_db * np.sqrt(128), abs=TOLERANCE)


def test_silence_in_front_shifts_the_frames(signal):
    samples = signal("syllables", 16000)
    shifted = np.concatenate([np.zeros(10 * 512, np.float32), samples])
    assert mfcc(shifted, 16000)[10:] == pytest.approx(mfcc(samples, 16000), abs=TOLERANCE)
