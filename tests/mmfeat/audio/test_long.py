"""Two hours of sound: bounded memory, and the values of its pieces."""

import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from mmfeat import Waveform, extract_audio, read_audio

RATE, HOP, MINUTES = 16_000, 512, 120
MFCC, CHROMA = slice(1, 21), slice(21, 33)
MOST_MB = 1_400  # 440 of it are the samples, 235 the process before it reads
PROGRAM = """
import json, resource, sys
import numpy as np
from mmfeat import extract_audio, read_audio
waveform = read_audio(sys.argv[1], 16_000)
read_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
features = extract_audio(waveform)
np.savez(sys.argv[2], values=features.values, voiced=features.voiced)
print(json.dumps([read_mb, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""

pytestmark = pytest.mark.slow


def minute(index):
    """Return a minute of a gliding voice with pauses and a little noise; no two minutes are the same."""
    times_s = np.arange(60 * RATE) / RATE
    f0_hz = 120 + index % 40 + 40 * np.sin(2 * np.pi * 0.3 * times_s)
    phase = 2 * np.pi * np.cumsum(f0_hz) / RATE
    voice = sum(np.sin(k * phase) / k for k in range(1, 8)) * 0.15 * (np.sin(2 * np.pi * 0.25 * times_s) > -0.5)
    noise = np.random.default_rng(index).standard_normal(times_s.size)
    return (voice + 0.003 * noise).astype(np.float32)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("long") / "long.wav"
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as file:
        for index in range(MINUTES):
            file.write(minute(index))
    return path


@pytest.fixture(scope="module")
def whole(path):
    """Return values, voiced, and the peak of memory after reading and after extraction, of a process of its own."""
    output = path.with_name("features.npz")
    result = subprocess.run([sys.executable, "-c", PROGRAM, path, output], capture_output=True, text=True, check=True)
    with np.load(output) as features:
        return features["values"], features["voiced"], *json.loads(result.stdout)


def test_memory_stays_bounded(whole):
    *_, read_mb, peak_mb = whole
    assert read_mb < MOST_MB / 2 + 200  # the samples once, not twice
    assert peak_mb < MOST_MB


def test_two_hours_have_all_their_frames(whole):
    values, voiced, *_ = whole
    assert values.shape == (1 + MINUTES * 60 * RATE // HOP, 33)
    assert voiced.shape == values.shape[:1]
    assert 0.6 < voiced.mean() < 0.9  # the voice speaks two thirds of the time; pYIN bridges short pauses


@pytest.mark.parametrize("engine", ["fast", "librosa"])
@pytest.mark.parametrize("start_minute", [0, 58, 117])
def test_a_piece_of_three_minutes_has_the_values_of_the_whole(path, whole, start_minute, engine):
    values, voiced, *_ = whole
    start_s = 60.0 * start_minute
    piece = extract_audio(read_audio(path, RATE, start_s=start_s, end_s=start_s + 180.0), engine=engine)
    first = round(start_s * RATE) // HOP  # a minute is a whole number of hops
    inner = slice(100, -100)  # away from the edges of the piece: 3 s, three times the longest filter
    same = slice(first + 100, first + piece.n_frame - 100)
    np.testing.assert_array_equal(voiced[same], piece.voiced[inner])
    np.testing.assert_allclose(values[same, 0], piece.values[inner, 0], rtol=1e-3)
    np.testing.assert_allclose(values[same, CHROMA], piece.values[inner, CHROMA], atol=1e-3)
    # Levels end 80 dB below the loudest of the clip; the noise keeps every band of this sound above that.
    np.testing.assert_allclose(values[same, MFCC], piece.values[inner, MFCC], atol=1e-3)


def test_reading_does_not_depend_on_the_blocks(path):
    last = read_audio(path, RATE, start_s=60.0 * (MINUTES - 1))
    assert isinstance(last, Waveform)
    assert np.abs(last.samples - minute(MINUTES - 1)).max() <= 2**-15
