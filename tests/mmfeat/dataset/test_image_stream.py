"""A stream of encoded images: what is written comes back, and every fault is found by its rule."""

import h5py
import numpy as np
import pytest

from mmfeat import (
    ClipEntry,
    ClipFeatures,
    DatasetInfo,
    DatasetReader,
    DatasetWriter,
    EncodedFrames,
    FrameConfig,
    InputError,
    SchemaError,
    StreamFailure,
    StreamInfo,
    StreamStatus,
    describe,
    format_description,
    validate,
)
from mmfeat.dataset.content_hash import content_sha256
from mmfeat.testing import shown_number, write_example_dataset
from mmfeat.vision import frame_stream_info

IMAGES = "/streams/frames"


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return write_example_dataset(tmp_path_factory.mktemp("images") / "a.h5", with_frames=True)


@pytest.fixture
def copy(images, tmp_path):
    path = tmp_path / "copy.h5"
    path.write_bytes(images.read_bytes())
    return path


def rules_of(path, level="content"):
    return {finding.rule for finding in validate(path, level=level).findings}


def change(path, damage):
    with h5py.File(path, "r+") as file:
        damage(file[IMAGES])
        file.attrs["content_sha256"] = content_sha256(file)


def set_row(column, row, value):
    rows = column[:]
    rows[row] = value
    column[:] = rows


def test_what_was_written_comes_back(images):
    with DatasetReader(images) as reader:
        assert reader.stream_names == ("audio", "frames", "vision")
        for index in range(reader.n_clip):
            frames = reader.read_frames("frames", index)
            expected = [] if index == 1 else [10 * index + frame for frame in range(1 + index % 3)]
            assert [shown_number(image) for image in frames.decode()] == expected
            assert frames.times_s == pytest.approx(np.arange(len(expected)) / 5)
            assert frames.valid.tolist() == [frame != 1 for frame in range(len(expected))]
        assert reader.status("frames")[:2] == (StreamStatus.OK, StreamStatus.NO_FACE)


def test_the_stream_says_what_it_is(images):
    with DatasetReader(images) as reader:
        info = reader.info("frames")
        assert info == frame_stream_info(FrameConfig(size=32))
        assert reader.info("audio").codec == ""
        assert reader.n_byte("frames") == sum(
            len(jpeg) for index in range(reader.n_clip) for jpeg in reader.read_frames("frames", index).jpegs
        )
        assert reader.n_byte("audio") == 0


def test_features_and_images_are_read_by_their_own_methods(images):
    with DatasetReader(images) as reader:
        with pytest.raises(InputError, match=r"stream 'frames' holds images, not features; read it with read_frames"):
            reader.read("frames", 0)
        with pytest.raises(InputError, match=r"stream 'audio' holds features, not images; read it with read"):
            reader.read_frames("audio", 0)
        with pytest.raises(InputError, match=r"no stream 'faces'; known: audio, frames, vision"):
            reader.read_frames("faces", 0)


def test_plain_h5py_is_enough(images):
    with h5py.File(images) as file:
        stream = file[IMAGES]
        clip = stream["offsets"][2]
        start, end = stream["frame_offsets"][clip : clip + 2]
        jpeg = stream["bytes"][start:end].tobytes()
    assert jpeg[:2] + jpeg[-2:] == b"\xff\xd8\xff\xd9"


def test_a_sound_file_has_no_findings(images):
    assert validate(images, level="structure").ok
    assert validate(images, level="content").ok


def test_a_description_counts_images_and_bytes(images):
    facts = describe(images)["streams"]["frames"]
    assert (facts["n_clip"], facts["n_frame"], facts["codec"]) == (11, 22, "jpeg")
    assert "n_feature" not in facts
    text = format_description(describe(images))
    assert f"stream frames    11 clips, 22 frames of 32 x 32 (custom), jpeg, {facts['n_byte'] / 1e6:.1f} MB" in text


@pytest.mark.parametrize(
    ("rule", "damage"),
    [
        ("MF003", lambda stream: stream.attrs.__delitem__("height")),
        ("MF003", lambda stream: stream.attrs.__setitem__("width", "wide")),
        ("MF003", lambda stream: stream.parent["audio"].attrs.__setitem__("width", np.int64(32))),
        ("MF003", lambda stream: stream.__delitem__("times_s")),
        ("MF004", lambda stream: stream.__delitem__("bytes")),
        ("MF004", lambda stream: stream.__delitem__("frame_offsets")),
        ("MF004", lambda stream: stream.parent["audio"].__delitem__("values")),
        ("MF006", lambda stream: replace(stream, "valid", stream["valid"][:-1])),
        ("MF007", lambda stream: stream.create_dataset("values", data=np.zeros((22, 3), dtype=np.float32))),
        ("MF007", lambda stream: stream.parent["audio"].create_dataset("bytes", data=np.zeros(3, dtype=np.uint8))),
        ("MF010", lambda stream: set_row(stream["offsets"], -1, 99)),
        ("MF013", lambda stream: set_row(stream["status"], 0, 2)),
        ("MF021", lambda stream: set_row(stream["frame_offsets"], 0, 1)),
        ("MF021", lambda stream: set_row(stream["frame_offsets"], -1, 10**6)),
        ("MF021", lambda stream: set_row(stream["frame_offsets"], 3, stream["frame_offsets"][2])),
        ("MF022", lambda stream: stream.attrs.__setitem__("codec", "gif")),
        ("MF022", lambda stream: stream.attrs.__setitem__("height", np.int64(0))),
    ],
)
def test_a_broken_table_is_found_by_its_rule_alone(copy, rule, damage):
    change(copy, damage)
    assert rules_of(copy, "structure") == {rule}


def test_offsets_of_too_few_frames_break_every_rule_about_them(copy):
    change(copy, lambda stream: replace(stream, "frame_offsets", stream["frame_offsets"][:-1]))
    assert rules_of(copy, "structure") == {"MF006", "MF010"}


def replace(stream, name, values):
    del stream[name]
    stream[name] = values


@pytest.mark.parametrize(
    ("rule", "damage"),
    [
        ("MF017", lambda stream: set_row(stream["times_s"], slice(5, 7), stream["times_s"][5:7][::-1])),
        ("MF023", lambda stream: set_row(stream["bytes"], 0, 0)),
        ("MF023", lambda stream: set_row(stream["bytes"], -1, 0)),
        ("MF023", lambda stream: set_row(stream["frame_offsets"], 3, stream["frame_offsets"][3] + 1)),
        ("MF023", lambda stream: stream.attrs.__setitem__("width", np.int64(31))),
    ],
)
def test_a_broken_image_is_found_by_its_rule_alone_at_level_content(copy, rule, damage):
    change(copy, damage)
    assert rules_of(copy, "structure") == set()
    assert rules_of(copy) == {rule}


def test_a_finding_says_what_came(copy):
    change(copy, lambda stream: stream.attrs.__setitem__("width", np.int64(31)))
    assert validate(copy, level="content").summary() == (
        f"{copy}: MF023 {IMAGES}/bytes: frame 0: expected a JPEG of 32 x 31, got 32 x 32"
    )


@pytest.mark.parametrize("seed", range(20))
def test_a_flipped_byte_of_an_image_is_found(copy, seed):
    rng = np.random.default_rng(seed)
    with h5py.File(copy) as file:
        column = file[IMAGES]["bytes"]
        place = column.id.get_offset() + int(rng.integers(column.shape[0]))
    content = bytearray(copy.read_bytes())
    content[place] ^= 1 << int(rng.integers(8))
    copy.write_bytes(content)
    assert "MF019" in rules_of(copy)


def test_images_decide_the_content_hash(images, tmp_path):
    again = write_example_dataset(tmp_path / "again.h5", with_frames=True)
    without = write_example_dataset(tmp_path / "without.h5")
    hashes = [describe(path)["content_sha256"] for path in (images, again, without)]
    assert hashes[0] == hashes[1] != hashes[2]


def write(path, frames, info=None):
    with DatasetWriter(path, info=DatasetInfo(name="a"), streams=[info or frame_stream_info(FrameConfig())]) as writer:
        writer.write(ClipFeatures(entry=ClipEntry(clip_id="a"), streams={"frames": frames}))


def no_frames(size):
    nothing = np.zeros(0)
    return EncodedFrames(jpegs=(), times_s=nothing, valid=nothing.astype(bool), height=size, width=size)


def test_frames_of_another_size_than_the_stream_are_refused(tmp_path):
    with pytest.raises(SchemaError, match=r"stream 'frames': expected frames of 224 x 224, got 112 x 112; every frame"):
        write(tmp_path / "a.h5", no_frames(112))


def test_images_and_features_are_not_taken_for_each_other(tmp_path, images):
    with DatasetReader(images) as reader:
        features = reader.read("audio", 0)
    with pytest.raises(SchemaError, match=r"stream 'frames': expected encoded frames, got FrameFeatures"):
        write(tmp_path / "a.h5", features)
    info = StreamInfo(name="frames", extractor="", extractor_version="", preset="", config={})
    with pytest.raises(SchemaError, match=r"stream 'frames': expected features, got EncodedFrames"):
        write(tmp_path / "a.h5", no_frames(224), info)


def test_a_stream_in_which_every_clip_failed_is_valid(tmp_path):
    failure = StreamFailure(stream="frames", status=StreamStatus.NO_FACE, message="no face")
    with DatasetWriter(
        tmp_path / "a.h5", info=DatasetInfo(name="a"), streams=[frame_stream_info(FrameConfig())]
    ) as writer:
        writer.write(ClipFeatures(entry=ClipEntry(clip_id="a"), failures=(failure,)))
    assert validate(tmp_path / "a.h5", level="content").ok
    with DatasetReader(tmp_path / "a.h5") as reader:
        assert reader.read_frames("frames", 0).n_frame == 0
