"""Which face of a clip is meant, where OpenFace's multi-face tool found several."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from mmfeat.errors import ClipError, ConfigError
from mmfeat.types import BoolArray, Float64Array, StreamStatus
from mmfeat.vision.columns import GROUPS
from mmfeat.vision.table import Table

FACE_POLICIES = ("most-confident", "largest", "longest", "id=N")
_ID = re.compile(r"id=(\d+)")
_N_POINT = len(GROUPS["face-2d"].columns) // 2
# What tells a face's size in the image, the best first.
_SIZE_COLUMNS = (GROUPS["face-2d"].columns, ("p_scale",), ("pose_Tz",))


def check_policy(policy: str) -> None:
    """Refuse what is no policy.

    Raises:
        ConfigError: a word that is neither a policy nor ``id=`` with a number.
    """
    if policy not in FACE_POLICIES[:3] and not _ID.fullmatch(policy):
        raise ConfigError(f"unknown face policy {policy!r}; known: {', '.join(FACE_POLICIES)} (N as in face_id)")


def columns_for(policy: str, header: tuple[str, ...]) -> tuple[str, ...]:
    """Return the columns that a policy needs beside face, confidence and success."""
    if policy != "largest" or "face_id" not in header:
        return ()
    present = set(header)
    return next((columns for columns in _SIZE_COLUMNS if present.issuperset(columns)), ())


def rows_of_face(table: Table, policy: str) -> BoolArray:
    """Return which rows belong to the face that the policy means, shape (row,).

    ``most-confident`` is the face with the largest sum of confidences, ``longest`` the one tracked in most frames,
    ``largest`` the one that fills most of the image, summed over the frames in which it is tracked: by the box around
    its landmarks, else by its scale, else by its distance. ``id=N`` is OpenFace's own number. Of equals the lowest
    number is taken. A file without ``face_id`` has one face.

    Raises:
        ClipError: no such number; cells of ``face_id`` that number no face; ``largest`` and no column that tells a
            size.
    """
    found = _ID.fullmatch(policy)
    wanted = int(found[1]) if found else None
    if "face_id" not in table:
        faces, row_face = np.zeros(1), np.zeros(table.n_row, dtype=np.int64)
    else:
        faces, row_face = np.unique(_face_numbers(table), return_inverse=True)
    if wanted is not None:
        return _rows_of_number(table, faces, row_face, wanted)
    if faces.size == 1:
        return np.ones(table.n_row, dtype=np.bool_)
    worth = np.bincount(row_face, weights=_worth(table, policy))
    return np.asarray(row_face == int(worth.argmax()))


def is_tracked(table: Table) -> BoolArray:
    """Return OpenFace's ``success``, shape (row,); true where a file has no such column."""
    return np.asarray(table["success"] == 1) if "success" in table else np.ones(table.n_row, dtype=np.bool_)


def _face_numbers(table: Table) -> Float64Array:
    numbers = table["face_id"]
    whole = np.isfinite(numbers) & (numbers >= 0) & (numbers == np.floor(numbers))
    if not whole.all():
        raise ClipError(
            f"{table.path}: expected face numbers 0, 1, 2 … in face_id, got {numbers[~whole][0]:g}; "
            "run FeatureExtraction again",
            StreamStatus.DECODE_ERROR,
        )
    return numbers


def _rows_of_number(table: Table, faces: Float64Array, row_face: npt.NDArray[np.int64], wanted: int) -> BoolArray:
    place = np.flatnonzero(faces == wanted)
    if not place.size:
        known = ", ".join(f"{face:g}" for face in faces)
        message = f"{table.path}: expected the face {wanted}, got {known}; choose one of them (--face id=N)"
        raise ClipError(message, StreamStatus.NO_FACE)
    return np.asarray(row_face == place[0])


def _worth(table: Table, policy: str) -> Float64Array:
    """Return what each row adds to the worth of its face; damaged cells add nothing or little."""
    if policy == "longest":
        return is_tracked(table).astype(np.float64)
    if policy == "largest":
        with np.errstate(all="ignore"):
            size = _size(table)
        return np.where(is_tracked(table) & np.isfinite(size), size, 0.0)
    return np.clip(np.nan_to_num(table["confidence"]), 0.0, 1.0) if "confidence" in table else np.ones(table.n_row)


def _size(table: Table) -> Float64Array:
    """Return a number that grows with the area of each row's face."""
    landmarks, scale, distance = _SIZE_COLUMNS
    if table.has_all(landmarks):
        points = table.columns(landmarks).reshape(table.n_row, 2, _N_POINT)
        return np.asarray(np.ptp(points, axis=2).prod(axis=1))
    if table.has_all(scale):
        return table[scale[0]] ** 2
    if table.has_all(distance):
        return 1.0 / table[distance[0]] ** 2
    raise ClipError(
        f"{table.path}: expected landmarks, p_scale or pose_Tz to find the largest of several faces, got none; "
        "run FeatureExtraction with -2Dfp, or choose another policy (--face)",
        StreamStatus.DECODE_ERROR,
    )
