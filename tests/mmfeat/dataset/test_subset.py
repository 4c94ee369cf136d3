"""A subset holds exactly what was asked for, in the order of the file, and says so."""

import numpy as np
import pytest

from mmfeat import (
    DatasetReader,
    InputError,
    Split,
    StreamStatus,
    merge_datasets,
    read_ids,
    subset_dataset,
)
from mmfeat.testing import write_example_dataset

from .conftest import sound


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return write_example_dataset(tmp_path_factory.mktemp("images") / "a.h5", with_frames=True)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.h5"


def taken(path):
    with DatasetReader(path) as reader:
        return [int(clip_id.removeprefix("clip_")) for clip_id in reader.clip_ids]


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"ids": ["clip_07", "clip_02"]}, [2, 7]),
        ({"part": Split.TEST}, [3, 7, 11]),
        ({"head": 3}, [0, 1, 2]),
        ({"head": 99}, list(range(12))),
        ({"label": "sentiment"}, list(range(12))),
        ({"status": StreamStatus.OK}, [0, *range(2, 12)]),
        ({"status": StreamStatus.NO_FACE, "streams": ["vision"]}, [1]),
        ({"part": Split.TRAIN, "status": StreamStatus.OK, "head": 3}, [0, 4, 5]),
        ({"status": StreamStatus.OK, "streams": ["audio"], "head": 2}, [0, 1]),
        ({}, list(range(12))),
    ],
)
def test_the_clips_that_meet_every_condition_are_taken_in_their_order(images, out, conditions, expected):
    report = subset_dataset(images, out, **conditions)
    assert taken(sound(out)) == expected
    assert (report.n_clip, report.details["n_clip_before"]) == (len(expected), 12)


def test_a_subset_of_everything_is_the_same_content(images, out, content):
    subset_dataset(images, out)
    assert content(out) == content(images)


def test_every_value_of_a_clip_is_that_of_the_whole(images, out):
    subset_dataset(images, out, ids=["clip_01", "clip_04", "clip_05", "clip_10"])
    with DatasetReader(images) as whole, DatasetReader(sound(out)) as part:
        for row, clip in enumerate((1, 4, 5, 10)):
            for stream in ("audio", "vision"):
                one, other = whole.read(stream, clip), part.read(stream, row)
                for column in ("values", "times_s", "valid", "voiced", "confidence"):
                    assert np.array_equal(getattr(one, column), getattr(other, column))
            one, other = whole.read_frames("frames", clip), part.read_frames("frames", row)
            assert one.jpegs == other.jpegs
            assert one.times_s.tolist() == other.times_s.tolist()
        assert [clip_id for clip_id, *_ in part.failures()] == ["clip_01", "clip_01"]
        assert part.labels("sentiment").values.tolist() == whole.labels("sentiment").values[[1, 4, 5, 10]].tolist()


def test_streams_are_left_out_with_their_failures(images, out):
    report = subset_dataset(images, out, streams=["frames"])
    with DatasetReader(sound(out)) as reader:
        assert reader.stream_names == ("frames",)
        assert {stage for _, stage, _, _ in reader.failures()} == {"frames"}
    assert report.n_ok == {"frames": 11}
    subset_dataset(images, out, streams=[], overwrite=True)
    with DatasetReader(sound(out)) as reader:
        assert (reader.stream_names, reader.failures()) == ((), ())


def test_a_subset_and_its_complement_are_the_whole(make, ids, tmp_path, content):
    whole = make("whole.h5", ids, streams=["one", "two"])
    chosen = ids[:13]
    subset_dataset(whole, tmp_path / "a.h5", ids=chosen)
    subset_dataset(whole, tmp_path / "b.h5", ids=[clip_id for clip_id in ids if clip_id not in chosen])
    merge_datasets([tmp_path / "a.h5", tmp_path / "b.h5"], tmp_path / "c.h5")
    assert content(sound(tmp_path / "c.h5")) == content(whole)


def test_parts_that_are_merged_hold_every_clip_once(make, ids, tmp_path):
    whole, parts = make("whole.h5", ids), []
    for part in Split:
        subset_dataset(whole, tmp_path / f"{part.name}.h5", part=part)
        parts.append(tmp_path / f"{part.name}.h5")
    merge_datasets(parts, tmp_path / "c.h5")
    with DatasetReader(sound(tmp_path / "c.h5")) as reader:
        assert sorted(reader.clip_ids) == sorted(ids)


def test_the_event_says_what_was_asked_for(images, out, content):
    subset_dataset(images, out, part=Split.VALID, streams=["audio"], head=2)
    with DatasetReader(out) as reader:
        event = reader.events()[-1]
    assert event["chosen"] == {"part": "valid", "scheme": "default", "streams": ["audio"], "head": 2}
    assert (event["action"], event["n_clip"], event["n_clip_before"]) == ("subset", 2, 12)
    assert event["inputs"] == [{"name": "a.h5", "content_sha256": content(images), "n_clip": 12}]


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"ids": ["clip_00", "b", "a"]}, "unknown clip ids; correct each:\n  a\n  b$"),
        ({"part": Split.TRAIN, "scheme": "loso"}, "no split scheme 'loso'; known: default"),
        ({"streams": ["audio", "video"]}, "no stream 'video'; known: audio, frames, vision"),
        ({"label": "joy"}, "no label 'joy'; known: sentiment"),
        ({"part": Split.NONE}, "expected at least one clip that meets every condition, found none; ask for less"),
    ],
)
def test_what_is_not_there_is_refused(images, out, conditions, message):
    with pytest.raises(InputError, match=message):
        subset_dataset(images, out, **conditions)
    assert not out.exists()


def test_ids_are_read_from_a_file_or_from_the_words_themselves(tmp_path):
    (tmp_path / "ids.txt").write_text("\ufeffa/b$c, d\n\n 映画 \n", encoding="utf-8")
    assert read_ids(str(tmp_path / "ids.txt")) == ["a/b$c, d", "映画"]
    assert read_ids("a, b,,c/1") == ["a", "b", "c/1"]
    with pytest.raises(InputError, match=r"expected a text file .* with a clip id on each line"):
        read_ids(str(tmp_path / "nobody.txt"))
