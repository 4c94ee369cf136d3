"""All features together: shared spectra, threads, and what is not supported."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mmfeat.audio.engine import (
    Settings,
    chroma_cqt,
    extract,
    mfcc,
    pyin,
    reason_unsupported,
    supports,
    zero_crossing_rate,
)


def test_features_together_are_the_features_one_by_one(signal):
    samples = signal("syllables", 16000)
    found = extract(samples, 16000, Settings(features=("zero_crossing_rate", "log_f0", "mfcc", "chroma_cqt")))
    assert list(found) == ["zero_crossing_rate", "log_f0", "mfcc", "chroma_cqt", "voiced", "voicing_probability"]
    f0_hz, voiced, _ = pyin(samples, 16000, f0_min_hz=50.0, f0_max_hz=600.0)
    assert np.array_equal(found["voiced"][:, 0], voiced)
    assert found["log_f0"][voiced, 0] == pytest.approx(np.log(f0_hz[voiced]))
    assert not found["log_f0"][~voiced].any()
    assert np.array_equal(found["mfcc"], mfcc(samples, 16000))
    assert np.array_equal(found["chroma_cqt"], chroma_cqt(samples, 16000, tuning=None))
    assert np.array_equal(found["zero_crossing_rate"][:, 0], zero_crossing_rate(samples))


def test_all_features_have_the_common_frame_grid_and_type(signal):
    samples = signal("vibrato", 44100)[:30001]
    settings = Settings(features=("log_f0", "zero_crossing_rate", "mfcc", "chroma_cqt", "logmel"))
    found = extract(samples, 44100, settings)
    for values in found.values():
        assert values.shape[0] == 1 + 30001 // 512
        assert values.dtype == np.float32
    assert [found[name].shape[1] for name in settings.features] == [1, 1, 20, 12, 128]


def test_threads_find_what_one_thread_finds(signal):
    clips = [signal(name, 16000) for name in ("syllables", "vibrato", "major_chord", "white_noise")] * 8
    alone = [extract(clip, 16000, Settings()) for clip in clips[:4]]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda clip: extract(clip, 16000, Settings()), clips))
    for i, found in enumerate(together):
        for name, values in found.items():
            assert np.array_equal(values, alone[i % 4][name])


def test_a_read_only_and_a_strided_clip_are_taken_as_well(signal):
    samples = signal("syllables", 16000)
    frozen = samples.copy()
    frozen.flags.writeable = False
    strided = np.stack([samples, samples], axis=1)[:, 0]
    for clip in (frozen, strided):
        assert np.array_equal(mfcc(clip, 16000), mfcc(samples, 16000))


@pytest.mark.parametrize(
    ("sample_rate", "changes", "reason"),
    [
        (16000, {"frame_length": 2000}, "frame_length must be a power of two of at least 32, got 2000"),
        (16000, {"n_fft": 400}, "n_fft must be a power of two of at least 16, got 400"),
        (16000, {"hop_length": 160}, "the hop of chroma must be a multiple of 64 samples, got 160"),
        (8000, {}, "chroma needs frequencies up to 4434.0 Hz, half of 8000 Hz is less"),
        (16000, {"f0_min_hz": 5.0}, "a period of 5.0 Hz does not fit into a frame of 2048 samples"),
        (16000, {"f0_max_hz": 9000.0}, "expected 0 < f0_min_hz < f0_max_hz <= 8000.0 Hz, got 50.0 and 9000.0"),
        (
            16000,
            {"f0_min_hz": 200.0, "f0_max_hz": 300.0},
            "200.0 to 300.0 Hz are 71 pitch bins, fewer than the 141 that one hop may cross",
        ),
    ],
)
def test_what_is_not_supported_says_why(signal, sample_rate, changes, reason):
    settings = Settings(**changes)
    assert not supports(sample_rate, settings)
    assert reason_unsupported(sample_rate, settings) == reason
    with pytest.raises(ValueError, match=r"got|less|fit|fewer"):
        extract(signal("vibrato", 16000), sample_rate, settings)


@pytest.mark.parametrize("sample_rate", [16000, 22050, 44100, 48000, 96000])
def test_the_usual_settings_are_supported(sample_rate):
    assert supports(sample_rate, Settings())


def test_an_unknown_feature_is_refused():
    with pytest.raises(ValueError, match=r"unknown features \['loudness'\], expected some of"):
        Settings(features=("loudness",))


def test_settings_cost_no_compiler():
    code = "import sys, mmfeat.audio.engine; sys.exit('numba' in sys.modules or 'librosa' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
