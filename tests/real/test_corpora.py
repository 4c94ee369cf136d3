"""The corpora on their real tables of labels: counts, splits and word times as published."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest

from mmfeat import (
    CORPORA,
    CorpusChoice,
    DatasetReader,
    SpeakerChoice,
    Split,
    build_corpus,
    diagnose,
    read_corpus,
    validate,
    voxceleb_corpus,
)
from mmfeat.convert.object_npz import load_object_npz
from mmfeat.corpora.facts import fact_rows, published_recordings, published_split

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif("MMFEAT_REAL_DATA" not in os.environ, reason="MMFEAT_REAL_DATA names no folder of real clips"),
]
PARTS = {"train_corpus": Split.TRAIN, "val_corpus": Split.VALID, "test_corpus": Split.TEST}


@pytest.fixture(scope="module")
def data():
    return Path(os.environ["MMFEAT_REAL_DATA"])


@pytest.fixture(scope="module")
def mosi(data, tmp_path_factory):
    return build_corpus(CORPORA["mosi"], data / "mosi", tmp_path_factory.mktemp("mosi") / "mosi.h5")


def test_mosi_has_every_clip_and_its_labels(mosi):
    assert mosi.build.n_clip == 2_199
    assert len(mosi.table.differences) == 0
    assert not mosi.failed
    assert validate(mosi.build.path, level="content").findings == ()
    with DatasetReader(mosi.build.path) as reader:
        assert np.bincount(reader.parts("default")).tolist() == [1_284, 229, 686]
        assert reader.recording_disjoint("default")
        test = reader.labels("sentiment").values[reader.members("default", Split.TEST)]
        assert ((test == 0).sum(), (test > 0).sum(), (test < 0).sum()) == (30, 277, 379)


def test_words_of_mosi_get_the_times_of_the_sequence(data, mosi):
    """An alignment by hand-written rules, made apart from ours, agrees on all but some clips with stray words."""
    other = json.loads((data / "mosi" / "mosi_word_times.json").read_text())
    n_with, n_equal = 0, 0
    with DatasetReader(mosi.build.path) as reader:
        for index, clip_id in enumerate(reader.clip_ids):
            words = reader.words(index)
            n_with += len(words.tokens) > 0
            times = [
                [token, *pair] for token, pair in zip(words.tokens, words.intervals_s.round(3).tolist(), strict=True)
            ]
            n_equal += times == other[clip_id].get("words", [])
    assert n_with == 2_196
    assert n_equal >= 2_180


@pytest.mark.parametrize(
    ("name", "folder"), [("mosi", "cmumosi"), ("mosei", "cmumosei"), ("sims", "sims"), ("simsv2", "simsv2")]
)
def test_the_shipped_splits_are_those_of_the_label_files(data, name, folder):
    content = load_object_npz(data / "labels" / folder / "label.npz")
    assert published_split(name) == {clip_id: part for key, part in PARTS.items() for clip_id in content[key]}


def test_the_shipped_lists_of_series_and_speakers_are_the_published_ones(data):
    lists = {"train": Split.TRAIN, "val": Split.VALID, "test": Split.TEST}
    folder = data / "labels" / "m3ed"
    listed = {
        series: part
        for name, part in lists.items()
        for series in (folder / f"movie_list_{name}.txt").read_text().split()
    }
    assert published_recordings("m3ed") == listed
    with (data / "labels/voxceleb/EmoVoxCeleb_meta.csv").open(newline="") as handle:
        rows = [list(map(str.strip, row)) for row in csv.reader(handle, delimiter="\t")][1:]
    assert [list(row.values()) for row in fact_rows("voxceleb1")] == rows


def test_four_nationalities_of_the_real_list_keep_1105_speakers(data, tmp_path):
    meta = data / "labels/voxceleb/EmoVoxCeleb_meta.csv"
    (tmp_path / meta.name).write_text(meta.read_text())
    with meta.open(newline="") as handle:
        for row in csv.DictReader(handle, delimiter="\t"):
            folder = tmp_path / "audio" / row["VGGFace1 ID"]
            folder.mkdir(parents=True)
            (folder / "ABCDEFGHIJK_0000001.wav").touch()
    chosen = read_corpus(voxceleb_corpus(SpeakerChoice(nationalities=("skesl",))), tmp_path, CorpusChoice())
    assert len(chosen.entries) == 1_105
    assert "1105 of 1251 speakers are taken" in chosen.notes


@pytest.mark.parametrize(("name", "numbers"), [("sims", [1_368, 456, 457]), ("simsv2", [2_722, 647, 1_034])])
def test_sims_reads_its_labels_and_texts(data, tmp_path, name, numbers):
    """The tables are those of MERTools, written again in the layout of MMSA."""
    folder = data / "labels" / name
    with (folder / "transcription-engchi-polish.csv").open(newline="", encoding="utf-8-sig") as handle:
        texts = {row["name"]: row["chinese"] for row in csv.DictReader(handle)}
    content = load_object_npz(folder / "label.npz")
    with (tmp_path / "label.csv").open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(["video_id", "clip_id", "text", "label", "mode"])
        for key, part in PARTS.items():
            for clip_id, label in content[key].items():
                video, _, clip = clip_id.rpartition("_")
                writer.writerow([video, clip, texts.get(clip_id, ""), label["val"], part.name.lower()])
    report = build_corpus(CORPORA[name], tmp_path, tmp_path / "sims.h5")
    assert len(report.table.differences) == 0
    with DatasetReader(report.build.path) as reader:
        assert np.bincount(reader.parts("default")).tolist() == numbers
        labels = reader.labels("sentiment")
        expected = {clip_id: label["val"] for key in PARTS for clip_id, label in content[key].items()}
        np.testing.assert_allclose(labels.values, [expected[clip_id] for clip_id in reader.clip_ids], atol=1e-6)
        assert sum(map(bool, reader.texts)) > 0.99 * reader.n_clip


def test_mer2023_reads_its_own_label_file_and_no_placeholder_becomes_a_label(data, tmp_path):
    report = build_corpus(CORPORA["mer23"], data / "labels/mer2023-dataset", tmp_path / "mer23.h5")
    assert report.build.n_clip == 5_030
    assert len(report.table.differences) == 0
    assert validate(report.build.path, level="content").findings == ()
    with DatasetReader(report.build.path) as reader:
        emotion, valence = reader.labels("emotion"), reader.labels("valence")
        assert emotion.present.all()
        assert int(valence.present.sum()) == 4_196
        assert valence.values.min() == -5
        train = reader.members("mer-multi", Split.TRAIN)
        assert np.bincount(emotion.values[train].astype(int)).tolist() == [871, 822, 689, 383, 462, 146]
        tests = {name: len(reader.members(name, Split.TEST)) for name in ("mer-multi", "mer-noise", "mer-semi")}
        assert tests == {"mer-multi": 411, "mer-noise": 412, "mer-semi": 834}


def test_the_label_file_of_meld_has_placeholders_in_place_of_valences(data):
    """MELD has no command of its own: its file is read as far as it is there."""
    content = load_object_npz(data / "labels/meld/label.npz")
    assert [len(content[key]) for key in PARTS] == [9_989, 1_109, 2_610]
    assert {label["val"] for key in PARTS for label in content[key].values()} == {-10}
    assert {label["emo"] for key in PARTS for label in content[key].values()} == set(range(7))


def test_the_doctor_knows_the_real_folders(data):
    assert diagnose(CORPORA["mosi"], data / "mosi").usable
    assert diagnose(CORPORA["mer23"], data / "labels/mer2023-dataset").usable
    wrong = diagnose(CORPORA["m3ed"], data / "mosi", CORPORA.values())
    assert "it looks like CMU-MOSI" in wrong.problem
