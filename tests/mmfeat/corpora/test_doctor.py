"""The doctor recognises raw trees by their structure and published pickles by their hashes, and downloads nothing."""

import hashlib
import json
import pickle

import numpy as np
import pytest

from mmfeat import CORPORA, InputError, diagnose
from mmfeat.corpora import doctor
from mmfeat.corpora.facts import fact_rows
from mmfeat.testing import (
    make_raw_m3ed,
    make_raw_mer23,
    make_raw_mimic,
    make_raw_mosei,
    make_raw_mosi,
    make_raw_sims,
    make_raw_voxceleb,
)

MAKERS = {
    "mosi": make_raw_mosi,
    "mosei": make_raw_mosei,
    "mosei-emotions": make_raw_mosei,
    "sims": make_raw_sims,
    "mer23": make_raw_mer23,
    "mimic": make_raw_mimic,
    "m3ed": make_raw_m3ed,
    "voxceleb": make_raw_voxceleb,
}


def write_pickle(path, content):
    path.write_bytes(pickle.dumps(content))
    return path


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_a_raw_tree_is_recognised_and_needs_nothing_more(name, tmp_path):
    root = MAKERS[name](tmp_path / "raw")
    diagnosis = diagnose(CORPORA[name], root)
    assert diagnosis.usable
    assert diagnosis.problem == ""
    assert [piece.what for piece, path in diagnosis.pieces.items() if piece.needed and path is None] == []
    assert CORPORA[name].licence_at in diagnosis.summary()


@pytest.mark.parametrize("name", sorted(CORPORA))
def test_every_corpus_says_what_it_needs_and_where_its_licence_is_asked_for(name):
    corpus = CORPORA[name]
    assert corpus.pieces
    assert corpus.licence_at.startswith("http")
    assert corpus.info.license
    assert corpus.info.citation


def test_what_is_missing_is_told_with_its_place(tmp_path):
    raw = make_raw_mosi(tmp_path / "raw", n_clip=1, sound=False)
    (raw / "MOSI-label.csv").unlink()
    diagnosis = diagnose(CORPORA["mosi"], raw)
    assert not diagnosis.usable
    assert "table of labels              missing, needed: MOSI-label.csv" in diagnosis.summary()
    assert "sound                        missing: Audio/WAV_16000/Segmented" in diagnosis.summary()


def test_another_corpus_is_called_by_its_name(tmp_path):
    raw = make_raw_mosi(tmp_path / "raw", n_clip=1, sound=False)
    (raw / "MOSI-label.csv").rename(raw / "label.csv")
    diagnosis = diagnose(CORPORA["sims"], raw, CORPORA.values())
    assert not diagnosis.usable
    assert "it looks like CMU-MOSI" in diagnosis.problem


def test_the_clips_of_each_part_are_counted(tmp_path):
    diagnosis = diagnose(CORPORA["mosi"], make_raw_mosi(tmp_path / "raw", n_clip=2, sound=False))
    assert "split default: train 4 of 1284, valid 2 of 229, test 2 of 686" in diagnosis.summary()
    assert json.loads(diagnosis.to_json())["splits"]["default"]["train"] == {"expected": 1284, "found": 4}


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_a_published_pickle_is_known_by_its_hash(algorithm, tmp_path, monkeypatch):
    path = write_pickle(tmp_path / "unaligned_50.pkl", {"train": {}})
    digest = hashlib.new(algorithm, path.read_bytes()).hexdigest()
    row = {"dataset": "mosi", "name": "MOSI/unaligned_50.pkl", "algorithm": algorithm, "digest": digest, "source": "X"}
    monkeypatch.setattr(doctor, "fact_rows", lambda _name: [row])
    diagnosis = diagnose(CORPORA["mosi"], path)
    assert diagnosis.usable
    assert f"MOSI/unaligned_50.pkl as X published it ({algorithm} {digest[:12]}…)" in diagnosis.summary()
    other = diagnose(CORPORA["sims"], path)
    assert not other.usable
    assert other.problem == "it is of another corpus, mosi"


def test_the_published_hashes_are_ten_of_the_right_lengths():
    rows = fact_rows("files")
    assert len(rows) == 10
    assert {row["algorithm"]: len(row["digest"]) for row in rows} == {"sha1": 40, "sha256": 64}
    assert len({row["digest"] for row in rows}) == 10


@pytest.mark.parametrize(
    ("content", "what", "command"),
    [
        (
            {"train": {"id": ["a"], "text": 0, "audio": np.zeros(2), "vision": np.zeros(2)}},
            "MMSA's layout, of no known hash",
            "mmfeat import-mmsa",
        ),
        ({"raw_text": [], "audio": np.zeros(2), "video": np.zeros(2)}, "SKESL's layout", "mmfeat import-skesl-pkl"),
        ({"test": {"audio": 0, "labels_class": 0}, "num_labels": 6}, "UniVA's layout", "mmfeat import-univa"),
        ({"text": 0, "text_utt_mask": 0}, "UniVA's layout", "mmfeat import-univa"),
        ({"other": 1}, "a pickle of another layout, with other", ""),
        ([1, 2], "a pickle of another layout, with no dict", ""),
    ],
)
def test_other_pickles_are_told_by_their_structure(content, what, command, tmp_path):
    diagnosis = diagnose(CORPORA["mosi"], write_pickle(tmp_path / "a.pkl", content))
    (found,) = diagnosis.files
    assert what in found.what
    assert found.command == command
    assert diagnosis.usable == bool(command)


def test_a_pickle_that_would_run_code_is_not_read(tmp_path):
    (found,) = diagnose(CORPORA["mosi"], write_pickle(tmp_path / "a.pkl", {"train": print})).files
    assert found.what.startswith("not read: ")
    assert found.command == ""


def test_a_sequence_is_told_by_its_root(tmp_path):
    raw = make_raw_mosei(tmp_path / "raw", sound=False, words=True)
    summary = diagnose(CORPORA["mosei"], raw).summary()
    assert "computational sequence 'All Labels' of 4 recordings, 7 column(s); mmfeat import-csd" in summary
    assert "computational sequence 'words' of 4 recordings, texts" in summary
    (raw / "CMU_MOSEI_Labels.csd").write_bytes(b"damaged")
    (found,) = diagnose(CORPORA["mosei"], raw / "CMU_MOSEI_Labels.csd").files
    assert found.what.startswith("not read: ")


def test_a_file_of_another_kind_and_nothing_at_all(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    diagnosis = diagnose(CORPORA["mosi"], tmp_path / "notes.txt")
    assert not diagnosis.usable
    assert "no file that this command knows" in diagnosis.summary()
    with pytest.raises(InputError, match=r"none: expected a folder or a file, found neither"):
        diagnose(CORPORA["mosi"], tmp_path / "none")
