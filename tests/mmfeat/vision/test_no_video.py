"""Files that hold no video, or a damaged one: each is refused with a sentence, or read."""

import os
from contextlib import suppress
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from mmfeat import ClipError, FrameConfig, InputError, StreamStatus, read_frames
from mmfeat.testing import tone, write_example_video, write_sound_as


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_example_video(tmp_path_factory.mktemp("video") / "a.mp4", n_frame=75)


def refused(path, status):
    with pytest.raises(ClipError) as caught:
        read_frames(path)
    assert caught.value.status is status
    return str(caught.value).replace(f"{path}: ", "")


def test_a_file_without_video_is_refused(tmp_path):
    path = write_sound_as(tmp_path / "a.m4a", tone(200.0, duration_s=0.2))
    assert refused(path, StreamStatus.MISSING_SOURCE) == (
        "expected a video stream, got audio; leave the video cell of this clip empty"
    )


@pytest.mark.parametrize("suffix", ["mp3", "mp4"])
def test_a_cover_picture_is_no_video(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    with av.open(str(path), "w") as container:
        sound = container.add_stream({"mp3": "libmp3lame", "mp4": "aac"}[suffix], rate=16_000, layout="mono")
        cover = container.add_stream("mjpeg", rate=1)
        cover.width = cover.height = 32
        cover.pix_fmt = "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 1024), dtype=np.float32), format="flt", layout="mono")
        samples.sample_rate, samples.pts = 16_000, 0
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), dtype=np.uint8), format="rgb24")
        frame.pts, frame.time_base = 0, Fraction(1, 1)
        for packet in [*cover.encode(frame), *cover.encode(None), *sound.encode(samples), *sound.encode(None)]:
            container.mux(packet)
    assert refused(path, StreamStatus.MISSING_SOURCE) == (
        "expected a video stream, got a cover picture; leave the video cell of this clip empty"
    )


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "webp", "avif"])
@pytest.mark.parametrize("name", ["a.{}", "disguised.mp4"])
def test_a_picture_is_no_video(tmp_path, suffix, name):
    if not cv2.haveImageWriter(f"a.{suffix}"):
        pytest.skip(f"this OpenCV writes no {suffix}")
    encoded = cv2.imencode(f".{suffix}", np.zeros((32, 32, 3), dtype=np.uint8))[1]
    path = tmp_path / name.format(suffix)
    path.write_bytes(encoded.tobytes())
    assert refused(path, StreamStatus.MISSING_SOURCE).startswith("expected a video, got a file of the kind ")


def test_text_is_no_video(tmp_path):
    (tmp_path / "a.txt").write_text("Words.\n" * 100)
    assert refused(tmp_path / "a.txt", StreamStatus.MISSING_SOURCE).startswith(
        "expected a video, got a file of the kind"
    )


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "none.mp4", tmp_path):
        assert refused(path, StreamStatus.MISSING_SOURCE) == "expected a video file, found none; correct the path"


def test_a_file_of_no_bytes_is_refused(tmp_path):
    (tmp_path / "a.mp4").touch()
    assert refused(tmp_path / "a.mp4", StreamStatus.EMPTY) == "expected a video, got a file of 0 bytes; copy it again"


@pytest.mark.parametrize("seed", range(5))
def test_random_bytes_are_refused(tmp_path, seed):
    (tmp_path / "a.mp4").write_bytes(np.random.default_rng(seed).bytes(20_000))
    message = refused(tmp_path / "a.mp4", StreamStatus.DECODE_ERROR)
    assert message.startswith("expected a video file, got 20000 bytes that FFmpeg does not read (")


def test_an_mp4_that_was_cut_off_is_refused(video, tmp_path):
    content = video.read_bytes()
    (tmp_path / "a.mp4").write_bytes(content[: len(content) // 2])  # its table of contents stands at the end
    assert refused(tmp_path / "a.mp4", StreamStatus.DECODE_ERROR).startswith("expected a video file, got ")


def test_an_mp4_that_was_cut_off_behind_its_table_of_contents_is_refused(video, tmp_path):
    whole = tmp_path / "whole.mp4"
    with av.open(str(video)) as source, av.open(str(whole), "w", options={"movflags": "faststart"}) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    content = whole.read_bytes()
    (tmp_path / "a.mp4").write_bytes(content[: -len(content) // 4])
    message = refused(tmp_path / "a.mp4", StreamStatus.DECODE_ERROR)
    assert message.startswith("expected the 75 frames that its header says, got ")
    assert message.endswith("; copy it again")


def test_a_header_that_promises_too_many_pixels_is_refused(video, monkeypatch):
    monkeypatch.setattr("mmfeat.vision.container._MOST_PIXELS", 64 * 64 - 1)
    message = refused(video, StreamStatus.DECODE_ERROR)
    assert message == "expected a video of at most 0 megapixels, got 64 x 64; the header is damaged"


@pytest.mark.parametrize("seed", range(30))
def test_a_damaged_file_is_read_or_refused(video, tmp_path, seed):
    rng = np.random.default_rng(seed)
    content = bytearray(video.read_bytes())
    for place in rng.integers(0, len(content), size=1 + 10 * seed):
        content[place] = int(rng.integers(256))
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with suppress(ClipError):
        assert 1 <= read_frames(path, FrameConfig(size=32)).n_frame <= 8


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(video, tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(video.read_bytes())
    path.chmod(0)
    assert refused(path, StreamStatus.DECODE_ERROR).startswith("expected a video file, got ")


def test_a_face_crop_without_landmarks_is_refused(video):
    with pytest.raises(InputError, match=r"a.mp4: a face crop needs landmarks; read them with read_openface_csv"):
        read_frames(video, FrameConfig(crop="face"))
