"""The writer makes a whole file or none, and refuses what would break the format."""

from collections import deque

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
    OutputExistsError,
    SchemaError,
    Split,
    StreamInfo,
    validate,
)


def stream(**changes):
    fields = {
        "name": "signal",
        "feature_names": ("a", "b"),
        "feature_units": ("1", "1"),
        "extractor": "test",
        "extractor_version": "1",
        "preset": "custom",
        "config": {},
        "hop_s": 0.1,
    }
    return StreamInfo(**{**fields, **changes})


def frames(n_frame=2, **changes):
    fields = {
        "values": np.ones((n_frame, 2), dtype=np.float32),
        "times_s": np.arange(n_frame) * 0.1,
        "names": ("a", "b"),
        "units": ("1", "1"),
        "valid": np.ones(n_frame, dtype=bool),
    }
    return FrameFeatures(**{**fields, **changes})


def clip(clip_id="a", **streams):
    return ClipFeatures(entry=ClipEntry(clip_id=clip_id), streams=streams)


def writer(path, **changes):
    return DatasetWriter(path, **{"info": DatasetInfo(name="test"), "streams": [stream()], **changes})


def test_the_file_appears_when_the_block_ends_and_nothing_beside_it(tmp_path):
    with writer(tmp_path / "a.h5") as open_writer:
        open_writer.write(clip(signal=frames()))
        assert not (tmp_path / "a.h5").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]
    assert validate(tmp_path / "a.h5", level="content").ok


@pytest.mark.parametrize("error_type", [ValueError, KeyboardInterrupt])
def test_nothing_remains_when_the_block_is_left_by_an_exception(tmp_path, error_type):
    def fail():
        with writer(tmp_path / "a.h5") as open_writer:
            open_writer.write(clip(signal=frames()))
            raise error_type("stop")

    with pytest.raises(error_type, match="stop"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_refused_and_stays(tmp_path):
    (tmp_path / "a.h5").write_text("mine")
    with pytest.raises(OutputExistsError, match=r"a.h5: expected a new output, but it exists; .*--overwrite"):
        writer(tmp_path / "a.h5")
    assert (tmp_path / "a.h5").read_text() == "mine"


def test_an_existing_file_is_replaced_on_request_and_only_at_the_end(tmp_path):
    (tmp_path / "a.h5").write_text("mine")
    with writer(tmp_path / "a.h5", overwrite=True) as open_writer:
        open_writer.write(clip(signal=frames()))
        assert (tmp_path / "a.h5").read_text() == "mine"
    assert validate(tmp_path / "a.h5").ok


def test_missing_folders_are_made(tmp_path):
    with writer(tmp_path / "new/folder/a.h5") as open_writer:
        open_writer.write(clip(signal=frames()))
    assert (tmp_path / "new/folder/a.h5").is_file()


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"a.h5: expected a place to write a file, got 'Not a directory'; choose"):
        writer(tmp_path / "file" / "a.h5")


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        ([clip(""), clip("b")], r"clip id '': expected a new id that is not empty"),
        ([clip("a"), clip("a")], r"clip id 'a': expected a new id"),
        ([clip("a", other=frames())], r"clip 'a': unknown stream 'other'; known: \['signal'\]"),
        (
            [clip("a", signal=frames(names=("a", "c")))],
            r"stream 'signal': expected columns \('a', 'b'\)…, got \('a'",
        ),
    ],
)
def test_a_clip_that_does_not_fit_is_refused(tmp_path, clips, message):
    with pytest.raises(SchemaError, match=message), writer(tmp_path / "a.h5") as open_writer:
        deque(map(open_writer.write, clips))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("column", ["voiced", "confidence"])
def test_a_promised_column_must_be_there_for_every_clip(tmp_path, column):
    info = stream(**{f"has_{column}": True})
    with (
        pytest.raises(SchemaError, match=rf"stream 'signal': expected {column} for every clip, got none"),
        writer(tmp_path / "a.h5", streams=[info]) as open_writer,
    ):
        open_writer.write(clip(signal=frames()))


def test_values_are_contiguous_and_stored_once_in_clip_order(tmp_path):
    with writer(tmp_path / "a.h5") as open_writer:
        for index, n_frame in enumerate([3, 1, 2]):
            values = np.full((n_frame, 2), index, dtype=np.float32)
            open_writer.write(clip(f"clip {index}", signal=frames(n_frame, values=values)))
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["/streams/signal/offsets"][:].tolist() == [0, 3, 4, 6]
        assert file["/streams/signal/values"][:, 0].tolist() == [0, 0, 0, 1, 2, 2]
        assert file["/streams/signal/values"].chunks is None


def test_a_dataset_of_texts_alone_and_a_dataset_without_clips_are_sound(tmp_path):
    with writer(tmp_path / "text.h5", streams=[]) as open_writer:
        open_writer.write(ClipFeatures(entry=ClipEntry(clip_id="a", text="Hello")))
    with writer(tmp_path / "none.h5"):
        pass
    assert validate(tmp_path / "text.h5", level="content").ok
    assert validate(tmp_path / "none.h5", level="content").ok


def test_empty_attributes_are_not_stored(tmp_path):
    with writer(tmp_path / "a.h5", info=DatasetInfo(name="test", license="CC0-1.0"), labels=[LabelInfo(name="joy")]):
        pass
    with h5py.File(tmp_path / "a.h5") as file:
        assert file.attrs["license"] == "CC0-1.0"
        assert "language" not in file.attrs
        assert set(file["/labels/joy"].attrs) == {"problem"}


@pytest.mark.parametrize(
    ("parts", "disjoint"),
    [
        ((Split.TRAIN, Split.TRAIN), True),
        ((Split.TRAIN, Split.TEST), False),
        ((Split.TRAIN, Split.NONE), True),
    ],
)
def test_a_scheme_says_whether_it_keeps_recordings_together(tmp_path, parts, disjoint):
    with writer(tmp_path / "a.h5", streams=[], schemes=["loso"]) as open_writer:
        for index, part in enumerate(parts):
            entry = ClipEntry(clip_id=str(index), recording_id="film", text="x", splits={"loso": part})
            open_writer.write(ClipFeatures(entry=entry))
    with h5py.File(tmp_path / "a.h5") as file:
        assert bool(file["/splits/loso"].attrs["recording_disjoint"]) is disjoint
    assert validate(tmp_path / "a.h5").ok


def test_events_are_kept_in_their_order(tmp_path):
    with writer(tmp_path / "a.h5", streams=[]) as open_writer:
        open_writer.add_event({"action": "first"})
        open_writer.add_event({"action": "second", "n": 2})
    with DatasetReader(tmp_path / "a.h5") as reader:
        assert reader.events() == ({"action": "first"}, {"action": "second", "n": 2})


def test_only_a_dataset_file_is_replaced(tmp_path):
    path = tmp_path / "manifest.csv"
    path.write_text("clip_id\na\n")
    with pytest.raises(InputError, match="expected a dataset file to replace, got another file"):
        DatasetWriter(path, info=DatasetInfo(name="example"), overwrite=True)
    assert path.read_text() == "clip_id\na\n"
