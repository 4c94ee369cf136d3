"""Read a dataset file: the clip table at once, the frames clip by clip."""

from __future__ import annotations

import functools
import json
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
import numpy.typing as npt

from mmfeat.dataset.aligned import AlignedBatch, read_aligned
from mmfeat.dataset.column import READ_ONLY
from mmfeat.dataset.damage import refusing_damage
from mmfeat.dataset.logical import compression_of
from mmfeat.dataset.open_stream import FrameBatch, OpenStream
from mmfeat.dataset.opening import check_header, open_file
from mmfeat.dataset.padded import PaddedBatch, read_padded, without_invalid
from mmfeat.errors import InputError, SchemaError
from mmfeat.images import EncodedFrames
from mmfeat.types import BoolArray, Float32Array, FrameFeatures, Split, StreamInfo, StreamStatus, Words

_STATUS = {int(status): status for status in StreamStatus}
_OPENING = threading.Lock()  # threads may share a reader that is not open yet


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelTable:
    """One label of every clip.

    Args:
        name: name of the label.
        problem: regression, class or multilabel.
        values: float32, shape (clip,), 0 where absent.
        present: bool, shape (clip,).
        class_names: names of the classes 0, 1, …; empty where there are none.
    """

    name: str
    problem: str
    values: Float32Array
    present: BoolArray
    class_names: tuple[str, ...] = ()


class DatasetReader:
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

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._file: h5py.File | None = None
        self._streams: dict[str, OpenStream] = {}
        self._descriptor = self._pid = -1
        with refusing_damage(self.path):
            check_header(self.path, self._open())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None, "_streams": {}, "_descriptor": -1, "_pid": -1}

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        if self._file is not None and self._pid == os.getpid():
            self._file.close()
            os.close(self._descriptor)
        self._file, self._streams, self._descriptor = None, {}, -1

    @functools.cached_property
    def attributes(self) -> Mapping[str, str]:
        """Attributes of the dataset: name, language, license, content_sha256, …."""
        with refusing_damage(self.path):
            return {name: str(value) for name, value in self._open().attrs.items()}

    @functools.cached_property
    def clip_ids(self) -> tuple[str, ...]:
        """Ids of all clips, in file order."""
        return self._texts("/clips/id")

    @functools.cached_property
    def recording_ids(self) -> tuple[str, ...]:
        """Recording of each clip."""
        return self._texts("/clips/recording_id")

    @functools.cached_property
    def texts(self) -> tuple[str, ...]:
        """What is said in each clip; empty where unknown."""
        return self._texts("/clips/text")

    @property
    def source_sha256(self) -> tuple[str, ...]:
        """SHA-256 of each clip's sound or video file; empty where there is none."""
        return self._texts("/clips/source_sha256")

    @functools.cached_property
    def durations_s(self) -> npt.NDArray[np.float64]:
        """Length of each clip's sound in seconds, NaN where unknown; shape (clip,)."""
        return self._values("/clips/duration_s")

    @functools.cached_property
    def starts_s(self) -> npt.NDArray[np.float64]:
        """Start of each clip in its recording in seconds, NaN where unknown; shape (clip,)."""
        has_starts = "start_s" in self._names("/clips")
        return self._values("/clips/start_s") if has_starts else np.full(self.n_clip, np.nan)

    @property
    def n_clip(self) -> int:
        """Number of clips, failed ones included."""
        with refusing_damage(self.path):
            return int(self._item("/clips/id").shape[0])

    @property
    def n_recording(self) -> int:
        """Number of different recordings."""
        return len(set(self._encoded("/clips/recording_id")))

    @property
    def n_text(self) -> int:
        """Number of clips with a text."""
        return sum(map(bool, self._encoded("/clips/text")))

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names of the labels."""
        return self._names("/labels")

    @property
    def scheme_names(self) -> tuple[str, ...]:
        """Names of the split schemes."""
        return self._names("/splits")

    @property
    def stream_names(self) -> tuple[str, ...]:
        """Names of the streams."""
        return self._names("/streams")

    def labels(self, name: str) -> LabelTable:
        """Return one label of every clip.

        Raises:
            InputError: the file has no such label.
        """
        self._check_name("label", name, self.label_names)
        with refusing_damage(self.path):
            attributes = self._item(f"/labels/{name}").attrs
            problem = str(attributes["problem"])
            class_names = tuple(map(str, np.atleast_1d(attributes.get("class_names", ()))))
        return LabelTable(
            name=name,
            problem=problem,
            values=self._values(f"/labels/{name}/values"),
            present=self._values(f"/labels/{name}/present"),
            class_names=class_names,
        )

    def parts(self, scheme: str) -> npt.NDArray[np.uint8]:
        """Return the part of each clip in a split scheme, shape (clip,), the numbers of ``Split``.

        Raises:
            InputError: the file has no such scheme.
        """
        self._check_name("split scheme", scheme, self.scheme_names)
        return self._values(f"/splits/{scheme}")

    def recording_disjoint(self, scheme: str) -> bool:
        """Return whether no recording has clips in two parts of a scheme."""
        self._check_name("split scheme", scheme, self.scheme_names)
        with refusing_damage(self.path):
            return bool(self._item(f"/splits/{scheme}").attrs["recording_disjoint"])

    def members(self, scheme: str, part: Split) -> npt.NDArray[np.int64]:
        """Return the indices of the clips in one part of a scheme."""
        return np.flatnonzero(self.parts(scheme) == part).astype(np.int64)

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
        self, stream: str, indices: Sequence[int] | npt.NDArray[np.int64], *, drop_invalid: bool = False
    ) -> PaddedBatch:
        """Return the features of several clips as one array, with zeros behind the end of each.

        The batch is as long as its longest clip, and at least one frame; what it holds belongs to the caller.

        Args:
            stream: name of a stream of features.
            indices: clips, in any order; twice is twice.
            drop_invalid: leave frames that are not valid out; else they stay and the mask is False there.

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
        runs = self._runs_of(stream, opened, indices)
        with refusing_damage(self.path):
            batch = read_padded(opened.columns, runs)
        return without_invalid(batch) if drop_invalid else batch

    @functools.cached_property
    def words_origin(self) -> Mapping[str, Any] | None:
        """Where the words of the clips come from, as JSON values; None: the file has no words."""
        with refusing_damage(self.path):
            if "words" not in self._open():
                return None
            origin: dict[str, Any] = json.loads(self._item("/words").attrs.get("config", "{}"))
            return origin

    def word_offsets(self) -> npt.NDArray[np.int64]:
        """Return where each clip's words begin, shape (clip + 1,); all 0 where the file has no words."""
        return np.zeros(self.n_clip + 1, np.int64) if self.words_origin is None else self._values("/words/offsets")

    def words(self, index: int) -> Words:
        """Return the words of one clip with their times; none where the file has no words.

        Raises:
            InputError: the file has no such clip, or it is damaged.
        """
        self._check_clip("words", self.n_clip, index)
        if self.words_origin is None:
            return Words(tokens=(), intervals_s=np.empty((0, 2)))
        with refusing_damage(self.path):
            start, end = self._item("/words/offsets")[index : index + 2]
            ends = [self._item(f"/words/{name}")[start:end] for name in ("start_s", "end_s")]
            tokens = tuple(token.decode("utf-8") for token in self._item("/words/token")[start:end])
            return Words(tokens=tokens, intervals_s=np.stack(ends, axis=1))

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

    def events(self) -> tuple[dict[str, Any], ...]:
        """Return the provenance events."""
        with refusing_damage(self.path):
            return tuple(json.loads(event) for event in self._texts("/provenance/events"))

    def failures(self) -> tuple[tuple[str, str, str, str], ...]:
        """Return (clip id, stream, code, message) of every stream that could not be read."""
        columns = [self._texts(f"/failures/{name}") for name in ("clip_id", "stage", "code", "message")]
        return tuple(zip(*columns, strict=True))

    def failure_codes(self) -> tuple[tuple[str, str], ...]:
        """Return (stream, code) of every stream that could not be read."""
        return tuple(zip(self._texts("/failures/stage"), self._texts("/failures/code"), strict=True))

    def _open(self) -> h5py.File:
        if self._file is not None and self._pid == os.getpid():
            return self._file
        with _OPENING:
            if self._file is None or self._pid != os.getpid():
                self._file, self._streams = open_file(self.path), {}
                self._descriptor = os.open(self.path, READ_ONLY)
                self._pid = os.getpid()
            return self._file

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

    def _item(self, path: str) -> Any:
        """Return a group or dataset of the file.

        Raises:
            SchemaError: the file has none.
        """
        with refusing_damage(self.path):
            file = self._open()
            if path not in file:
                raise SchemaError(f"{self.path}: expected {path}; see mmfeat validate {self.path}")
            return file[path]

    def _names(self, path: str) -> tuple[str, ...]:
        group = self._item(path)
        with refusing_damage(self.path):
            return tuple(group)

    def _values(self, path: str) -> npt.NDArray[Any]:
        dataset = self._item(path)
        with refusing_damage(self.path):
            return np.asarray(dataset[:])

    def _stream_values(self, stream: str, column: str) -> npt.NDArray[Any]:
        self._check_name("stream", stream, self.stream_names)
        return self._values(f"/streams/{stream}/{column}")

    def _texts(self, path: str) -> tuple[str, ...]:
        encoded = self._encoded(path)
        with refusing_damage(self.path):
            return tuple(text.decode("utf-8") for text in encoded)

    def _encoded(self, path: str) -> list[bytes]:
        dataset = self._item(path)
        with refusing_damage(self.path):
            return list(dataset[:].tolist())

    def _runs_of(
        self, stream: str, opened: OpenStream, indices: Sequence[int] | npt.NDArray[np.int64]
    ) -> list[tuple[int, int]]:
        """Return where the frames of each clip begin and end."""
        clips = np.asarray(indices if len(indices) else np.empty(0, np.int64))
        for index in clips[(clips < 0) | (clips >= opened.offsets.size - 1)][:1]:
            self._check_clip(f"stream {stream!r}", opened.offsets.size - 1, index)
        return list(zip(opened.offsets[clips].tolist(), opened.offsets[clips + 1].tolist(), strict=True))

    def _check_clip(self, title: str, n_clip: int, index: int) -> None:
        if not 0 <= index < n_clip:
            known = f"a clip from 0 to {n_clip - 1}" if n_clip else "no clip, the file has none"
            raise InputError(f"{self.path}: {title}: expected {known}, got {index}")

    def _check_kind(self, stream: str, opened: OpenStream, *, images: bool) -> None:
        if bool(opened.info.codec) is images:
            return
        kinds, way = (("features", "images"), "read") if images else (("images", "features"), "read_frames")
        raise InputError(f"{self.path}: stream {stream!r} holds {kinds[0]}, not {kinds[1]}; read it with {way}")

    def _check_name(self, kind: str, name: str, known: tuple[str, ...]) -> None:
        if name not in known:
            raise InputError(f"{self.path}: no {kind} {name!r}; known: {', '.join(known) or 'none'}")
