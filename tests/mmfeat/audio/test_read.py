"""Any sound file becomes mono samples, or an error with a status."""

from fractions import Fraction

import av
import numpy as np
import pytest
import soundfile
import soxr

from mmfeat import ClipError, StreamStatus, Waveform, read_audio
from mmfeat.testing import tone, write_sound_as


def loudest_hz(waveform):
    """Return the frequency of the spectrum's maximum; the resolution is 1 / duration."""
    spectrum = np.abs(np.fft.rfft(waveform.samples * np.hanning(waveform.samples.size)))
    return spectrum.argmax() * waveform.sample_rate / waveform.samples.size


def chirp(duration_s, sample_rate=16_000):
    """Return a sound of which no two pieces are the same."""
    times_s = np.arange(round(duration_s * sample_rate)) / sample_rate
    samples = 0.5 * np.sin(2 * np.pi * (200 * times_s + 1000 * times_s**2))
    return Waveform(samples=samples.astype(np.float32), sample_rate=sample_rate)


def write_video(path, *, sound, codec="aac"):
    """Write half a second of grey pictures at 10 Hz, with a tone of 440 Hz in stereo if wanted."""
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("mpeg4", rate=10)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        voice = container.add_stream(codec, rate=16_000, layout="stereo") if sound else None
        for _ in range(5):
            grey = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 128, dtype=np.uint8), format="rgb24")
            container.mux(pictures.encode(grey))
        container.mux(pictures.encode(None))
        if voice is not None:
            samples = np.stack([tone(440.0, duration_s=0.5).samples] * 2)
            block = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
            block.sample_rate, block.pts, block.time_base = 16_000, 0, Fraction(1, 16_000)
            fifo = av.AudioFifo()
            fifo.write(block)
            while (part := fifo.read(1024, partial=True)) is not None:
                container.mux(voice.encode(part))
            container.mux(voice.encode(None))
    return path


def refusal(path):
    with pytest.raises(ClipError, match=r"expected .*, (got|found) .*; ") as caught:
        read_audio(path)
    assert str(caught.value).startswith(f"{path}: ")
    return caught.value


@pytest.mark.parametrize(
    ("file_format", "subtype", "step"),
    [
        ("wav", "PCM_U8", 2**-7),
        ("wav", "PCM_16", 2**-15),
        ("wav", "PCM_24", 2**-23),
        ("wav", "PCM_32", 2**-23),  # float32 holds no finer steps
        ("wav", "FLOAT", 0.0),
        ("flac", "PCM_16", 2**-15),
        ("flac", "PCM_24", 2**-23),
    ],
)
def test_samples_come_back_within_one_step_of_the_file(tmp_path, file_format, subtype, step):
    written = tone(330.0, duration_s=0.25)
    path = tmp_path / f"a.{file_format}"
    soundfile.write(path, written.samples, written.sample_rate, subtype=subtype)
    read = read_audio(path)
    assert (read.sample_rate, read.samples.dtype, read.samples.shape) == (16_000, np.float32, written.samples.shape)
    assert np.abs(read.samples - written.samples).max() <= step


def test_channels_are_averaged(tmp_path):
    left, right = tone(200.0, duration_s=0.1).samples, tone(300.0, duration_s=0.1, amplitude=0.25).samples
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], axis=1), 16_000, subtype="FLOAT")
    np.testing.assert_allclose(read_audio(tmp_path / "a.wav").samples, (left + right) / 2, atol=1e-7)  # float32


@pytest.mark.parametrize(("file_rate", "wanted_rate"), [(44_100, 16_000), (8_000, 16_000), (16_000, 22_050)])
def test_resampling_keeps_the_frequency_and_the_length_of_a_tone(tmp_path, file_rate, wanted_rate):
    written = tone(1000.0, duration_s=1.0, sample_rate=file_rate)
    soundfile.write(tmp_path / "a.wav", written.samples, file_rate)
    read = read_audio(tmp_path / "a.wav", wanted_rate)
    assert read.sample_rate == wanted_rate
    assert read.duration_s == pytest.approx(1.0, abs=1 / wanted_rate)
    assert loudest_hz(read) == pytest.approx(1000.0, abs=1.0)  # one bin of a spectrum of one second
    middle = read.samples[wanted_rate // 4 : -wanted_rate // 4]
    assert np.sqrt((middle**2).mean()) == pytest.approx(0.5 / np.sqrt(2), rel=1e-3)  # HQ passband ripple < 0.01 dB


def test_the_rate_of_the_file_needs_no_resampling(tmp_path):
    written = tone(330.0, duration_s=0.1)
    soundfile.write(tmp_path / "a.wav", written.samples, 16_000, subtype="FLOAT")
    np.testing.assert_array_equal(read_audio(tmp_path / "a.wav", 16_000).samples, written.samples)


@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "aac"), ("mkv", "pcm_s16le"), ("mov", "aac"), ("avi", "mp2")])
def test_the_sound_of_a_video_is_read(tmp_path, suffix, codec):
    read = read_audio(write_video(tmp_path / f"a.{suffix}", sound=True, codec=codec))
    assert read.sample_rate == 16_000
    assert read.duration_s == pytest.approx(0.5, abs=0.2)  # a codec pads to whole blocks of 1024 samples at both ends
    assert loudest_hz(read) == pytest.approx(440.0, abs=4.0)  # a bin of half a second is 2 Hz
    assert np.abs(read.samples).max() == pytest.approx(0.5, abs=0.05)  # the mean of two equal channels; lossy codec


def test_a_video_without_sound_is_a_missing_source(tmp_path):
    error = refusal(write_video(tmp_path / "a.mp4", sound=False))
    assert error.status is StreamStatus.MISSING_SOURCE
    assert "got 1 stream(s) without sound; leave the audio cell of this clip empty" in str(error)


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp4", "mkv"])
@pytest.mark.parametrize(("start_s", "end_s"), [(0.0, 0.7), (0.3, None), (0.25, 0.75), (0.9, 5.0)])
def test_a_span_is_exactly_those_samples_of_the_whole(tmp_path, suffix, start_s, end_s):
    sound = chirp(1.0)
    if suffix in ("wav", "flac"):
        soundfile.write(tmp_path / f"a.{suffix}", sound.samples, 16_000)
    else:
        write_sound_as(tmp_path / f"a.{suffix}", sound)
    whole = read_audio(tmp_path / f"a.{suffix}").samples
    part = read_audio(tmp_path / f"a.{suffix}", start_s=start_s, end_s=end_s).samples
    end = None if end_s is None else round(16_000 * end_s)
    np.testing.assert_array_equal(part, whole[round(16_000 * start_s) : end])
    assert 0 < part.size < whole.size


@pytest.mark.parametrize("suffix", ["wav", "mp4"])
@pytest.mark.parametrize("rate", [8_000, 22_050])
def test_a_resampled_span_is_the_resampled_samples_of_the_span(tmp_path, suffix, rate):
    write_sound_as(tmp_path / f"a.{suffix}", chirp(1.0), codec="aac" if suffix == "mp4" else "pcm_s16le")
    part = read_audio(tmp_path / f"a.{suffix}", start_s=0.25, end_s=0.75)
    resampled = read_audio(tmp_path / f"a.{suffix}", rate, start_s=0.25, end_s=0.75)
    expected = soxr.resample(part.samples, 16_000, rate, quality="HQ")
    assert (part.samples.size, resampled.sample_rate) == (8_000, rate)
    np.testing.assert_allclose(resampled.samples, expected, atol=1e-6)  # float32


@pytest.mark.parametrize(("file_rate", "rate"), [(44_100, 16_000), (16_000, 22_050), (8_000, 16_000)])
def test_resampling_block_by_block_gives_the_samples_of_resampling_at_once(tmp_path, file_rate, rate):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 600_000).astype(np.float32)  # three blocks
    soundfile.write(tmp_path / "a.wav", noise, file_rate, subtype="FLOAT")
    expected = soxr.resample(noise, file_rate, rate, quality="HQ")
    np.testing.assert_allclose(read_audio(tmp_path / "a.wav", rate).samples, expected, atol=1e-6)  # float32
