"""Face boxes: found by time, around all landmarks, and honest about frames without a face."""

import numpy as np
import pytest

from mmfeat import ClipError, FrameConfig, FrameFeatures, InputError, StreamStatus, read_frames
from mmfeat.testing import write_example_video
from mmfeat.vision.crop import LANDMARK_COLUMNS, Box, face_boxes, face_track
from mmfeat.vision.picture import cut


def landmarks(centres, *, side=20.0, rate_hz=25.0, valid=None, times_s=None, names=LANDMARK_COLUMNS):
    """Return landmarks on a circle of diameter ``side`` around each centre."""
    angles = np.arange(68) / 68 * 2 * np.pi
    circle = np.concatenate([np.cos(angles), np.sin(angles)]) * side / 2
    points = np.repeat(np.asarray(centres, dtype=float), 68, axis=1) + circle
    valid = np.ones(len(points), dtype=bool) if valid is None else np.asarray(valid)
    return FrameFeatures(
        values=np.where(valid[:, None], points, 0.0).astype(np.float32)[:, : len(names)],
        times_s=np.arange(len(points)) / rate_hz if times_s is None else np.asarray(times_s),
        names=names,
        units=("px",) * len(names),
        valid=valid,
    )


def boxes_of(track_landmarks, times_s, *, n_frame=1000, margin=1.5, **options):
    track = face_track(track_landmarks, np.arange(n_frame) / 25, 200, **options)
    return face_boxes(track, np.asarray(times_s, dtype=float), margin)


def test_the_box_is_a_square_around_all_landmarks():
    (box,), valid = boxes_of(landmarks([(60, 40)]), [0.0], margin=1.5)
    assert (box.x, box.y) == pytest.approx((60, 40), abs=0.01)
    assert box.side == pytest.approx(30, rel=0.001)
    assert valid.tolist() == [True]


def test_the_row_nearest_in_time_counts_whatever_its_number():
    rows = landmarks([(10, 50), (20, 50), (30, 50)], times_s=[0.0, 0.5, 0.52])
    boxes, valid = boxes_of(rows, [0.04, 0.46, 0.515, 0.55])
    assert [round(box.x) for box in boxes] == [10, 20, 30, 30]
    assert valid.all()


def test_with_one_row_a_frame_the_rows_get_the_times_of_the_frames():
    times_s = np.array([0.0, 0.01, 0.5, 2.0])  # OpenFace would have written 0, 0.5, 1, 1.5
    rows = landmarks([(10, 50), (20, 50), (30, 50), (40, 50)], times_s=[0.0, 0.5, 1.0, 1.5])
    boxes, valid = face_boxes(face_track(rows, times_s, 200), times_s, 1.5)
    assert [round(box.x) for box in boxes] == [10, 20, 30, 40]
    assert valid.all()


def test_a_frame_without_a_face_takes_the_nearest_box_and_is_not_valid():
    rows = landmarks([(10, 50), (20, 50), (30, 50), (40, 50)], valid=[True, False, False, True])
    boxes, valid = boxes_of(rows, [0.0, 0.04, 0.08, 0.12])
    assert [round(box.x) for box in boxes] == [10, 10, 40, 40]
    assert valid.tolist() == [True, False, False, True]


def test_a_time_far_from_every_row_is_not_valid():
    boxes, valid = boxes_of(landmarks([(10, 50), (20, 50)]), [0.1, 0.2, 5.0])
    assert [round(box.x) for box in boxes] == [20, 20, 20]
    assert valid.tolist() == [True, False, False]


@pytest.mark.parametrize("runaway", [(-30, 50), (50, 900)])
def test_a_face_outside_the_image_is_none(runaway):
    boxes, valid = boxes_of(landmarks([(10, 50), runaway]), [0.0, 0.04])
    assert [round(box.x) for box in boxes] == [10, 10]
    assert valid.tolist() == [True, False]


def test_a_face_larger_than_two_images_is_none():
    rows = landmarks([(100, 100)], side=500.0)
    with pytest.raises(ClipError, match=r"expected a tracked face, got none inside the image in 1 rows; ") as caught:
        boxes_of(rows, [0.0])
    assert caught.value.status is StreamStatus.NO_FACE


def test_coordinates_are_stretched_with_the_pixels():
    (box,), _ = boxes_of(landmarks([(60, 40)]), [0.0], margin=1.0, stretch=(2.0, 1.0))
    assert (box.x, box.y, box.side) == pytest.approx((120, 40, 40), rel=0.001)


def test_columns_that_are_missing_are_named():
    with pytest.raises(InputError, match=r"landmarks: expected x_0 to y_67, 'y_67' is missing; read the group"):
        boxes_of(landmarks([(60, 40)], names=LANDMARK_COLUMNS[:-1]), [0.0])


def test_what_a_box_holds_beyond_the_border_is_black():
    image = np.full((40, 40, 3), 200, dtype=np.uint8)
    piece = cut(image, Box(x=0, y=0, side=20), 20)
    assert (piece[10:, 10:] == 200).all()
    assert (piece[:10] == 0).all()
    assert (piece[:, :10] == 0).all()
    assert (cut(image, Box(x=39, y=39, side=20), 20)[-8:, -8:] == 0).all()
    assert (cut(image, Box(x=500, y=-500, side=20), 8) == 0).all()


def test_a_face_crop_follows_the_face(tmp_path):
    """The example video is blue and white in its centre square and red beside it."""
    path = write_example_video(tmp_path / "a.mp4", n_frame=10, size=(192, 64))
    rows = landmarks([(30 + 0 * i, 32) if i < 5 else (96, 32) for i in range(10)], valid=[True] * 9 + [False])
    frames = read_frames(path, FrameConfig(fps=25.0, crop="face", size=32, margin=1.0), rows)
    images = frames.decode().astype(int)
    is_red = (images[..., 0] - images[..., 2] > 100).mean(axis=(1, 2))
    assert (is_red[:5] > 0.99).all()
    assert (is_red[5:] < 0.01).all()
    assert frames.valid.tolist() == [True] * 9 + [False]


def test_a_face_crop_of_another_video_names_the_file(tmp_path):
    path = write_example_video(tmp_path / "a.mp4", n_frame=10)
    with pytest.raises(ClipError, match=r"a.mp4: expected a tracked face, got none inside the image in 1 rows; check"):
        read_frames(path, FrameConfig(crop="face"), landmarks([(600, 400)]))
