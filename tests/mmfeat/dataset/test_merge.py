"""The merge of the parts of a file is the file; what does not fit is refused with every reason."""

import shutil

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies

from mmfeat import (
    DatasetReader,
    FrameConfig,
    InputError,
    LabelInfo,
    OutputExistsError,
    SchemaError,
    StreamStatus,
    build_dataset,
    describe,
    entries_from_paths,
    merge_datasets,
    read_manifest,
    resolve_build_config,
    subset_dataset,
)
from mmfeat.dataset import schema
from mmfeat.dataset.content_hash import content_sha256
from mmfeat.testing import write_example_dataset, write_example_manifest, write_example_video

from .conftest import sound


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(n_first=strategies.lists(strategies.integers(0, 12), min_size=1, max_size=4))
def test_the_merge_of_consecutive_parts_of_a_file_is_the_file(tmp_path_factory, n_first, content, images):
    folder = tmp_path_factory.mktemp("parts")
    with DatasetReader(images) as reader:
        ids = reader.clip_ids
    bounds = sorted({0, *n_first, len(ids)})
    parts = [folder / f"{start}.h5" for start in bounds[:-1]]
    for path, start, stop in zip(parts, bounds, bounds[1:], strict=False):
        subset_dataset(images, path, ids=ids[start:stop])
        sound(path)
    merge_datasets(parts, folder / "all.h5")
    assert content(sound(folder / "all.h5")) == content(images)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return write_example_dataset(tmp_path_factory.mktemp("images") / "a.h5", with_frames=True)


def test_the_merge_of_builds_of_the_parts_is_the_build_of_the_whole(tmp_path, content):
    entries = read_manifest(write_example_manifest(tmp_path, n_clip=6))
    (tmp_path / "3.wav").write_bytes(b"")  # one clip fails in its sound
    for name, chosen in {"all": entries, "a": entries[:2], "b": entries[2:3], "c": entries[3:]}.items():
        build_dataset(chosen, tmp_path / f"{name}.h5", n_jobs=1)
    report = merge_datasets([tmp_path / f"{name}.h5" for name in "abc"], tmp_path / "merged.h5")
    assert report.summary() == f"{tmp_path}/merged.h5: 6 clips (audio 5, vision 6) from 3 files"
    assert content(sound(tmp_path / "merged.h5")) == content(tmp_path / "all.h5")
    with DatasetReader(tmp_path / "merged.h5") as reader, DatasetReader(tmp_path / "all.h5") as whole:
        assert reader.failures() == whole.failures()
        assert [event["action"] for event in reader.events()] == ["build", "build", "build", "merge"]


def test_the_merge_of_builds_of_frames_is_the_build_of_all_frames(tmp_path, content):
    for index in range(3):
        write_example_video(tmp_path / f"{index}.mp4", n_frame=4 + index)
    entries = entries_from_paths([tmp_path], [".mp4"], column="video")
    config = resolve_build_config(overrides=['streams=["frames"]', "frames.size=16"], frames=True)
    assert isinstance(config.frames, FrameConfig)
    for name, chosen in {"all": entries, "a": entries[:1], "b": entries[1:]}.items():
        build_dataset(chosen, tmp_path / f"{name}.h5", config)
    merge_datasets([tmp_path / "a.h5", tmp_path / "b.h5"], tmp_path / "merged.h5")
    assert content(sound(tmp_path / "merged.h5")) == content(tmp_path / "all.h5")


def test_every_clip_is_read_back_as_it_was(make, ids, tmp_path):
    paths = [make("a.h5", ids[:11], streams=("signal", "other")), make("b.h5", ids[11:], streams=("other", "signal"))]
    merge_datasets(paths, tmp_path / "c.h5")
    with DatasetReader(sound(tmp_path / "c.h5")) as merged:
        assert merged.clip_ids == tuple(ids)
        for path, first in zip(paths, (0, 11), strict=True):
            with DatasetReader(path) as reader:
                for row in range(reader.n_clip):
                    for stream in ("signal", "other"):
                        expected, got = reader.read(stream, row), merged.read(stream, first + row)
                        assert np.array_equal(expected.values, got.values)
                        assert merged.status(stream)[first + row] is reader.status(stream)[row]


def test_a_merged_file_is_no_larger_than_a_built_one(make, ids, tmp_path):
    whole = make("whole.h5", ids)
    merge_datasets([whole], tmp_path / "c.h5")
    assert (tmp_path / "c.h5").stat().st_size <= whole.stat().st_size + 4096  # its event is one more


def test_the_order_is_that_of_the_inputs(make, ids, tmp_path):
    paths = [make("a.h5", ids[:3]), make("b.h5", ids[3:5])]
    merge_datasets(paths[::-1], tmp_path / "c.h5")
    with DatasetReader(tmp_path / "c.h5") as reader:
        assert reader.clip_ids == tuple(ids[3:5] + ids[:3])


def test_labels_and_schemes_that_one_file_has_are_absent_in_the_clips_of_the_other(make, tmp_path):
    paths = [make("a.h5", ["x", "y"], labels=["joy"], schemes=["one"]), make("b.h5", ["z"], labels=[], schemes=["two"])]
    merge_datasets(paths, tmp_path / "c.h5")
    with DatasetReader(sound(tmp_path / "c.h5")) as reader:
        assert reader.labels("joy").present[-1].item() is False
        assert reader.parts("one").tolist()[-1] == 255
        assert reader.parts("two").tolist()[:2] == [255, 255]


def test_a_scheme_that_keeps_recordings_together_in_each_file_may_share_them_in_both(make, tmp_path):
    merge_datasets(
        [make("a.h5", ["clip_00", "clip_01"]), make("b.h5", ["clip_02", "clip_03", "clip_04"])], tmp_path / "c.h5"
    )
    sound(tmp_path / "c.h5")  # MF018


def test_a_file_without_clips_and_a_file_of_failures_alone_are_merged(make, ids, tmp_path, content):
    failed = next(
        f"x{i}" for i in range(99) if describe(make(f"x{i}.h5", [f"x{i}"]))["streams"]["signal"]["n_clip"] == 0
    )
    paths = [make("none.h5", []), tmp_path / f"{failed}.h5", make("b.h5", ids)]
    merge_datasets(paths, tmp_path / "c.h5")
    assert content(sound(tmp_path / "c.h5")) == content(make("d.h5", [failed, *ids]))
    merge_datasets(paths[:1], tmp_path / "empty.h5")
    assert content(sound(tmp_path / "empty.h5")) == content(paths[0])
    merge_datasets(paths[:2], tmp_path / "failed.h5")
    sound(tmp_path / "failed.h5")


def test_files_of_texts_alone_are_merged(make, tmp_path):
    merge_datasets([make("a.h5", ["x"], streams=[]), make("b.h5", ["y"], streams=[])], tmp_path / "c.h5")
    with DatasetReader(sound(tmp_path / "c.h5")) as reader:
        assert reader.texts == ("Say x.", "Say y.")


def test_compressed_and_big_endian_files_are_merged_into_plain_ones(images, tmp_path, content):
    def store(name, **options):
        path = shutil.copy(images, tmp_path / f"{name}.h5")
        with h5py.File(path, "r+") as file:
            for place in ("/streams/audio/values", "/streams/frames/bytes", "/streams/frames/frame_offsets"):
                values, dtype = file[place][:], file[place].dtype
                del file[place]
                order = ">" if name == "big" and dtype.itemsize > 1 else "="
                file.create_dataset(place, data=values, dtype=dtype.newbyteorder(order), **options)
        return path

    for name, options in {"gzip": {"chunks": True, "compression": "gzip", "shuffle": True}, "big": {}}.items():
        merge_datasets([store(name, **options)], tmp_path / "c.h5", overwrite=True)
        assert content(sound(tmp_path / "c.h5")) == content(images)
        with h5py.File(tmp_path / "c.h5") as file:
            assert file["/streams/audio/values"].chunks is None
            assert file["/streams/audio/values"].dtype == np.dtype("<f4")


def test_the_event_names_the_inputs_and_shared_events_are_told_once(make, ids, tmp_path, content):
    whole = make("whole.h5", ids)
    parts = [tmp_path / "a.h5", tmp_path / "b.h5"]
    for path, chosen in zip(parts, (ids[:9], ids[9:]), strict=True):
        subset_dataset(whole, path, ids=chosen)
    merge_datasets(parts, tmp_path / "c.h5", origin={"command": ["mmfeat", "merge"]})
    with DatasetReader(tmp_path / "c.h5") as reader:
        events = reader.events()
    assert [event["action"] for event in events] == ["write", "subset", "subset", "merge"]
    assert events[-1]["command"] == ["mmfeat", "merge"]
    assert events[-1]["inputs"] == [
        {"name": path.name, "content_sha256": content(path), "n_clip": n_clip}
        for path, n_clip in zip(parts, (9, len(ids) - 9), strict=True)
    ]


def test_a_different_licence_is_told_and_both_are_kept(make, tmp_path):
    paths = [make("a.h5", ["x"], licence="CC0-1.0"), make("b.h5", ["y"], licence="EULA"), make("c.h5", ["z"])]
    report = merge_datasets(paths, tmp_path / "d.h5")
    assert report.notes == ("license: the files say 'CC0-1.0', 'EULA', ''; stored is 'CC0-1.0; EULA'",)
    with DatasetReader(tmp_path / "d.h5") as reader:
        assert reader.attributes["license"] == "CC0-1.0; EULA"


# What does not fit


def test_every_difference_is_told_at_once(make, tmp_path):
    paths = [
        make("a.h5", ["x", "y", "z"], streams=("signal", "other"), labels=[LabelInfo(name="joy", problem="class")]),
        make("b.h5", ["y", "z"], feature_names=("a", "c"), extractor_version="2", config={"gain": 2, "window": {}}),
    ]
    with pytest.raises(InputError) as refused:
        merge_datasets(paths, tmp_path / "c.h5")
    a, b = paths
    lines = str(refused.value).splitlines()
    assert lines[0] == f"{tmp_path}/c.h5: the files cannot be merged:"
    assert lines[1] == f"  stream 'other' is missing in {b}; take it as not requested with --allow-missing"
    for fault in (
        f"stream 'signal': extractor_version is '1' in {a}, '2' in {b}",
        f"stream 'signal': config.gain is 1 in {a}, 2 in {b}",
        f"stream 'signal': config.window.length is 5 in {a}, absent in {b}",
        f"stream 'signal': feature_names is ['a', 'b'] in {a}, ['a', 'c'] in {b}",
        f"label 'joy': problem is 'class' in {a}, 'regression' in {b}",
        f"clip 'y' stands in {a} and in {b}",
        f"clip 'z' stands in {a} and in {b}",
    ):
        assert f"  {fault}" in lines
    assert "config_sha256" in str(refused.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.h5", "b.h5"]


def test_a_missing_stream_is_not_requested_where_that_is_asked_for(make, tmp_path, content):
    paths = [make("a.h5", ["x", "y"]), make("b.h5", ["z"], streams=())]
    report = merge_datasets(paths, tmp_path / "c.h5", allow_missing=True)
    with DatasetReader(sound(tmp_path / "c.h5")) as reader:
        assert reader.status("signal")[-1] is StreamStatus.NOT_REQUESTED
        assert report.n_ok == {"signal": sum(status is StreamStatus.OK for status in reader.status("signal"))}


def test_long_lists_of_columns_are_shown_where_they_part(make, tmp_path):
    paths = [write_example_dataset(tmp_path / "a.h5"), shutil.copy(tmp_path / "a.h5", tmp_path / "b.h5")]
    with h5py.File(paths[1], "r+") as file:
        file["/streams/audio/feature_names"][5] = "other"
    with pytest.raises(
        InputError, match=r"feature_names is 33 long with 'mfcc_4' at 5 in \S+, 33 long with 'other' at 5"
    ):
        merge_datasets(paths, tmp_path / "c.h5", verify=False)


def test_an_existing_file_a_foreign_file_and_no_file_are_refused(make, tmp_path):
    path = make("a.h5", ["x"])
    with pytest.raises(OutputExistsError):
        merge_datasets([path], path)
    with pytest.raises(InputError, match=r"nobody.h5: expected a dataset file, found none"):
        merge_datasets([tmp_path / "nobody.h5"], tmp_path / "c.h5")
    with pytest.raises(InputError, match="expected at least one dataset file to merge, got none"):
        merge_datasets([], tmp_path / "c.h5")
    (tmp_path / "text.h5").write_text("no dataset")
    with pytest.raises(SchemaError, match=r"text.h5: MF001 /: expected an HDF5 file.*; see mmfeat validate"):
        merge_datasets([tmp_path / "text.h5"], tmp_path / "c.h5")


def test_an_input_may_be_replaced_by_the_merge(make, tmp_path, content):
    paths = [make("a.h5", ["x"]), make("b.h5", ["y"])]
    merge_datasets(paths, paths[0], overwrite=True)
    assert content(sound(paths[0])) == content(make("c.h5", ["x", "y"]))


def test_a_damaged_input_does_not_get_a_hash_that_calls_it_sound(example_copy, tmp_path):
    with h5py.File(example_copy, "r+") as file:
        file["/streams/audio/values"][3, 3] += 1
    with pytest.raises(SchemaError, match="expected the content of its hash, it was changed or damaged"):
        merge_datasets([example_copy], tmp_path / "c.h5")
    assert not (tmp_path / "c.h5").exists()
    merge_datasets([example_copy], tmp_path / "c.h5", verify=False)
    sound(tmp_path / "c.h5")


def test_a_file_of_a_newer_minor_version_is_refused(example_copy, tmp_path):
    with h5py.File(example_copy, "r+") as file:
        file.attrs["format_version"] = "1.99"
    with pytest.raises(SchemaError, match=r"got '1\.99', of which a part would be lost; update mmfeat"):
        merge_datasets([example_copy], tmp_path / "c.h5", verify=False)


def test_an_input_that_changes_meanwhile_is_noticed(make, tmp_path):
    paths = [make("a.h5", ["x"]), make("b.h5", ["y"])]

    def change(items, total, description):
        if description == "blocks":
            paths[1].touch()
        yield from items

    with pytest.raises(InputError, match=r"b.h5: expected the file as it was a moment ago, it was changed"):
        merge_datasets(paths, tmp_path / "c.h5", track=change)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.h5", "b.h5"]


def test_a_second_writer_of_the_output_is_refused(make, tmp_path):
    path = make("a.h5", ["x"])
    tried = []

    def meanwhile(items, total, description):
        if description == "blocks":
            with pytest.raises(InputError, match=r"c.h5: another process writes this file"):
                merge_datasets([path], tmp_path / "c.h5")
            tried.append(description)
        yield from items

    merge_datasets([path], tmp_path / "c.h5", track=meanwhile)
    assert tried == ["blocks"]
    sound(tmp_path / "c.h5")


def test_everything_that_the_specification_has_is_copied():
    """A new group of the specification has to be taken along by ``assemble`` before this list grows."""
    known = {"", "clips", "failures", "labels", "provenance", "splits", "streams", "words"}
    assert {rule.path.split("/")[1] for rule in schema.schema_rules()} <= known


def test_words_are_merged(make, ids, tmp_path):
    whole = make("whole.h5", ids)
    n_word = [index % 3 for index in range(len(ids))]
    with h5py.File(whole, "r+") as file:
        file["/words/offsets"] = np.concatenate([[0], np.cumsum(n_word)])
        tokens = [f"wörd {index}" for index in range(sum(n_word))]
        file.create_dataset("/words/token", data=tokens, dtype=h5py.string_dtype())
        for name in ("start_s", "end_s"):
            file[f"/words/{name}"] = np.arange(len(tokens), dtype=np.float64)
        file.attrs["content_sha256"] = expected = content_sha256(file)
    for name, chosen in {"a.h5": ids[:7], "b.h5": ids[7:]}.items():
        subset_dataset(whole, tmp_path / name, ids=chosen)
    merge_datasets([tmp_path / "a.h5", tmp_path / "b.h5"], tmp_path / "c.h5")
    with h5py.File(sound(tmp_path / "c.h5")) as file:
        assert file.attrs["content_sha256"] == expected
