"""Laws of the audio features: pitch, level, time and the frame grid."""

import inspect
from importlib.metadata import version

import librosa
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from mmfeat import (
    AUDIO_PRESETS,
    AudioFeatureConfig,
    ClipError,
    InputError,
    PitchConfig,
    StreamStatus,
    Waveform,
    extract_audio,
)
from mmfeat.audio import audio_stream_info
from mmfeat.testing import tone

MFCC = slice(1, 21)
CHROMA = slice(21, 33)
PITCH_CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def vowel(duration_s=1.0, sample_rate=16_000, seed=0):
    """Return a gliding harmonic sound with a little noise: voiced, with energy in every mel band."""
    times_s = np.arange(round(duration_s * sample_rate)) / sample_rate
    phase = 2 * np.pi * (140 * times_s + 20 * times_s**2)
    samples = sum(np.sin(k * phase) / k for k in range(1, 20)) * 0.15
    samples = samples + 0.003 * np.random.default_rng(seed).standard_normal(times_s.size)
    return Waveform(samples=samples.astype(np.float32), sample_rate=sample_rate)


@pytest.fixture(scope="module")
def vowel_features():
    return extract_audio(vowel())


@pytest.mark.parametrize("f0_hz", [80, 160, 220, 320, 500])
def test_log_f0_of_a_tone_is_the_log_of_its_frequency(f0_hz):
    features = extract_audio(tone(f0_hz, duration_s=1.0))
    inner = slice(5, -5)  # away from the padded edges
    assert features.voiced[inner].all()
    assert np.exp(features.values[inner, 0]) == pytest.approx(f0_hz, rel=0.01)  # 1 % is a sixth of a semitone


@pytest.mark.parametrize(("f0_hz", "name"), [(220.0, "A"), (261.63, "C"), (392.0, "G")])
def test_the_chroma_of_a_tone_peaks_at_its_pitch_class(f0_hz, name):
    chroma = extract_audio(tone(f0_hz, duration_s=1.0)).values[10:-10, CHROMA]
    assert set(chroma.argmax(axis=1)) == {PITCH_CLASSES.index(name)}


def test_silence_has_no_pitch_and_no_chroma():
    features = extract_audio(Waveform(samples=np.zeros(16_000, dtype=np.float32), sample_rate=16_000))
    assert not features.voiced.any()
    assert not features.values[:, 0].any()
    assert not features.values[:, CHROMA].any()
    assert features.valid.all()


def test_log_f0_is_0_exactly_where_a_frame_is_not_voiced(vowel_features):
    joined = np.concatenate([vowel().samples, np.zeros(16_000, dtype=np.float32)])
    features = extract_audio(Waveform(samples=joined, sample_rate=16_000))
    assert features.voiced.any()
    assert not features.voiced.all()
    np.testing.assert_array_equal(features.values[:, 0] != 0, features.voiced)


@settings(max_examples=8, deadline=None)  # each example analyses a sound
@given(n_sample=st.integers(1024, 9000))
def test_a_clip_has_one_frame_more_than_whole_hops(n_sample):
    features = extract_audio(Waveform(samples=vowel().samples[:n_sample], sample_rate=16_000))
    assert features.values.shape == (1 + n_sample // 512, 33)
    assert features.voiced.shape == features.valid.shape == features.times_s.shape == (1 + n_sample // 512,)


def test_frames_stand_on_a_regular_grid_from_0(vowel_features):
    np.testing.assert_allclose(vowel_features.times_s, np.arange(32) * 512 / 16_000, rtol=1e-15)
    assert vowel_features.hop_s == 512 / 16_000


def test_gain_changes_mfcc_0_and_nothing_else(vowel_features):
    gain = 0.5
    quiet = extract_audio(Waveform(samples=vowel().samples * np.float32(gain), sample_rate=16_000))
    # The DCT is orthonormal over 128 mel bands, so a level in dB arrives sqrt(128)-fold in coefficient 0.
    expected_db = 20 * np.log10(gain) * np.sqrt(128)
    difference = quiet.values - vowel_features.values
    np.testing.assert_allclose(difference[:, 1], expected_db, atol=0.02)  # float32 sums of 128 bands
    np.testing.assert_allclose(difference[:, 2:21], 0.0, atol=0.02)
    np.testing.assert_allclose(difference[:, CHROMA], 0.0, atol=1e-4)
    np.testing.assert_array_equal(quiet.voiced, vowel_features.voiced)
    np.testing.assert_allclose(difference[:, 0], 0.0, atol=1e-6)


@pytest.mark.parametrize("n_hop", [4, 9])
def test_leading_silence_shifts_the_frames(vowel_features, n_hop):
    silence = np.zeros(n_hop * 512, dtype=np.float32)
    later = extract_audio(Waveform(samples=np.concatenate([silence, vowel().samples]), sample_rate=16_000))
    inner = slice(6, -6)  # away from both edges, where padding meets silence
    shifted = later.values[n_hop:]
    np.testing.assert_allclose(shifted[inner, MFCC], vowel_features.values[inner, MFCC], atol=1e-2)  # float32, dB
    np.testing.assert_array_equal(later.voiced[n_hop:][inner], vowel_features.voiced[inner])
    np.testing.assert_allclose(shifted[inner, 0], vowel_features.values[inner, 0], atol=0.01)  # ln(Hz): 1 %


@pytest.mark.parametrize("n_sample", [1, 1023])
def test_a_clip_below_two_hops_is_too_short(n_sample):
    with pytest.raises(ClipError, match=rf"expected at least 1024 samples \(two hops\), got {n_sample}; rem") as caught:
        extract_audio(Waveform(samples=np.zeros(n_sample, dtype=np.float32), sample_rate=16_000))
    assert caught.value.status is StreamStatus.TOO_SHORT


def test_another_sample_rate_than_configured_is_refused():
    with pytest.raises(InputError, match=r"expected 16000 Hz, got 8000 Hz; read the file with read_audio"):
        extract_audio(tone(200.0, duration_s=1.0, sample_rate=8_000))


@pytest.mark.filterwarnings("ignore:n_fft=.* is too large:UserWarning")  # the lowest octave of a short clip
@pytest.mark.parametrize("preset", ["default", "skesl-33"])
def test_the_values_of_the_reference_are_those_of_plain_librosa_calls(preset):
    config = AUDIO_PRESETS[preset]
    waveform = vowel(sample_rate=config.sample_rate)
    features = extract_audio(waveform, config, engine="librosa")
    y, rate, hop = waveform.samples, config.sample_rate, config.hop_length
    pinned = (
        {"transition_min_prob": 1e-6} if "transition_min_prob" in inspect.signature(librosa.pyin).parameters else {}
    )
    f0_hz, voiced, _ = librosa.pyin(y, fmin=50, fmax=600, sr=rate, frame_length=2048, hop_length=hop, **pinned)
    mfcc = librosa.feature.mfcc(y=y, sr=rate, n_mfcc=20, hop_length=hop, htk=True)
    chroma = librosa.feature.chroma_cqt(y=y, sr=rate, hop_length=hop, tuning=0.0)
    np.testing.assert_array_equal(features.voiced, voiced)
    np.testing.assert_allclose(np.exp(features.values[voiced, 0]), f0_hz[voiced], rtol=1e-5)  # float32 of ln(Hz)
    np.testing.assert_allclose(features.values[:, MFCC], mfcc.T[: features.n_frame], rtol=1e-6)
    np.testing.assert_allclose(features.values[:, CHROMA], chroma.T[: features.n_frame], rtol=1e-6)


@pytest.mark.filterwarnings("ignore:n_fft=.* is too large:UserWarning")
def test_the_preset_of_ch_sims_holds_the_zero_crossing_rate_and_a_chroma_of_estimated_tuning():
    config = AUDIO_PRESETS["ch-sims-33"]
    waveform = vowel(sample_rate=22_050)
    features = extract_audio(waveform, config, engine="librosa")
    rate = librosa.feature.zero_crossing_rate(waveform.samples, frame_length=2048, hop_length=512)
    chroma = librosa.feature.chroma_cqt(y=waveform.samples, sr=22_050, hop_length=512)
    assert features.names[0] == "zero_crossing_rate"
    assert features.voiced is None
    np.testing.assert_allclose(features.values[:, 0], rate[0], rtol=1e-6)
    np.testing.assert_allclose(features.values[:, CHROMA], chroma.T[: features.n_frame], rtol=1e-6)


def test_the_preset_logmel128_holds_128_bands_in_db_every_10_ms():
    config = AUDIO_PRESETS["logmel128"]
    waveform = vowel()
    features = extract_audio(waveform, config, engine="librosa")
    power = librosa.feature.melspectrogram(y=waveform.samples, sr=16_000, n_fft=1024, hop_length=160, n_mels=128)
    assert features.values.shape == (101, 128)
    assert features.hop_s == 0.01
    np.testing.assert_allclose(features.values, librosa.power_to_db(power).T, rtol=1e-6)


@pytest.mark.parametrize("preset", AUDIO_PRESETS)
def test_both_engines_give_the_same_values(preset):
    config = AUDIO_PRESETS[preset]
    waveform = vowel(sample_rate=config.sample_rate)
    fast, reference = (extract_audio(waveform, config, engine=engine) for engine in ("fast", "librosa"))
    assert fast.names == reference.names
    np.testing.assert_allclose(fast.values, reference.values, atol=2e-3)  # dB of float32; every column is below 1000
    if config.features[0] == "log_f0":
        np.testing.assert_array_equal(fast.voiced, reference.voiced)


def test_the_voicing_probability_is_a_second_column_where_asked_for():
    config = AudioFeatureConfig(features=("log_f0",), pitch=PitchConfig(store_probability=True))
    fast, reference = (extract_audio(vowel(), config, engine=engine) for engine in ("fast", "librosa"))
    assert fast.names == ("log_f0", "voicing_probability")
    np.testing.assert_allclose(fast.values, reference.values, atol=1e-3)
    assert ((fast.values[:, 1] >= 0) & (fast.values[:, 1] <= 1)).all()


def test_the_preset_of_skesl_has_its_33_features_at_22050_hz():
    config = AUDIO_PRESETS["skesl-33"]
    assert (config.sample_rate, config.hop_length, len(config.feature_names)) == (22_050, 512, 33)
    mfcc, chroma = (f"mfcc_{number}" for number in range(20)), (f"chroma_{name}" for name in PITCH_CLASSES)
    assert config.feature_names == ("log_f0", *mfcc, *chroma)
    features = extract_audio(tone(220.0, duration_s=0.5, sample_rate=22_050), config)
    assert (features.names, features.values.shape[1]) == (config.feature_names, 33)


def test_the_number_of_mfcc_follows_the_configuration():
    config = AudioFeatureConfig(hop_length=256, mfcc=type(AudioFeatureConfig().mfcc)(n_mfcc=13))
    features = extract_audio(tone(200.0, duration_s=0.5), config)
    assert features.values.shape == (1 + 8000 // 256, 1 + 13 + 12)
    assert features.names == config.feature_names


def test_a_stream_says_how_it_was_made():
    info = audio_stream_info(AUDIO_PRESETS["skesl-33"])
    assert (info.preset, info.extractor, info.extractor_version) == ("skesl-33", "mmfeat", version("mmfeat"))
    reference = audio_stream_info(AUDIO_PRESETS["skesl-33"], engine="librosa")
    assert (reference.extractor, reference.extractor_version) == ("librosa", librosa.__version__)
    assert (info.has_voiced, info.hop_s) == (True, 512 / 22_050)
    assert audio_stream_info(AudioFeatureConfig(hop_length=256)).preset == "custom"
