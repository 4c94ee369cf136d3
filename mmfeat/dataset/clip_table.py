"""The clip table while it grows: one row for each clip, compact enough for millions.

Numbers are kept in arrays; texts go to flat files of their own, and only the ids, which must be unique, stay in memory.
A killed run leaves nothing here that the next one needs: it has the clips' entries.
"""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from mmfeat.dataset.disjoint import is_disjoint
from mmfeat.dataset.put import empty_column, put
from mmfeat.types import ClipEntry, ClipFeatures, Split, StreamFailure

_TEXTS = ("recording_id", "speaker_id", "text", "source", "source_sha256")
_PLACES = ("start_s", "end_s")
_TEXTS_PER_COPY = 65_536


@dataclass(frozen=True, kw_only=True)
class LabelInfo:
    """What one label is.

    ``value_range`` is the lowest and highest possible value; ``class_names`` are the names of the classes 0, 1, ….
    """

    name: str
    problem: str = "regression"
    value_range: tuple[float, float] | None = None
    convention: str = ""
    source: str = ""
    class_names: tuple[str, ...] = ()


class ClipTable:
    """Collects what is known of each clip but for its frames.

    Args:
        folder: where texts are kept until ``store``.
        labels: the labels that clips may have.
        schemes: names of the split schemes.

    ``failures`` are (clip id, failure) of every stream that could not be read, ``notes`` (clip id, sentence) of
    everything that a person should know of those that were.
    """

    def __init__(self, folder: Path, labels: Sequence[LabelInfo], schemes: Sequence[str]) -> None:
        self.failures: list[tuple[str, StreamFailure]] = []
        self.notes: list[tuple[str, str]] = []
        self._ids: dict[str, None] = {}
        self._texts = {name: TextFile(folder / f"clips.{name}") for name in _TEXTS}
        self._positions = array("i")
        self._durations_s = array("d")
        self._places_s = {name: array("d") for name in _PLACES}
        self._labels = {label.name: _LabelColumn(label) for label in labels}
        self._schemes = {scheme: array("B") for scheme in schemes}
        self._recording_of = array("q")
        self._recordings: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, clip_id: object) -> bool:
        return clip_id in self._ids

    def append(self, clip: ClipFeatures) -> None:
        """Add one clip."""
        entry = clip.entry
        self._ids[entry.clip_id] = None
        source = entry.audio or entry.video
        texts = (entry.recording_id or entry.clip_id, entry.speaker_id, entry.text, source.name if source else "")
        for name, text in zip(_TEXTS, (*texts, clip.source_sha256), strict=True):
            self._texts[name].append(text)
        self._positions.append(entry.position)
        self._durations_s.append(clip.duration_s)
        for name, places_s in self._places_s.items():
            places_s.append(getattr(entry, name))
        for name, label in self._labels.items():
            label.values.append(entry.labels.get(name, 0.0))
            label.present.append(name in entry.labels)
        self._append_parts(entry)
        self.failures += [(entry.clip_id, failure) for failure in clip.failures]
        self.notes += [(entry.clip_id, note) for note in clip.notes]

    def _append_parts(self, entry: ClipEntry) -> None:
        if not self._schemes:
            return
        for scheme, parts in self._schemes.items():
            parts.append(entry.splits.get(scheme, Split.NONE))
        recording = entry.recording_id or entry.clip_id
        self._recording_of.append(self._recordings.setdefault(recording, len(self._recordings)))

    def store(self, file: h5py.File) -> None:
        """Write the groups ``clips``, ``labels``, ``splits`` and ``failures``."""
        put_texts(file, "/clips/id", iter(self._ids), len(self))
        for name, texts in self._texts.items():
            put_texts(file, f"/clips/{name}", texts.texts(), len(self))
        put(file, "/clips/position", np.asarray(self._positions))
        put(file, "/clips/duration_s", np.asarray(self._durations_s))
        for name, places_s in self._places_s.items():
            if not np.isnan(places_s).all():
                put(file, f"/clips/{name}", np.asarray(places_s))
        for label in self._labels.values():
            label.store(file)
        for scheme, parts in self._schemes.items():
            put(file, f"/splits/{scheme}", np.asarray(parts))
            file[f"/splits/{scheme}"].attrs["recording_disjoint"] = is_disjoint(self._recording_of, parts)
        self._store_failures(file)

    def _store_failures(self, file: h5py.File) -> None:
        """Write the failures in the order of the clips, those of a clip in the order of the streams' names."""
        by_clip = itertools.groupby(self.failures, key=lambda row: row[0])
        rows = [row for _, of_clip in by_clip for row in sorted(of_clip, key=lambda row: row[1].stream)]
        columns = {
            "clip_id": (clip_id for clip_id, _ in rows),
            "stage": (failure.stream for _, failure in rows),
            "code": (failure.status.name.lower() for _, failure in rows),
            "message": (failure.message for _, failure in rows),
        }
        for name, texts in columns.items():
            put_texts(file, f"/failures/{name}", texts, len(rows))

    def close(self) -> None:
        """Close the flat files."""
        for texts in self._texts.values():
            texts.close()


class _LabelColumn:
    """Values of one label."""

    def __init__(self, info: LabelInfo) -> None:
        self._info = info
        self.values = array("f")
        self.present = array("B")

    def store(self, file: h5py.File) -> None:
        path = f"/labels/{self._info.name}"
        put(file, f"{path}/values", np.asarray(self.values))
        put(file, f"{path}/present", np.asarray(self.present, dtype=np.bool_))
        attributes = file[path].attrs
        attributes["problem"] = self._info.problem
        for name in ("convention", "source"):
            if text := getattr(self._info, name):
                attributes[name] = text
        if self._info.value_range is not None:
            attributes["range"] = np.asarray(self._info.value_range, dtype=np.float64)
        if self._info.class_names:
            attributes["class_names"] = list(self._info.class_names)


class TextFile:
    """Texts on their way to the dataset file: their bytes one after the other, their lengths in memory.

    Args:
        path: the file; what is there is replaced.
    """

    def __init__(self, path: Path) -> None:
        self._handle = path.open("w+b", buffering=1 << 16)
        self._sizes = array("I")

    def append(self, text: str) -> None:
        """Add a text."""
        content = text.encode("utf-8")
        self._handle.write(content)
        self._sizes.append(len(content))

    def texts(self) -> Iterator[bytes]:
        """Yield all texts from the start."""
        self._handle.seek(0)
        for size in self._sizes:
            yield self._handle.read(size)

    def close(self) -> None:
        """Close the file; what a full disk does not take is of no use any more."""
        with suppress(OSError):
            self._handle.close()


def put_texts(file: h5py.File, path: str, texts: Iterator[str] | Iterator[bytes], n_row: int) -> None:
    """Store a column of texts that come one by one."""
    column = empty_column(file, path, n_row)
    for start in range(0, n_row, _TEXTS_PER_COPY):
        block = list(itertools.islice(texts, _TEXTS_PER_COPY))
        column[start : start + len(block)] = block
