"""The spool of one stream: frames are appended to flat files while clips arrive, then copied once.

The final datasets are contiguous, so their sizes must be known before they are made; flat files hold the frames
until then, and memory stays bounded whatever the number of clips.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mmfeat.errors import SchemaError
from mmfeat.images import EncodedFrames
from mmfeat.types import FrameFeatures, StreamInfo, StreamStatus

_ROWS_PER_COPY = 65_536
_BYTES_PER_COPY = 1 << 22


class FlatFile:
    """One column on its way to the dataset file.

    Args:
        path: the flat file; made where there is none.
        dtype: of its values.
        n_row: rows that an interrupted run committed; what lies behind them is cut off.
        width: values in a row; None for a column of single values.
    """

    def __init__(self, path: Path, dtype: Any, n_row: int, width: int | None = None) -> None:
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self._n_row = n_row
        self._row_shape = () if width is None else (width,)
        self._row_bytes = self.dtype.itemsize * (1 if width is None else width)
        n_byte = n_row * self._row_bytes
        path.touch()
        if path.stat().st_size < n_byte:  # only a power cut writes the journal before the frames
            raise SchemaError(f"{path}: expected {n_byte} bytes from the interrupted run, got fewer; run it again")
        self._handle = path.open("r+b")
        self._handle.truncate(n_byte)
        self._handle.seek(0, 2)

    def append(self, rows: Any) -> None:
        """Add rows; they are handed to the operating system at once."""
        values = np.ascontiguousarray(rows, dtype=self.dtype)
        self._handle.write(values.tobytes())
        self._handle.flush()
        self._n_row += len(values)

    def store(self, group: h5py.Group, name: str) -> None:
        """Copy the column into a contiguous dataset of ``group``."""
        dataset = group.create_dataset(name, shape=(self._n_row, *self._row_shape), dtype=self.dtype)
        start = 0
        for block in self.blocks():
            dataset[start : start + len(block)] = block
            start += len(block)

    def blocks(self) -> Iterator[np.ndarray[Any, Any]]:
        """Yield the column in blocks of rows, from the start."""
        self._handle.seek(0)
        n_row = _ROWS_PER_COPY if self._row_shape else max(_ROWS_PER_COPY, _BYTES_PER_COPY // self._row_bytes)
        while block := self._handle.read(self._row_bytes * n_row):
            yield np.frombuffer(block, dtype=self.dtype).reshape(-1, *self._row_shape)

    def close(self) -> None:
        """Close the file."""
        self._handle.close()


class Spool(ABC):
    """Collects one stream clip by clip.

    Args:
        info: columns and origin of the stream.
        folder: where the flat files are kept until ``store``.
        rows: (frames, status) of clips that an interrupted run committed; what lies behind them is cut off.
    """

    def __init__(self, info: StreamInfo, folder: Path, rows: Iterable[tuple[int, StreamStatus]] = ()) -> None:
        self.info = info
        self.offsets: list[int] = [0]
        self.status: list[StreamStatus] = []
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

    def append(self, frames: FrameFeatures | EncodedFrames | None, status: StreamStatus) -> None:
        """Add the next clip: its frames, or none with the reason."""
        rows = {} if frames is None else self._rows(frames)
        for column, values in rows.items():
            self._files[column].append(values)
        self.status.append(status)
        self.offsets.append(self.offsets[-1] + (0 if frames is None else frames.n_frame))

    @property
    def n_frame_of_last(self) -> int:
        """Frames of the clip that was added last."""
        return self.offsets[-1] - self.offsets[-2]

    def store(self, group: h5py.Group) -> None:
        """Copy the frames into contiguous datasets of ``group``."""
        for column, file in self._files.items():
            file.store(group, column)
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
