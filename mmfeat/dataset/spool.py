"""The spool of one stream: frames are appended to flat files while clips arrive, then stored once.

The final datasets are contiguous, so their sizes must be known before they are made; flat files hold the frames
until then, and memory stays bounded whatever the number of clips.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mmfeat.dataset.flat_file import Compression, FlatFile
from mmfeat.errors import SchemaError
from mmfeat.images import EncodedFrames
from mmfeat.types import FrameFeatures, StreamInfo, StreamStatus


class Spool(ABC):
    """Collects one stream clip by clip.

    Args:
        info: columns and origin of the stream.
        folder: where the flat files are kept until ``store``.
        rows: (frames, status) of clips that an interrupted run committed; what lies behind them is cut off.
    """

    def __init__(self, info: StreamInfo, folder: Path, rows: Iterable[tuple[int, StreamStatus]] = ()) -> None:
        self.info = info
        self.offsets = array("q", [0])
        self.status = array("B")
        for n_frame, status in rows:
            self.offsets.append(self.offsets[-1] + n_frame)
            self.status.append(status)
        self._files: dict[str, FlatFile] = {}
        try:
            for column, file in self._open(folder):
                self._files[column] = file
        except SchemaError:
            self.close()
            raise

    def append(self, frames: FrameFeatures | EncodedFrames | None, status: StreamStatus) -> int:
        """Add the next clip: its frames, or none with the reason; return how many bytes they have."""
        rows = {} if frames is None else self._rows(frames)
        n_byte = sum(self._files[column].append(values) for column, values in rows.items())
        self.status.append(status)
        self.offsets.append(self.offsets[-1] + (0 if frames is None else frames.n_frame))
        return n_byte

    def flush(self) -> None:
        """Hand all frames to the operating system."""
        for file in self._files.values():
            file.flush()

    @property
    def columns(self) -> dict[str, FlatFile]:
        """The flat files that become datasets as they are."""
        return self._files

    @property
    def n_frame_of_last(self) -> int:
        """Frames of the clip that was added last."""
        return self.offsets[-1] - self.offsets[-2]

    def store(self, group: h5py.Group, compression: Compression = "none") -> None:
        """Copy the frames into datasets of ``group``, but for those that have their place there."""
        for column, file in self.columns.items():
            if column not in group:
                file.store(group, column, compression)
        group["offsets"] = np.asarray(self.offsets, dtype=np.int64)

    def close(self) -> None:
        """Close the flat files."""
        for file in self._files.values():
            file.close()

    @abstractmethod
    def _open(self, folder: Path) -> Iterator[tuple[str, FlatFile]]:
        """Yield column and flat file, cut to what ``offsets`` says was committed."""

    @abstractmethod
    def _rows(self, frames: Any) -> Mapping[str, Any]:
        """Return the rows of one clip by column."""


class FeatureSpool(Spool):
    """Collects a stream of features."""

    def _open(self, folder: Path) -> Iterator[tuple[str, FlatFile]]:
        widths = {"values": len(self.info.feature_names), "intervals_s": 2}
        for column, dtype in self._column_types().items():
            path = folder / f"{self.info.name}.{column}"
            yield column, FlatFile(path, dtype, self.offsets[-1], widths.get(column))

    def _rows(self, frames: Any) -> Mapping[str, Any]:
        if not isinstance(frames, FrameFeatures):
            raise SchemaError(f"stream {self.info.name!r}: expected features, got {type(frames).__name__}")
        if frames.names != self.info.feature_names:
            raise SchemaError(
                f"stream {self.info.name!r}: expected columns {self.info.feature_names[:3]}…, "
                f"got {frames.names[:3]}…; every clip of a stream has the same columns"
            )
        rows = {column: getattr(frames, column) for column in self._files}
        missing = [column for column, values in rows.items() if values is None]
        if missing:
            raise SchemaError(f"stream {self.info.name!r}: expected {missing[0]} for every clip, got none")
        return rows

    def _column_types(self) -> dict[str, type[Any]]:
        columns: dict[str, type[Any]] = {"values": np.float32, "valid": np.bool_}
        if self.info.has_voiced:
            columns["voiced"] = np.bool_
        if self.info.has_confidence:
            columns["confidence"] = np.float16
        if self.info.has_intervals:
            columns["intervals_s"] = np.float64
        elif self.info.hop_s is None and not self.info.clock:
            columns["times_s"] = np.float64
        return columns
