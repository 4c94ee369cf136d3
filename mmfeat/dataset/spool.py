"""The spool of one stream: frames are appended to flat files while clips arrive, then copied once.

The final datasets are contiguous, so their sizes must be known before they are made; flat files hold the frames
until then, and memory stays bounded whatever the number of clips.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np

from mmfeat.errors import SchemaError
from mmfeat.types import FrameFeatures, StreamInfo, StreamStatus

_ROWS_PER_COPY = 65_536


class StreamSpool:
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
        self._columns: dict[str, tuple[BinaryIO, np.dtype[Any]]] = {}
        for column, dtype in self._column_types().items():
            path = folder / f"{info.name}.{column}"
            path.touch()
            width = len(info.feature_names) if column == "values" else 1
            n_byte = self.offsets[-1] * width * np.dtype(dtype).itemsize
            if path.stat().st_size < n_byte:  # only a power cut writes the journal before the frames
                raise SchemaError(f"{path}: expected {n_byte} bytes from the interrupted run, got fewer; run it again")
            handle = path.open("r+b")
            handle.truncate(n_byte)
            handle.seek(0, 2)
            self._columns[column] = (handle, np.dtype(dtype))

    def append(self, features: FrameFeatures | None, status: StreamStatus) -> None:
        """Add the next clip: its frames, or none with the reason."""
        self.status.append(status)
        if features is None:
            self.offsets.append(self.offsets[-1])
            return
        if features.names != self.info.feature_names:
            raise SchemaError(
                f"stream {self.info.name!r}: expected columns {self.info.feature_names[:3]}…, "
                f"got {features.names[:3]}…; every clip of a stream has the same columns"
            )
        for column, (handle, dtype) in self._columns.items():
            values = getattr(features, column)
            if values is None:
                raise SchemaError(f"stream {self.info.name!r}: expected {column} for every clip, got none")
            handle.write(np.ascontiguousarray(values, dtype=dtype).tobytes())
            handle.flush()
        self.offsets.append(self.offsets[-1] + features.n_frame)

    @property
    def n_frame_of_last(self) -> int:
        """Frames of the clip that was added last."""
        return self.offsets[-1] - self.offsets[-2]

    def store(self, group: h5py.Group) -> None:
        """Copy the frames into contiguous datasets of ``group``."""
        n_frame, n_feature = self.offsets[-1], len(self.info.feature_names)
        for column, (handle, dtype) in self._columns.items():
            shape = (n_frame, n_feature) if column == "values" else (n_frame,)
            dataset = group.create_dataset(column, shape=shape, dtype=dtype)
            start = 0
            for block in _blocks(handle, dtype, shape[1:]):
                dataset[start : start + len(block)] = block
                start += len(block)
        group["offsets"] = np.asarray(self.offsets, dtype=np.int64)

    def close(self) -> None:
        """Close the flat files."""
        for handle, _ in self._columns.values():
            handle.close()

    def _column_types(self) -> dict[str, type[Any]]:
        columns: dict[str, type[Any]] = {"values": np.float32, "valid": np.bool_}
        if self.info.has_voiced:
            columns["voiced"] = np.bool_
        if self.info.has_confidence:
            columns["confidence"] = np.float16
        if self.info.hop_s is None:
            columns["times_s"] = np.float64
        return columns


def _blocks(handle: BinaryIO, dtype: np.dtype[Any], row_shape: tuple[int, ...]) -> Iterator[np.ndarray[Any, Any]]:
    """Yield a flat file as arrays of at most ``_ROWS_PER_COPY`` rows."""
    handle.flush()
    handle.seek(0)
    row_bytes = dtype.itemsize * int(np.prod(row_shape, dtype=np.int64))
    while block := handle.read(row_bytes * _ROWS_PER_COPY):
        yield np.frombuffer(block, dtype=dtype).reshape(-1, *row_shape)
