"""Which frames of a video are taken: the one place that knows the rule."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mmfeat.types import Float64Array

_ROUNDING = 1e-9  # of a multiple; times are sums of binary fractions


def centres(times_s: Float64Array, end_s: float, n_frames: int) -> npt.NDArray[np.int64]:
    """Return the frames that are shown at the centres of ``n_frames`` equal parts of the video.

    The video lasts from its first frame to ``end_s``. No frame is taken twice: where two centres meet the same one (in
    a variable frame rate), the nearest free neighbour stands in; of a video with fewer frames all are taken, once each.

    Args:
        times_s: float64, shape (frame,), ascending.
        end_s: when the last frame ends.
        n_frames: wanted number.

    Returns:
        int64, shape (min(n_frames, frame),), ascending.

    Example:
        >>> centres(np.arange(75) / 25, 3.0, 8).tolist()
        [4, 14, 23, 32, 42, 51, 60, 70]
    """
    n_frames = min(n_frames, times_s.size)
    steps = np.arange(n_frames)
    moments_s = times_s[0] + (steps + 0.5) * (end_s - times_s[0]) / n_frames
    shown = np.searchsorted(times_s, moments_s, side="right") - 1
    distinct = np.maximum.accumulate(shown - steps) + steps
    return np.asarray(np.minimum(distinct, times_s.size - n_frames + steps), dtype=np.int64)


def regular(times_s: Float64Array, end_s: float, fps: float) -> npt.NDArray[np.int64]:
    """Return the frame nearest to each multiple of ``1 / fps`` seconds after the first frame.

    No frame is taken twice, so a rate above the video's own gives every frame once.

    Returns:
        int64, shape (taken,), ascending.

    Example:
        >>> regular(np.arange(75) / 25, 3.0, 2.0).tolist()
        [0, 12, 25, 37, 50, 62]
    """
    ends = np.append((times_s[1:] + times_s[:-1]) / 2, end_s) - times_s[0]  # where each frame ceases to be the nearest
    last_multiple = np.floor(ends * fps + _ROUNDING)
    last_multiple[-1] = max(0.0, np.ceil(ends[-1] * fps - _ROUNDING) - 1)
    return np.flatnonzero(np.diff(last_multiple, prepend=-1.0) > 0).astype(np.int64)
