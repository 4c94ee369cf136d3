"""Log-mel spectra against librosa, and decibels against the logarithm."""

import librosa
import numpy as np
import pytest

from mmfeat.audio.engine import logmel
from mmfeat.audio.engine.decibel import decibel
from mmfeat.audio.engine.lanes import load, store
from mmfeat.audio.engine.mel import triangles
from mmfeat.compile import kernel


@kernel
def decibels(values, result):
    """Write the levels of an array whose size is a multiple of sixteen."""
    for at in range(0, values.size, 16):
        store(result, at, decibel(load(values, at)))


def test_decibels_are_ten_times_the_logarithm():
    values = np.logspace(-10, 10, 16 * 1000).astype(np.float32)
    result = np.empty_like(values)
    decibels(values, result)
    assert result == pytest.approx(10.0 * np.log10(values.astype(float)), abs=1e-5)


def test_power_below_the_floor_is_minus_100_decibels():
    values = np.array([0.0, 1e-30, -1.0, 1e-10] * 4, np.float32)
    result = np.empty_like(values)
    decibels(values, result)
    assert result == pytest.approx(-100.0, abs=1e-5)


@pytest.mark.parametrize(("n_fft", "hop_length", "n_mels", "htk"), [(1024, 160, 128, False), (512, 512, 40, True)])
def test_levels_are_those_of_librosa(signal, librosa_says, stress_name, n_fft, hop_length, n_mels, htk):
    samples = signal(stress_name, 16000)
    power = librosa_says(
        librosa.feature.melspectrogram, y=samples, sr=16000, n_fft=n_fft, hop_length=hop_length, n_mels=n_mels, htk=htk
    )
    result = logmel(samples, 16000, n_fft=n_fft, hop_length=hop_length, n_mels=n_mels, htk=htk)
    assert result == pytest.approx(librosa.power_to_db(power).T, abs=5e-3)  # dB, of a band 80 dB below the loudest


@pytest.mark.parametrize("htk", [True, False])
@pytest.mark.parametrize(
    ("sample_rate", "n_fft", "n_mels"), [(16_000, 2048, 128), (22_050, 1024, 40), (8_000, 512, 64)]
)
def test_triangles_are_those_of_librosa_to_the_bit(sample_rate, n_fft, n_mels, htk):
    bank = librosa.filters.mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mels, htk=htk)
    assert np.array_equal(triangles(sample_rate, n_fft, n_mels, htk=htk), bank)
