"""Clips that are parts of a recording's files: where they lie, and their rows of frame features."""

from __future__ import annotations

from dataclasses import replace
from typing import TypedDict

import numpy as np

from mmfeat.errors import ClipError
from mmfeat.types import ClipEntry, FrameFeatures, StreamStatus


class Span(TypedDict, total=False):
    """Start and end of a part in seconds from the start of its file; empty for a whole file."""

    start_s: float
    end_s: float


def clip_span(entry: ClipEntry) -> Span:
    """Return which part of its files a clip is."""
    return Span(start_s=entry.start_s, end_s=entry.end_s) if entry.is_part else Span()


def cut_out(features: FrameFeatures, *, start_s: float | None = None, end_s: float | None = None) -> FrameFeatures:
    """Return the rows from ``start_s`` to just before ``end_s``; their times count from ``start_s``.

    Args:
        features: of the whole recording, with a clock.
        start_s: where the part begins; None: the features are the clip's own.
        end_s: where it ends.

    Raises:
        ClipError: no row lies in the part, or a face was tracked in none of its rows.
    """
    if start_s is None or end_s is None:
        return features
    rows = (features.times_s >= start_s) & (features.times_s < end_s)
    span = f"from {start_s:g} s to {end_s:g} s of the recording"
    if not rows.any():
        raise ClipError(f"expected rows {span}, got none; correct the times of the clip", StreamStatus.EMPTY)
    if not features.valid[rows].any():
        raise ClipError(f"expected a face {span}, none was tracked; look at the video", StreamStatus.NO_FACE)
    return replace(
        features,
        values=np.ascontiguousarray(features.values[rows]),
        times_s=features.times_s[rows] - start_s,
        valid=features.valid[rows],
        voiced=None if features.voiced is None else features.voiced[rows],
        confidence=None if features.confidence is None else features.confidence[rows],
        intervals_s=None if features.intervals_s is None else features.intervals_s[rows],
    )
