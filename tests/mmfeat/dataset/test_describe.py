"""A description counts what is in the file."""

import json
import re
from importlib.metadata import version

import h5py
import numpy as np
import pytest

from mmfeat import (
    ClipEntry,
    ClipFeatures,
    DatasetInfo,
    DatasetReader,
    DatasetWriter,
    LabelInfo,
    SchemaError,
    Shard,
    Split,
    SplitConfig,
    Words,
    build_dataset,
    describe,
    format_description,
    merge_datasets,
    split_dataset,
)
from mmfeat.testing import write_example_dataset


@pytest.fixture(scope="module")
def description(example):
    return describe(example)


def test_clips_and_durations_are_counted(description):
    assert (description["n_clip"], description["n_recording"], description["n_text"]) == (12, 12, 12)
    assert description["duration_s"] == pytest.approx(0.032 * sum(range(10, 22)), rel=1e-12)


def test_splits_are_counted(description):
    assert description["splits"] == {
        "default": {"train": 6, "valid": 3, "test": 3, "none": 0, "recording_disjoint": True}
    }


def test_labels_are_summed_up_over_the_clips_that_have_them(example, description):
    with DatasetReader(example) as reader:
        values = reader.labels("sentiment").values.astype(np.float64)
    label = description["labels"]["sentiment"]
    assert (label["problem"], label["n_present"]) == ("regression", 12)
    assert (label["min"], label["max"]) == (values.min(), values.max())
    assert label["mean"] == pytest.approx(values.mean(), rel=1e-12)


def test_streams_and_failures_are_counted(description):
    vision = description["streams"]["vision"]
    assert (vision["n_clip"], vision["n_frame"], vision["n_feature"]) == (11, sum(range(10, 22)) - 11, 35)
    assert (vision["extractor"], vision["preset"], vision["hop_s"]) == ("OpenFace 2", "openface-au35", None)
    assert description["failures"] == {"vision: no_face": 1}


def test_a_description_is_plain_json(description):
    assert json.loads(json.dumps(description)) == description


def test_a_description_is_printed_one_fact_a_line(description):
    lines = format_description(description).splitlines()
    assert lines[:3] == [
        "dataset          example (format 1.0)",
        "clips            12 in 12 recordings, 12 with text",
        "sound            0.1 minutes",
    ]
    assert "split default    train 6 · valid 3 · test 3 · none 0" in lines
    assert "stream audio     12 clips, 186 frames x 33 (default)" in lines
    assert "failed           vision: no_face (1)" in lines


def test_a_shared_recording_and_a_label_that_no_clip_has_are_said(tmp_path):
    path = tmp_path / "a.h5"
    labels = [LabelInfo(name="joy")]
    with DatasetWriter(path, info=DatasetInfo(name="a"), labels=labels, schemes=["default"]) as writer:
        for clip_id, part in (("a", Split.TRAIN), ("b", Split.TEST)):
            writer.write(ClipFeatures(entry=ClipEntry(clip_id=clip_id, recording_id="film", splits={"default": part})))
    lines = format_description(describe(path)).splitlines()
    assert "split default  train 1 · valid 0 · test 1 · none 0 (recordings shared between parts)" in lines
    assert "label joy      regression, 0 clips, no values" in lines


def test_the_size_of_the_example_is_that_of_the_request(tmp_path):
    assert describe(write_example_dataset(tmp_path / "a.h5", n_clip=5))["n_clip"] == 5


def test_a_foreign_file_is_refused(tmp_path):
    h5py.File(tmp_path / "a.h5", "w").close()
    with pytest.raises(SchemaError, match=r"expected a dataset with the attribute format='mmfeat'"):
        describe(tmp_path / "a.h5")


def test_words_are_counted_with_where_they_come_from(tmp_path):
    path = tmp_path / "a.h5"
    origin = {"transcriber": "made", "model": "small", "version": "1"}
    words = Words(tokens=("good", "film"), intervals_s=np.array([[0.0, 0.4], [0.4, 0.9]]))
    with DatasetWriter(path, info=DatasetInfo(name="a"), words=origin) as writer:
        for clip_id, said in (("a", words), ("b", None), ("c", words)):
            writer.write(ClipFeatures(entry=ClipEntry(clip_id=clip_id, text="Said."), words=said))
    description = describe(path)
    assert description["words"] == {"n_clip": 2, "n_word": 4, "origin": origin}
    assert (
        "words    4 in 2 clips (model small, transcriber made, version 1)"
        in format_description(description).splitlines()
    )


def test_a_file_without_words_says_none(description):
    assert description["words"] is None
    assert "words" not in format_description(description)


def test_what_was_done_to_a_file_is_told_in_its_order(tmp_path):
    entries = [ClipEntry(clip_id=f"{index}", text="Said.", recording_id=f"{index}") for index in range(4)]
    parts = [tmp_path / f"{number}.h5" for number in (1, 2)]
    for number, part in enumerate(parts, start=1):
        build_dataset(entries, part, shard=Shard(number=number, n_shard=2))
    merge_datasets(parts, tmp_path / "all.h5")
    split_dataset(tmp_path / "all.h5", "mine", SplitConfig(fractions=(0.5, 0.25, 0.25)))
    description = describe(tmp_path / "all.h5")
    made = [(row["action"], row["n"], row["mmfeat"]) for row in description["provenance"]]
    assert made == [("build", 2, [version("mmfeat")]), ("merge", 1, [version("mmfeat")]), ("split", 1, made[2][2])]
    text = format_description(description)
    assert re.search(r"^made +build \(2 times\), 20\d\d-\S+ by mmfeat \d", text, flags=re.MULTILINE)
    assert json.loads(json.dumps(description)) == description
