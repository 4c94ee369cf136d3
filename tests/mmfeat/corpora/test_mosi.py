"""CMU-MOSI: from its raw tree to a file that validates and trains, with every difference by its id."""

import json

import numpy as np
import pytest

from mmfeat import (
    CORPORA,
    BuildConfig,
    CorpusChoice,
    DatasetReader,
    InputError,
    OpenFaceConfig,
    StreamStatus,
    build_corpus,
    extract_audio,
    plan_corpus,
    read_audio,
    read_corpus,
    validate,
)
from mmfeat.testing import make_raw_mosi
from skesl import ExperimentConfig, TrainConfig, finetune
from skesl.testing import write_tiny_text_encoder

MOSI = CORPORA["mosi"]
SMALL = BuildConfig(openface=OpenFaceConfig(groups=("au",)))
FIRST = "03bSnISJMiM"


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    return make_raw_mosi(tmp_path_factory.mktemp("mosi") / "CMU-MOSI", openface=True, faults=True)


@pytest.fixture(scope="module")
def report(raw, tmp_path_factory):
    output = tmp_path_factory.mktemp("built") / "mosi.h5"
    return build_corpus(MOSI, raw, output, SMALL, CorpusChoice(openface=raw / "openface"))


def test_the_file_is_sound_and_holds_sound_faces_texts_labels_and_the_split(raw, report):
    assert validate(report.build.path, level="content").findings == ()
    with DatasetReader(report.build.path) as reader:
        assert reader.clip_ids[:4] == (f"{FIRST}_1", f"{FIRST}_2", f"{FIRST}_3", "0h-zjBukYpk_1")
        assert reader.parts("default").tolist() == [0] * 6 + [1] * 3 + [2] * 3
        assert reader.labels("sentiment").values[:3].tolist() == [-2.0, 1.5, 0.0]
        assert reader.texts[0] == "IT WAS TERRIBLE TAKE 1"
        heard = extract_audio(read_audio(raw / f"Audio/WAV_16000/Segmented/{FIRST}_1.wav", 16_000))
        np.testing.assert_array_equal(reader.read("audio", 0).values, heard.values)
        assert reader.attributes["name"] == "CMU-MOSI"
        assert reader.attributes["license"]


def test_it_trains(report, tmp_path):
    data = report.build.path
    encoder = str(write_tiny_text_encoder(tmp_path / "encoder"))
    config = ExperimentConfig(
        method="skesl",
        text_encoder=encoder,
        method_settings={"n_layers": 2, "n_inner": 8, "n_head_hidden": 8},
        train=TrainConfig(n_epochs=1, batch_size=4, learning_rate=1e-2, device="cpu"),
    )
    trained = finetune(data, tmp_path / "run", config)
    assert trained.n_train == 5  # of 6 in the train part one has no valid label


def test_every_planted_fault_is_in_the_table(report):
    kinds = report.table.differences.kinds
    assert report.table.differences.ids("clip without sound") == (f"{FIRST}_2",)
    assert report.table.differences.ids("transcript without clip") == (f"{FIRST}_99",)
    assert report.table.differences.ids("id stands twice") == (f"{FIRST}_1",)
    assert report.table.differences.ids("label out of range") == (f"{FIRST}_3",)
    assert kinds["in the published split, not in the raw tree"] == 2_199 - 12
    assert set(kinds) == {
        "clip without sound",
        "transcript without clip",
        "id stands twice",
        "label out of range",
        "in the published split, not in the raw tree",
    }
    assert report.table.failed == {"audio": {"missing_source": 1}}
    assert report.failed


def test_a_label_out_of_range_is_absent_and_a_missing_sound_is_a_failure(report):
    with DatasetReader(report.build.path) as reader:
        assert reader.labels("sentiment").present.tolist() == [True, True, False] + [True] * 9
        assert reader.status("audio")[1] == StreamStatus.MISSING_SOURCE


def test_the_table_lies_beside_the_file_as_json(report):
    table = json.loads(report.table_path.read_text())
    assert report.table_path.name == "mosi.reconciliation.json"
    assert table["splits"]["default"] == {
        "train": {"expected": 1284, "found": 6},
        "valid": {"expected": 229, "found": 3},
        "test": {"expected": 686, "found": 3},
    }
    missing = [row["clip_id"] for row in table["differences"] if row["kind"].startswith("in the published")]
    assert len(missing) == 2_187
    assert "03bSnISJMiM_4" in missing
    assert "2187 in the published split, not in the raw tree:" in report.summary()


def test_a_plan_says_the_same_and_writes_nothing(raw, report, tmp_path):
    plan = plan_corpus(MOSI, raw, tmp_path / "a.h5", SMALL, CorpusChoice(openface=raw / "openface"))
    assert plan.facts["clips"] == 12
    assert plan.facts["with sound"] == 11
    assert plan.facts["with OpenFace"] == 12
    assert plan.table.differences.kinds == report.table.differences.kinds
    assert list(tmp_path.iterdir()) == []
    with DatasetReader(report.build.path) as reader:
        n_byte = sum(reader.read(name, row).values.nbytes for name in ("audio", "vision") for row in (0, 3, 4))
    assert plan.facts["size"] == pytest.approx(n_byte * 4, rel=0.5)


def test_a_limit_leaves_out_the_rest_and_calls_it_no_difference(raw, tmp_path):
    report = build_corpus(MOSI, raw, tmp_path / "a.h5", SMALL, CorpusChoice(limit=4))
    assert report.build.n_clip == 4
    assert report.table.n_missing == 0
    assert json.loads(report.to_json())["reconciliation"]["limited"] is True


def test_without_sound_and_video_there_are_texts_and_labels(tmp_path):
    raw = make_raw_mosi(tmp_path / "raw", sound=False)
    report = build_corpus(MOSI, raw, tmp_path / "a.h5")
    assert report.build.n_ok == {}
    assert not report.build.failures


def test_videos_stand_in_for_sound_files(tmp_path):
    raw = make_raw_mosi(tmp_path / "raw", n_clip=1, sound=False, video=True)
    entries = read_corpus(MOSI, raw, CorpusChoice()).entries
    assert [entry.audio for entry in entries] == [None] * 4
    assert entries[0].video == raw / f"Video/Segmented/{FIRST}_1.mp4"


def test_a_root_of_another_case_below_raw_is_found(tmp_path):
    raw = make_raw_mosi(tmp_path / "raw", n_clip=1)
    (raw / "Raw").mkdir()
    (raw / "Audio").rename(raw / "Raw" / "audio")
    entries = read_corpus(MOSI, raw, CorpusChoice()).entries
    assert entries[0].audio == raw / f"Raw/audio/WAV_16000/Segmented/{FIRST}_1.wav"


def test_a_root_without_labels_is_refused_and_labels_may_lie_elsewhere(tmp_path):
    raw = make_raw_mosi(tmp_path / "raw", n_clip=1, sound=False)
    table = (raw / "MOSI-label.csv").rename(tmp_path / "mine.csv")
    with pytest.raises(InputError, match=r"raw: expected the table of labels \(MOSI-label.csv\), found none; put it"):
        read_corpus(MOSI, raw, CorpusChoice())
    assert len(read_corpus(MOSI, raw, CorpusChoice(labels=table)).entries) == 4


def test_a_root_that_is_no_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"none: expected the folder of the unpacked corpus, found none"):
        read_corpus(MOSI, tmp_path / "none", CorpusChoice())


def test_an_openface_folder_of_something_else_is_refused_at_once(raw, tmp_path):
    (tmp_path / "other.csv").write_text("a,b\n")
    with pytest.raises(InputError, match=rf"expected files such as '{FIRST}_1.csv', found 'other.csv'"):
        read_corpus(MOSI, raw, CorpusChoice(openface=tmp_path))


def test_texts_of_a_recogniser_take_the_place_of_the_transcripts(tmp_path):
    raw = make_raw_mosi(tmp_path / "raw", n_clip=1, sound=False)
    heard = {
        "clip_id": f"{FIRST}_1",
        "text": "it was terrible",
        "language": "en",
        "language_probability": 0.98,
        "confidence": 0.7,
        "words": [{"text": "it", "start_s": 0.1, "stop_s": 0.2}, {"text": "was", "start_s": 0.2, "stop_s": 0.4}],
    }
    (tmp_path / "transcripts.jsonl").write_text(json.dumps(heard) + "\n")
    choice = CorpusChoice(recognised=tmp_path / "transcripts.jsonl")
    report = build_corpus(MOSI, raw, tmp_path / "a.h5", choice=choice)
    with DatasetReader(report.build.path) as reader:
        assert reader.texts[:2] == ("it was terrible", "")
    words = read_corpus(MOSI, raw, choice).entries[0].words
    assert words.tokens == ("it", "was")
    assert words.intervals_s.tolist() == [[0.1, 0.2], [0.2, 0.4]]
    assert validate(report.build.path, level="content").findings == ()


def test_the_content_is_the_same_with_two_workers(raw, report, tmp_path):
    again = build_corpus(MOSI, raw, tmp_path / "a.h5", SMALL, CorpusChoice(openface=raw / "openface"), n_jobs=2)
    with DatasetReader(report.build.path) as one, DatasetReader(again.build.path) as two:
        assert one.attributes["content_sha256"] == two.attributes["content_sha256"]
