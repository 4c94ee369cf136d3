"""MuSe-Mimic: finished features, ids without their quotes, and a partition that only the user has."""

import pytest

from mmfeat import CORPORA, CorpusChoice, DatasetReader, InputError, build_corpus, mimic_corpus, read_corpus, validate
from mmfeat.testing import make_raw_mimic

MIMIC = CORPORA["mimic"]


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    return make_raw_mimic(tmp_path_factory.mktemp("mimic") / "c1_muse_mimic", faults=True)


@pytest.fixture(scope="module")
def report(raw, tmp_path_factory):
    return build_corpus(MIMIC, raw, tmp_path_factory.mktemp("built") / "mimic.h5")


def test_the_file_is_sound_and_ids_have_no_quotes(report):
    assert validate(report.build.path, level="content").findings == ()
    with DatasetReader(report.build.path) as reader:
        assert reader.clip_ids == ("[0]", "[1]", "[2]", "[3]", "[4]", "[5]")
        assert reader.parts("default").tolist() == [0, 0, 1, 2, 0, 0]
        assert set(reader.label_names) == {"approval", "disappointment", "uncertainty"}
        assert reader.labels("disappointment").values[:3].tolist() == [0.25, 0.5, 0.75]


def test_each_set_of_features_is_a_stream_with_times_in_seconds(report):
    with DatasetReader(report.build.path) as reader:
        assert reader.stream_names == ("egemaps", "vit")
        frames = reader.read("egemaps", 2)
        assert frames.names == ("egemaps_0", "egemaps_1", "egemaps_2")
        assert frames.times_s.tolist() == [0.5, 1.0, 1.5]
        assert frames.values[:, 0].tolist() == pytest.approx([2.1, 2.2, 2.3])


def test_clips_of_the_test_part_have_no_labels(report):
    with DatasetReader(report.build.path) as reader:
        assert reader.labels("uncertainty").present.tolist() == [True, True, True, False, True, True]


def test_every_planted_fault_is_in_the_table(report):
    found = report.table.differences
    assert found.ids("id stands twice") == ("[0]",)
    assert found.ids("label out of range") == ("[2]",)
    assert found.ids("features vit without clip") == ("[nobody]",)
    assert len(found.kinds) == 3
    assert report.table.failed == {"egemaps": {"missing_source": 1}}
    assert "the split is that of partition.csv; no list of it is public" in report.build.notes


def test_sets_are_chosen_by_name_and_an_unknown_one_is_refused(raw, tmp_path):
    (entry, *_) = read_corpus(mimic_corpus(["vit"]), raw, CorpusChoice()).entries
    assert list(entry.features) == ["vit"]
    with pytest.raises(InputError, match=r"expected features/bert, found egemaps, vit"):
        read_corpus(mimic_corpus(["bert"]), raw, CorpusChoice())


def test_sound_is_extracted_beside_finished_features(tmp_path):
    raw = make_raw_mimic(tmp_path / "raw", n_clip=2, sound=True)
    report = build_corpus(MIMIC, raw, tmp_path / "a.h5", n_jobs=2)
    assert report.build.n_ok == {"audio": 2, "egemaps": 2, "vit": 2}
    assert not report.failed


def test_without_a_partition_it_is_refused(tmp_path):
    raw = make_raw_mimic(tmp_path / "raw", n_clip=2)
    (raw / "partition.csv").unlink()
    with pytest.raises(InputError, match=r"expected the partition \(partition.csv\), found none"):
        read_corpus(MIMIC, raw, CorpusChoice())


def test_a_part_that_nobody_knows_and_a_label_without_part_are_differences(tmp_path):
    raw = make_raw_mimic(tmp_path / "raw", n_clip=3)
    table = raw / "partition.csv"
    table.write_text(table.read_text().replace("devel", "holdout"))
    (raw / "labels.csv").write_text((raw / "labels.csv").read_text() + '"""[9]""",0.1,0.1,0.1\n')
    found = read_corpus(MIMIC, raw, CorpusChoice()).differences
    assert found.ids("unknown part") == ("[2]",)
    assert found.ids("label without partition") == ("[9]",)
