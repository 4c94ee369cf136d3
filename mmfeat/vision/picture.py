"""From a decoded frame to a picture of the wanted size: upright, with square pixels, cut to a square."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mmfeat.vision.crop import Box

Image = npt.NDArray[np.uint8]
"""Pixels of shape (height, width, 3): red, green, blue."""

# Flags of FFmpeg's swscale (libswscale/swscale.h). Without them it takes shortcuts whose pixels are up to 3 levels too
# dark and depend on the vector units of the machine.
_BICUBIC, _FULL_CHROMA, _ACCURATE_ROUNDING, _BIT_EXACT = 0x4, 0x2000, 0x40000, 0x80000
_CONVERSION = _BICUBIC | _FULL_CHROMA | _ACCURATE_ROUNDING | _BIT_EXACT
_ASPECTS = (0.25, 4.0)  # of a pixel; outside, the header is damaged


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """An upright image with square pixels.

    Args:
        image: the pixels.
        stretch: (x, y) by which coordinates in the upright stored pixels are multiplied to fall on ``image``.
    """

    image: Image
    stretch: tuple[float, float]


def upright(frame: Any, aspect: float) -> Picture:
    """Return a decoded frame as a viewer sees it.

    Quarter turns and mirrorings of the display matrix (phones) are applied; other angles are not. The width is
    stretched where pixels are not square. Interlaced lines stay as they are.

    Args:
        frame: an ``av.VideoFrame``.
        aspect: width of a stored pixel by its height.
    """
    image = np.asarray(frame.reformat(format="rgb24", interpolation=_CONVERSION).to_ndarray(), dtype=np.uint8)
    aspect = aspect if _ASPECTS[0] <= aspect <= _ASPECTS[1] else 1.0
    turned, stretch = _turned(image, _display_matrix(frame)), (aspect, 1.0)
    if turned.shape[:2] != image.shape[:2]:
        stretch = (1.0, aspect)
    if aspect != 1.0:
        turned = _resized(turned, round(turned.shape[1] * stretch[0]), round(turned.shape[0] * stretch[1]))
    return Picture(image=turned, stretch=stretch)


def fitted(image: Image, size: int) -> Image:
    """Return an image whose short side is ``size``, cut to a square at its centre: what vision transformers expect."""
    height, width = image.shape[:2]
    scale = size / min(height, width)
    image = _resized(image, max(size, round(width * scale)), max(size, round(height * scale)))
    top, left = (image.shape[0] - size) // 2, (image.shape[1] - size) // 2
    return image[top : top + size, left : left + size]


def cut(image: Image, box: Box, size: int) -> Image:
    """Return a square of an image, scaled to ``size``; what lies outside the image is black."""
    side = max(1, round(box.side))
    left, top = round(box.x - side / 2), round(box.y - side / 2)
    square = np.zeros((side, side, 3), dtype=np.uint8)
    inside = image[max(0, top) : max(0, top + side), max(0, left) : max(0, left + side)]
    y, x = max(0, -top), max(0, -left)
    square[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
    return _resized(square, size, size)


def _resized(image: Image, width: int, height: int) -> Image:
    """Return an image of another size: areas are averaged where it shrinks, interpolated where it grows."""
    import cv2

    shrinks = width * height < image.shape[0] * image.shape[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (width, height), interpolation=interpolation), dtype=np.uint8)


def _display_matrix(frame: Any) -> tuple[int, int, int, int]:
    """Return the signs of (a, b, c, d) of the map x' = a x + c y, y' = b x + d y to the screen."""
    stored = frame.side_data.get("DISPLAYMATRIX")
    values = np.frombuffer(bytes(stored) if stored is not None else b"", dtype=np.int32)
    if values.size < 5:
        return 1, 0, 0, 1
    a, b, _, c, d = (int(np.sign(value)) for value in values[:5])
    return a, b, c, d


def _turned(image: Image, matrix: tuple[int, int, int, int]) -> Image:
    """Return the image on the screen; only quarter turns and mirrorings have two zeros."""
    a, b, c, d = matrix
    if (b, c) == (0, 0) and a and d:
        return np.ascontiguousarray(image[::d, ::a])
    if (a, d) == (0, 0) and b and c:
        return np.ascontiguousarray(image.transpose(1, 0, 2)[::b, ::c])
    return image
