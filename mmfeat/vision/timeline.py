"""Frames in time: the clock of an OpenFace file, and the frames that its multi-face tool skipped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mmfeat.errors import ClipError
from mmfeat.types import BoolArray, Float64Array, StreamStatus
from mmfeat.vision.table import Table

_MAX_FRAME_RATE_HZ = 10_000.0  # faster cameras are damaged numbers
_ROUNDING_S = 0.001  # OpenFace writes timestamps with three decimals
_MAX_FRAMES = 100_000_000
_MAX_SKIPPED = 1_000_000  # nine hours at 30 Hz


@dataclass(frozen=True, kw_only=True, eq=False)
class Timeline:
    """Where the rows of one face stand among all frames of the video.

    Args:
        times_s: float64, shape (frame,), seconds from the start of the video.
        places: int64, shape (row,): the frame of each row of the face.
        first_frame: OpenFace's number of the first frame; more than 1 where a file was cut out of a longer one.
    """

    times_s: Float64Array
    places: npt.NDArray[np.int64]
    first_frame: int = 1

    @property
    def n_skipped(self) -> int:
        """Number of frames without a row."""
        return int(self.times_s.size - self.places.size)


def timeline(table: Table, rows: BoolArray, frame_rate_hz: float | None) -> Timeline:
    """Return the time of every frame, those included in which the face has no row.

    OpenFace counts frames from 1 and starts at 0 s (some programs count from 0). A run with one face writes a row for
    each frame; a run with several writes one for each face it sees, and none where it sees nothing. Times of skipped
    frames come from the rows of other faces, else they are interpolated.

    Args:
        table: with ``frame`` and ``timestamp`` where the file has them.
        rows: bool, shape (row,): the rows of the face.
        frame_rate_hz: the clock of files whose timestamps are missing or all 0.

    Raises:
        ClipError: no clock, frame numbers that do not count up, or faster than any camera, timestamps that go back, are
            negative or no numbers.
    """
    if "frame" not in table:
        clock = _row_clock(table, frame_rate_hz)[rows]
        return Timeline(times_s=clock, places=np.arange(clock.size))
    frames = _frame_numbers(table, rows)
    first = _first_frame(table, frames)
    own = frames[rows] - first
    n_frame = int(frames.max()) - first + 1
    return Timeline(times_s=_frame_clock(table, frames - first, n_frame, frame_rate_hz), places=own, first_frame=first)


def _first_frame(table: Table, frames: npt.NDArray[np.int64]) -> int:
    """Return the number of the video's first frame.

    Where several faces or gaps show the multi-face tool it is the first it could have seen; any other file that begins
    later was cut out of a longer one.
    """
    lowest = int(frames.min())
    has_gaps = np.unique(frames).size <= int(frames.max()) - lowest
    has_faces = "face_id" in table and bool((table["face_id"] != table["face_id"][0]).any())
    return min(1, lowest) if has_gaps or has_faces else lowest


def has_clock(table: Table) -> bool:
    """Return whether timestamps tell the time; a run over a folder of images (``-fdir``) writes 0 everywhere.

    Source: OpenFace 2.2, ``SequenceCapture::CaptureThread``.
    """
    if "timestamp" not in table:
        return False
    times_s = table["timestamp"]
    return _is_first_frame(table) or bool((times_s != times_s[0]).any())


def _is_first_frame(table: Table) -> bool:
    """Return whether there is nothing but the first frame, which is at 0 s on any clock."""
    if "frame" not in table:
        return table.n_row == 1
    frames = table["frame"]
    return bool((frames == frames[0]).all() and frames[0] <= 1)


def _row_clock(table: Table, frame_rate_hz: float | None) -> Float64Array:
    """Return the time of each row of a file without frame numbers."""
    if has_clock(table):
        return _checked(table, table["timestamp"])
    return np.arange(table.n_row, dtype=np.float64) / _rate(table, frame_rate_hz)


def _frame_clock(
    table: Table, places: npt.NDArray[np.int64], n_frame: int, frame_rate_hz: float | None
) -> Float64Array:
    """Return the time of each frame from the rows of all faces."""
    if not has_clock(table):
        _check_count(table, n_frame)
        return np.arange(n_frame, dtype=np.float64) / _rate(table, frame_rate_hz)
    known, row = np.unique(places, return_index=True)
    _check_finite(table, table["timestamp"])
    times_s = _checked(table, table["timestamp"][row])
    if known.size == n_frame:
        return times_s
    if known[0] > 0:
        known, times_s = np.append(0, known), np.append(0.0, times_s)
    _check_gaps(table, known, times_s)
    return np.asarray(np.interp(np.arange(n_frame), known, times_s))


def _frame_numbers(table: Table, rows: BoolArray) -> npt.NDArray[np.int64]:
    """Return the frame of each row, as whole numbers that count up for the face."""
    numbers = table["frame"]
    whole = np.isfinite(numbers) & (numbers >= 0) & (numbers == np.floor(numbers)) & (numbers < _MAX_FRAMES)
    if not whole.all():
        raise _refused(table, f"frame numbers from 0 on, got {numbers[~whole][0]:g}")
    frames = numbers.astype(np.int64)
    steps = np.diff(frames[rows])
    if (steps <= 0).any():
        after = frames[rows][:-1][steps <= 0][0]
        raise _refused(table, f"one row for each frame of a face, got another one for frame {after} or an earlier one")
    return frames


def _check_count(table: Table, n_frame: int) -> None:
    """Refuse a frame number that would make millions of frames of a single damaged cell."""
    if n_frame > 1_000 * table.n_row + 100_000:
        raise _refused(table, f"frame numbers that fit the rows, got frame {n_frame} in {table.n_row} rows")


def _check_gaps(table: Table, places: npt.NDArray[np.int64], times_s: Float64Array) -> None:
    """Refuse frame numbers that no camera reaches in their time: a damaged one would make thousands of frames."""
    n_frame, gap_s = np.diff(places), np.diff(times_s)
    found = np.flatnonzero(n_frame > 1 + _MAX_FRAME_RATE_HZ * (gap_s + _ROUNDING_S))
    if found.size:
        first = found[0]
        span = f"{n_frame[first]} frames from {times_s[first]:g} to {times_s[first + 1]:g} s"
        raise _refused(table, f"frame numbers that fit the time, got {span}")
    n_skipped = int(places[-1]) + 1 - places.size
    if n_skipped > _MAX_SKIPPED:
        raise _refused(table, f"at most {_MAX_SKIPPED} frames without a face, got {n_skipped}")


def _rate(table: Table, frame_rate_hz: float | None) -> float:
    if frame_rate_hz is not None:
        return frame_rate_hz
    found = "no such column"
    if "timestamp" in table:
        found = f"{table['timestamp'][0]:g} in all {table.n_row} rows (for a folder of images OpenFace writes 0)"
    message = f"{table.path}: expected timestamps in seconds, got {found}; give the frame rate (--fps)"
    raise ClipError(message, StreamStatus.DECODE_ERROR)


def _checked(table: Table, times_s: Float64Array) -> Float64Array:
    _check_finite(table, times_s)
    found = np.flatnonzero(np.diff(times_s) < 0)
    if found.size:
        found_s = times_s[found[0] : found[0] + 2]
        raise _refused(table, f"timestamps in seconds that never go back, got {found_s[1]:g} after {found_s[0]:g}")
    return times_s


def _check_finite(table: Table, times_s: Float64Array) -> None:
    known = np.isfinite(times_s) & (times_s >= 0)
    if not known.all():
        raise _refused(table, f"timestamps in seconds from 0 on, got {times_s[~known][0]:g}")


def _refused(table: Table, what: str) -> ClipError:
    return ClipError(f"{table.path}: expected {what}; run FeatureExtraction again", StreamStatus.DECODE_ERROR)
