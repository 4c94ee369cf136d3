"""Wav files of any sound: the samples of read_audio, clipped where integers end, and made once."""

import json
import os

import numpy as np
import pytest
import soundfile

from mmfeat import AUDIO_SUFFIXES, ConfigError, InputError, Waveform, entries_from_paths, extract_wav, read_audio
from mmfeat.testing import tone, write_sound_as


@pytest.fixture
def sounds(tmp_path):
    folder = tmp_path / "sounds"
    (folder / "deep er").mkdir(parents=True)
    write_sound_as(folder / "a.mp4", tone(200.0, duration_s=0.5, sample_rate=44_100))
    stereo = np.stack([tone(300.0, duration_s=0.5).samples, np.zeros(8000)], axis=1)
    soundfile.write(folder / "deep er/b.flac", stereo, 16_000)
    return folder


@pytest.fixture
def out(tmp_path):
    return tmp_path / "wav"


def convert(folder, out, **options):
    return extract_wav(entries_from_paths([folder], AUDIO_SUFFIXES, column="audio"), out, **options)


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_the_files_hold_what_read_audio_gives_to_the_last_bit_of_16(sounds, out, n_jobs):
    report = convert(sounds, out, sample_rate=8000, n_jobs=n_jobs)
    assert report.summary() == f"{out}: 2 clips (ok 2)"
    assert names(out) == ["a.wav", "deep er/b.wav", "extract-wav.jsonl"]
    for source, name in (("a.mp4", "a.wav"), ("deep er/b.flac", "deep er/b.wav")):
        about = soundfile.info(out / name)
        assert (about.samplerate, about.channels, about.subtype) == (8000, 1, "PCM_16")
        expected = read_audio(sounds / source, 8000).samples
        assert np.abs(read_audio(out / name).samples - expected).max() <= 1.01 * 2.0**-15  # one step of 16 bits


def test_floats_are_the_very_samples(sounds, out):
    convert(sounds, out, floating=True)
    assert soundfile.info(out / "a.wav").subtype == "FLOAT"
    assert np.array_equal(read_audio(out / "a.wav").samples, read_audio(sounds / "a.mp4", 16_000).samples)


def test_samples_beyond_one_are_clipped_and_counted(tmp_path, out):
    loud = Waveform(samples=np.float32([0.5, 1.0, 1.5, -1.0, -3.0, 0.0] * 100), sample_rate=16_000)
    (tmp_path / "loud").mkdir()
    soundfile.write(tmp_path / "loud/a.wav", loud.samples, 16_000, subtype="FLOAT")
    report = convert(tmp_path / "loud", out)
    assert report.notes == ("200 samples of 1 clip(s) beyond [-1, 1] clipped",)
    assert "200 samples" in report.summary()
    assert json.loads(report.to_json())["notes"] == list(report.notes)
    written = read_audio(out / "a.wav").samples
    assert np.abs(written - np.clip(loud.samples, -1, 1)).max() <= 2.0**-15
    assert convert(tmp_path / "loud", out).notes == report.notes  # remembered
    assert convert(tmp_path / "loud", out, floating=True).notes == ()


def test_a_file_that_cannot_be_read_is_listed_and_the_rest_goes_on(sounds, out):
    (sounds / "c.wav").write_text("No sound. " * 10)
    (sounds / "d.wav").touch()
    report = convert(sounds, out, n_jobs=2)
    assert report.counts == {"ok": 2, "decode_error": 1, "empty": 1}
    assert [record["clip_id"] for record in report.failures] == ["c", "d"]
    assert f"  d: {sounds}/d.wav: expected sound, got a file of 0 bytes; copy it again" in report.summary()
    assert names(out) == ["a.wav", "deep er/b.wav", "extract-wav.jsonl"]


def test_the_same_call_again_does_only_what_changed(sounds, out):
    convert(sounds, out)
    os.utime(out / "a.wav", (1, 1))
    assert convert(sounds, out).n_skipped == 2
    soundfile.write(sounds / "deep er/b.flac", tone(100.0, duration_s=0.25).samples, 16_000)
    assert convert(sounds, out).n_skipped == 1
    assert (out / "a.wav").stat().st_mtime == 1
    assert soundfile.info(out / "deep er/b.wav").frames == 4000
    assert convert(sounds, out, sample_rate=8000).n_skipped == 0


def test_files_that_it_wrote_are_not_taken_for_sources(sounds):
    assert convert(sounds, sounds / "wav").counts == {"ok": 2}
    report = convert(sounds, sounds / "wav")
    assert (len(report.records), report.n_skipped) == (2, 2)
    assert names(sounds / "wav") == ["a.wav", "deep er/b.wav", "extract-wav.jsonl"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_source_is_never_replaced(tmp_path, overwrite):
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(200.0, duration_s=0.5).samples, 16_000)
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"a.wav: expected an output beside it, not in its place; choose another"):
        convert(tmp_path, tmp_path, overwrite=overwrite)
    assert path.read_bytes() == before


@pytest.mark.parametrize("sample_rate", [0, -1, 999, 10**6])
def test_a_rate_that_sound_does_not_have_is_refused(sounds, out, sample_rate):
    with pytest.raises(ConfigError, match=rf"sample_rate must be from 1000 to 768000 Hz, got {sample_rate}"):
        convert(sounds, out, sample_rate=sample_rate)
    assert not out.exists()
