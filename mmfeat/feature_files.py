"""Streams of features that are finished already: a clip names their files, a build only reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mmfeat.convert.frames import Counts
from mmfeat.convert.table import feature_frames, feature_stream
from mmfeat.errors import InputError
from mmfeat.types import ClipEntry, FrameFeatures, StreamInfo

_OWN = ("audio", "vision", "frames")


def feature_file_streams(names: Sequence[str], entries: Sequence[ClipEntry]) -> dict[str, StreamInfo]:
    """Return the streams whose files the clips name, by the first file of each that can be read.

    Raises:
        InputError: no file of a stream can be read, or it has the name of one that is extracted.
    """
    for name in names:
        if name in _OWN:
            raise InputError(f"stream {name}: expected another name for finished features; this one is extracted")
    return {name: feature_stream(name, entries) for name in names}


def read_feature_file(path: Path, info: StreamInfo) -> FrameFeatures:
    """Return the frames of one file, with what was done to them as notes.

    Raises:
        ClipError: it cannot be read, or does not fit the other files of its stream.
    """
    counts = Counts()
    frames = feature_frames(path, info, counts)
    return replace(frames, notes=tuple(counts.notes(info.name)))


NONE: Mapping[str, StreamInfo] = {}
"""No streams of finished features."""
