"""Files of transcripts: whole lines in the order of the clips, continued after a kill, nothing lost silently."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from mmfeat import (
    ClipEntry,
    ClipError,
    InputError,
    StreamStatus,
    TimedWord,
    Transcript,
    TranscriptTable,
    align_clips,
    entries_from_paths,
    transcribe_clips,
)
from mmfeat.testing import tone

PROGRAM = """
import sys, time
from pathlib import Path
from types import SimpleNamespace
from mmfeat import Transcript, entries_from_paths, transcribe_clips

def transcribe(waveform):
    time.sleep(0.02)
    return Transcript(text=str(waveform.samples.size))

transcriber = SimpleNamespace(sample_rate=8000, settings={"backend": "count", "model": "m"}, transcribe=transcribe,
                              close=lambda: None)
entries = entries_from_paths([Path(sys.argv[1])], [".wav"], column="audio")
transcribe_clips(entries, sys.argv[2], transcriber, n_jobs=2)
"""


class Counter:
    """Stands in for a recogniser: hears how many samples there are."""

    sample_rate = 8_000

    def __init__(self, **settings):
        self.settings = {"backend": "count", "model": "m", **settings}
        self.sizes, self.closed, self.faults = [], False, {}

    def transcribe(self, waveform):
        self.sizes.append(waveform.samples.size)
        if fault := self.faults.get(waveform.samples.size):
            raise fault
        word = TimedWord(text=str(waveform.samples.size), start_s=0.0, stop_s=waveform.duration_s)
        return Transcript(text=word.text, language="en", words=(word,))

    def close(self):
        self.closed = True


@pytest.fixture
def sounds(tmp_path):
    """Return a folder of sounds of 800, 1600, … samples."""
    folder = tmp_path / "sounds"
    folder.mkdir()
    for number in range(1, 6):
        soundfile.write(folder / f"{number}.wav", tone(200.0, duration_s=number / 10, sample_rate=8_000).samples, 8_000)
    return folder


@pytest.fixture
def entries(sounds):
    return entries_from_paths([sounds], [".wav"], column="audio")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out" / "transcripts.jsonl"


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def texts(path):
    return {line["clip_id"]: line.get("text") for line in lines(path)}


def test_each_clip_has_one_line_in_the_order_of_the_clips(entries, out):
    transcriber = Counter()
    report = transcribe_clips(entries[::-1], out, transcriber, n_jobs=3)
    assert report.summary() == f"{out}: 5 clips (ok 5)"
    assert transcriber.closed
    assert list(texts(out)) == ["5", "4", "3", "2", "1"]
    first = lines(out)[0]
    assert list(first)[:6] == ["clip_id", "text", "language", "language_probability", "confidence", "words"]
    assert (first["text"], first["backend"], first["model"], first["status"], first["reason"]) == (
        "4000",
        "count",
        "m",
        "ok",
        "",
    )
    assert first["words"] == [{"text": "4000", "start_s": 0.0, "stop_s": 0.5}]
    assert not out.with_name("transcripts.jsonl.part").exists()


def test_the_number_of_jobs_does_not_matter(entries, out, tmp_path):
    other = tmp_path / "other.jsonl"
    transcribe_clips(entries, out, Counter())
    transcribe_clips(entries, other, Counter(), n_jobs=4)
    assert out.read_bytes() == other.read_bytes()


def test_the_same_call_again_does_nothing(entries, out):
    transcribe_clips(entries, out, Counter())
    before = out.read_bytes()
    transcriber = Counter()
    report = transcribe_clips(entries, out, transcriber)
    assert (transcriber.sizes, out.read_bytes()) == ([], before)
    assert report.summary().endswith("5 of them from an earlier run")


def test_what_failed_has_its_reason_and_is_tried_again(entries, sounds, out):
    (sounds / "3.wav").write_bytes(b"RIFF")
    transcriber = Counter()
    transcriber.faults = {
        1600: ClipError("two is too much", StreamStatus.TOOL_FAILED),
        3200: ZeroDivisionError("four"),
    }
    report = transcribe_clips(entries, out, transcriber)
    reasons = {line["clip_id"]: (line["status"], line["reason"]) for line in lines(out) if line["reason"]}
    assert reasons["2"] == ("tool_failed", f"{sounds}/2.wav: two is too much")
    assert reasons["4"] == ("tool_failed", f"{sounds}/4.wav: ZeroDivisionError: four")
    assert reasons["3"][0] == "decode_error"
    assert reasons["3"][1].startswith(f"{sounds}/3.wav: ")
    assert (report.counts, len(report.failures)) == ({"ok": 2, "decode_error": 1, "tool_failed": 2}, 3)
    assert "text" not in lines(out)[1]
    assert dict(TranscriptTable(out).failures) == {clip_id: reason for clip_id, (_, reason) in reasons.items()}
    again = Counter()
    transcribe_clips(entries, out, again)
    assert again.sizes == [1600, 3200]
    assert texts(out) == {"1": "800", "2": "1600", "3": None, "4": "3200", "5": "4000"}


def test_what_changed_is_done_again(entries, sounds, out):
    transcribe_clips(entries, out, Counter())
    soundfile.write(sounds / "1.wav", np.zeros(1000), 8_000)
    transcriber = Counter()
    transcribe_clips(entries, out, transcriber)
    assert transcriber.sizes == [1000]
    transcriber = Counter(language="de")
    transcribe_clips(entries, out, transcriber)
    assert len(transcriber.sizes) == 5


def test_lines_of_other_clips_stay_in_front(entries, out):
    transcribe_clips(entries[:2], out, Counter())
    report = transcribe_clips(entries[2:], out, Counter())
    assert list(texts(out)) == ["1", "2", "3", "4", "5"]
    assert len(report.records) == 3
    transcribe_clips(entries[1:2], out, Counter(), overwrite=True)
    assert list(texts(out)) == ["2"]


@pytest.mark.parametrize("content", ["clip_id,text\n", '{"clip_id": "1", "text": "by hand"}\n', "[1]\n"])
def test_a_file_of_something_else_is_never_replaced(entries, out, content):
    out.parent.mkdir()
    out.write_text(content)
    with pytest.raises(InputError, match="line 1: expected transcripts of an earlier run, got something else"):
        transcribe_clips(entries, out, Counter())
    assert out.read_text() == content
    assert [path.name for path in out.parent.iterdir()] == [out.name]
    transcribe_clips(entries, out, Counter(), overwrite=True)
    assert len(texts(out)) == 5


def test_two_runs_of_one_file_exclude_each_other(entries, out):
    started, go_on = threading.Event(), threading.Event()

    def wait(_waveform):
        started.set()
        go_on.wait(20)
        return Transcript(text="")

    slow = SimpleNamespace(sample_rate=8_000, settings=Counter().settings, transcribe=wait, close=lambda: None)
    thread = threading.Thread(target=transcribe_clips, args=(entries, out, slow))
    thread.start()
    try:
        assert started.wait(20)
        with pytest.raises(InputError, match="another process writes this file"):
            transcribe_clips(entries, out, Counter())
    finally:
        go_on.set()
        thread.join(20)
    assert len(lines(out)) == 5


def test_no_clips_are_refused(out):
    with pytest.raises(InputError, match="expected at least one clip"):
        transcribe_clips([], out, Counter())
    assert not out.exists()
    assert not out.with_name("transcripts.jsonl.part").exists()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs signals of POSIX")
def test_a_killed_run_goes_on_where_it_was(sounds, out):
    for number in range(6, 40):
        soundfile.write(sounds / f"{number:03d}.wav", np.zeros(number), 8_000)
    command = [sys.executable, "-c", PROGRAM, str(sounds), str(out)]
    journal = out.parent / "transcripts.jsonl.part" / "journal.jsonl"
    process = subprocess.Popen(command)
    end = time.monotonic() + 30
    while not journal.exists() or journal.read_bytes().count(b"\n") < 5:
        assert time.monotonic() < end
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not out.exists()
    n_done = journal.read_bytes().count(b"\n")
    with journal.open("ab") as handle:
        handle.write(b'{"clip_id": "039", "te')  # what a kill in the middle of a line leaves
    transcriber = Counter()
    report = transcribe_clips(entries_from_paths([sounds], [".wav"], column="audio"), out, transcriber)
    assert report.n_skipped == n_done >= 5
    assert len(transcriber.sizes) == 39 - n_done
    assert list(texts(out)) == sorted(path.stem for path in sounds.iterdir())


def test_sound_goes_before_video(entries, out, tmp_path):
    both = ClipEntry(clip_id="x", audio=entries[0].audio, video=tmp_path / "none.mp4")
    transcribe_clips([both], out, Counter())
    assert texts(out) == {"x": "800"}


class Speller:
    """Stands in for an aligner: each word of the text lasts a tenth of a second."""

    sample_rate = 8_000

    def __init__(self):
        self.settings = {"backend": "spell", "model": "m"}
        self.texts = []

    def align(self, _waveform, text):
        self.texts.append(text)
        if not text:
            raise ClipError("expected a text", StreamStatus.EMPTY)
        spelt = [TimedWord(text=word, start_s=i / 10, stop_s=(i + 1) / 10) for i, word in enumerate(text.split())]
        return Transcript(text=text, words=tuple(spelt), notes=("by letters",) if "x" in text else ())


def test_aligning_is_done_again_where_the_text_changed(entries, out):
    clips = [ClipEntry(clip_id=entry.clip_id, audio=entry.audio, text=f"one {entry.clip_id}") for entry in entries]
    clips[1] = ClipEntry(clip_id="2", audio=clips[1].audio)
    report = align_clips(clips, out, Speller())
    assert report.counts == {"ok": 4, "empty": 1}
    clips[2] = ClipEntry(clip_id="3", audio=clips[2].audio, text="an x")
    speller = Speller()
    report = align_clips(clips, out, speller)
    assert sorted(speller.texts) == ["", "an x"]
    assert report.notes == ("1 with words pronounced by their letters",)
    assert [word.text for word in TranscriptTable(out)["3"].words] == ["an", "x"]
    assert align_clips(clips, out, Speller()).notes == report.notes
