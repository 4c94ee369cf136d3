"""Encoded images: what a stream of frames holds instead of features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mmfeat.errors import InputError
from mmfeat.types import BoolArray, Float64Array

_START, _END = b"\xff\xd8", b"\xff\xd9"
_SIZE_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15; the three are tables


@dataclass(frozen=True, kw_only=True, eq=False)
class EncodedFrames:
    """Images of one clip, each a JPEG file of its own.

    Args:
        jpegs: the bytes of each frame.
        times_s: float64, shape (frame,), in seconds from the clip's start.
        valid: bool, shape (frame,): of a face crop, the face was tracked in this frame; else true.
        height: rows of every image, in pixels.
        width: columns of every image, in pixels.

    Raises:
        InputError: the lengths do not agree, or a frame is no JPEG of this size.
    """

    jpegs: tuple[bytes, ...]
    times_s: Float64Array
    valid: BoolArray
    height: int
    width: int

    def __post_init__(self) -> None:
        for label in ("times_s", "valid"):
            if (shape := getattr(self, label).shape) != (self.n_frame,):
                raise InputError(f"encoded frames: {label} has shape {shape}, expected ({self.n_frame},)")
        for index, jpeg in enumerate(self.jpegs):
            if (size := jpeg_size(jpeg)) != (self.height, self.width):
                got = "no whole JPEG" if size is None else f"{size[0]} x {size[1]}"
                raise InputError(f"encoded frames: frame {index}: expected {self.height} x {self.width}, got {got}")

    @property
    def n_frame(self) -> int:
        """Number of frames."""
        return len(self.jpegs)

    def decode(self) -> npt.NDArray[np.uint8]:
        """Return the images.

        Returns:
            uint8, shape (frame, height, width, 3), channels in the order red, green, blue.

        Raises:
            InputError: a frame cannot be decoded.
        """
        import cv2

        images = np.empty((self.n_frame, self.height, self.width, 3), dtype=np.uint8)
        for index, jpeg in enumerate(self.jpegs):
            image = cv2.imdecode(np.frombuffer(jpeg, dtype=np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
            if image is None or image.shape != images.shape[1:]:
                raise InputError(f"encoded frames: frame {index}: expected a JPEG, got {len(jpeg)} damaged bytes")
            images[index] = image[..., ::-1]  # OpenCV's order is blue, green, red
        return images


def encode_image(image: npt.NDArray[np.uint8], *, quality: int = 95) -> bytes:
    """Return an image as the bytes of a JPEG file.

    Args:
        image: uint8, shape (height, width, 3), red, green, blue.
        quality: 1 to 100.

    Raises:
        InputError: OpenCV cannot encode it.
    """
    import cv2

    done, jpeg = cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise InputError(f"image: expected one that can be encoded as JPEG, got shape {image.shape}")
    return bytes(jpeg)


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Return (height, width) as the header of a JPEG file says; None where the bytes are no whole JPEG file."""
    if data[:2] != _START or data[-2:] != _END:
        return None
    place = 2
    while place + 9 <= len(data) and data[place] == 0xFF:
        if data[place + 1] in _SIZE_MARKERS:
            return int.from_bytes(data[place + 5 : place + 7]), int.from_bytes(data[place + 7 : place + 9])
        place += 2 + int.from_bytes(data[place + 2 : place + 4])
    return None
