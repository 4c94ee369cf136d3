"""M3ED: utterances of dialogues with several emotions at once; cut out of dialogues where they have no own sound."""

import json

import numpy as np
import pytest

from mmfeat import (
    CORPORA,
    CorpusChoice,
    DatasetReader,
    InputError,
    build_corpus,
    extract_audio,
    read_audio,
    read_corpus,
    validate,
)
from mmfeat.testing import make_raw_m3ed

M3ED = CORPORA["m3ed"]
EMOTIONS = ("happy", "surprise", "sad", "disgust", "anger", "fear", "neutral")


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    return make_raw_m3ed(tmp_path_factory.mktemp("m3ed") / "M3ED", faults=True)


@pytest.fixture(scope="module")
def report(raw, tmp_path_factory):
    return build_corpus(M3ED, raw, tmp_path_factory.mktemp("built") / "m3ed.h5")


def test_the_file_is_sound_and_keeps_dialogues_speakers_and_order(raw, report):
    assert validate(report.build.path, level="content").findings == ()
    with DatasetReader(report.build.path) as reader:
        assert reader.clip_ids[:3] == ("anjia_1_1", "anjia_1_2", "anjia_1_3")
        assert reader.recording_ids[:4] == ("anjia_1", "anjia_1", "anjia_1", "banshimitangbanshishang_1")
        assert reader.recording_disjoint("default")
        assert np.bincount(reader.parts("default"))[:3].tolist() == [6, 3, 3]
    entries = read_corpus(M3ED, raw, CorpusChoice()).entries
    assert [entry.position for entry in entries[:3]] == [1, 2, 3]
    assert [entry.speaker_id for entry in entries[:3]] == ["anjia:anjia B", "anjia:anjia A", "anjia:anjia B"]


def test_an_utterance_may_have_several_emotions_and_blanks_do_not_hide_one(report):
    with DatasetReader(report.build.path) as reader:
        table = np.stack([reader.labels(name).values for name in EMOTIONS], axis=1)
        assert table[1].tolist() == [1, 0, 1, 0, 0, 0, 0]
        assert reader.labels("happy").class_names == EMOTIONS
        assert reader.labels("happy").problem == "multilabel"
        assert table[0].tolist() == [1, 0, 0, 0, 0, 0, 0]


def test_every_planted_fault_is_in_the_table(report):
    found = report.table.differences
    assert found.ids("utterance without file") == ("anjia_1_1",)
    assert found.ids("unknown emotion") == ("anjia_1_3",)
    assert found.ids("series without a part") == ("nowhere",)
    assert len(found.ids("series without an utterance")) == 52
    assert len(found.kinds) == 4
    assert report.table.failed == {"audio": {"missing_source": 1}}


def test_the_numbers_of_the_published_split_are_held_against_it(report):
    split = report.table.to_dict()["splits"]["default"]
    assert {part: row["expected"] for part, row in split.items()} == {
        "train": 17_427,
        "valid": 2_821,
        "test": 4_201,
        "none": None,
    }


def test_utterances_are_cut_out_of_dialogues(tmp_path):
    raw = make_raw_m3ed(tmp_path / "raw", whole_dialogues=True)
    report = build_corpus(M3ED, raw, tmp_path / "a.h5")
    assert not report.build.failures
    with DatasetReader(report.build.path) as reader:
        heard = extract_audio(read_audio(raw / "audio/anjia_1.wav", 16_000, start_s=0.76, end_s=1.24))
        np.testing.assert_array_equal(reader.read("audio", 1).values, heard.values)  # 0.75 s is frame 19 of 25 a second


def test_the_annotations_of_univa_give_the_same_labels(tmp_path):
    raw = make_raw_m3ed(tmp_path / "raw")
    entries = read_corpus(M3ED, raw, CorpusChoice()).entries
    annotation = json.loads((raw / "annotation.json").read_text())
    utterances = {}
    for dialogues in annotation.values():
        for dialogue in dialogues.values():
            for name, fields in dialogue["Dialog"].items():
                utterances[name] = {"Emotion": fields["EmoAnnotation"]["final_mul_emo"], "text": fields["Text"]}
    (raw / "annotation.json").unlink()
    (raw / "utt_annot.json").write_text(json.dumps({"train": utterances, "val": {}, "test": {}}))
    others = read_corpus(M3ED, raw, CorpusChoice()).entries
    assert [(entry.clip_id, entry.labels, entry.text, entry.splits) for entry in others] == [
        (entry.clip_id, entry.labels, entry.text, entry.splits) for entry in entries
    ]


def test_an_utterance_that_stands_twice_is_a_difference(tmp_path):
    utterance = (
        '{"StartTime": "", "EndTime": "", "Text": "a", "Speaker": "A", "EmoAnnotation": {"final_mul_emo": "Sad"}}'
    )
    dialog = f'{{"anjia_1": {{"Dialog": {{"anjia_1_1": {utterance}, "anjia_1_1": {utterance}}}}}}}'
    (tmp_path / "annotation.json").write_text(f'{{"anjia": {dialog}}}')
    raw = read_corpus(M3ED, tmp_path, CorpusChoice())
    assert len(raw.entries) == 1
    assert raw.differences.ids("id stands twice") == ("anjia_1_1",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1]", r"expected a JSON object, got list"),
        ("{", r"expected annotations \(JSON\), cannot read them"),
        ('{"anjia": {"anjia_1": {"Lines": {}}}}', r"expected the annotations of M3ED .*KeyError 'Dialog'"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path, content, message):
    (tmp_path / "annotation.json").write_text(content)
    with pytest.raises(InputError, match=message):
        read_corpus(M3ED, tmp_path, CorpusChoice())
