"""Transcripts as lines, and files of them."""

import json

import numpy as np
import pytest

from mmfeat import ClipEntry, InputError, TimedWord, Transcript, TranscriptTable

WORDS = (
    TimedWord(text="Hello,", start_s=0.1, stop_s=0.5, confidence=0.9),
    TimedWord(text="you.", start_s=0.5, stop_s=0.75),
)
HELLO = Transcript(
    text="Hello, you.", language="en", language_probability=0.75, confidence=0.5, words=WORDS, notes=("be careful",)
)


@pytest.fixture
def write(tmp_path):
    """Write lines of JSON and return the path."""

    def write_lines(*records):
        path = tmp_path / "transcripts.jsonl"
        path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
        return path

    return write_lines


def line(clip_id, transcript=HELLO, **more):
    return {"clip_id": clip_id, **transcript.to_record(), "backend": "whisper", "model": "base", **more}


def test_a_transcript_comes_back_from_its_line():
    assert Transcript.from_record(json.loads(json.dumps(HELLO.to_record()))) == HELLO


def test_a_line_has_the_documented_names():
    record = HELLO.to_record()
    assert list(record) == ["text", "language", "language_probability", "confidence", "words", "notes"]
    assert record["words"][1] == {"text": "you.", "start_s": 0.5, "stop_s": 0.75}


def test_text_alone_is_a_transcript():
    assert Transcript.from_record({"text": "yes", "language": None}) == Transcript(text="yes")


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({}, "text: expected a text, got None"),
        ({"text": "a", "confidence": 1.5}, "confidence: expected a number from 0 to 1, got 1.5"),
        ({"text": "a", "language_probability": "high"}, "language_probability: expected a number, got 'high'"),
        ({"text": "a", "words": ["a"]}, "words: expected an object with text, start_s and stop_s, got 'a'"),
        ({"text": "a", "words": [{"text": "a", "start_s": 0}]}, "stop_s: expected a number, got None"),
        ({"text": "a", "words": [{"text": " ", "start_s": 0, "stop_s": 1}]}, "expected a word, got an empty text"),
        (
            {"text": "a", "words": [{"text": "a", "start_s": 2, "stop_s": 1}]},
            "'a': expected 0 <= start_s <= stop_s",
        ),
        ({"text": "a", "words": [{"text": "a", "start_s": 0, "stop_s": True}]}, "stop_s: expected a number, got True"),
    ],
)
def test_a_wrong_value_is_named(record, message):
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        Transcript.from_record(record)


def test_words_stand_in_the_order_of_their_starts():
    with pytest.raises(InputError, match=r"in the order of their starts, 'you\.' begins after the next one"):
        Transcript(text="", words=WORDS[::-1])


def test_words_of_a_dataset_are_on_the_recordings_clock():
    words = HELLO.to_words(start_s=10.0)
    assert words.tokens == ("Hello,", "you.")
    np.testing.assert_array_equal(words.intervals_s, [[10.1, 10.5], [10.5, 10.75]])


def test_a_table_gives_transcripts_failures_and_languages(write):
    german = Transcript(text="Hallo", language="de")
    table = TranscriptTable(write(line("a"), line("b", german), {"clip_id": "c", "reason": "no sound"}))
    assert (len(table), list(table), "c" in table) == (3, ["a", "b", "c"], True)
    assert table["a"] == HELLO
    assert table.failures == {"c": "no sound"}
    assert (table.language, dict(table.languages)) == ("mul", {"en": 1, "de": 1})
    assert table.words_origin == {"made_by": [{"backend": "whisper", "model": "base"}]}
    with pytest.raises(InputError, match="clip 'c' has no transcript: no sound"):
        table["c"]
    with pytest.raises(KeyError):
        table["d"]


def test_without_times_there_are_no_words(write):
    table = TranscriptTable(write({"clip_id": "a", "text": "yes"}))
    assert (table.words_origin, table.language) == (None, "")
    assert table.filled(ClipEntry(clip_id="a")).words is None


def test_all_wrong_lines_are_named_at_once(write):
    path = write(line("a"), {"clip_id": "b"}, {"text": "x"}, line("a"))
    path.write_bytes(path.read_bytes() + b"{")
    with pytest.raises(InputError) as caught:
        TranscriptTable(path)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{path}: 4 line(s) are no transcripts:"
    assert lines[1] == "  line 2: text: expected a text, got None"
    assert lines[2] == "  line 3: expected an object with clip_id, a text that is not empty"
    assert lines[3] == "  line 4: expected one line of each clip, got 'a' again"
    assert lines[4].startswith("  line 5: ")


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match="expected a file of transcripts, cannot read it: No such file"):
        TranscriptTable(tmp_path / "none.jsonl")


def test_texts_fill_gaps_and_never_replace(write):
    table = TranscriptTable(write(line("a"), line("b"), line("x"), {"clip_id": "c", "reason": "no sound"}))
    clips = [("a", ""), ("b", "Bye."), ("c", ""), ("d", "")]
    entries = [ClipEntry(clip_id=clip_id, text=text) for clip_id, text in clips]
    filled, notes = table.fill(entries)
    assert [entry.text for entry in filled] == ["Hello, you.", "Bye.", "", ""]
    assert notes == [
        f"{table.path}: 1 clip(s) have no transcript, first 'd'",
        f"{table.path}: 1 transcript(s) are of other clips, first 'x'",
        f"{table.path}: 1 clip(s) keep a text that differs from the transcript, first 'b'",
        "a: be careful",
        "b: be careful",
        "c: no transcript: no sound",
    ]
