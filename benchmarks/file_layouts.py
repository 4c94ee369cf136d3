"""The same clips in several layouts on disk: each is written and read in the way that is obvious for it."""

from __future__ import annotations

import os
import pickle
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import h5py
import numpy as np
import numpy.typing as npt

from mmfeat import (
    AudioFeatureConfig,
    ClipEntry,
    ClipFeatures,
    DatasetInfo,
    DatasetReader,
    DatasetWriter,
    Float32Array,
    FrameFeatures,
    OpenFaceConfig,
    StreamInfo,
)
from mmfeat.audio import audio_stream_info
from mmfeat.vision import openface_stream_info

Indices = npt.NDArray[np.int64]
BATCH = 32
BYTES_PER_CALL = 1 << 20
BLOCK = 64  # neighbouring clips that are read in one go, and clips that a shard holds
FRAME_RATE_HZ = 30.0
MEDIAN_S, SPREAD, LONGEST_S = 3.4, 0.6, 20.0  # log-normal: a mean of 4.1 s, as MOSI has
N_MADE = 64
STREAMS = ("audio", "vision")


def features_of(clip: ClipFeatures) -> Mapping[str, FrameFeatures]:
    """Return the streams of a clip that was made here: features all of them, no images."""
    return cast("Mapping[str, FrameFeatures]", clip.streams)


class Corpus:
    """Clips of noise with 33 columns of sound and those of faces; ``N_MADE`` different ones, again and again.

    Args:
        n_clip: how many.
        groups: of OpenFace columns: ``all`` are 709, ``au`` and ``pose`` 41.
    """

    def __init__(self, n_clip: int, groups: tuple[str, ...] = ("all",)) -> None:
        rng = np.random.default_rng(0)
        sound = audio_stream_info(AudioFeatureConfig())
        face = openface_stream_info(OpenFaceConfig(groups=groups))
        self.n_clip = n_clip
        self.streams = (sound, face)
        lengths_s = np.minimum(MEDIAN_S * np.exp(SPREAD * rng.normal(size=N_MADE)), LONGEST_S)
        hop_s = sound.hop_s or 1.0
        self._made = [
            {"audio": _frames(sound, int(s / hop_s) + 1, rng), "vision": _frames(face, int(s * FRAME_RATE_HZ) + 1, rng)}
            for s in lengths_s
        ]

    def __iter__(self) -> Iterator[ClipFeatures]:
        for index in range(self.n_clip):
            entry = ClipEntry(clip_id=f"recording{index // 20}[{index % 20}]", text="What is said.")
            yield ClipFeatures(entry=entry, streams=self._made[index % N_MADE], duration_s=4.0)

    def values(self, stream: str) -> Iterator[Float32Array]:
        """Yield the values of one stream of each clip."""
        for index in range(self.n_clip):
            yield self._made[index % N_MADE][stream].values


def _frames(info: StreamInfo, n_frame: int, rng: np.random.Generator) -> FrameFeatures:
    voiced = rng.random(n_frame) < 0.5
    values = rng.normal(size=(n_frame, len(info.feature_names))).astype(np.float32)
    if info.has_voiced:
        values[~voiced, 0] = 0.0
    return FrameFeatures(
        values=values,
        times_s=np.arange(n_frame, dtype=np.float64) * (info.hop_s or 1 / FRAME_RATE_HZ),
        names=info.feature_names,
        units=info.feature_units,
        valid=np.ones(n_frame, dtype=np.bool_),
        voiced=voiced if info.has_voiced else None,
        confidence=np.ones(n_frame, dtype=np.float32) if info.has_confidence else None,
        hop_s=info.hop_s,
    )


class Layout(ABC):
    """One way of keeping clips on disk.

    Args:
        folder: where its files are.
    """

    name: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def write(self, corpus: Corpus) -> None:
        """Write all clips."""

    @abstractmethod
    def open(self) -> Any:
        """Return what ``batch`` and ``all_clips`` read from; a context manager."""

    @abstractmethod
    def batch(self, handle: Any, indices: Indices) -> list[list[Float32Array]]:
        """Return the values of each stream of some clips, clip by clip, with the times read as well."""

    def padded_batch(self, handle: Any, indices: Indices) -> list[Float32Array]:
        """Return each stream of some clips as one array, with zeros behind their ends."""
        return [padded(clips) for clips in self.batch(handle, indices)]


class KnownOrder(Layout):
    """A layout whose clips can be counted and read in their order."""

    @abstractmethod
    def n_clip(self, handle: Any) -> int:
        """Return how many clips there are."""

    @abstractmethod
    def all_clips(self, handle: Any) -> Iterator[list[list[Float32Array]]]:
        """Yield the values of each stream of all clips in their order, some clips at a time."""


class Mmfeat(KnownOrder):
    """One file: every stream in one piece."""

    name = "mmfeat"

    def write(self, corpus: Corpus) -> None:
        """Write all clips with ``DatasetWriter``."""
        with DatasetWriter(self._path, info=DatasetInfo(name="benchmark"), streams=corpus.streams) as writer:
            for clip in corpus:
                writer.write(clip)

    def open(self) -> DatasetReader:
        """Return a reader."""
        return DatasetReader(self._path)

    def n_clip(self, handle: DatasetReader) -> int:
        """Return how many clips there are."""
        return handle.n_clip

    def batch(self, handle: DatasetReader, indices: Indices) -> list[list[Float32Array]]:
        """Return some clips."""
        batches = [handle.read_batch(stream, indices) for stream in STREAMS]
        return [np.split(batch.values, batch.offsets[1:-1]) for batch in batches]

    def padded_batch(self, handle: DatasetReader, indices: Indices) -> list[Float32Array]:
        """Return some clips, padded, and with a mask."""
        return [handle.read_padded(stream, indices).values for stream in STREAMS]

    def all_clips(self, handle: DatasetReader) -> Iterator[list[list[Float32Array]]]:
        """Yield all clips, ``BLOCK`` at a time."""
        for start in range(0, handle.n_clip, BLOCK):
            yield self.batch(handle, np.arange(start, min(start + BLOCK, handle.n_clip)))

    @property
    def _path(self) -> Path:
        return self.folder / "clips.h5"


class GroupPerClip(KnownOrder):
    """CMU-SDK's ``.csd``: one file a stream, one HDF5 group a clip with ``features`` and ``intervals``."""

    name = "one group per clip"

    def write(self, corpus: Corpus) -> None:
        """Write all clips with plain h5py."""
        files = {stream: h5py.File(self.folder / f"{stream}.csd", "w") for stream in STREAMS}
        for clip in corpus:
            for stream, features in features_of(clip).items():
                group = files[stream].create_group(f"{stream}/data/{clip.entry.clip_id}")
                group.create_dataset("features", data=features.values)
                step_s = features.hop_s or 1 / FRAME_RATE_HZ
                group.create_dataset("intervals", data=np.stack([features.times_s, features.times_s + step_s], axis=1))
        for file in files.values():
            file.close()

    def open(self) -> OpenCsd:
        """Return the open files."""
        return OpenCsd(self.folder)

    def n_clip(self, handle: OpenCsd) -> int:
        """Return how many clips there are."""
        return len(handle.keys)

    def batch(self, handle: OpenCsd, indices: Indices) -> list[list[Float32Array]]:
        """Return some clips."""
        return [[self._clip(group[handle.keys[index]]) for index in indices] for group in handle.groups]

    def all_clips(self, handle: OpenCsd) -> Iterator[list[list[Float32Array]]]:
        """Yield all clips one by one."""
        for key in handle.keys:
            yield [[self._clip(group[key])] for group in handle.groups]

    def _clip(self, group: h5py.Group) -> Float32Array:
        group["intervals"][:]
        values: Float32Array = group["features"][:]
        return values


class OpenCsd:
    """The open files of a corpus in ``.csd`` files."""

    def __init__(self, folder: Path) -> None:
        self._files = [h5py.File(folder / f"{stream}.csd") for stream in STREAMS]
        self.groups = [file[f"{stream}/data"] for file, stream in zip(self._files, STREAMS, strict=True)]
        self.keys = list(self.groups[0])

    def __enter__(self) -> OpenCsd:
        return self

    def __exit__(self, *_error: object) -> None:
        for file in self._files:
            file.close()


class PaddedPickle(KnownOrder):
    """MMSA's way: one pickle with one array of (clip, longest, feature) for each stream."""

    name = "padded pickle"

    def write(self, corpus: Corpus) -> None:
        """Pad all clips to the longest one and pickle them."""
        table: dict[str, Any] = {"id": [clip.entry.clip_id for clip in corpus]}
        for info in corpus.streams:
            clips = list(corpus.values(info.name))
            table[info.name] = padded(clips)
            table[f"{info.name}_lengths"] = [len(values) for values in clips]
        with (self.folder / "clips.pkl").open("wb") as handle:
            pickle.dump(table, handle, protocol=4)

    def open(self) -> OpenPickle:
        """Load everything."""
        return OpenPickle(self.folder / "clips.pkl")

    def n_clip(self, handle: OpenPickle) -> int:
        """Return how many clips there are."""
        return len(handle.table["id"])

    def batch(self, handle: OpenPickle, indices: Indices) -> list[list[Float32Array]]:
        """Return some clips with their padding."""
        return [[handle.table[stream][index].copy() for index in indices] for stream in STREAMS]

    def padded_batch(self, handle: OpenPickle, indices: Indices) -> list[Float32Array]:
        """Return some clips, stacked as torch's loader does it with the arrays of MMSA's dataset."""
        return [np.stack(clips) for clips in self.batch(handle, indices)]

    def all_clips(self, handle: OpenPickle) -> Iterator[list[list[Float32Array]]]:
        """Yield all clips, ``BLOCK`` at a time."""
        for start in range(0, self.n_clip(handle), BLOCK):
            yield self.batch(handle, np.arange(start, min(start + BLOCK, self.n_clip(handle))))


class OpenPickle:
    """A loaded pickle."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as handle:
            self.table: dict[str, Any] = pickle.load(handle)

    def __enter__(self) -> OpenPickle:
        return self

    def __exit__(self, *_error: object) -> None:
        self.table.clear()


def write_bare_bytes(corpus: Corpus, folder: Path) -> None:
    """Write the values of each stream one behind the other: the least that the page cache has to take."""
    for info in corpus.streams:
        descriptor = os.open(folder / info.name, os.O_WRONLY | os.O_CREAT)
        waiting: list[memoryview] = []
        for values in corpus.values(info.name):
            waiting.append(values.data)
            if sum(piece.nbytes for piece in waiting) >= BYTES_PER_CALL:
                os.writev(descriptor, waiting)
                waiting = []
        os.writev(descriptor, waiting)
        os.close(descriptor)


def padded(clips: Sequence[Float32Array]) -> Float32Array:
    """Return clips as one array of (clip, longest, feature) with zeros behind their ends."""
    table = np.zeros((len(clips), max(map(len, clips)), clips[0].shape[1]), dtype=np.float32)
    for row, values in zip(table, clips, strict=True):
        row[: len(values)] = values
    return table


LAYOUTS: dict[str, type[KnownOrder]] = {layout.name: layout for layout in (Mmfeat, GroupPerClip, PaddedPickle)}
