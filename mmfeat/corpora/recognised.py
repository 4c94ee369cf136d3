"""The texts of a recogniser: ``transcripts.jsonl``, one JSON object a line.

Its fields are ``clip_id``, ``text``, ``language``, ``language_probability``, ``confidence`` and ``words``, a list of
``{"text", "start_s", "stop_s"}``. Lines are read when their clip is asked for: only a hash and a
place of each are held.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmfeat.errors import InputError
from mmfeat.types import Words


@dataclass(frozen=True, kw_only=True)
class RecognisedText:
    """What a recogniser heard in one clip; ``language_probability`` is NaN where it said none."""

    text: str
    words: Words | None = None
    language: str = ""
    language_probability: float = float("nan")


class RecognisedTexts:
    """The file of a recogniser, by clip id; of a clip that stands there twice the last line counts.

    Args:
        path: ``transcripts.jsonl``.

    Raises:
        InputError: it cannot be read, or a line is no JSON object with ``clip_id``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        hashes, places = array("q"), array("q")
        try:
            with path.open("rb") as handle:
                place = 0
                for number, line in enumerate(handle, start=1):
                    if line.strip():
                        hashes.append(_hash(_record(path, number, line)["clip_id"]))
                        places.append(place)
                    place += len(line)
        except OSError as error:
            raise InputError(f"{path}: expected transcripts (jsonl), cannot read it: {error.strerror}") from error
        self._hashes, self._places = np.asarray(hashes, dtype=np.int64), np.asarray(places, dtype=np.int64)
        order = np.argsort(self._hashes, kind="stable")
        self._hashes, self._places = self._hashes[order], self._places[order]

    def __len__(self) -> int:
        return int(np.unique(self._hashes).size)

    def find(self, clip_id: str) -> RecognisedText | None:
        """Return the text of a clip; None where there is none."""
        wanted = _hash(clip_id)
        first, last = (int(np.searchsorted(self._hashes, wanted, side)) for side in ("left", "right"))
        with self.path.open("rb") as handle:
            for place in self._places[first:last][::-1]:
                handle.seek(int(place))
                record = json.loads(handle.readline())
                if record["clip_id"] == clip_id:
                    return _text(record)
        return None


def _hash(clip_id: str) -> int:
    digest = hashlib.blake2b(clip_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def _record(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError:
        record = None
    if not isinstance(record, dict) or not isinstance(record.get("clip_id"), str):
        raise InputError(f"{path}, line {number}: expected a JSON object with clip_id; transcribe again")
    return record


def _text(record: dict[str, Any]) -> RecognisedText:
    words = record.get("words") or []
    intervals = np.asarray([[word["start_s"], word["stop_s"]] for word in words], dtype=np.float64).reshape(-1, 2)
    probability = record.get("language_probability")
    return RecognisedText(
        text=str(record.get("text") or "").strip(),
        words=Words(tokens=tuple(str(word["text"]) for word in words), intervals_s=intervals) if words else None,
        language=str(record.get("language") or ""),
        language_probability=float("nan") if probability is None else float(probability),
    )
