"""The types that everybody shares: waveforms, frame features, clips and the state of a stream.

Arrays are time first: ``(frame, feature)``. Floating point at rest is float32, times are float64 seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from mmfeat.errors import InputError

if TYPE_CHECKING:
    from mmfeat.images import EncodedFrames

Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

Stamp = tuple[str, int, int, str]
"""What tells that a file changed: path, size in bytes, time in ns and SHA-256; -1, -1 and "" where there is none."""

Item = TypeVar("Item")
Track = Callable[[Iterable[Item], int, str], Iterable[Item]]
"""Wraps an iterable to show progress: ``track(items, total, description)`` yields the same items."""


def untracked(items: Iterable[Item], _total: int, _description: str) -> Iterable[Item]:
    """Return ``items`` as they are: the ``Track`` that shows nothing."""
    return items


class Split(IntEnum):
    """To which part of a split scheme a clip belongs; the numbers are the stored ones."""

    TRAIN = 0
    VALID = 1
    TEST = 2
    NONE = 255


class StreamStatus(IntEnum):
    """What became of one stream of one clip; the numbers are the stored ones."""

    OK = 0
    MISSING_SOURCE = 1
    DECODE_ERROR = 2
    EMPTY = 3
    TOO_SHORT = 4
    NO_FACE = 5
    TOOL_FAILED = 6
    NOT_REQUESTED = 7


@dataclass(frozen=True, kw_only=True, eq=False)
class Waveform:
    """Mono audio.

    Args:
        samples: float32, shape (n_samples,), nominally in [-1, 1]; not empty, all finite.
        sample_rate: samples per second, in Hz.

    Raises:
        InputError: the samples are not one-dimensional, empty or not finite, or the rate is not positive.
    """

    samples: Float32Array
    sample_rate: int

    def __post_init__(self) -> None:
        if self.samples.ndim != 1:
            raise InputError(f"waveform: expected one dimension, got shape {self.samples.shape}; mix to mono first")
        if self.samples.size == 0:
            raise InputError("waveform: expected at least one sample, got 0; remove the clip")
        if self.sample_rate <= 0:
            raise InputError(f"waveform: expected a positive sample rate in Hz, got {self.sample_rate!r}")
        n_bad = int(self.samples.size - np.isfinite(self.samples).sum())
        if n_bad:
            raise InputError(
                f"waveform: expected finite samples, got {n_bad} NaN or infinite of {self.samples.size}; repair it"
            )

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.samples.size / self.sample_rate


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameFeatures:
    """Features of one clip, frame by frame.

    Args:
        values: float32, shape (frame, feature), finite; 0 where ``valid`` is false.
        times_s: float64, shape (frame,), the centre of each frame in seconds from the clip's start; NaN in streams
            without a clock.
        names: one name for each feature.
        units: one unit for each feature.
        valid: bool, shape (frame,): the frame was analysed (sound) or the face was tracked (vision).
        voiced: bool, shape (frame,), for streams with log-F0: the frame has a pitch.
        confidence: float32 in [0, 1], shape (frame,): the tracker's own confidence.
        hop_s: the constant step between frames in seconds, if there is one.
        intervals_s: float64, shape (frame, 2), start and end of each frame in seconds on the recording's clock, in
            streams that were aligned with words or come as intervals.
        notes: sentences that a person should read before trusting the values.

    Raises:
        InputError: the shapes do not agree or a value is not finite.
    """

    values: Float32Array
    times_s: Float64Array
    names: tuple[str, ...]
    units: tuple[str, ...]
    valid: BoolArray
    voiced: BoolArray | None = None
    confidence: Float32Array | None = None
    hop_s: float | None = None
    intervals_s: Float64Array | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n_frame = self.values.shape[0]
        if self.values.ndim != 2 or self.values.shape[1] != len(self.names):
            raise InputError(f"frame features: expected shape (frame, {len(self.names)}), got {self.values.shape}")
        if len(self.units) != len(self.names):
            raise InputError(f"frame features: {len(self.names)} names but {len(self.units)} units")
        for label in ("times_s", "valid", "voiced", "confidence"):
            column = getattr(self, label)
            if column is not None and column.shape != (n_frame,):
                raise InputError(f"frame features: {label} has shape {column.shape}, expected ({n_frame},)")
        if self.intervals_s is not None and self.intervals_s.shape != (n_frame, 2):
            raise InputError(f"frame features: intervals_s has shape {self.intervals_s.shape}, expected ({n_frame}, 2)")
        if not np.isfinite(self.values).all():
            raise InputError("frame features: expected finite values, got NaN or infinity")

    @property
    def n_frame(self) -> int:
        """Number of frames."""
        return int(self.values.shape[0])


@dataclass(frozen=True, kw_only=True, eq=False)
class Words:
    """The words of one clip with their times.

    Args:
        tokens: the words, pauses and marks as the source has them.
        intervals_s: float64, shape (word, 2), start and end in seconds on the recording's clock.

    Raises:
        InputError: the lengths do not agree.
    """

    tokens: tuple[str, ...]
    intervals_s: Float64Array

    def __post_init__(self) -> None:
        if self.intervals_s.shape != (len(self.tokens), 2):
            raise InputError(f"words: {len(self.tokens)} tokens but intervals of shape {self.intervals_s.shape}")


@dataclass(frozen=True, kw_only=True)
class ClipEntry:
    """One clip as a manifest or a corpus describes it, before anything is read.

    ``recording_id`` groups the clips of one recording or dialogue and ``position`` orders them in it.
    ``splits`` maps a scheme to the clip's part in it; ``labels`` holds the labels that are known. ``features`` names a
    file of finished features for each stream. ``start_s`` and ``end_s`` say where the clip lies in its recording, NaN
    where unknown. ``line`` is the manifest's line, for messages.
    """

    clip_id: str
    recording_id: str = ""
    speaker_id: str = ""
    position: int = 0
    splits: Mapping[str, Split] = field(default_factory=dict)
    audio: Path | None = None
    openface: Path | None = None
    video: Path | None = None
    features: Mapping[str, Path] = field(default_factory=dict)
    text: str = ""
    labels: Mapping[str, float] = field(default_factory=dict)
    start_s: float = float("nan")
    end_s: float = float("nan")
    line: int | None = None


@dataclass(frozen=True, kw_only=True)
class StreamInfo:
    """What is true of a whole stream: its columns and how they were made.

    A stream of images has a ``codec``, ``height`` and ``width`` in place of columns. ``clock`` is empty where the times
    of the frames are known; else ``words`` (one frame a word) or ``unknown``.
    """

    name: str
    feature_names: tuple[str, ...] = ()
    feature_units: tuple[str, ...] = ()
    extractor: str
    extractor_version: str
    preset: str
    config: Mapping[str, Any]
    hop_s: float | None = None
    has_voiced: bool = False
    has_confidence: bool = False
    has_intervals: bool = False
    clock: str = ""
    tool_license: str = ""
    codec: str = ""
    height: int = 0
    width: int = 0


@dataclass(frozen=True, kw_only=True)
class StreamFailure:
    """Why one stream of one clip is missing."""

    stream: str
    status: StreamStatus
    message: str


@dataclass(frozen=True, kw_only=True)
class ClipFeatures:
    """One clip after extraction: its entry, the streams that were read, the failures, and notes for people.

    ``stamps`` tell whether its files changed: of each its size, time and hash.
    """

    entry: ClipEntry
    streams: Mapping[str, FrameFeatures | EncodedFrames] = field(default_factory=dict)
    words: Words | None = None
    failures: tuple[StreamFailure, ...] = ()
    duration_s: float = float("nan")
    source_sha256: str = ""
    stamps: tuple[Stamp, ...] = ()
    notes: tuple[str, ...] = ()
