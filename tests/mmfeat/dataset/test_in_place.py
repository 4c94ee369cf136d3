"""The largest column is written once; the file is the same as if it had been copied."""

import hashlib
from dataclasses import replace

import h5py
import numpy as np
import pytest

import mmfeat.dataset.in_place
from mmfeat import (
    ClipEntry,
    ClipFeatures,
    DatasetInfo,
    DatasetReader,
    DatasetWriter,
    EncodedFrames,
    FrameConfig,
    FrameFeatures,
    StorageError,
    StreamInfo,
    validate,
)
from mmfeat.dataset.flat_file import ROOM, BackgroundHash, FlatFile
from mmfeat.images import encode_image
from mmfeat.vision import frame_stream_info

N_FEATURE = 300
STREAM = StreamInfo(
    name="signal",
    feature_names=tuple(f"x{index}" for index in range(N_FEATURE)),
    feature_units=("1",) * N_FEATURE,
    extractor="test",
    extractor_version="1",
    preset="custom",
    config={},
    hop_s=0.1,
)
SMALL = replace(STREAM, name="other", feature_names=("y",), feature_units=("1",), hop_s=None)
FINGERPRINT = {"settings": "a"}


def frames(info, n_frame, rng):
    return FrameFeatures(
        values=rng.normal(size=(n_frame, len(info.feature_names))).astype(np.float32),
        times_s=np.arange(n_frame) * 0.1,
        names=info.feature_names,
        units=info.feature_units,
        valid=np.ones(n_frame, dtype=bool),
        hop_s=info.hop_s,
    )


def clips(n_clip=40):
    rng = np.random.default_rng(0)
    for index in range(n_clip):
        streams = {"signal": frames(STREAM, 20 + index, rng), "other": frames(SMALL, 3, rng)}
        yield ClipFeatures(entry=ClipEntry(clip_id=str(index), text="Words."), streams=streams)


def writer(path, **options):
    return DatasetWriter(path, info=DatasetInfo(name="a"), streams=[SMALL, STREAM], **options)


def write(path, **options):
    with writer(path, **options) as open_writer:
        for clip in clips():
            open_writer.write(clip)
    return path


def content(path):
    with DatasetReader(path) as reader:
        return reader.attributes["content_sha256"]


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """Return a file of which every column was copied."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mmfeat.dataset.in_place, "_WORTH_IT", 1 << 60)
        return write(tmp_path_factory.mktemp("copied") / "a.h5")


def test_the_rows_lie_where_they_were_written_and_the_content_is_that_of_a_copy(tmp_path, copied):
    path = write(tmp_path / "a.h5")
    with h5py.File(path) as file, h5py.File(copied) as other:
        assert file["streams/signal/values"].id.get_offset() == ROOM
        assert other["streams/signal/values"].id.get_offset() != ROOM
        np.testing.assert_array_equal(file["streams/signal/values"], other["streams/signal/values"])
        assert file["streams/signal/values"].nbytes > 1 << 20
    assert content(path) == content(copied)
    assert validate(path, level="content").ok
    assert path.stat().st_size == pytest.approx(copied.stat().st_size, rel=0.01)
    assert [left.name for left in tmp_path.iterdir()] == ["a.h5"]
    with DatasetReader(path) as reader:
        for index, clip in enumerate(clips()):
            for name, features in clip.streams.items():
                np.testing.assert_array_equal(reader.read(name, index).values, features.values)


@pytest.mark.parametrize("moment", ["before", "within", "after"])
def test_a_run_that_stops_while_the_head_is_written_is_finished_by_the_next_one(tmp_path, copied, monkeypatch, moment):
    fill_room = mmfeat.dataset.writer.fill_room

    def fail(source, rows):
        if moment == "after":
            fill_room(source, rows)
        if moment == "within":
            with rows.path.open("r+b") as handle:
                handle.write(b"half a head")
                handle.seek(0, 2)
                handle.write(b"half a tail")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("mmfeat.dataset.writer.fill_room", fail)
        with pytest.raises(
            StorageError, match=r"a.h5: could not write: No space left on device; make space and run it"
        ):
            write(tmp_path / "a.h5", fingerprint=FINGERPRINT)
    entries = [clip.entry for clip in clips()]
    with writer(tmp_path / "a.h5", fingerprint=FINGERPRINT) as again:
        assert again.restore(entries) == len(entries)
    assert content(tmp_path / "a.h5") == content(copied)
    assert validate(tmp_path / "a.h5", level="content").ok
    assert [left.name for left in tmp_path.iterdir()] == ["a.h5"]


def test_a_file_of_images_is_written_in_place_too(tmp_path):
    chance = np.random.default_rng(0)
    jpegs = [encode_image(chance.integers(0, 256, (500, 500, 3), dtype=np.uint8)) for _ in range(8)]
    info = frame_stream_info(FrameConfig(size=500))
    with DatasetWriter(tmp_path / "a.h5", info=DatasetInfo(name="a"), streams=[info]) as open_writer:
        for index, jpeg in enumerate(jpegs):
            images = EncodedFrames(
                jpegs=(jpeg,), times_s=np.zeros(1), valid=np.ones(1, dtype=bool), height=500, width=500
            )
            open_writer.write(ClipFeatures(entry=ClipEntry(clip_id=str(index)), streams={"frames": images}))
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["streams/frames/bytes"].id.get_offset() == ROOM
    with DatasetReader(tmp_path / "a.h5") as reader:
        assert [reader.read_frames("frames", index).jpegs for index in range(8)] == [(jpeg,) for jpeg in jpegs]


@pytest.mark.parametrize("sizes", [[], [0], [10], [1 << 17], [10, 1 << 17, 10, 0, 5 << 16], [1 << 18] * 30])
def test_the_background_hash_is_the_hash(sizes):
    pieces = [np.random.default_rng(index).bytes(size) for index, size in enumerate(sizes)]
    digest = BackgroundHash()
    for piece in pieces:
        digest.update([piece])
    assert digest.digest() == hashlib.sha256(b"".join(pieces)).digest()
    digest.close()


def test_rows_that_the_caller_changes_later_are_stored_and_hashed_as_they_were(tmp_path):
    flat = FlatFile(tmp_path / "a", np.float32, 0, 1000)
    rows = np.ones((100, 1000), dtype=np.float32)
    flat.append(rows)
    rows[:] = 2
    assert flat.sha256() == hashlib.sha256(np.ones(100_000, dtype=np.float32).tobytes()).digest()
    assert all((block == 1).all() for block in flat.blocks())
    flat.close()


def test_thousands_of_pieces_are_written_in_their_order(tmp_path):
    flat = FlatFile(tmp_path / "a", np.int64, 0)
    for number in range(5_000):
        flat.append([number])
    assert np.concatenate(list(flat.blocks())).tolist() == list(range(5_000))
    assert flat.shape == (5_000,)
    flat.close()
