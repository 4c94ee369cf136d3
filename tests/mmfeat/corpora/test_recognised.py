"""Texts of a recogniser are found by clip id, whatever the order and the size of their file."""

import json
import math

import pytest

from mmfeat import InputError
from mmfeat.corpora import RecognisedTexts


def write_lines(path, *records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def test_a_text_is_found_with_words_language_and_probability(tmp_path):
    words = [{"text": "你好", "start_s": 0.0, "stop_s": 0.5}]
    record = {"clip_id": "a/b", "text": " 你好 ", "language": "zh", "language_probability": 0.9, "words": words}
    heard = RecognisedTexts(write_lines(tmp_path / "t.jsonl", {"clip_id": "other"}, record)).find("a/b")
    assert (heard.text, heard.language, heard.language_probability) == ("你好", "zh", 0.9)
    assert heard.words.tokens == ("你好",)
    assert heard.words.intervals_s.tolist() == [[0.0, 0.5]]


def test_what_a_recogniser_does_not_say_is_empty(tmp_path):
    heard = RecognisedTexts(write_lines(tmp_path / "t.jsonl", {"clip_id": "a", "text": None, "words": []})).find("a")
    assert heard.text == ""
    assert heard.words is None
    assert math.isnan(heard.language_probability)


def test_of_a_clip_that_stands_twice_the_last_line_counts(tmp_path):
    lines = [{"clip_id": "a", "text": "one"}, {"clip_id": "b", "text": "x"}, {"clip_id": "a", "text": "two"}]
    texts = RecognisedTexts(write_lines(tmp_path / "t.jsonl", *lines))
    assert texts.find("a").text == "two"
    assert len(texts) == 2
    assert texts.find("c") is None


def test_an_empty_file_has_no_texts(tmp_path):
    assert RecognisedTexts(write_lines(tmp_path / "t.jsonl")).find("a") is None


@pytest.mark.parametrize("line", ["{", "[]", '{"text": "a"}', '{"clip_id": 3}'])
def test_a_line_that_is_no_record_is_refused_with_its_number(line, tmp_path):
    (tmp_path / "t.jsonl").write_text('{"clip_id": "a"}\n\n' + line + "\n")
    with pytest.raises(InputError, match=r"t.jsonl, line 3: expected a JSON object with clip_id"):
        RecognisedTexts(tmp_path / "t.jsonl")


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"none.jsonl: expected transcripts \(jsonl\), cannot read it"):
        RecognisedTexts(tmp_path / "none.jsonl")
