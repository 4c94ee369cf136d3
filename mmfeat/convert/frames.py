"""From an array of a foreign file to the frames of one clip: padding, values that are no numbers, empty rows.

Rules:

- A row whose values are all 0, at the end of a padded array, is padding (at the start, where the source pads there).
  Where the source stores lengths, these count instead.
- A row that holds NaN or an infinity (COVAREP writes -inf) becomes 0 as a whole and is not valid.
- A row of two or more columns that are all 0 is not valid: the tool saw or heard nothing there.
- Where a column is ``log_f0``, a frame is voiced where it is not 0.
- Values are stored as float32; what does not fit in it counts as infinite.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mmfeat.convert.columns import LOG_F0
from mmfeat.types import BoolArray, Float64Array, FrameFeatures, StreamInfo

Padding = Literal["end", "start", "none"]


@dataclass(kw_only=True)
class Counts:
    """What was done to the rows of one stream, over all clips."""

    n_row: int = 0
    n_padding: int = 0
    n_inferred: int = 0
    n_empty: int = 0
    n_not_finite: int = 0
    cut: list[str] = field(default_factory=list)

    def notes(self, stream: str) -> list[str]:
        """Return one sentence for everything that a person should know."""
        rows = f"of {self.n_row:,} rows"
        texts = [
            (self.n_inferred, f"lengths of {self.n_inferred:,} clips are not stored; all-zero rows are their padding"),
            (self.n_padding, f"{self.n_padding:,} rows of padding left out, {self.n_row:,} kept"),
            (self.n_not_finite, f"{self.n_not_finite:,} {rows} held NaN or an infinity; set to 0 and not valid"),
            (self.n_empty, f"{self.n_empty:,} {rows} are all 0 and not valid"),
            (len(self.cut), f"{len(self.cut):,} clips have another length than stored, first {self.cut[:1]}"),
        ]
        return [f"{stream}: {text}" for count, text in texts if count]


def real_rows(values: npt.NDArray[Any], padding: Padding) -> slice:
    """Return the rows of one padded array that are no padding; none where all values are 0.

    Args:
        values: shape (row, column).
        padding: where the source puts rows of zeros.

    Example:
        >>> real_rows(np.array([[0.0], [1.0], [0.0], [0.0]]), "end")
        slice(0, 2, None)
    """
    if padding == "none":
        return slice(0, len(values))
    used = np.flatnonzero((values != 0).any(axis=1))
    if not used.size:
        return slice(0, 0)
    return slice(0, int(used[-1]) + 1) if padding == "end" else slice(int(used[0]), len(values))


def make_frames(
    values: npt.NDArray[Any],
    info: StreamInfo,
    counts: Counts,
    *,
    intervals_s: Float64Array | None = None,
    times_s: Float64Array | None = None,
) -> FrameFeatures:
    """Return the frames of one clip, cleaned by the rules of this module.

    Args:
        values: shape (frame, column), any kind of number.
        info: the stream.
        counts: what is done is added here.
        intervals_s: shape (frame, 2), where the source has them.
        times_s: shape (frame,), where the source has them.
    """
    with np.errstate(over="ignore"):
        numbers = values.astype(np.float32)
    finite = np.isfinite(numbers).all(axis=1)
    numbers[~finite] = 0
    empty: BoolArray = finite & ~numbers.any(axis=1) & (numbers.shape[1] > 1)
    counts.n_row += len(numbers)
    counts.n_not_finite += int((~finite).sum())
    counts.n_empty += int(empty.sum())
    valid: BoolArray = finite & ~empty
    if times_s is None:
        step_s = info.hop_s or float("nan")
        times_s = np.arange(len(numbers), dtype=np.float64) * step_s
    return FrameFeatures(
        values=numbers,
        times_s=times_s,
        names=info.feature_names,
        units=info.feature_units,
        valid=valid,
        voiced=numbers[:, info.feature_names.index(LOG_F0)] != 0 if info.has_voiced else None,
        hop_s=info.hop_s,
        intervals_s=intervals_s,
    )
