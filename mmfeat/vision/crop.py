"""Face boxes from the 68 landmarks of OpenFace, found by time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mmfeat.errors import ClipError, InputError
from mmfeat.types import BoolArray, Float64Array, FrameFeatures, StreamStatus

_N_LANDMARK = 68
LANDMARK_COLUMNS = tuple(f"{axis}_{i}" for axis in "xy" for i in range(_N_LANDMARK))
_TOLERANCE_S = 0.1  # OpenFace's time stamps assume a constant rate and drift by as much where it is none
_LARGEST_SIDE = 2.0  # of the longer side of the image; a larger face is a landmark that ran away


@dataclass(frozen=True, kw_only=True)
class Box:
    """A square: centre and side in pixels."""

    x: float
    y: float
    side: float


@dataclass(frozen=True, kw_only=True, eq=False)
class FaceTrack:
    """Where the face is at each time.

    Args:
        times_s: float64, shape (row,), in seconds from the first frame.
        tracked: bool, shape (row,).
        centres: float64, shape (row, 2), in pixels of the upright image; 0 where not tracked.
        sides: float64, shape (row,): the longer side of the landmarks' bounding box.
    """

    times_s: Float64Array
    tracked: BoolArray
    centres: Float64Array
    sides: Float64Array


def face_track(
    landmarks: FrameFeatures, times_s: Float64Array, longer_side: int, stretch: tuple[float, float] = (1.0, 1.0)
) -> FaceTrack:
    """Return the face's place from landmarks.

    OpenFace writes one row for each frame with the time that a constant rate would give. Where there are as many rows
    as frames, row i is frame i and gets its true time; else the rows keep the times of the file. A row is not tracked
    where the centre lies outside the image or the face is more than twice its size.

    Args:
        landmarks: columns ``x_0`` to ``y_67`` in pixels, as ``read_openface_csv`` gives them for the group face-2d.
        times_s: of all frames of the video, from its first frame.
        longer_side: of the image in pixels.
        stretch: (x, y) from the pixels of the landmarks to those of the image.

    Raises:
        InputError: a column is missing.
        ClipError: no row has a face.
    """
    missing = [name for name in LANDMARK_COLUMNS if name not in landmarks.names]
    if missing:
        raise InputError(f"landmarks: expected x_0 to y_67, {missing[0]!r} is missing; read the group 'face-2d'")
    columns = [landmarks.names.index(name) for name in LANDMARK_COLUMNS]
    points = landmarks.values[:, columns].astype(np.float64).reshape(-1, 2, _N_LANDMARK)
    points *= np.asarray(stretch)[:, None]
    low, high = points.min(axis=2), points.max(axis=2)
    centres, sides = (low + high) / 2, (high - low).max(axis=1)
    inside = ((centres >= 0) & (centres <= longer_side)).all(axis=1)
    tracked = landmarks.valid & inside & (sides >= 1) & (sides <= _LARGEST_SIDE * longer_side)
    if not tracked.any():
        raise ClipError(
            f"expected a tracked face, got none inside the image in {tracked.size} rows; check that the OpenFace csv "
            "is of this video, or take --crop none",
            StreamStatus.NO_FACE,
        )
    same = landmarks.n_frame == times_s.size
    return FaceTrack(times_s=times_s if same else landmarks.times_s, tracked=tracked, centres=centres, sides=sides)


def face_boxes(track: FaceTrack, times_s: Float64Array, margin: float) -> tuple[list[Box], BoolArray]:
    """Return the square around the face at each of some times, and whether the face was tracked there.

    The row nearest in time counts, if it lies within 0.1 s; where it has no face, or none is near, the box is that of
    the nearest row with a face.

    Args:
        track: the face's place.
        times_s: float64, shape (frame,), from the first frame of the video.
        margin: side of the square in longer sides of the landmarks' bounding box.
    """
    nearest = _nearest(track.times_s, times_s)
    valid = track.tracked[nearest] & (np.abs(track.times_s[nearest] - times_s) <= _TOLERANCE_S)
    rows = np.flatnonzero(track.tracked)
    rows = rows[_nearest(track.times_s[rows], times_s)]
    boxes = [
        Box(x=float(x), y=float(y), side=float(side * margin))
        for (x, y), side in zip(track.centres[rows], track.sides[rows], strict=True)
    ]
    return boxes, np.asarray(valid)


def _nearest(times_s: Float64Array, wanted_s: Float64Array) -> npt.NDArray[np.int64]:
    """Return the index of the nearest time for each wanted one; ``times_s`` never go back."""
    after = np.searchsorted(times_s, wanted_s).clip(0, times_s.size - 1)
    before = (after - 1).clip(0)
    nearer = np.abs(times_s[before] - wanted_s) <= np.abs(times_s[after] - wanted_s)
    return np.where(nearer, before, after).astype(np.int64)
