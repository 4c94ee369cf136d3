"""The join of what was divided is the file; ids that do not match and facts that contradict are all told."""

import h5py
import numpy as np
import pytest

from mmfeat import (
    DatasetReader,
    InputError,
    LabelInfo,
    Split,
    StreamStatus,
    join_datasets,
    subset_dataset,
)
from mmfeat.dataset.assemble import assemble
from mmfeat.dataset.source import open_source
from mmfeat.dataset.tables import Part
from mmfeat.testing import write_example_dataset

from .conftest import sound


def reordered(path, output, rows):
    """Write the clips of a file in another order."""
    source = open_source(path)
    part = Part(source=source, rows=np.asarray(rows), first=0, paths=tuple(source.groups))
    assemble([part], output, event={"action": "reorder"})
    return sound(output)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return write_example_dataset(tmp_path_factory.mktemp("images") / "a.h5", with_frames=True)


@pytest.mark.parametrize("order", ["same", "reversed", "shuffled"])
def test_the_join_of_the_streams_of_a_file_is_the_file(images, tmp_path, content, order):
    names = ("audio", "frames", "vision")
    for name in names:
        subset_dataset(images, tmp_path / f"{name}.h5", streams=[name])
    rows = {"same": range(12), "reversed": range(11, -1, -1), "shuffled": np.random.default_rng(0).permutation(12)}
    for name in names[1:]:
        reordered(tmp_path / f"{name}.h5", tmp_path / f"{name}_2.h5", list(rows[order]))
    paths = [tmp_path / "audio.h5", tmp_path / "frames_2.h5", tmp_path / "vision_2.h5"]
    report = join_datasets(paths, tmp_path / "all.h5")
    assert content(sound(tmp_path / "all.h5")) == content(images)
    assert report.summary() == f"{tmp_path}/all.h5: 12 clips (audio 12, frames 11, vision 11) from 3 files"


def test_the_order_is_that_of_the_first_file(make, ids, tmp_path, content):
    first = make("a.h5", ids[::-1], streams=["one"])
    join_datasets([first, make("b.h5", ids, streams=["two"])], tmp_path / "c.h5")
    assert content(sound(tmp_path / "c.h5")) == content(make("d.h5", ids[::-1], streams=["one", "two"]))


def test_a_stream_that_two_files_have_is_taken_once_where_it_is_the_same(make, ids, tmp_path, content):
    paths = [make("a.h5", ids, streams=["one", "two"]), make("b.h5", ids[::-1], streams=["two", "three"])]
    join_datasets(paths, tmp_path / "c.h5")
    assert content(sound(tmp_path / "c.h5")) == content(make("d.h5", ids, streams=["one", "two", "three"]))


def test_streams_of_one_name_and_other_values_are_refused(images, tmp_path):
    for name, place in {"values": "audio/values", "images": "frames/valid"}.items():
        path = tmp_path / f"{name}.h5"
        path.write_bytes(images.read_bytes())
        with h5py.File(path, "r+") as file:
            column = file[f"/streams/{place}"]
            column[0] = ~column[0] if column.dtype.kind == "b" else column[0] + 1
        with pytest.raises(InputError) as refused:
            join_datasets([images, path], tmp_path / "c.h5", verify=False)
        stream = place.partition("/")[0]
        assert str(refused.value).splitlines() == [
            f"{tmp_path}/c.h5: the files cannot be joined; leave a stream out with mmfeat subset --streams:",
            f"  stream {stream!r} stands in {images} and in {path} with other values",
        ]


def test_streams_of_one_name_and_other_settings_are_refused_with_every_setting(make, tmp_path):
    paths = [make("a.h5", ["x"]), make("b.h5", ["x"], config={"gain": 2, "window": {"length": 7}})]
    with pytest.raises(InputError, match="cannot be joined") as refused:
        join_datasets(paths, tmp_path / "c.h5")
    assert f"config.gain is 1 in {paths[0]}, 2 in {paths[1]}" in str(refused.value)
    assert f"config.window.length is 5 in {paths[0]}, 7 in {paths[1]}" in str(refused.value)


# Ids that do not match


def test_every_id_that_does_not_match_is_told(make, tmp_path):
    paths = [make("a.h5", ["x", "y", "z"], streams=["one"]), make("b.h5", ["y", "w"], streams=["two"])]
    with pytest.raises(InputError) as refused:
        join_datasets(paths, tmp_path / "c.h5")
    assert str(refused.value).splitlines() == [
        f"{tmp_path}/c.h5: the files have different clips; choose --how inner or left:",
        f"  clip 'x' stands in {paths[0]} and not in every file",
        f"  clip 'z' stands in {paths[0]} and not in every file",
        f"  clip 'w' stands in {paths[1]} and not in every file",
    ]


def test_an_inner_join_keeps_what_all_files_have(make, ids, tmp_path, content):
    paths = [make("a.h5", ids[:20], streams=["one"]), make("b.h5", ids[5:], streams=["two"])]
    report = join_datasets(paths, tmp_path / "c.h5", how="inner")
    assert content(sound(tmp_path / "c.h5")) == content(make("d.h5", ids[5:20], streams=["one", "two"]))
    assert report.details["unmatched"] == {str(paths[0]): ids[:5], str(paths[1]): ids[20:]}
    assert report.notes == (
        f"{paths[0]}: 5 clip(s) that not every file has",
        f"{paths[1]}: 10 clip(s) that not every file has",
    )


def test_a_left_join_keeps_the_clips_of_the_first_file(make, ids, tmp_path):
    paths = [make("a.h5", ids[:20], streams=["one"]), make("b.h5", ids[5:], streams=["two"])]
    join_datasets(paths, tmp_path / "c.h5", how="left")
    with DatasetReader(sound(tmp_path / "c.h5")) as reader, DatasetReader(paths[1]) as second:
        assert reader.clip_ids == tuple(ids[:20])
        assert set(reader.status("two")[:5]) == {StreamStatus.NOT_REQUESTED}
        assert reader.status("two")[5:] == second.status("two")[:15]
        for row in range(5, 20):
            assert np.array_equal(reader.read("two", row).values, second.read("two", row - 5).values)


def test_files_without_a_common_clip_are_refused(make, tmp_path):
    paths = [make("a.h5", ["x"], streams=["one"]), make("b.h5", ["y"], streams=["two"])]
    with pytest.raises(InputError, match="expected clips that all files have, found none"):
        join_datasets(paths, tmp_path / "c.h5", how="inner")
    with pytest.raises(InputError, match="expected at least two dataset files to join, got 1"):
        join_datasets(paths[:1], tmp_path / "c.h5")


# Facts of the same clip


def entries(make_entry, **by_clip):
    return [make_entry(clip_id, **changes) for clip_id, changes in by_clip.items()]


@pytest.fixture
def entry():
    from mmfeat import ClipEntry

    def make_entry(clip_id, **changes):
        return ClipEntry(clip_id=clip_id, **changes)

    return make_entry


def test_what_one_file_leaves_unknown_is_taken_from_the_other(make, entry, tmp_path):
    sparse = entries(entry, x={}, y={"text": "Mine.", "labels": {"joy": 1.0}, "splits": {"default": Split.TRAIN}})
    rich = {"recording_id": "film", "position": 4, "speaker_id": "ada", "text": "Hers.", "labels": {"joy": 2.0}}
    full = entries(entry, y={}, x={**rich, "splits": {"default": Split.TEST}})
    paths = [make("a.h5", sparse, streams=["one"]), make("b.h5", full, streams=["two"])]
    join_datasets(paths, tmp_path / "c.h5")
    with h5py.File(sound(tmp_path / "c.h5")) as file:
        assert file["/clips/text"].asstr()[:].tolist() == ["Hers.", "Mine."]
        assert file["/clips/recording_id"].asstr()[:].tolist() == ["film", "y"]
        assert file["/clips/position"][:].tolist() == [4, 0]
        assert file["/clips/speaker_id"].asstr()[:].tolist() == ["ada", ""]
        assert file["/labels/joy/values"][:].tolist() == [2.0, 1.0]
        assert file["/labels/joy/present"][:].all()
        assert file["/splits/default"][:].tolist() == [Split.TEST, Split.TRAIN]


def test_every_disagreement_is_told_and_none_is_chosen(make, entry, tmp_path):
    one = {"recording_id": "film", "text": "Ja.", "labels": {"joy": 1.0}, "splits": {"default": Split.TRAIN}}
    two = {"recording_id": "talk", "text": "Nein.", "labels": {"joy": 2.0}, "splits": {"default": Split.TEST}}
    paths = [make("a.h5", [entry("é", **one)], streams=["one"]), make("b.h5", [entry("é", **two)], streams=["two"])]
    with pytest.raises(InputError) as refused:
        join_datasets(paths, tmp_path / "c.h5")
    assert str(refused.value).splitlines() == [
        f"{tmp_path}/c.h5: expected files that agree about their clips; correct one of them:",
        f"  clip 'é': recording_id: 'film' and in {paths[1]} 'talk'",
        f"  clip 'é': text: 'Ja.' and in {paths[1]} 'Nein.'",
        f"  clip 'é': label 'joy': 1.0 and in {paths[1]} 2.0",
        f"  clip 'é': split scheme 'default': 'train' and in {paths[1]} 'test'",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.h5", "b.h5"]


def test_labels_of_a_file_without_streams_are_added(make, ids, tmp_path, content):
    paths = [make("a.h5", ids, labels=[]), make("b.h5", ids[::-1], streams=[], labels=[LabelInfo(name="joy")])]
    join_datasets(paths, tmp_path / "c.h5")
    assert content(sound(tmp_path / "c.h5")) == content(make("d.h5", ids))


def test_a_label_that_means_something_else_is_refused(make, tmp_path):
    paths = [make("a.h5", ["x"], streams=["one"]), make("b.h5", ["x"], labels=[LabelInfo(name="joy", problem="class")])]
    with pytest.raises(InputError, match="label 'joy': problem is 'regression' in"):
        join_datasets(paths, tmp_path / "c.h5")


def test_a_reversed_join_of_many_clips_is_exact(make, tmp_path, content):
    ids = [f"clip {index}" for index in range(2000)]
    paths = [make("a.h5", ids, streams=["one"]), make("b.h5", ids, streams=["two"])]
    reordered(paths[1], tmp_path / "r.h5", range(1999, -1, -1))
    join_datasets([paths[0], tmp_path / "r.h5"], tmp_path / "c.h5")
    join_datasets(paths, tmp_path / "d.h5")
    assert content(sound(tmp_path / "c.h5")) == content(tmp_path / "d.h5")
