"""Real sequences are imported with every row accounted for, and come back equal."""

import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from mmfeat import DatasetReader, export_csd, import_arrays, import_csd, validate
from mmfeat.convert.columns import COVAREP

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif("MMFEAT_REAL_DATA" not in os.environ, reason="MMFEAT_REAL_DATA names no folder of real clips"),
]
WORDS = "CMU_MOSI_ModifiedTimestampedWords"
PARTS = {"train": 220, "valid": 40, "test": 80}
N_ROW = 20


@pytest.fixture(scope="module")
def data():
    return Path(os.environ["MMFEAT_REAL_DATA"])


@pytest.fixture(scope="module")
def words(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("real") / "words.h5"
    report = import_csd([data / "mosi" / f"{WORDS}.csd"], out)
    assert report.failures == ()
    assert validate(out, level="content").findings == ()
    return out


def test_every_word_of_mosi_is_there(data, words):
    """93 recordings, 51,056 words of which 8,287 are pauses."""
    with h5py.File(data / "mosi" / f"{WORDS}.csd") as file, DatasetReader(words) as reader:
        entries = file[f"{WORDS}/data"]
        assert set(reader.clip_ids) == set(entries)
        assert reader.n_clip == 93
        n_word = n_pause = 0
        for index, key in enumerate(reader.clip_ids):
            tokens = [token.decode() for token in entries[key]["features"][:, 0]]
            found = reader.words(index)
            assert list(found.tokens) == tokens
            np.testing.assert_array_equal(found.intervals_s, entries[key]["intervals"])
            assert reader.texts[index].split() == [token for token in tokens if token != "sp"]
            n_word, n_pause = n_word + len(tokens), n_pause + tokens.count("sp")
    assert (n_word, n_pause) == (51_056, 8_287)


def test_the_words_of_mosi_come_back_as_an_equal_sequence(data, words, tmp_path):
    (path,) = export_csd(words, tmp_path).paths
    with h5py.File(data / "mosi" / f"{WORDS}.csd") as first, h5py.File(path) as second:
        names = []
        first.visit(names.append)
        found = []
        second.visit(found.append)
        assert names == found
        for name in names:
            if isinstance(first[name], h5py.Dataset):
                assert first[name].dtype == second[name].dtype, name
                np.testing.assert_array_equal(first[name][()], second[name][()], err_msg=name)


def test_the_segments_of_mosi_find_their_words(data, tmp_path):
    """Labels made of the published times of the segments: the words in each are those that were published with them."""
    segments = json.loads((data / "mosi" / "mosi_word_times.json").read_text())
    recordings = {}
    for name, segment in segments.items():
        if segment.get("words"):
            recordings.setdefault(name.rpartition("_")[0], []).append(segment)
    with h5py.File(tmp_path / "labels.csd", "w") as file:
        for key, found in recordings.items():
            file[f"labels/data/{key}/features"] = np.zeros((len(found), 1))
            file[f"labels/data/{key}/intervals"] = [
                [segment["words"][0][1] + 1e-3, segment["words"][-1][2] - 1e-3] for segment in found
            ]
    out = tmp_path / "segments.h5"
    import_csd([data / "mosi" / f"{WORDS}.csd"], out, labels=tmp_path / "labels.csd")
    with DatasetReader(out) as reader:
        texts = dict(zip(reader.clip_ids, reader.texts, strict=True))
        n_equal = n_clip = 0
        for key, found in recordings.items():
            for index, segment in enumerate(found):
                text = texts.get(f"{key}[{index}]", "")
                n_clip += 1
                n_equal += text.split() == [word[0] for word in segment["words"]]
    assert n_clip > 2_000
    assert n_equal / n_clip > 0.95


def test_every_row_of_ict_mmmo_is_accounted_for(data, tmp_path):
    folder, out = data / "sequences" / "ict_mmmo", tmp_path / "mmmo.h5"
    report = import_arrays(folder, out, padding="start", label="sentiment")
    assert validate(out, level="content").findings == ()
    assert report.failures == ()
    assert report.parts == PARTS
    stored = {}
    for part in PARTS:
        stored[part] = {name: h5py.File(folder / f"{name}_{part}.h5")["d1"][()] for name in ("audio", "video", "y")}
        if part != "train":
            stored[part]["text"] = h5py.File(folder / f"text_{part}_emb.h5")["d1"][()]
    with DatasetReader(out) as reader:
        assert reader.info("audio").feature_names == COVAREP
        np.testing.assert_array_equal(
            reader.labels("sentiment").values, np.concatenate([stored[part]["y"] for part in PARTS]).astype(np.float32)
        )
        n_kept = n_padding = 0
        for index in range(reader.n_clip):
            part, number = reader.clip_ids[index].split("_")
            for source, name in (("audio", "audio"), ("video", "vision"), ("text", "text")):
                if source not in stored[part]:
                    continue
                array, frames = stored[part][source][int(number)], reader.read(name, index)
                n_lead = N_ROW - frames.n_frame
                np.testing.assert_array_equal(frames.values, array[n_lead:].astype(np.float32))
                assert not array[:n_lead].any()
                np.testing.assert_array_equal(frames.valid, array[n_lead:].any(axis=1))
                n_kept, n_padding = n_kept + frames.n_frame, n_padding + n_lead
    assert n_kept + n_padding == N_ROW * (340 + 340 + 120)
    assert (n_kept, n_padding) == (15_342, 658)
    assert report.n_frame == {"audio": 6_525, "vision": 6_525, "text": 2_292}


def test_the_names_of_covarep_are_those_of_its_own_files(data):
    from scipy.io import loadmat

    names = loadmat(data / "mosi" / "covarep_ZUXBRvtny7o_9.mat")["names"][0]
    assert tuple(str(name[0]) for name in names) == COVAREP
