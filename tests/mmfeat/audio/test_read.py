"""Any sound file becomes mono samples, or an error with a status."""

from fractions import Fraction

import av
import numpy as np
import pytest
import soundfile

from mmfeat import ClipError, StreamStatus, read_audio
from mmfeat.testing import tone


def loudest_hz(waveform):
    """Return the frequency of the spectrum's maximum; the resolution is 1 / duration."""
    spectrum = np.abs(np.fft.rfft(waveform.samples * np.hanning(waveform.samples.size)))
    return spectrum.argmax() * waveform.sample_rate / waveform.samples.size


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


def test_a_file_of_zero_bytes_is_empty(tmp_path):
    (tmp_path / "a.wav").touch()
    error = refusal(tmp_path / "a.wav")
    assert error.status is StreamStatus.EMPTY
    assert "expected sound, got a file of 0 bytes; copy it again" in str(error)


def test_a_file_of_zero_samples_is_empty(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(0), 16_000)
    error = refusal(tmp_path / "a.wav")
    assert error.status is StreamStatus.EMPTY
    assert "expected sound, got a file of 0 samples; remove the clip" in str(error)


def test_text_under_the_name_of_a_sound_file_is_a_decode_error_that_names_both_readers(tmp_path):
    (tmp_path / "a.wav").write_text("This is no sound. " * 100)
    error = refusal(tmp_path / "a.wav")
    assert error.status is StreamStatus.DECODE_ERROR
    assert "got 1800 bytes that neither soundfile (" in str(error)
    assert "nor FFmpeg (" in str(error)


@pytest.mark.parametrize("place", ["none.wav", ""])
def test_a_missing_file_or_a_folder_is_a_missing_source(tmp_path, place):
    error = refusal(tmp_path / place)
    assert error.status is StreamStatus.MISSING_SOURCE
    assert "expected a sound file, found none; correct the path" in str(error)


def test_samples_that_are_no_numbers_are_counted(tmp_path):
    samples = tone(200.0, duration_s=0.1).samples.copy()
    samples[[3, 5]] = np.nan, np.inf
    soundfile.write(tmp_path / "a.wav", samples, 16_000, subtype="FLOAT")
    error = refusal(tmp_path / "a.wav")
    assert error.status is StreamStatus.DECODE_ERROR
    assert "got 2 NaN or infinite of 1600; repair the file" in str(error)
