"""Every kind of bad sound file gives its own sentence and status; what only looks bad is read."""

import os
import re
import struct
import warnings

import av
import numpy as np
import pytest
import soundfile

from mmfeat import (
    AudioFeatureConfig,
    ClipError,
    ConfigError,
    InputError,
    StreamStatus,
    Waveform,
    extract_audio,
    read_audio,
)
from mmfeat.testing import tone, write_sound_as

CHROMA = slice(21, 33)


def wav_bytes(samples=b"\0\1" * 1000, *, sample_rate=16_000, fmt_size=16, data_id=b"data", data_size=None):
    """Return a RIFF file of 16-bit samples whose header may lie."""
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", fmt_size, 1, 1, sample_rate, 2 * sample_rate, 2, 16)
    data = struct.pack("<4sI", data_id, len(samples) if data_size is None else data_size) + samples
    return struct.pack("<4sI4s", b"RIFF", 4 + len(fmt) + len(data), b"WAVE") + fmt + data


def refusal(path, status, **options):
    """Return what ``read_audio`` says of a file, without its path."""
    with pytest.raises(ClipError, match=r"expected .*; ") as caught:
        read_audio(path, **options)
    assert caught.value.status is status
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value).removeprefix(f"{path}: ")


def write(path, content):
    path.write_bytes(content)
    return path


# Files without sound


def test_an_empty_file(tmp_path):
    path = write(tmp_path / "a.wav", b"")
    assert refusal(path, StreamStatus.EMPTY) == "expected sound, got a file of 0 bytes; copy it again"


@pytest.mark.parametrize("suffix", ["wav", "ogg"])
def test_a_file_of_zero_samples(tmp_path, suffix):
    soundfile.write(tmp_path / f"a.{suffix}", np.zeros(0), 16_000)
    assert refusal(tmp_path / f"a.{suffix}", StreamStatus.EMPTY) == "expected sound, got 0 samples; remove the clip"


def test_a_header_alone(tmp_path):
    path = write(tmp_path / "a.wav", wav_bytes(b"", data_size=2000))
    assert refusal(path, StreamStatus.DECODE_ERROR) == (
        "expected a whole file, but 2000 bytes of sound are missing at its end; copy it again"
    )


def test_a_span_behind_the_end_of_the_file(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(200.0, duration_s=1.0).samples, 16_000)
    assert refusal(tmp_path / "a.wav", StreamStatus.EMPTY, start_s=1.5, end_s=2.0) == (
        "expected sound, got 0 samples from 1.5 s to 2 s; remove the clip"
    )


def test_a_video_without_sound(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        pictures = container.add_stream("mpeg4", rate=10)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        grey = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 128, dtype=np.uint8), format="rgb24")
        container.mux([*pictures.encode(grey), *pictures.encode(None)])
    assert refusal(tmp_path / "a.mp4", StreamStatus.MISSING_SOURCE) == (
        "expected an audio stream, got 1 stream(s) without sound; leave the audio cell of this clip empty"
    )


# Files that are cut off


def test_a_truncated_wav(tmp_path):
    path = write(tmp_path / "a.wav", wav_bytes()[:-500])
    assert refusal(path, StreamStatus.DECODE_ERROR) == (
        "expected a whole file, but 500 bytes of sound are missing at its end; copy it again"
    )


def test_a_truncated_aiff(tmp_path):
    soundfile.write(tmp_path / "a.aiff", tone(200.0, duration_s=0.5).samples, 16_000)
    path = write(tmp_path / "b.aiff", (tmp_path / "a.aiff").read_bytes()[:-700])
    assert refusal(path, StreamStatus.DECODE_ERROR) == (
        "expected a whole file, but 700 bytes of sound are missing at its end; copy it again"
    )


def test_a_truncated_flac(tmp_path):
    soundfile.write(tmp_path / "a.flac", tone(200.0, duration_s=2.0).samples, 16_000)
    content = (tmp_path / "a.flac").read_bytes()
    path = write(tmp_path / "b.flac", content[: len(content) // 2])
    assert refusal(path, StreamStatus.DECODE_ERROR) == (
        "expected a whole file, but Error : flac decoder lost sync; copy it again"
    )


def test_a_truncated_mp4_with_its_table_of_contents_at_the_end(tmp_path):
    write_sound_as(tmp_path / "a.mp4", tone(440.0, duration_s=2.0))
    path = write(tmp_path / "b.mp4", (tmp_path / "a.mp4").read_bytes()[:4000])
    assert refusal(path, StreamStatus.DECODE_ERROR) == (
        "expected a readable sound or video file, got 4000 bytes that neither soundfile (Format not recognised) nor "
        "FFmpeg (Invalid data found when processing input) decodes; convert or remove it"
    )


def test_a_truncated_mp4_with_its_table_of_contents_in_front(tmp_path):
    write_sound_as(tmp_path / "a.mp4", tone(440.0, duration_s=2.0), movflags="faststart")
    content = (tmp_path / "a.mp4").read_bytes()
    path = write(tmp_path / "b.mp4", content[: len(content) // 2])
    message = refusal(path, StreamStatus.DECODE_ERROR)
    assert re.fullmatch(
        r"expected a whole file, but FFmpeg stops after 1\d{4} samples \(Invalid data found when processing input\); "
        "copy it again",
        message,
    )


def test_an_mp4_without_its_last_blocks(tmp_path):
    write_sound_as(tmp_path / "a.mov", tone(440.0, duration_s=2.0), codec="pcm_s16le", movflags="faststart")
    path = write(tmp_path / "b.mp4", (tmp_path / "a.mov").read_bytes()[:-32_000])
    message = refusal(path, StreamStatus.DECODE_ERROR)
    assert message == (
        "expected a whole file, but its header says at least 28000 samples, it holds 16000; copy it again"
    )


def test_a_whole_mp4_with_its_table_of_contents_in_front_is_read(tmp_path):
    write_sound_as(tmp_path / "a.mp4", tone(440.0, duration_s=2.0), movflags="faststart")
    assert read_audio(tmp_path / "a.mp4").duration_s == pytest.approx(2.0, abs=0.13)  # two codec blocks


# Files that are something else


def test_a_flac_and_an_mp4_under_the_name_of_a_wav_are_read(tmp_path):
    sound = tone(440.0, duration_s=1.0)
    soundfile.write(tmp_path / "a.flac", sound.samples, 16_000)
    (tmp_path / "a.flac").rename(tmp_path / "flac.wav")
    write_sound_as(tmp_path / "a.mp4", sound).rename(tmp_path / "mp4.wav")
    np.testing.assert_allclose(read_audio(tmp_path / "flac.wav").samples, sound.samples, atol=2**-15)
    assert read_audio(tmp_path / "mp4.wav").duration_s == pytest.approx(1.0, abs=0.13)


def test_text_under_the_name_of_a_wav(tmp_path):
    path = write(tmp_path / "a.wav", b"This is no sound. " * 100)
    assert refusal(path, StreamStatus.DECODE_ERROR) == (
        "expected a readable sound or video file, got 1800 bytes that neither soundfile (Format not recognised) nor "
        "FFmpeg (Invalid data found when processing input) decodes; convert or remove it"
    )


def test_a_riff_header_with_an_absurd_sample_rate(tmp_path):
    path = write(tmp_path / "awful.wav", wav_bytes(sample_rate=0x10AC44))
    assert refusal(path, StreamStatus.DECODE_ERROR) == (
        "expected a sample rate from 1000 to 768000 Hz, got 1092676; the header is damaged"
    )


def test_a_riff_header_with_a_garbage_format_size(tmp_path):
    path = write(tmp_path / "bad.wav", wav_bytes(b"", fmt_size=0x66666666))
    message = refusal(path, StreamStatus.DECODE_ERROR)
    assert message.startswith("expected a readable sound or video file, got 44 bytes that neither soundfile (")
    assert message.endswith(") decodes; convert or remove it")


def test_a_riff_header_without_a_data_chunk(tmp_path):
    path = write(tmp_path / "evil.wav", wav_bytes(b"x" * 5000, data_id=b"HURF", data_size=0x39393939))
    message = refusal(path, StreamStatus.DECODE_ERROR)
    assert message.startswith("expected a readable sound or video file, got 5044 bytes that neither soundfile (")
    assert message.endswith(") decodes; convert or remove it")


@pytest.mark.parametrize("size", [0x7FFFFFFF, 0xFFFFFFFF])
def test_a_wav_from_a_pipe_that_could_not_write_its_size_is_read(tmp_path, size):
    path = write(tmp_path / "a.wav", wav_bytes(b"\0\1" * 1000, data_size=size))
    assert read_audio(path).samples.size == 1000


@pytest.mark.parametrize("toc", ["0", "1"], ids=["guessed length", "told length"])
def test_an_mp3_of_variable_bit_rate_is_read_to_its_end(tmp_path, toc):
    quiet, noise = np.zeros(64_000, dtype=np.float32), np.random.default_rng(0).uniform(-0.5, 0.5, 64_000)
    sound = Waveform(samples=np.concatenate([noise.astype(np.float32), quiet]), sample_rate=16_000)
    variable = {"flags": "+qscale", "global_quality": "118"}
    path = write_sound_as(tmp_path / "a.mp3", sound, codec="libmp3lame", codec_options=variable, write_xing=toc)
    with soundfile.SoundFile(path) as file:
        assert (file.frames < 100_000) == (toc == "0")  # what libsndfile believes
    assert read_audio(path).duration_s == pytest.approx(8.0, abs=0.15)  # four codec blocks


def test_a_flac_from_a_pipe_that_could_not_write_its_length_is_read(tmp_path):
    sound = tone(200.0, duration_s=0.5)
    soundfile.write(tmp_path / "a.flac", sound.samples, 16_000)
    content = bytearray((tmp_path / "a.flac").read_bytes())
    content[21:26] = bytes([content[21] & 0xF0, 0, 0, 0, 0])  # the 36 bits of STREAMINFO
    path = write(tmp_path / "b.flac", bytes(content))
    np.testing.assert_allclose(read_audio(path).samples, sound.samples, atol=2**-15)


# Samples that are no sound


@pytest.mark.parametrize("sample_rate", [16_000, 8_000], ids=["as is", "resampled"])
def test_samples_that_are_no_numbers_are_counted(tmp_path, sample_rate):
    samples = tone(200.0, duration_s=0.1).samples.copy()
    samples[[3, 5, 7]] = np.nan, np.inf, 1e30
    soundfile.write(tmp_path / "a.wav", samples, 16_000, subtype="FLOAT")
    assert refusal(tmp_path / "a.wav", StreamStatus.DECODE_ERROR, sample_rate=sample_rate) == (
        "expected samples in [-1, 1], got 3 NaN, infinite or beyond 1e+10 among the first 1600; repair the file"
    )


@pytest.mark.parametrize("engine", ["fast", "librosa"])
def test_the_largest_samples_that_are_read_have_finite_features(engine):
    loud = Waveform(samples=tone(200.0, duration_s=0.5, amplitude=1e10).samples, sample_rate=16_000)
    assert np.isfinite(extract_audio(loud, engine=engine).values).all()


@pytest.mark.parametrize("engine", ["fast", "librosa"])
def test_digital_silence_is_unvoiced_without_chroma_and_finite(engine):
    silence = Waveform(samples=np.zeros(16_000, dtype=np.float32), sample_rate=16_000)
    features = extract_audio(silence, engine=engine)
    assert not features.voiced.any()
    assert not features.values[:, 0].any()
    assert not features.values[:, CHROMA].any()
    assert np.isfinite(features.values).all()


# Lengths, rates and channels


def test_a_clip_below_two_hops_is_too_short():
    with pytest.raises(ClipError) as caught:
        extract_audio(tone(200.0, duration_s=1023 / 16_000))
    assert caught.value.status is StreamStatus.TOO_SHORT
    assert str(caught.value) == "waveform: expected at least 1024 samples (two hops), got 1023; remove the clip"


@pytest.mark.parametrize("engine", ["fast", "librosa"])
@pytest.mark.parametrize("n_sample", [1024, 1500, 2047])
def test_a_clip_between_two_hops_and_a_window_has_features_and_no_warning(n_sample, engine):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        features = extract_audio(tone(200.0, duration_s=n_sample / 16_000), engine=engine)
    assert features.values.shape == (1 + n_sample // 512, 33)
    assert np.isfinite(features.values).all()


@pytest.mark.parametrize("file_rate", [8_000, 192_000])
def test_any_rate_comes_to_the_rate_of_the_preset(tmp_path, file_rate):
    soundfile.write(tmp_path / "a.wav", tone(220.0, duration_s=1.0, sample_rate=file_rate).samples, file_rate)
    features = extract_audio(read_audio(tmp_path / "a.wav", 16_000))
    inner = slice(5, -5)
    assert features.values.shape == (32, 33)
    assert np.exp(features.values[inner, 0]) == pytest.approx(220.0, rel=0.01)
    assert set(features.values[inner, CHROMA].argmax(axis=1)) == {9}  # A


def test_six_channels_are_averaged(tmp_path):
    rng = np.random.default_rng(0)
    channels = rng.uniform(-1, 1, (4000, 6)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", channels, 48_000, subtype="FLOAT")
    np.testing.assert_allclose(read_audio(tmp_path / "a.wav").samples, channels.mean(axis=1), atol=1e-6)  # float32


def test_of_several_audio_streams_the_first_is_read(tmp_path):
    write_sound_as(tmp_path / "a.mkv", tone(440.0, duration_s=1.0), tone(880.0, duration_s=1.0), codec="pcm_s16le")
    expected = tone(440.0, duration_s=1.0).samples
    np.testing.assert_allclose(read_audio(tmp_path / "a.mkv").samples, expected, atol=2**-14)  # 16 bit, truncated


# Paths


@pytest.mark.parametrize("name", ["with space.wav", "new\nline.wav", "emoji 🎤.wav", "[glob]*.wav", "-o.wav"])
@pytest.mark.parametrize("suffix", ["", ".mkv"])
def test_any_name_of_a_file_is_read(tmp_path, name, suffix):
    sound = tone(200.0, duration_s=0.2)
    if suffix:
        write_sound_as(tmp_path / f"{name}{suffix}", sound, codec="pcm_s16le")
    else:
        soundfile.write(tmp_path / name, sound.samples, 16_000)
    assert read_audio(tmp_path / f"{name}{suffix}").samples.size == 3200


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
@pytest.mark.parametrize("locked", ["file", "folder"])
def test_a_file_that_may_not_be_read(tmp_path, locked):
    path = write(tmp_path / "a.wav", wav_bytes())
    place = path if locked == "file" else tmp_path
    place.chmod(0)
    try:
        message = refusal(path, StreamStatus.DECODE_ERROR)
    finally:
        place.chmod(0o700)
    assert message == "expected a file that may be read, got 'Permission denied'; change its permissions"


@pytest.mark.parametrize("place", ["none.wav", ""])
def test_a_missing_file_or_a_folder(tmp_path, place):
    assert refusal(tmp_path / place, StreamStatus.MISSING_SOURCE) == (
        "expected a sound file, found none; correct the path"
    )


@pytest.mark.parametrize("suffix", ["wav", "mkv"])
def test_a_file_that_disappears_while_it_is_opened(tmp_path, monkeypatch, suffix):
    path = tmp_path / f"a.{suffix}"
    write_sound_as(path, tone(200.0, duration_s=0.2), codec="pcm_s16le")
    monkeypatch.setattr("mmfeat.audio.read._check_file", lambda found: found.unlink())
    assert refusal(path, StreamStatus.DECODE_ERROR) == (
        "expected a file that stays readable, got 'No such file or directory'; look what became of it"
    )


# Requests


@pytest.mark.parametrize(("start_s", "end_s"), [(-1.0, None), (2.0, 1.0), (0.0, 0.0), (float("nan"), None)])
def test_times_in_the_wrong_order_are_refused(tmp_path, start_s, end_s):
    message = rf"expected 0 <= start_s < end_s in seconds, got {start_s!r} and {end_s!r}"
    with pytest.raises(InputError, match=message):
        read_audio(tmp_path / "a.wav", start_s=start_s, end_s=end_s)


def test_8_khz_is_refused_as_a_rate_for_chroma_before_any_clip_is_read():
    with pytest.raises(ConfigError, match="sample_rate must be at least 11025 Hz for seven octaves of chroma"):
        AudioFeatureConfig(sample_rate=8_000)
