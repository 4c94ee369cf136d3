"""Chroma: librosa's values, and the laws of pitch classes."""

import librosa
import numpy as np
import pytest

from mmfeat.audio.engine import chroma_cqt
from mmfeat.audio.engine.chroma import chroma_in_blocks
from mmfeat.audio.engine.cqt import cqt_plan


def frame_levels(samples, hop_length, n_frames):
    """Return the root mean square of each frame."""
    padded = np.pad(samples.astype(float), (1024, 1024 + hop_length))
    return np.array([np.sqrt(np.mean(padded[t * hop_length : t * hop_length + 2048] ** 2)) for t in range(n_frames)])


def assert_equal_where_audible(samples, result, expected, hop_length):
    """Compare chroma where the frame is not below 1e-4 of the loudest."""
    n_frames = 1 + samples.size // hop_length
    assert result.shape == (n_frames, 12)
    assert result.dtype == np.float32
    levels = frame_levels(samples, hop_length, n_frames)
    audible = levels >= 1e-4 * levels.max()
    assert result[audible] == pytest.approx(expected[:n_frames][audible], abs=1e-3)


@pytest.mark.parametrize("tuning", [0.0, 0.13])
@pytest.mark.parametrize(("sample_rate", "hop_length"), [(16000, 512), (16000, 256), (22050, 512), (48000, 512)])
def test_chroma_is_that_of_librosa(signal, librosa_says, stress_name, sample_rate, hop_length, tuning):
    samples = signal(stress_name, sample_rate)
    result = chroma_cqt(samples, sample_rate, hop_length=hop_length, tuning=tuning)
    expected = librosa_says(
        librosa.feature.chroma_cqt, y=samples, sr=sample_rate, hop_length=hop_length, tuning=tuning
    ).T
    assert_equal_where_audible(samples, result, expected, hop_length)


def test_chroma_with_estimated_tuning_is_that_of_librosa(signal, librosa_says, stress_name):
    samples = signal(stress_name, 22050)
    result = chroma_cqt(samples, 22050, tuning=None)
    expected = librosa_says(librosa.feature.chroma_cqt, y=samples, sr=22050).T
    assert_equal_where_audible(samples, result, expected, 512)


@pytest.mark.parametrize("n_samples", [20, 511, 512, 1500, 4000])
def test_short_clips_are_as_in_librosa(signal, librosa_says, n_samples):
    samples = signal("vibrato", 16000)[:n_samples]
    result = chroma_cqt(samples, 16000, tuning=0.0)
    expected = librosa_says(librosa.feature.chroma_cqt, y=samples, sr=16000, tuning=0.0).T
    assert_equal_where_audible(samples, result, expected, 512)


@pytest.mark.parametrize(("note", "pitch_class"), [("C4", 0), ("E3", 4), ("A4", 9), ("B5", 11)])
def test_a_note_is_loudest_in_its_pitch_class(note, pitch_class):
    time_s = np.arange(16000) / 16000
    samples = (0.5 * np.sin(2.0 * np.pi * librosa.note_to_hz(note) * time_s)).astype(np.float32)
    assert (chroma_cqt(samples, 16000, tuning=0.0)[3:-3].argmax(axis=1) == pitch_class).all()


def test_half_the_sample_rate_of_a_band_limited_signal_leaves_chroma(signal):
    samples = signal("major_chord", 32000)
    halved = librosa.resample(samples, orig_sr=32000, target_sr=16000)
    fine = chroma_cqt(samples, 32000, hop_length=1024, tuning=0.0)
    coarse = chroma_cqt(halved, 16000, hop_length=512, tuning=0.0)
    assert fine == pytest.approx(coarse, abs=0.01)  # the filters end at other fractions of a sample


def test_gain_changes_nothing(signal):
    samples = signal("major_chord", 16000)
    louder = chroma_cqt(samples * np.float32(2.0), 16000, tuning=0.0)
    assert louder == pytest.approx(chroma_cqt(samples, 16000, tuning=0.0), abs=1e-5)


def test_silence_has_no_pitch_class():
    assert not chroma_cqt(np.zeros(8000, np.float32), 16000, tuning=0.0).any()


@pytest.mark.parametrize("sample_rate", [16000, 22050, 44100])
def test_one_bank_of_filters_serves_every_octave_at_every_tuning(sample_rate):
    for tuning in np.linspace(-0.5, 0.49, 12):
        plan = cqt_plan(sample_rate, 512, float(tuning))
        assert plan.starts.size == 37
        assert plan.n_fft in (512, 1024)


@pytest.mark.parametrize("sample_rate", [16_000, 22_050, 44_100])
def test_blocks_of_a_long_clip_give_the_chroma_of_the_whole(sample_rate):
    rng = np.random.default_rng(0)
    time_s = np.arange(40 * sample_rate) / sample_rate
    chirp = np.sin(2 * np.pi * (100 * time_s + 8 * time_s**2))
    clip = (0.3 * chirp + 0.05 * rng.standard_normal(time_s.size)).astype(np.float32)
    plan = cqt_plan(sample_rate, 512, 0.0)
    whole = chroma_in_blocks(clip, 512, plan)
    blocks = chroma_in_blocks(clip, 512, plan, frames_per_block=100)
    assert whole.shape == (1 + clip.size // 512, 12)
    assert np.abs(blocks - whole).max() < 2e-5  # float32 sums in another order
