"""MER2023: four sets, five folds, and placeholders that never become labels."""

import numpy as np
import pytest

from mmfeat import CORPORA, CorpusChoice, DatasetReader, InputError, Split, build_corpus, read_corpus, validate
from mmfeat.testing import make_raw_mer23, write_object_npz

MER23 = CORPORA["mer23"]


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    return make_raw_mer23(tmp_path_factory.mktemp("mer23") / "MER2023", faults=True)


@pytest.fixture(scope="module")
def report(raw, tmp_path_factory):
    return build_corpus(MER23, raw, tmp_path_factory.mktemp("built") / "mer23.h5")


def test_the_file_is_sound_and_names_its_emotions_in_order(report):
    assert validate(report.build.path, level="content").findings == ()
    with DatasetReader(report.build.path) as reader:
        emotion = reader.labels("emotion")
        assert emotion.problem == "class"
        assert emotion.class_names == ("neutral", "angry", "happy", "sad", "worried", "surprise")
        assert emotion.values[:2].tolist() == [0.0, 1.0]
        assert reader.labels("valence").values[0] == -2.5


def test_a_placeholder_is_no_label(report):
    with DatasetReader(report.build.path) as reader:
        semi = [index for index, name in enumerate(reader.clip_ids) if name.startswith("samplenew")]
        assert len(semi) == 4
        assert not reader.labels("valence").present[semi].any()
        assert reader.labels("emotion").present[semi].tolist() == [True, True, False, False]
        assert reader.labels("valence").values.min() >= -5


def test_each_test_set_has_a_scheme_and_the_folds_deal_out_the_train_set_once(report):
    with DatasetReader(report.build.path) as reader:
        train = np.asarray([name.startswith("sample_000000") for name in reader.clip_ids])
        valid = np.stack([reader.parts(f"fold-{fold}") == Split.VALID for fold in range(5)])
        assert valid.sum(axis=0).tolist() == train.astype(int).tolist()
        assert {int(row.sum()) for row in valid} == {2}
        for scheme, prefix in (("mer-multi", "sample_000010"), ("mer-noise", "sample_000020")):
            tested = [reader.clip_ids[index] for index in reader.members(scheme, Split.TEST)]
            assert len(tested) == 2
            assert all(name.startswith(prefix) for name in tested)
            assert len(reader.members(scheme, Split.TRAIN)) == 10
        assert len(reader.members("mer-semi", Split.TEST)) == 2


def test_every_planted_fault_is_in_the_table(report):
    found = report.table.differences
    assert found.ids("clip without file") == ("sample_00000001",)
    assert found.ids("label out of range") == ("sample_00000002",)
    assert found.ids("unknown emotion") == ("sample_00000002",)
    assert found.ids("id stands twice") == ("sample_00000003",)
    assert found.ids("transcript without clip") == ("sample_99999999",)
    assert len(found.kinds) == 5
    assert report.table.failed == {"audio": {"missing_source": 1}}
    assert "2 clips of MER-SEMI have no label" in report.build.notes


def test_the_table_of_the_train_set_alone_will_do(tmp_path):
    raw = make_raw_mer23(tmp_path / "raw", sound=False)
    (raw / "label-6way.npz").unlink()
    (raw / "train-label.csv").write_text("name,discrete,valence\na,happy,1.5\nb,sad,-10\n")
    entries = read_corpus(MER23, raw, CorpusChoice()).entries
    assert [entry.labels for entry in entries] == [{"emotion": 2.0, "valence": 1.5}, {"emotion": 3.0}]
    assert entries[0].splits["mer-multi"] == Split.TRAIN


def test_without_labels_it_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"expected label-6way.npz or train-label.csv, found neither"):
        read_corpus(MER23, tmp_path, CorpusChoice())


def test_a_file_of_labels_that_would_run_code_is_refused(tmp_path):
    write_object_npz(tmp_path / "label-6way.npz", {"train_corpus": {"a": print}})
    with pytest.raises(InputError, match=r"builtins\.print"):
        read_corpus(MER23, tmp_path, CorpusChoice())


def test_a_damaged_file_of_labels_is_refused(tmp_path):
    write_object_npz(tmp_path / "label-6way.npz", {"train_corpus": {"a": {"emo": "sad", "val": 1.0}}})
    content = (tmp_path / "label-6way.npz").read_bytes()
    (tmp_path / "label-6way.npz").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"label-6way.npz: expected a whole npz file"):
        read_corpus(MER23, tmp_path, CorpusChoice())
