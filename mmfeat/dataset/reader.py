"""Read a dataset file: the clip table at once, the frames clip by clip."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from mmfeat.dataset.aligned import AlignedBatch, read_aligned
from mmfeat.dataset.damage import refusing_damage
from mmfeat.dataset.dataset_tables import DatasetTables
from mmfeat.dataset.logical import compression_of
from mmfeat.dataset.open_stream import FrameBatch, FrameBlock, OpenStream
from mmfeat.dataset.padded import Memory, PaddedBatch, read_padded
from mmfeat.errors import InputError
from mmfeat.images import EncodedFrames
from mmfeat.types import FrameFeatures, StreamInfo, StreamStatus

_STATUS = {int(status): status for status in StreamStatus}


class DatasetReader(DatasetTables):
    """Reads a dataset file; never writes to it.

    The file is opened at first use and again in every process that uses the reader, so a reader may be handed to
    worker processes (fork or spawn); threads may share one.

    Args:
        path: the dataset file.

    Raises:
        InputError: there is no such file, or it is not HDF5.
        SchemaError: it is HDF5 but not a dataset of this format, or of a newer major version.

    Example:
        >>> from mmfeat import DatasetReader
        >>> from mmfeat.testing import write_example_dataset
        >>> path = write_example_dataset()
        >>> with DatasetReader(path) as reader:
        ...     print(reader.clip_ids[:2], reader.stream_names)
        ...     print(reader.read("audio", 0).values.shape)
        ('clip_00', 'clip_01') ('audio', 'vision')
        (10, 33)
    """

    @property
    def stream_names(self) -> tuple[str, ...]:
        """Names of the streams."""
        return self._names("/streams")

    def info(self, stream: str) -> StreamInfo:
        """Return columns and origin of a stream."""
        group = self._stream(stream)
        with refusing_damage(self.path):
            return self._info(stream, group)

    def _info(self, stream: str, group: h5py.Group) -> StreamInfo:
        attributes = group.attrs
        return StreamInfo(
            name=stream,
            feature_names=() if "codec" in attributes else self._texts(f"/streams/{stream}/feature_names"),
            feature_units=() if "codec" in attributes else self._texts(f"/streams/{stream}/feature_units"),
            extractor=str(attributes["extractor"]),
            extractor_version=str(attributes["extractor_version"]),
            preset=str(attributes["preset"]),
            config=json.loads(attributes["config"]),
            hop_s=float(attributes["hop_s"]) if "hop_s" in attributes else None,
            has_voiced="voiced" in group,
            has_confidence="confidence" in group,
            has_intervals="intervals_s" in group,
            clock=str(attributes.get("clock", "")),
            tool_license=str(attributes.get("tool_license", "")),
            codec=str(attributes.get("codec", "")),
            height=int(attributes.get("height", 0)),
            width=int(attributes.get("width", 0)),
        )

    def offsets(self, stream: str) -> npt.NDArray[np.int64]:
        """Return where each clip's frames begin, shape (clip + 1,)."""
        return self._stream_values(stream, "offsets")

    def status(self, stream: str) -> tuple[StreamStatus, ...]:
        """Return what became of a stream in each clip."""
        codes = self._stream_values(stream, "status")
        with refusing_damage(self.path):
            return tuple(map(_STATUS.__getitem__, codes.tolist()))

    def n_ok(self, stream: str) -> int:
        """Return how many clips have a stream."""
        return int(np.count_nonzero(self._stream_values(stream, "status") == StreamStatus.OK))

    def read(self, stream: str, index: int) -> FrameFeatures:
        """Return the features of one clip; no frames where its status is not ok.

        Raises:
            InputError: the file has no such stream or clip, the stream holds encoded images, or the file is damaged.
        """
        batch = self.read_batch(stream, [index])
        info = self._opened(stream).info
        return FrameFeatures(
            values=batch.values,
            times_s=batch.times_s,
            names=info.feature_names,
            units=info.feature_units,
            valid=batch.valid,
            voiced=batch.voiced,
            confidence=batch.confidence,
            hop_s=info.hop_s,
            intervals_s=batch.intervals_s,
        )

    def read_batch(self, stream: str, indices: Sequence[int] | npt.NDArray[np.int64]) -> FrameBatch:
        """Return the features of several clips, one behind the other; neighbours in the file are read in one go.

        Args:
            stream: name of a stream of features.
            indices: clips, in any order; twice is twice.

        Raises:
            InputError: the file has no such stream or clip, the stream holds encoded images, or the file is damaged.
        """
        opened = self._opened(stream)
        self._check_kind(stream, opened, images=False)
        runs = self._runs_of(stream, opened, indices)
        with refusing_damage(self.path):
            batch = opened.read_batch(runs)
        if batch.intervals_s is None:
            return batch
        starts_s = np.nan_to_num(self.starts_s[np.asarray(indices, dtype=np.int64)])  # intervals are the recording's
        return replace(batch, times_s=batch.times_s - np.repeat(starts_s, np.diff(batch.offsets)))

    def read_padded(
        self,
        stream: str,
        indices: Sequence[int] | npt.NDArray[np.int64],
        *,
        drop_invalid: bool = False,
        max_frames: int | None = None,
        memory: Memory | None = None,
    ) -> PaddedBatch:
        """Return the features of several clips as one array, with zeros behind the end of each.

        The batch is as long as its longest clip, and at least one frame; what it holds belongs to the caller.

        Args:
            stream: name of a stream of features.
            indices: clips, in any order; twice is twice.
            drop_invalid: leave frames that are not valid out; else they stay and the mask is False there.
            max_frames: of the frames that are left, keep the first ones of each clip; None: all.
            memory: called with a shape, returns the contiguous float32 array in which the values are put, whatever
                stands in it. None: new memory.

        Raises:
            InputError: the file has no such stream or clip, the stream holds encoded images, or the file is damaged.

        Example:
            >>> from mmfeat import DatasetReader
            >>> from mmfeat.testing import write_example_dataset
            >>> with DatasetReader(write_example_dataset()) as reader:
            ...     batch = reader.read_padded("audio", [4, 0])
            >>> batch.values.shape, batch.mask.shape, batch.lengths.tolist()
            ((2, 14, 33), (2, 14), [14, 10])
        """
        opened = self._opened(stream)
        self._check_kind(stream, opened, images=False)
        starts, stops = self._bounds_of(stream, opened, indices)
        read = partial(read_padded, drop_invalid=drop_invalid, max_frames=max_frames, memory=memory)
        with refusing_damage(self.path):
            return read(opened.columns, starts, stops - starts)

    def blocks(self, stream: str) -> Iterator[FrameBlock]:
        """Yield all frames of a stream in blocks of some megabytes, whatever the lengths of the clips are.

        Raises:
            InputError: the file has no such stream, the stream holds encoded images, or the file is damaged.
        """
        opened = self._opened(stream)
        self._check_kind(stream, opened, images=False)
        with refusing_damage(self.path):
            yield from opened.blocks()

    def n_blocks(self, stream: str) -> int:
        """Return how many blocks ``blocks`` yields."""
        return self._opened(stream).n_block

    def read_aligned(self, stream: str, indices: Sequence[int] | npt.NDArray[np.int64]) -> AlignedBatch:
        """Return the mean of a stream's frames inside each word of several clips; see ``word_means``.

        Args:
            stream: name of a stream of features whose frames have times, or are words.
            indices: clips, in any order; twice is twice.

        Raises:
            InputError: the file has no such stream or clip, no words, or the stream has no clock.
        """
        return read_aligned(self, stream, indices)

    def read_frames(self, stream: str, index: int) -> EncodedFrames:
        """Return the encoded images of one clip; no frames where its status is not ok.

        Raises:
            InputError: the file has no such stream or clip, the stream holds features, or the file is damaged.
        """
        opened = self._opened(stream)
        self._check_kind(stream, opened, images=True)
        with refusing_damage(self.path):
            return opened.read_images(self._runs_of(stream, opened, [index])[0])

    def compression(self, stream: str) -> str:
        """Return how a stream is stored: none, gzip, blosc2 or decimal."""
        group = self._stream(stream)
        with refusing_damage(self.path):
            return compression_of(group)

    def n_byte(self, stream: str) -> int:
        """Return how many bytes the images of a stream take; 0 for features."""
        group = self._stream(stream)
        return int(group["bytes"].shape[0]) if "bytes" in group else 0

    def _opened(self, stream: str) -> OpenStream:
        """Return the handles of a stream; looking them up costs more than reading a clip."""
        self._open()  # another process has handles of its own
        if stream not in self._streams:
            info = self.info(stream)
            with refusing_damage(self.path):
                self._streams[stream] = OpenStream.of(self._stream(stream), info, self._descriptor)
        return self._streams[stream]

    def _stream(self, name: str) -> h5py.Group:
        self._check_name("stream", name, self.stream_names)
        return self._item(f"/streams/{name}")

    def _stream_values(self, stream: str, column: str) -> npt.NDArray[Any]:
        self._check_name("stream", stream, self.stream_names)
        return self._values(f"/streams/{stream}/{column}")

    def _bounds_of(
        self, stream: str, opened: OpenStream, indices: Sequence[int] | npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return where the frames of each clip begin, and where they end."""
        clips = np.asarray(indices if len(indices) else np.empty(0, np.int64))
        for index in clips[(clips < 0) | (clips >= opened.offsets.size - 1)][:1]:
            self._check_clip(f"stream {stream!r}", opened.offsets.size - 1, index)
        return opened.offsets[clips], opened.offsets[clips + 1]

    def _runs_of(
        self, stream: str, opened: OpenStream, indices: Sequence[int] | npt.NDArray[np.int64]
    ) -> list[tuple[int, int]]:
        starts, stops = self._bounds_of(stream, opened, indices)
        return list(zip(starts.tolist(), stops.tolist(), strict=True))

    def _check_kind(self, stream: str, opened: OpenStream, *, images: bool) -> None:
        if bool(opened.info.codec) is images:
            return
        kinds, way = (("features", "images"), "read") if images else (("images", "features"), "read_frames")
        raise InputError(f"{self.path}: stream {stream!r} holds {kinds[0]}, not {kinds[1]}; read it with {way}")
