"""Transcripts in a build: texts, words and language go into the file, and what has none is told."""

import json

import numpy as np
import pytest
import soundfile

import mmfeat.extract_all
from mmfeat import (
    ClipEntry,
    DatasetReader,
    InputError,
    TimedWord,
    Transcript,
    TranscriptTable,
    build_dataset,
    resolve_build_config,
    validate,
)
from mmfeat.testing import tone

CONFIG = resolve_build_config(overrides=['audio.features=["zero_crossing_rate"]'])
HELLO = Transcript(
    text="Hello you.",
    language="en",
    words=(TimedWord(text="Hello", start_s=0.0, stop_s=0.25), TimedWord(text="you.", start_s=0.25, stop_s=0.5)),
)


def line(clip_id, transcript=HELLO):
    return {"clip_id": clip_id, **transcript.to_record(), "backend": "whisper", "model": "base", "reason": ""}


@pytest.fixture
def entries(tmp_path):
    clips = []
    for clip_id, text, start_s in (("a", "", 10.0), ("b", "By hand.", float("nan")), ("c", "", float("nan"))):
        path = tmp_path / f"{clip_id}.wav"
        soundfile.write(path, tone(200.0, duration_s=0.5).samples, 16_000)
        clips.append(ClipEntry(clip_id=clip_id, audio=path, text=text, start_s=start_s, end_s=start_s + 0.5))
    return clips


@pytest.fixture
def table(tmp_path):
    def write(*records):
        path = tmp_path / "transcripts.jsonl"
        path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
        return TranscriptTable(path)

    return write


@pytest.fixture
def transcripts(table):
    return table(line("a"), line("b"), {"clip_id": "c", "status": "tool_failed", "reason": "no model"})


def test_texts_words_and_language_go_into_the_file(entries, transcripts, tmp_path):
    report = build_dataset(entries, tmp_path / "x.h5", CONFIG, transcripts=transcripts)
    assert validate(tmp_path / "x.h5", level="content").findings == ()
    with DatasetReader(tmp_path / "x.h5") as reader:
        assert reader.texts == ("Hello you.", "By hand.", "")
        assert reader.attributes["language"] == "en"
        assert reader.words_origin == {"made_by": [{"backend": "whisper", "model": "base"}]}
        assert reader.words(0).tokens == ("Hello", "you.")
        np.testing.assert_array_equal(reader.words(0).intervals_s, [[10.0, 10.25], [10.25, 10.5]])
        np.testing.assert_array_equal(reader.words(1).intervals_s, [[0.0, 0.25], [0.25, 0.5]])
        assert reader.words(2).tokens == ()
        assert reader.read_aligned("audio", [0, 1]).n_frame.tolist() == [8, 8] * 2  # a frame every 32 ms
        (event,) = reader.events()
    assert event["transcripts"] == {
        "file": str(transcripts.path),
        "sha256": transcripts.sha256,
        "n_clip": 3,
        "n_failed": 1,
        "languages": {"en": 2},
    }
    assert report.notes == (
        f"{transcripts.path}: 1 clip(s) keep a text that differs from the transcript, first 'b'",
        "c: no transcript: no model",
    )
    assert event["notes"] == list(report.notes)


def test_transcripts_without_times_make_no_words(entries, table, tmp_path):
    report = build_dataset(entries, tmp_path / "x.h5", CONFIG, transcripts=table({"clip_id": "c", "text": "Yes."}))
    with DatasetReader(tmp_path / "x.h5") as reader:
        assert (reader.words_origin, reader.texts[2], reader.attributes.get("language")) == (None, "Yes.", None)
    assert report.notes[0].endswith("2 clip(s) have no transcript, first 'a'")


def test_several_languages_are_called_so(entries, table, tmp_path):
    german = Transcript(text="Hallo", language="de")
    build_dataset(entries, tmp_path / "x.h5", CONFIG, transcripts=table(line("a"), line("b", german), line("c")))
    with DatasetReader(tmp_path / "x.h5") as reader:
        assert reader.attributes["language"] == "mul"


@pytest.mark.parametrize("n_done", [1, 2])
def test_an_interrupted_build_goes_on_with_its_words(entries, transcripts, tmp_path, n_done):
    def stop(clips, *_):
        for number, clip in enumerate(clips):
            if number == n_done:
                raise KeyboardInterrupt
            yield clip

    whole, part = tmp_path / "whole.h5", tmp_path / "part.h5"
    build_dataset(entries, whole, CONFIG, transcripts=transcripts)
    with pytest.raises(KeyboardInterrupt):
        build_dataset(entries, part, CONFIG, transcripts=transcripts, track=stop)
    report = build_dataset(entries, part, CONFIG, transcripts=transcripts)
    assert report.n_continued == n_done
    with DatasetReader(whole) as one, DatasetReader(part) as other:
        assert one.attributes["content_sha256"] == other.attributes["content_sha256"]


def test_other_transcripts_begin_an_interrupted_build_anew(entries, table, tmp_path):
    def stop(clips, *_):
        yield next(iter(clips))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_dataset(entries, tmp_path / "x.h5", CONFIG, transcripts=table(line("a")), track=stop)
    report = build_dataset(entries, tmp_path / "x.h5", CONFIG, transcripts=table(line("a"), line("b")))
    assert report.n_continued == 0
    assert any("begun anew: hash of cuts and words was" in note for note in report.notes)


def test_failed_clips_are_tried_again_with_the_words_of_all(entries, transcripts, tmp_path, monkeypatch):
    missing = entries[2].audio.rename(tmp_path / "away.wav")
    build_dataset(entries, tmp_path / "x.h5", CONFIG, transcripts=transcripts)
    missing.rename(entries[2].audio)
    with pytest.raises(InputError, match="words, which would be lost"):
        build_dataset(entries, tmp_path / "x.h5", CONFIG, retry_failed=True)
    monkeypatch.setattr(mmfeat.extract_all, "extract_clip", _only("c", mmfeat.extract_all.extract_clip))
    report = build_dataset(entries, tmp_path / "x.h5", CONFIG, retry_failed=True, transcripts=transcripts)
    assert (report.n_kept, report.n_ok) == (2, {"audio": 3})
    with DatasetReader(tmp_path / "x.h5") as reader:
        assert reader.words(0).tokens == ("Hello", "you.")


def _only(clip_id, extract):
    def checked(entry, config, named):
        assert entry.clip_id == clip_id
        return extract(entry, config, named)

    return checked
