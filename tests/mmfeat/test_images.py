"""Encoded frames: what they accept, and that they come back in the right colours."""

import cv2
import numpy as np
import pytest

from mmfeat import EncodedFrames, InputError
from mmfeat.images import jpeg_size

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def jpeg(colour, height=16, width=24, quality=95):
    image = np.full((height, width, 3), colour, dtype=np.uint8)
    return cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def frames(*jpegs, height=16, width=24, **changes):
    columns = {"times_s": np.arange(len(jpegs)) / 25, "valid": np.ones(len(jpegs), dtype=bool)}
    return EncodedFrames(jpegs=jpegs, height=height, width=width, **{**columns, **changes})


@pytest.mark.parametrize("colour", [RED, GREEN, BLUE, (255, 255, 255), (10, 120, 200)])
def test_a_colour_comes_back_as_red_green_blue(colour):
    decoded = frames(jpeg(colour)).decode()
    assert decoded.shape == (1, 16, 24, 3)
    assert decoded.dtype == np.uint8
    assert np.abs(decoded.astype(int) - colour).max() <= 2  # JPEG works in another colour space


def test_no_frames_decode_to_no_images():
    assert frames().decode().shape == (0, 16, 24, 3)


def test_frames_keep_their_order():
    means = frames(jpeg(RED), jpeg(BLUE)).decode().mean(axis=(1, 2))
    assert means.argmax(axis=1).tolist() == [0, 2]


@pytest.mark.parametrize(("height", "width"), [(1, 1), (8, 300), (224, 224)])
@pytest.mark.parametrize("quality", [1, 50, 100])
def test_the_size_is_read_from_the_header(height, width, quality):
    assert jpeg_size(jpeg(RED, height, width, quality)) == (height, width)


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xd8", b"\xff\xd8\xff\xd9", b"\x89PNG\r\n", jpeg(RED)[:-1], jpeg(RED)[1:], b"\xff\xd8" + b"\xff" * 9],
)
def test_what_is_no_whole_jpeg_has_no_size(data):
    assert jpeg_size(data) is None


def test_frames_of_another_size_are_refused():
    with pytest.raises(InputError, match=r"encoded frames: frame 1: expected 16 x 24, got 8 x 8"):
        frames(jpeg(RED), jpeg(RED, 8, 8))


def test_what_is_no_jpeg_is_refused():
    with pytest.raises(InputError, match=r"encoded frames: frame 0: expected 16 x 24, got no whole JPEG"):
        frames(b"image")


@pytest.mark.parametrize("column", ["times_s", "valid"])
def test_columns_of_another_length_are_refused(column):
    with pytest.raises(InputError, match=rf"encoded frames: {column} has shape \(3,\), expected \(1,\)"):
        frames(jpeg(RED), **{column: np.zeros(3, dtype=bool if column == "valid" else float)})


def test_a_damaged_header_is_refused_when_it_is_decoded():
    whole = jpeg(RED)
    damaged = whole.replace(b"\xff\xda", b"\xff\xd9", 1)
    with pytest.raises(InputError, match=rf"frame 0: expected a JPEG, got {len(whole)} damaged bytes"):
        frames(damaged).decode()
