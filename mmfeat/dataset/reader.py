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

from mmfeat.dataset.aligned import AlignedBatch, one_row_a_word, word_means
from mmfeat.dataset.column import READ_ONLY
from mmfeat.dataset.open_stream import FrameBatch, OpenStream
from mmfeat.dataset.schema import FORMAT, FORMAT_VERSION
from mmfeat.errors import InputError, SchemaError
from mmfeat.images import EncodedFrames
from mmfeat.types import BoolArray, Float32Array, Float64Array, FrameFeatures, Split, StreamInfo, StreamStatus, Words

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
        _check_header(self.path, self._open())

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

    @functools.cached_property
    def durations_s(self) -> npt.NDArray[np.float64]:
        """Length of each clip's sound in seconds, NaN where unknown; shape (clip,)."""
        return np.asarray(self._item("/clips/duration_s")[:])

    @functools.cached_property
    def starts_s(self) -> npt.NDArray[np.float64]:
        """Start of each clip in its recording in seconds, NaN where unknown; shape (clip,)."""
        has_starts = "start_s" in self._item("/clips")
        return np.asarray(self._item("/clips/start_s")[:]) if has_starts else np.full(self.n_clip, np.nan)

    @property
    def n_clip(self) -> int:
        """Number of clips, failed ones included."""
        return len(self.clip_ids)

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names of the labels."""
        return tuple(self._item("/labels"))

    @property
    def scheme_names(self) -> tuple[str, ...]:
        """Names of the split schemes."""
        return tuple(self._item("/splits"))

    @property
    def stream_names(self) -> tuple[str, ...]:
        """Names of the streams."""
        return tuple(self._item("/streams"))

    def labels(self, name: str) -> LabelTable:
        """Return one label of every clip.

        Raises:
            InputError: the file has no such label.
        """
        self._check_name("label", name, self.label_names)
        group = self._item(f"/labels/{name}")
        return LabelTable(
            name=name,
            problem=str(group.attrs["problem"]),
            values=np.asarray(group["values"][:]),
            present=np.asarray(group["present"][:]),
            class_names=tuple(map(str, np.atleast_1d(group.attrs.get("class_names", ())))),
        )

    def parts(self, scheme: str) -> npt.NDArray[np.uint8]:
        """Return the part of each clip in a split scheme, shape (clip,), the numbers of ``Split``.

        Raises:
            InputError: the file has no such scheme.
        """
        self._check_name("split scheme", scheme, self.scheme_names)
        return np.asarray(self._item(f"/splits/{scheme}")[:])

    def recording_disjoint(self, scheme: str) -> bool:
        """Return whether no recording has clips in two parts of a scheme."""
        self._check_name("split scheme", scheme, self.scheme_names)
        return bool(self._item(f"/splits/{scheme}").attrs["recording_disjoint"])

    def members(self, scheme: str, part: Split) -> npt.NDArray[np.int64]:
        """Return the indices of the clips in one part of a scheme."""
        return np.flatnonzero(self.parts(scheme) == part).astype(np.int64)

    def info(self, stream: str) -> StreamInfo:
        """Return columns and origin of a stream."""
        group = self._stream(stream)
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
        return np.asarray(self._stream(stream)["offsets"][:])

    def status(self, stream: str) -> tuple[StreamStatus, ...]:
        """Return what became of a stream in each clip."""
        return tuple(StreamStatus(int(code)) for code in self._stream(stream)["status"][:])

    def read(self, stream: str, index: int) -> FrameFeatures:
        """Return the features of one clip; no frames where its status is not ok.

        Raises:
            InputError: the file has no such stream, or it holds encoded images.
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
            InputError: the file has no such stream, or it holds encoded images.
        """
        opened = self._opened(stream)
        self._check_kind(stream, opened, images=False)
        batch = opened.read_batch([opened.run_of(int(index)) for index in indices])
        if batch.intervals_s is None:
            return batch
        starts_s = np.nan_to_num(self.starts_s[np.asarray(indices, dtype=np.int64)])  # intervals are the recording's
        return replace(batch, times_s=batch.times_s - np.repeat(starts_s, np.diff(batch.offsets)))

    @functools.cached_property
    def words_origin(self) -> Mapping[str, Any] | None:
        """Where the words of the clips come from, as JSON values; None: the file has no words."""
        if "words" not in self._open():
            return None
        origin: dict[str, Any] = json.loads(self._item("/words").attrs.get("config", "{}"))
        return origin

    def words(self, index: int) -> Words:
        """Return the words of one clip with their times; none where the file has no words."""
        if self.words_origin is None:
            return Words(tokens=(), intervals_s=np.empty((0, 2)))
        start, end = self._item("/words/offsets")[index : index + 2]
        tokens = tuple(token.decode("utf-8") for token in self._item("/words/token")[start:end])
        return Words(tokens=tokens, intervals_s=self._word_times_s(index))

    def read_aligned(self, stream: str, index: int) -> AlignedBatch:
        """Return the mean of a stream's frames inside each word of one clip, see ``read_aligned_batch``."""
        return self.read_aligned_batch(stream, [index])

    def read_aligned_batch(self, stream: str, indices: Sequence[int] | npt.NDArray[np.int64]) -> AlignedBatch:
        """Return the mean of a stream's frames inside each word of several clips; nothing of it is stored.

        A frame is inside a word where its centre is: ``start_s <= times_s < stop_s``. Frames that are not valid do not
        count; a word without a frame is 0, and ``valid`` says so. Streams that have one frame a word are returned as
        they are.

        Args:
            stream: name of a stream of features with a clock.
            indices: clips, in any order; twice is twice.

        Raises:
            InputError: the file has no such stream or clip, no words, or no time of the stream's frames is known.
        """
        batch = self.read_batch(stream, indices)
        clock = self._opened(stream).info.clock
        if clock == "words":
            return one_row_a_word(batch)
        if clock:
            raise InputError(f"{self.path}: stream {stream!r}: expected frames with times, none is known ({clock=})")
        if self.words_origin is None:
            raise InputError(
                f"{self.path}: expected words, the file has none; make them with mmfeat align or transcribe, and build "
                "with --transcripts"
            )
        starts_s = np.nan_to_num(self.starts_s)
        return word_means(batch, [self._word_times_s(int(index)) - starts_s[int(index)] for index in indices])

    def _word_times_s(self, index: int) -> Float64Array:
        """Return start and end of a clip's words on its recording's clock, shape (word, 2)."""
        start, end = self._item("/words/offsets")[index : index + 2]
        return np.stack([self._item(f"/words/{name}")[start:end] for name in ("start_s", "end_s")], axis=1)

    def read_frames(self, stream: str, index: int) -> EncodedFrames:
        """Return the encoded images of one clip; no frames where its status is not ok.

        Raises:
            InputError: the file has no such stream, or it holds features.
        """
        opened = self._opened(stream)
        self._check_kind(stream, opened, images=True)
        return opened.read_images(opened.run_of(index))

    def n_byte(self, stream: str) -> int:
        """Return how many bytes the images of a stream take; 0 for features."""
        group = self._stream(stream)
        return int(group["bytes"].shape[0]) if "bytes" in group else 0

    def events(self) -> tuple[dict[str, Any], ...]:
        """Return the provenance events."""
        return tuple(json.loads(event) for event in self._texts("/provenance/events"))

    def failures(self) -> tuple[tuple[str, str, str, str], ...]:
        """Return (clip id, stream, code, message) of every stream that could not be read."""
        columns = [self._texts(f"/failures/{name}") for name in ("clip_id", "stage", "code", "message")]
        return tuple(zip(*columns, strict=True))

    def _open(self) -> h5py.File:
        if self._file is not None and self._pid == os.getpid():
            return self._file
        with _OPENING:
            if self._file is None or self._pid != os.getpid():
                self._file, self._streams = _open_file(self.path), {}
                self._descriptor = os.open(self.path, READ_ONLY)
                self._pid = os.getpid()
            return self._file

    def _opened(self, stream: str) -> OpenStream:
        """Return the handles of a stream; looking them up costs more than reading a clip."""
        self._open()  # another process has handles of its own
        if stream not in self._streams:
            self._streams[stream] = OpenStream.of(self._stream(stream), self.info(stream), self._descriptor)
        return self._streams[stream]

    def _stream(self, name: str) -> h5py.Group:
        self._check_name("stream", name, self.stream_names)
        return self._item(f"/streams/{name}")

    def _item(self, path: str) -> Any:
        """Return a group or dataset of the file.

        Raises:
            SchemaError: the file has none.
        """
        try:
            return self._open()[path]
        except KeyError as error:
            raise SchemaError(f"{self.path}: expected {path}; see mmfeat validate {self.path}") from error

    def _texts(self, path: str) -> tuple[str, ...]:
        return tuple(text.decode("utf-8") for text in self._item(path)[:])

    def _check_kind(self, stream: str, opened: OpenStream, *, images: bool) -> None:
        if bool(opened.info.codec) is images:
            return
        kinds, way = (("features", "images"), "read") if images else (("images", "features"), "read_frames")
        raise InputError(f"{self.path}: stream {stream!r} holds {kinds[0]}, not {kinds[1]}; read it with {way}")

    def _check_name(self, kind: str, name: str, known: tuple[str, ...]) -> None:
        if name not in known:
            raise InputError(f"{self.path}: no {kind} {name!r}; known: {', '.join(known) or 'none'}")


def _open_file(path: Path) -> h5py.File:
    if not path.is_file():
        raise InputError(f"{path}: expected a dataset file, found none; make one with mmfeat build")
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise InputError(f"{path}: expected an HDF5 file that can be opened: {error}") from error


def _check_header(path: Path, file: h5py.File) -> None:
    """Refuse foreign files and newer major versions."""
    if file.attrs.get("format") != FORMAT:
        raise SchemaError(
            f"{path}: expected a dataset with the attribute format={FORMAT!r}, got "
            f"{file.attrs.get('format')!r}; make one with mmfeat build"
        )
    stored = str(file.attrs.get("format_version", ""))
    major = stored.partition(".")[0]
    if not major.isdigit() or int(major) > int(FORMAT_VERSION.partition(".")[0]):
        raise SchemaError(f"{path}: expected format version {FORMAT_VERSION} or older, got {stored!r}; update mmfeat")
