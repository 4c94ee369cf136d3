"""An interrupted build is continued by the same call, whatever stopped it and wherever it stood."""

import json
import os
import platform
import random
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import soundfile

import mmfeat.extract_all
import mmfeat.versions
from mmfeat import (
    BuildConfig,
    ClipEntry,
    DatasetReader,
    InputError,
    PitchConfig,
    SchemaError,
    StorageError,
    build_dataset,
    resolve_build_config,
    validate,
)
from mmfeat.testing import tone, write_openface_csv

N_CLIP = 60
PROGRAM = """
import sys, time
from pathlib import Path
from mmfeat import build_dataset, entries_from_paths, resolve_build_config
entries = entries_from_paths([Path(sys.argv[1])], [".wav"], column="audio")
config = resolve_build_config(overrides=['audio.features=["zero_crossing_rate"]'])

def slowly(clips, *_):
    for clip in clips:
        yield clip
        time.sleep(0.01)

build_dataset(entries, sys.argv[2], config, track=slowly)
"""


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """Return a folder of clips, every tenth of them without sound."""
    folder = tmp_path_factory.mktemp("sounds")
    for index in range(N_CLIP):
        waveform = tone(100.0 + 5 * index, duration_s=0.1 + 0.01 * index)
        samples = waveform.samples[: 0 if index % 10 == 9 else None]
        soundfile.write(folder / f"{index:02d}.wav", samples, 16_000)
    return folder


@pytest.fixture(scope="module")
def entries(sounds):
    return [ClipEntry(clip_id=path.stem, audio=path) for path in sorted(sounds.iterdir())]


@pytest.fixture(scope="module")
def config():
    return resolve_build_config(overrides=['audio.features=["zero_crossing_rate"]'])


@pytest.fixture(scope="module")
def whole(entries, config, tmp_path_factory):
    """Return the hash of the content of a build that nothing interrupted."""
    return content(build_dataset(entries, tmp_path_factory.mktemp("whole") / "a.h5", config).path)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "a.h5"


def content(path):
    with DatasetReader(path) as reader:
        return reader.attributes["content_sha256"]


def n_committed(out):
    """Return the number of clips in the journal of an unfinished build."""
    journal = out.with_name("a.h5.part") / "journal.jsonl"
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def stop_after(n_clip, entries, out, config, error=KeyboardInterrupt):
    """Build until ``n_clip`` clips are written, then stop by an error that is not the project's."""

    def track(items, _total, _description):
        for index, clip in enumerate(items):
            if index == n_clip:
                raise error("stop")
            yield clip

    with pytest.raises(error, match="stop"):
        build_dataset(entries, out, config, track=track)


def test_a_build_that_is_killed_again_and_again_ends_with_the_same_content(sounds, entries, whole, out):
    chance = random.Random(0)
    command = [sys.executable, "-c", PROGRAM, sounds, out]
    n_done = []
    for n_wanted in range(0, 50, 5):  # at each kill a little further
        process = subprocess.Popen(command)
        while process.poll() is None and n_committed(out) < n_wanted:
            time.sleep(0.002)
        time.sleep(0.03 * chance.random())  # one to four clips
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert not out.exists()
        n_done.append(n_committed(out))
    assert n_done == sorted(n_done)  # no kill loses a clip
    assert n_done[-1] >= 45
    subprocess.run(command, check=True)
    assert content(out) == whole
    assert [path.name for path in out.parent.iterdir()] == ["a.h5"]
    with DatasetReader(out) as reader:
        assert reader.clip_ids == tuple(entry.clip_id for entry in entries)
        assert len(reader.failures()) == N_CLIP // 10
    assert validate(out, level="content").ok


def test_the_next_build_extracts_only_what_is_missing(entries, config, whole, out, monkeypatch):
    stop_after(25, entries, out, config)
    extracted, extract_clip = [], mmfeat.extract_all.extract_clip
    monkeypatch.setattr(
        "mmfeat.extract_all.extract_clip", lambda entry, *rest: extracted.append(entry) or extract_clip(entry, *rest)
    )
    report = build_dataset(entries, out, config)
    assert extracted == entries[25:]
    assert (report.n_clip, report.n_continued, report.n_ok) == (60, 25, {"audio": 54})
    assert [clip_id for clip_id, _ in report.failures] == ["09", "19", "29", "39", "49", "59"]
    assert report.summary().startswith(f"{out}: 60 clips (audio 54), 25 of them from an interrupted run; 6 stream(s)")
    assert json.loads(report.to_json())["n_continued"] == 25
    assert content(out) == whole


def test_a_build_that_had_only_to_be_assembled_is_assembled(entries, config, whole, out, monkeypatch):
    def fail(_writer):
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr("mmfeat.dataset.writer.DatasetWriter._finish", fail)
        with pytest.raises(StorageError, match=r"a.h5: could not write: disk full; make space and run it again"):
            build_dataset(entries, out, config)
    (out.with_name("a.h5.part") / "dataset.h5").write_bytes(b"half a file")
    assert build_dataset(entries, out, config, n_jobs=2).n_continued == N_CLIP
    assert content(out) == whole


@pytest.mark.parametrize("tail", [b'{"clip_id": "03", "stre', b"\0\0\0\0\n", b"[1]\n"])
def test_what_is_no_whole_line_at_the_end_of_the_journal_is_dropped(entries, config, whole, out, tail):
    stop_after(3, entries, out, config)
    part = out.with_name("a.h5.part")
    with (part / "journal.jsonl").open("ab") as journal:
        journal.write(tail)
    with (part / "audio.values").open("ab") as values:
        values.write(b"\1" * 100)  # frames of the clip that was not committed
    assert build_dataset(entries, out, config).n_continued == 3
    assert content(out) == whole


def test_frames_that_a_power_cut_lost_are_noticed(entries, config, whole, out):
    stop_after(3, entries, out, config)
    values = out.with_name("a.h5.part") / "audio.values"
    os.truncate(values, values.stat().st_size - 4)
    with pytest.raises(SchemaError, match=r"audio.values: expected \d+ bytes from the interrupted run, got fewer; run"):
        build_dataset(entries, out, config)
    assert build_dataset(entries, out, config).n_continued == 0
    assert content(out) == whole


def other_settings(entries, config, _monkeypatch):
    audio = resolve_build_config(overrides=["audio.hop_length=256", 'audio.features=["zero_crossing_rate"]']).audio
    return entries, BuildConfig(audio=audio, engine=config.engine)


def other_engine(entries, config, _monkeypatch):
    return entries, BuildConfig(audio=config.audio, engine="librosa")


def another_version(entries, config, monkeypatch):
    version = mmfeat.versions.version
    monkeypatch.setattr("mmfeat.versions.version", lambda name: "9.9" if name == "numpy" else version(name))
    return entries, config


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (other_settings, "audio.hop_length was 512, is 256"),
        (other_engine, 'engine was "fast", is "librosa"'),
        (another_version, r'version.numpy was "[\d.]+", is "9.9"'),
    ],
)
def test_another_build_starts_anew_and_says_why(entries, config, out, monkeypatch, change, reason):
    stop_after(5, entries, out, config)
    others, other_config = change(entries, config, monkeypatch)
    report = build_dataset(others, out, other_config)
    assert (report.n_continued, report.n_clip) == (0, len(others))
    (note,) = report.notes
    assert re.match(f"{out}: an interrupted build was begun anew: {reason}", note)
    build_dataset(others, out.with_name("b.h5"), other_config)
    assert content(out) == content(out.with_name("b.h5"))


def test_a_clip_that_was_added_behind_the_others_keeps_their_work(entries, config, out):
    stop_after(5, entries, out, config)
    others = [*entries, ClipEntry(clip_id="more", text="Words.")]
    assert build_dataset(others, out, config).n_continued == 5
    build_dataset(others, out.with_name("b.h5"), config)
    assert content(out) == content(out.with_name("b.h5"))


def test_texts_and_labels_that_changed_are_taken_without_reading_a_file_again(entries, config, out):
    stop_after(5, entries, out, config)
    others = [replace(entry, text="New words.", labels={"joy": 1.0}) for entry in entries]
    report = build_dataset(others, out, config)
    assert (report.n_continued, report.notes) == (5, ())
    build_dataset(others, out.with_name("b.h5"), config)
    assert content(out) == content(out.with_name("b.h5"))


def test_clips_in_another_order_are_extracted_from_the_first_other_one_on(entries, config, out):
    stop_after(5, entries, out, config)
    others = [*entries[:3], entries[4], entries[3], *entries[5:]]
    report = build_dataset(others, out, config)
    note = f"{out}: an interrupted build was continued after 3 clips only: the clips are others from '03' on"
    assert (report.n_continued, report.notes) == (3, (note,))
    build_dataset(others, out.with_name("b.h5"), config)
    assert content(out) == content(out.with_name("b.h5"))


@pytest.fixture
def tones(tmp_path):
    """Return four clips that a test may change."""
    clips = []
    for name in "0123":
        soundfile.write(tmp_path / f"{name}.wav", tone(100.0 * (1 + int(name)), duration_s=0.5).samples, 16_000)
        clips.append(ClipEntry(clip_id=name, audio=tmp_path / f"{name}.wav"))
    return clips


def crossing_rates(path):
    with DatasetReader(path) as reader:
        return [float(np.median(reader.read("audio", index).values)) for index in range(reader.n_clip)]


def test_a_source_that_changed_is_read_again_with_those_behind_it(tones, tmp_path, config):
    stop_after(3, tones, tmp_path / "a.h5", config)
    soundfile.write(tones[1].audio, tone(800.0, duration_s=0.5).samples, 16_000)  # as long as before
    report = build_dataset(tones, tmp_path / "a.h5", config)
    note = f"{tmp_path}/a.h5: an interrupted build was continued after 1 clips only: {tones[1].audio} has changed"
    assert (report.n_continued, report.notes) == (1, (note,))
    expected = [2 * f0_hz / 16_000 for f0_hz in (100, 800, 300, 400)]  # two crossings a period
    assert crossing_rates(tmp_path / "a.h5") == pytest.approx(expected, rel=0.1)  # the tones are a third apart


def test_a_source_that_was_only_touched_is_not_read_again(tones, tmp_path, config):
    stop_after(3, tones, tmp_path / "a.h5", config)
    for clip in tones:
        os.utime(clip.audio, ns=(1, 1))
    report = build_dataset(tones, tmp_path / "a.h5", config)
    assert (report.n_continued, report.notes) == (3, ())


def test_a_source_that_was_missing_and_is_there_now_is_read(tones, tmp_path, config):
    content_of_1 = tones[1].audio.read_bytes()
    tones[1].audio.unlink()
    stop_after(3, tones, tmp_path / "a.h5", config)
    tones[1].audio.write_bytes(content_of_1)
    report = build_dataset(tones, tmp_path / "a.h5", config)
    assert (report.n_continued, report.failures) == (1, ())


def test_an_openface_file_that_changed_is_read_again(tmp_path):
    for name in "01":
        write_openface_csv(tmp_path / f"{name}.csv")
    clips = [ClipEntry(clip_id=name, openface=tmp_path / f"{name}.csv") for name in "01"]
    stop_after(1, clips, tmp_path / "a.h5", BuildConfig())
    text = clips[0].openface.read_text()
    clips[0].openface.write_text(text.replace("0.001", "0.009"))
    assert build_dataset(clips, tmp_path / "a.h5").n_continued == 0


def test_a_second_writer_of_the_same_file_is_refused_by_the_name_of_the_first(entries, config, whole, out):
    def track(items, _total, _description):
        owner = rf"process {os.getpid()} on {platform.node()}"
        with pytest.raises(InputError, match=rf"a.h5: another process writes this file \({owner}\); wait for it"):
            build_dataset(entries, out, config)
        yield from items

    build_dataset(entries, out, config, track=track)
    assert content(out) == whole


def test_a_build_that_is_refused_leaves_nothing(tmp_path, config):
    soundfile.write(tmp_path / "none.wav", np.zeros(0), 16_000)
    clip = ClipEntry(clip_id="a", audio=tmp_path / "none.wav")
    with pytest.raises(InputError, match=r"none.wav: expected sound, got 0 samples; remove the clip"):
        build_dataset([clip], tmp_path / "a.h5", config)
    assert [path.name for path in tmp_path.iterdir()] == ["none.wav"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, OSError])
def test_a_build_that_is_stopped_keeps_its_work(entries, config, out, error):
    stop_after(4, entries, out, config, error)
    assert not out.exists()
    assert n_committed(out) == 4


def test_ctrl_c_inside_compiled_code_stops_the_build(entries, config, out, monkeypatch):
    def read_audio(*_arguments):
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as error:
            raise SystemError("<built-in> returned a result with an exception set") from error

    monkeypatch.setattr("mmfeat.extract.read_audio", read_audio)
    with pytest.raises(KeyboardInterrupt):
        build_dataset(entries, out, config)


def test_the_settings_of_features_that_are_not_extracted_belong_to_the_build_as_well(entries, config, out):
    stop_after(5, entries, out, config)
    audio = config.audio.__class__(features=("zero_crossing_rate",), pitch=PitchConfig(f0_max_hz=500.0))
    assert build_dataset(entries, out, BuildConfig(audio=audio)).n_continued == 0
