"""The tables of a dataset file: clips, labels, splits, words, failures and provenance."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mmfeat.dataset.damage import refusing_damage
from mmfeat.dataset.open_dataset import OpenDataset
from mmfeat.errors import InputError
from mmfeat.types import BoolArray, Float32Array, Split, Words


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


class DatasetTables(OpenDataset):
    """What ``DatasetReader`` reads beside the streams."""

    @functools.cached_property
    def clip_ids(self) -> tuple[str, ...]:
        """Ids of all clips, in file order."""
        return self._texts("/clips/id")

    @functools.cached_property
    def recording_ids(self) -> tuple[str, ...]:
        """Recording of each clip."""
        return self._texts("/clips/recording_id")

    @functools.cached_property
    def speaker_ids(self) -> tuple[str, ...]:
        """Speaker of each clip; empty where unknown."""
        return self._texts("/clips/speaker_id")

    @functools.cached_property
    def positions(self) -> npt.NDArray[np.int32]:
        """Order of each clip inside its recording, shape (clip,); equal ones where it is not known."""
        return self._values("/clips/position")

    @functools.cached_property
    def texts(self) -> tuple[str, ...]:
        """What is said in each clip; empty where unknown."""
        return self._texts("/clips/text")

    @property
    def sources(self) -> tuple[str, ...]:
        """Name of each clip's sound or video file, without its folder; empty where there is none."""
        return self._texts("/clips/source")

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

    def _check_clip(self, title: str, n_clip: int, index: int) -> None:
        if not 0 <= index < n_clip:
            known = f"a clip from 0 to {n_clip - 1}" if n_clip else "no clip, the file has none"
            raise InputError(f"{self.path}: {title}: expected {known}, got {index}")
