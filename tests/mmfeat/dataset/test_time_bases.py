"""Words with their times, and streams that come as intervals or without a clock."""

from contextlib import suppress

import h5py
import numpy as np
import pytest

from mmfeat import (
    ClipEntry,
    ClipFeatures,
    DatasetInfo,
    DatasetReader,
    DatasetWriter,
    FrameFeatures,
    InputError,
    LabelInfo,
    StreamInfo,
    Words,
    merge_datasets,
    subset_dataset,
    validate,
)

ORIGIN = {"aligner": "by hand"}
TOKENS = [("über", "sp", "it"), (), ("x",)]


def info(name, **changes):
    fields = {"extractor": "test", "extractor_version": "1", "preset": "custom", "config": {}}
    return StreamInfo(name=name, feature_names=("x",), feature_units=("1",), **fields, **changes)


def frames(n_frame, intervals_s=None):
    return FrameFeatures(
        values=np.ones((n_frame, 1), dtype=np.float32),
        times_s=np.full(n_frame, np.nan),
        names=("x",),
        units=("1",),
        valid=np.ones(n_frame, dtype=bool),
        intervals_s=intervals_s,
    )


def intervals(start_s, n):
    return np.stack([np.arange(n), np.arange(n) + 0.5], axis=1) + start_s


def open_writer(path, **options):
    streams = [info("aligned", has_intervals=True), info("steps", clock="words")]
    labels = [LabelInfo(name="mood", problem="class", class_names=("low", "high"))]
    return DatasetWriter(path, info=DatasetInfo(name="t"), streams=streams, labels=labels, words=ORIGIN, **options)


def clip(index):
    start_s = 10.0 * index
    entry = ClipEntry(clip_id=str(index), start_s=start_s, end_s=start_s + 5, labels={"mood": 1.0})
    streams = {"aligned": frames(3, intervals(start_s, 3)), "steps": frames(2)}
    words = Words(tokens=TOKENS[index], intervals_s=intervals(start_s, len(TOKENS[index])))
    return ClipFeatures(entry=entry, streams=streams, words=words)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "words.h5"
    with open_writer(path) as writer:
        for index in range(len(TOKENS)):
            writer.write(clip(index))
    return path


def test_words_come_back_clip_by_clip(path):
    assert validate(path, level="content").findings == ()
    with DatasetReader(path) as reader:
        assert reader.words_origin == ORIGIN
        assert [reader.words(index).tokens for index in range(3)] == TOKENS
        np.testing.assert_array_equal(reader.words(2).intervals_s, intervals(20.0, 1))


@pytest.mark.parametrize("n_done", [1, 2])
def test_a_run_that_stops_between_clips_with_words_is_continued(path, tmp_path, n_done):
    again = tmp_path / "again.h5"
    with suppress(KeyboardInterrupt), open_writer(again, fingerprint={"settings": "1"}) as writer:
        for index in range(n_done):
            writer.write(clip(index))
        raise KeyboardInterrupt
    assert not again.exists()
    with (tmp_path / "again.h5.part" / "words.bytes").open("ab") as words:
        words.write(b"of a clip that was not committed")
    with open_writer(again, fingerprint={"settings": "1"}) as writer:
        assert writer.restore([clip(index).entry for index in range(len(TOKENS))]) == n_done
        for index in range(n_done, len(TOKENS)):
            writer.write(clip(index))
    assert validate(again, level="content").findings == ()
    with DatasetReader(again) as reader, DatasetReader(path) as whole:
        assert [reader.words(index).tokens for index in range(3)] == TOKENS
        assert reader.attributes["content_sha256"] == whole.attributes["content_sha256"]


def test_words_of_a_clip_that_is_not_there_are_refused(path):
    with DatasetReader(path) as reader, pytest.raises(InputError, match=r"words: expected a clip from 0 to 2, got 3"):
        reader.words(3)


def test_a_file_without_words_gives_none(example):
    with DatasetReader(example) as reader:
        assert reader.words_origin is None
        assert reader.words(0).tokens == ()
        assert np.isnan(reader.starts_s).all()


def test_intervals_are_kept_and_the_centre_counts_from_the_start_of_the_clip(path):
    with DatasetReader(path) as reader:
        read = reader.read("aligned", 1)
        assert reader.info("aligned").has_intervals
    np.testing.assert_array_equal(read.intervals_s, intervals(10.0, 3))
    np.testing.assert_allclose(read.times_s, [0.25, 1.25, 2.25])


def test_without_a_clock_no_time_is_invented(path):
    with DatasetReader(path) as reader:
        assert reader.info("steps").clock == "words"
        assert np.isnan(reader.read("steps", 0).times_s).all()


def test_names_of_classes_come_back(path):
    with DatasetReader(path) as reader:
        assert reader.labels("mood").class_names == ("low", "high")


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("MF003", lambda file: file["/streams/steps"].attrs.__setitem__("clock", "sundial")),
        ("MF003", lambda file: file["/streams/steps"].attrs.__setitem__("hop_s", 0.5)),
        ("MF003", lambda file: file.__delitem__("/streams/aligned/intervals_s")),
        ("MF004", lambda file: file.__delitem__("/words/token")),
        ("MF010", lambda file: file["/words/offsets"].__setitem__(1, 9)),
    ],
)
def test_a_broken_rule_is_found(path, rule, change):
    with h5py.File(path, "r+") as file:
        change(file)
    assert {finding.rule for finding in validate(path).findings} == {rule}


def test_an_interval_has_two_ends(path):
    with h5py.File(path, "r+") as file:
        del file["/streams/aligned/intervals_s"]
        file["/streams/aligned/intervals_s"] = np.zeros((9, 3))
    assert "axis '2': expected length 2, got 3" in validate(path).summary()


def test_words_need_a_time_each():
    with pytest.raises(InputError, match=r"2 tokens but intervals of shape \(1, 2\)"):
        Words(tokens=("a", "b"), intervals_s=np.zeros((1, 2)))
    with pytest.raises(InputError, match=r"intervals_s has shape \(3, 1\), expected \(3, 2\)"):
        frames(3, np.zeros((3, 1)))


def test_words_intervals_and_clocks_survive_a_subset_and_a_merge(path, tmp_path):
    for name, chosen in (("a.h5", ["0", "1"]), ("b.h5", ["2"])):
        subset_dataset(path, tmp_path / name, ids=chosen)
    merge_datasets([tmp_path / "a.h5", tmp_path / "b.h5"], tmp_path / "c.h5")
    assert validate(tmp_path / "c.h5", level="content").findings == ()
    with DatasetReader(path) as first, DatasetReader(tmp_path / "c.h5") as second:
        assert second.attributes["content_sha256"] == first.attributes["content_sha256"]
        assert second.words(2).tokens == ("x",)
        np.testing.assert_array_equal(second.read("aligned", 2).times_s, first.read("aligned", 2).times_s)
        assert np.isnan(second.read("steps", 0).times_s).all()


def test_a_batch_counts_each_clip_from_its_own_start(path):
    with DatasetReader(path) as reader:
        batch = reader.read_batch("aligned", [2, 0])
        np.testing.assert_allclose(batch.times_s, [0.25, 1.25, 2.25] * 2)
        np.testing.assert_array_equal(batch.intervals_s[:3], intervals(20.0, 3))
        assert np.isnan(reader.read_batch("steps", [0, 1]).times_s).all()
