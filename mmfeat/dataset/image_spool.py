"""The spool of a stream of encoded images: their bytes one after the other, and the size of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mmfeat.dataset.flat_file import Compression, FlatFile
from mmfeat.dataset.spool import FeatureSpool, Spool
from mmfeat.errors import SchemaError
from mmfeat.images import EncodedFrames
from mmfeat.types import StreamInfo, StreamStatus

_SIZES = "frame_sizes"  # on disk they become frame_offsets


class ImageSpool(Spool):
    """Collects a stream of encoded images."""

    def store(self, group: h5py.Group, compression: Compression = "none") -> None:
        """Copy the frames into datasets of ``group``; sizes become offsets. Images are compressed as they are."""
        super().store(group)
        group["frame_offsets"] = np.cumsum(np.concatenate([[0], *self._files[_SIZES].blocks()]), dtype=np.int64)

    @property
    def columns(self) -> dict[str, FlatFile]:
        """The flat files that become datasets as they are."""
        return {column: file for column, file in self._files.items() if column != _SIZES}

    def _open(self, folder: Path) -> Iterator[tuple[str, FlatFile]]:
        def flat(column: str, dtype: Any, n_row: int) -> tuple[str, FlatFile]:
            return column, FlatFile(folder / f"{self.info.name}.{column}", dtype, n_row)

        n_frame = self.offsets[-1]
        sizes = flat(_SIZES, np.int64, n_frame)
        yield sizes
        # The journal counts frames; how many bytes they have stands in this file alone.
        n_byte = sum(int(block.sum()) for block in sizes[1].blocks())
        yield flat("bytes", np.uint8, n_byte)
        yield flat("valid", np.bool_, n_frame)
        yield flat("times_s", np.float64, n_frame)

    def _rows(self, frames: Any) -> Mapping[str, Any]:
        if not isinstance(frames, EncodedFrames):
            raise SchemaError(f"stream {self.info.name!r}: expected encoded frames, got {type(frames).__name__}")
        expected, got = (self.info.height, self.info.width), (frames.height, frames.width)
        if got != expected:
            raise SchemaError(
                f"stream {self.info.name!r}: expected frames of {expected[0]} x {expected[1]}, got "
                f"{got[0]} x {got[1]}; every frame of a stream has the same size"
            )
        return {
            "bytes": np.frombuffer(b"".join(frames.jpegs), dtype=np.uint8),
            _SIZES: np.array([len(jpeg) for jpeg in frames.jpegs], dtype=np.int64),
            "valid": frames.valid,
            "times_s": frames.times_s,
        }


def open_spool(info: StreamInfo, folder: Path, rows: Iterable[tuple[int, StreamStatus]] = ()) -> Spool:
    """Return the spool for a stream: of images where it has a codec, else of features."""
    return (ImageSpool if info.codec else FeatureSpool)(info, folder, rows)
