"""Frames of real videos: AV1, H.265, WMV, variable frame rates, late starts; and faces where the landmarks are."""

import os
from pathlib import Path

import av
import numpy as np
import pytest

from mmfeat import (
    BuildConfig,
    DatasetReader,
    FrameConfig,
    OpenFaceConfig,
    build_dataset,
    entries_from_paths,
    read_frames,
    read_openface_csv,
    validate,
)
from mmfeat.vision import decode
from mmfeat.vision.crop import face_boxes, face_track
from mmfeat.vision.picture import fitted

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif("MMFEAT_REAL_DATA" not in os.environ, reason="MMFEAT_REAL_DATA names no folder of real clips"),
]
DATA = Path(os.environ.get("MMFEAT_REAL_DATA", ""))
VIDEOS = [
    "av1_video.mkv",
    "fi_protagonist.mp4",
    "h265_video_no_audio.mp4",
    "hamilton_many_faces.mp4",
    "nasa_13013.mp4",
    "no_audio_talking_short.mp4",
    "no_face.mp4",
    "openface_default.wmv",
    "retalking_1_vfr.mp4",
    "timo1_face_vanishes.mp4",
]


def decoded_in_order(path):
    """Return (time, RGB image) of every frame, by the plainest way there is."""
    with av.open(str(path)) as container:
        start_s = container.start_time / 1e6
        return [(float(frame.time) - start_s, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


@pytest.mark.parametrize("name", VIDEOS)
def test_the_packets_tell_the_times_that_decoding_gives(name):
    path = DATA / "video" / name
    table = decode.index_frames(path)
    assert table.packets is not None  # nothing was decoded
    every = decode.index_by_decoding(path)
    assert table.times_s == pytest.approx(every.times_s, abs=1e-9)


@pytest.mark.parametrize("name", VIDEOS)
def test_eight_frames_are_those_of_a_plain_decoding(name):
    path = DATA / "video" / name
    frames = read_frames(path, FrameConfig(quality=100))
    every = decoded_in_order(path)
    assert frames.n_frame == min(8, len(every))
    for time_s, image in zip(frames.times_s, frames.decode(), strict=True):
        nearest_s, expected = min(every, key=lambda pair: abs(pair[0] - time_s))
        assert nearest_s == pytest.approx(time_s, abs=2e-6)  # the container's start is in whole microseconds
        difference = np.abs(fitted(expected, 224).astype(int) - image)
        assert difference.mean() < 4  # JPEG halves the colour's resolution


@pytest.mark.parametrize("name", VIDEOS)
def test_jumping_gives_what_decoding_in_order_gives(name, monkeypatch):
    path = DATA / "video" / name
    config = FrameConfig(n_frames=3)
    monkeypatch.setattr(decode, "_SEEK_COST", -(10**9))  # always
    jumped = read_frames(path, config)
    monkeypatch.setattr(decode, "_SEEK_COST", 10**9)  # never
    assert read_frames(path, config).jpegs == jumped.jpegs


@pytest.mark.parametrize("video", sorted((DATA / "grid" / "video").glob("*.mpg"))[::5], ids=lambda path: path.stem)
def test_a_face_crop_contains_the_landmarks(video):
    landmarks = read_openface_csv(DATA / "grid" / "openface" / f"{video.stem}.csv", OpenFaceConfig(groups=("face-2d",)))
    frames = read_frames(video, FrameConfig(crop="face"), landmarks)
    track = face_track(landmarks, landmarks.times_s, 360)
    boxes, valid = face_boxes(track, frames.times_s, 1.5)
    assert frames.valid.tolist() == valid.tolist()
    whole = decoded_in_order(video)
    for time_s, box, image in zip(frames.times_s, boxes, frames.decode(), strict=True):
        row = int(np.abs(landmarks.times_s - time_s).argmin())
        if not landmarks.valid[row]:
            continue
        points = landmarks.values[row].reshape(2, 68)
        assert (np.abs(points - np.array([[box.x], [box.y]])) < box.side / 2).all()
        centre = points.mean(axis=1).round().astype(int)
        in_crop = ((centre - (box.x, box.y)) / box.side * 224 + 112).round().astype(int)
        patches = [
            source[y - 4 : y + 4, x - 4 : x + 4].mean(axis=(0, 1))
            for source, (x, y) in (
                (whole[row][1], centre),
                (image, in_crop),
            )
        ]
        assert patches[0] == pytest.approx(patches[1], abs=20)  # the same skin


def test_the_frames_of_a_vanishing_face_say_so(tmp_path):
    landmarks = read_openface_csv(DATA / "openface" / "single" / "timo1.csv", OpenFaceConfig(groups=("face-2d",)))
    frames = read_frames(DATA / "video" / "timo1_face_vanishes.mp4", FrameConfig(crop="face", n_frames=16), landmarks)
    assert 0 < frames.valid.sum() < 16


def test_a_folder_of_real_videos_becomes_a_valid_file(tmp_path):
    entries = entries_from_paths([DATA / "video"], [".mp4", ".mkv", ".wmv"], column="video")
    config = BuildConfig(frames=FrameConfig(), streams=("frames",))
    report = build_dataset(entries, tmp_path / "a.h5", config, n_jobs=2)
    assert report.n_ok == {"frames": len(VIDEOS)}
    assert validate(report.path, level="content").ok
    with DatasetReader(report.path) as reader:
        assert {reader.read_frames("frames", index).n_frame for index in range(reader.n_clip)} == {8}
