"""A file of transcripts, one JSON object a line: an index of its clips, whose words are read when they are wanted."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mmfeat.errors import InputError, list_faults
from mmfeat.file_hash import file_sha256
from mmfeat.lazy_entries import changed
from mmfeat.transcripts.transcript import Transcript
from mmfeat.types import ClipEntry

_MADE_BY = ("backend", "model")
_SEVERAL = "mul"  # ISO 639-2 for several languages


@dataclass
class _Found:
    """What one pass over the file found."""

    places: dict[str, int] = field(default_factory=dict)  # first byte of the line of each clip
    reasons: dict[str, str] = field(default_factory=dict)
    languages: Counter[str] = field(default_factory=Counter)
    makers: Counter[tuple[str, str]] = field(default_factory=Counter)
    n_timed: int = 0
    faults: list[str] = field(default_factory=list)


class TranscriptTable:
    """The transcripts of a file, by clip.

    Lines need ``clip_id`` and ``text``; one with a ``reason`` that is not empty is a clip that failed. Texts, words and
    times stay in the file until they are asked for.

    Args:
        path: the file, as ``transcribe_clips`` and ``align_clips`` make it.

    Raises:
        InputError: it cannot be read, or lines are wrong; all at once, with their numbers.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        try:
            self._found = self._read()
            self.sha256 = file_sha256(self.path)
        except OSError as error:
            raise InputError(
                f"{self.path}: expected a file of transcripts, cannot read it: {error.strerror}; correct the path"
            ) from error
        if self._found.faults:
            raise InputError(
                list_faults(f"{self.path}: {len(self._found.faults)} line(s) are no transcripts", self._found.faults)
            )

    def __len__(self) -> int:
        return len(self._found.places)

    def __iter__(self) -> Iterator[str]:
        return iter(self._found.places)

    def __contains__(self, clip_id: object) -> bool:
        return clip_id in self._found.places

    def __getitem__(self, clip_id: str) -> Transcript:
        """Return the transcript of a clip.

        Raises:
            KeyError: the file has no line of this clip.
            InputError: the clip could not be transcribed; with the reason of its line.
        """
        place = self._found.places[clip_id]
        if clip_id in self._found.reasons:
            raise InputError(f"{self.path}: clip {clip_id!r} has no transcript: {self._found.reasons[clip_id]}")
        with self.path.open("rb") as handle:
            handle.seek(place)
            return Transcript.from_record(json.loads(handle.readline()))

    @property
    def failures(self) -> Mapping[str, str]:
        """The reason of each clip that could not be transcribed."""
        return self._found.reasons

    @property
    def language(self) -> str:
        """BCP 47 tag of all clips, ``mul`` where there are several, empty where none is known."""
        known = list(self._found.languages)
        return _SEVERAL if len(known) > 1 else "".join(known)

    @property
    def languages(self) -> Mapping[str, int]:
        """Number of clips in each language that is known."""
        return self._found.languages

    @property
    def words_origin(self) -> dict[str, Any] | None:
        """Where the words come from, for the dataset file; None where no clip has words with times."""
        if not self._found.n_timed:
            return None
        return {"made_by": [dict(zip(_MADE_BY, maker, strict=True)) for maker in sorted(self._found.makers)]}

    @property
    def origin(self) -> dict[str, Any]:
        """What provenance says of the file."""
        counts = {"n_clip": len(self), "n_failed": len(self.failures), "languages": dict(self.languages)}
        return {"file": str(self.path), "sha256": self.sha256, **counts}

    def find(self, clip_id: str) -> Transcript | None:
        """Return the transcript of a clip; None where it has none."""
        return self[clip_id] if clip_id in self._found.places and clip_id not in self._found.reasons else None

    def fill(self, entries: Sequence[ClipEntry]) -> tuple[Sequence[ClipEntry], list[str]]:
        """Return clips with their words and the texts that they lack, and what a person should know.

        A text that a clip has already stays: people wrote it. Words are on the clock of the clip's recording. They are
        read when a clip is asked for.
        """
        known, missing, differing, notes = set(), [], [], []
        for entry in entries:
            known.add(entry.clip_id)
            missing += [] if entry.clip_id in self else [entry.clip_id]
            if (transcript := self.find(entry.clip_id)) is not None:
                differing += [entry.clip_id] if entry.text not in ("", transcript.text) else []
                notes += [f"{entry.clip_id}: {note}" for note in transcript.notes]
            elif entry.clip_id in self:
                notes.append(f"{entry.clip_id}: no transcript: {self.failures[entry.clip_id]}")
        told = [
            ("clip(s) have no transcript", missing),
            ("transcript(s) are of other clips", [clip_id for clip_id in self if clip_id not in known]),
            ("clip(s) keep a text that differs from the transcript", differing),
        ]
        counts = [f"{self.path}: {len(ids)} {what}, first {ids[0]!r}" for what, ids in told if ids]
        return changed(entries, self.filled), [*counts, *notes]

    def filled(self, entry: ClipEntry) -> ClipEntry:
        """Return a clip with its words, and its text where it lacks one."""
        if (transcript := self.find(entry.clip_id)) is None:
            return entry
        start_s = 0.0 if math.isnan(entry.start_s) else entry.start_s
        words = transcript.to_words(start_s=start_s) if transcript.words else None
        return replace(entry, text=entry.text or transcript.text, words=words)

    def _read(self) -> _Found:
        found = _Found()
        place = 0
        with self.path.open("rb") as handle:
            for number, line in enumerate(handle, start=1):
                if line.strip():
                    try:
                        _take(found, json.loads(line), place)
                    except (ValueError, InputError) as error:
                        found.faults.append(f"line {number}: {error}")
                place += len(line)
        return found


def _take(found: _Found, record: Any, place: int) -> None:
    """Add one line.

    Raises:
        InputError: it is no transcript, or the second one of its clip.
    """
    clip_id = record.get("clip_id") if isinstance(record, dict) else None
    if not isinstance(clip_id, str) or not clip_id:
        raise InputError("expected an object with clip_id, a text that is not empty")
    if clip_id in found.places:
        raise InputError(f"expected one line of each clip, got {clip_id!r} again")
    found.places[clip_id] = place
    if record.get("reason"):
        found.reasons[clip_id] = str(record["reason"])
        return
    transcript = Transcript.from_record(record)
    if transcript.language:
        found.languages[transcript.language] += 1
    if transcript.words:
        found.n_timed += 1
        backend, model = (str(record.get(name, "")) for name in _MADE_BY)
        found.makers[backend, model] += 1
