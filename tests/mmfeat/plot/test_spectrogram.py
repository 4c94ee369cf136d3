import numpy as np
import pytest

from mmfeat import Waveform
from mmfeat.plot.spectrogram import spectrogram
from mmfeat.testing import tone


@pytest.mark.parametrize("frequency_hz", [60.0, 220.0, 1_000.0, 6_000.0])
def test_a_tone_is_loudest_at_its_frequency_and_there_alone(frequency_hz):
    found = spectrogram(tone(frequency_hz, duration_s=1.0))

    inner = found.levels_db[:, 20:-20]
    loudest_hz = found.frequencies_hz[inner.argmax(axis=0)]
    assert loudest_hz == pytest.approx(frequency_hz, rel=0.05)  # two rows
    far = np.abs(np.log2(found.frequencies_hz / frequency_hz)) > 1
    near_hz = np.abs(found.frequencies_hz - frequency_hz) < 75  # a Hann window of 40 ms is 100 Hz wide
    assert inner[far & ~near_hz].max() < -30


def test_levels_are_decibels_below_the_loudest():
    sound = tone(500.0, duration_s=1.0)
    half = Waveform(samples=np.concatenate([sound.samples, sound.samples / 10]), sample_rate=sound.sample_rate)
    found = spectrogram(half)

    row = np.abs(found.frequencies_hz - 500).argmin()
    early, late = (np.median(found.levels_db[row, part]) for part in (slice(20, 150), slice(250, 380)))
    assert early - late == pytest.approx(20, abs=0.2)
    assert found.levels_db.max() == 0
    assert found.levels_db.min() >= -70


def test_a_click_stands_at_its_time():
    samples = np.zeros(16_000, dtype=np.float32)
    samples[12_000] = 1.0
    found = spectrogram(Waveform(samples=samples, sample_rate=16_000))

    power = (10 ** (found.levels_db / 10)).sum(axis=0)
    assert (power * found.times_s).sum() / power.sum() == pytest.approx(0.75, abs=0.005)


def test_a_long_sound_has_no_more_columns_than_a_picture_shows():
    assert spectrogram(tone(200.0, duration_s=60.0)).levels_db.shape == (240, 1_600)


@pytest.mark.parametrize("n_sample", [1, 2, 100])
@pytest.mark.parametrize("sample_rate", [1_000, 8_000, 48_000])
def test_the_shortest_sounds_and_silence_have_one(n_sample, sample_rate):
    found = spectrogram(Waveform(samples=np.zeros(n_sample, dtype=np.float32), sample_rate=sample_rate))

    assert np.isfinite(found.levels_db).all()
    assert found.frequencies_hz[-1] == pytest.approx(min(8_000, sample_rate / 2))
