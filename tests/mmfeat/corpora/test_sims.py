"""CH-SIMS and its second version: four labels, ids with their zeros, every difference by its id."""

import pytest

from mmfeat import (
    CORPORA,
    BuildConfig,
    CorpusChoice,
    DatasetReader,
    OpenFaceConfig,
    build_corpus,
    read_corpus,
    validate,
)
from mmfeat.testing import make_raw_sims

SMALL = BuildConfig(openface=OpenFaceConfig(groups=("au",)))


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    return make_raw_sims(tmp_path_factory.mktemp("sims") / "CH-SIMS", openface=True, faults=True)


@pytest.fixture(scope="module")
def report(raw, tmp_path_factory):
    output = tmp_path_factory.mktemp("built") / "sims.h5"
    return build_corpus(CORPORA["sims"], raw, output, SMALL, CorpusChoice(openface=raw / "openface"))


def test_the_file_is_sound_and_has_four_labels(report):
    assert validate(report.build.path, level="content").findings == ()
    with DatasetReader(report.build.path) as reader:
        assert set(reader.label_names) == {"sentiment", "sentiment_T", "sentiment_A", "sentiment_V"}
        assert reader.labels("sentiment").values[:2].tolist() == pytest.approx([-0.7, 0.5])
        assert reader.labels("sentiment_T").values[:2].tolist() == pytest.approx([0.7, -0.5])
        assert reader.attributes["language"] == "zh"
        assert reader.texts[0] == "第0001句"


def test_zeros_that_a_table_program_dropped_are_put_back(report):
    with DatasetReader(report.build.path) as reader:
        assert reader.clip_ids[:2] == ("video_0001_0001", "video_0001_0002")
        assert reader.recording_ids[0] == "video_0001"


def test_every_planted_fault_is_in_the_table(report):
    found = report.table.differences
    assert found.ids("clip without file") == ("video_0001_0001",)
    assert found.ids("id stands twice") == ("video_0001_0002",)
    assert found.ids("label out of range") == ("video_0002_0001",)
    assert found.ids("file without label") == ("unknown/0001",)
    assert len(found.ids("in the published split, not in the raw tree")) == 2_281 - 8
    assert len(found.kinds) == 5
    assert report.table.failed == {"audio": {"missing_source": 1}}


def test_a_label_out_of_range_leaves_the_others_of_its_clip(report):
    with DatasetReader(report.build.path) as reader:
        assert not reader.labels("sentiment_A").present[2]
        assert reader.labels("sentiment_V").present.all()


def test_openface_files_of_run_openface_are_found(raw, report):
    with DatasetReader(report.build.path) as reader:
        assert set(reader.status("vision")) == {0}


def test_the_published_parts_are_those_of_the_paper():
    expected = CORPORA["sims"].expected["default"]
    assert list(expected.values()) == [1_368, 456, 457]
    assert list(CORPORA["simsv2"].expected["default"].values()) == [2_722, 647, 1_034]


def test_the_second_version_has_its_own_table_and_split(tmp_path):
    raw = make_raw_sims(tmp_path / "raw", version=2)
    entries = read_corpus(CORPORA["simsv2"], raw, CorpusChoice()).entries
    assert len(entries) == 8
    assert entries[0].clip_id == "aqgy3_0001_00000"
    assert entries[0].recording_id == "aqgy3_0001"
    assert entries[0].video == raw / "Raw/aqgy3_0001/00000.mp4"


def test_a_part_that_contradicts_the_published_split_is_a_difference(tmp_path):
    raw = make_raw_sims(tmp_path / "raw", n_clip=1)
    table = raw / "label.csv"
    table.write_text(table.read_text().replace(",train", ",test", 1))
    found = read_corpus(CORPORA["sims"], raw, CorpusChoice())
    assert found.differences.ids("part differs from the published split") == ("video_0001_0001",)
    assert found.entries[0].splits["default"].name == "TRAIN"
