"""What was said in a clip, with the times of the words: the content of one line of a file of transcripts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mmfeat.errors import InputError
from mmfeat.types import Words


@dataclass(frozen=True, kw_only=True)
class TimedWord:
    """One word of a clip.

    Args:
        text: the word as the recogniser or the transcript spells it, with its punctuation, without spaces around it.
        start_s: where it begins, in seconds from the start of the clip.
        stop_s: where it ends; ``start_s <= time < stop_s`` is inside the word.
        confidence: the recogniser's own, in [0, 1]; None where it gives none.

    Raises:
        InputError: the word is empty, or its times are no numbers or in the wrong order.
    """

    text: str
    start_s: float
    stop_s: float
    confidence: float | None = None

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise InputError("words: expected a word, got an empty text")
        if not 0.0 <= self.start_s <= self.stop_s < math.inf:
            raise InputError(
                f"word {self.text!r}: expected 0 <= start_s <= stop_s in seconds, got {self.start_s} and {self.stop_s}"
            )
        _check_share(f"word {self.text!r}: confidence", self.confidence)


@dataclass(frozen=True, kw_only=True)
class Transcript:
    """What was said in one clip.

    Args:
        text: everything that was said; empty where nothing was.
        language: BCP 47 tag; None where it is not known.
        language_probability: in [0, 1], of that language among those that the recogniser knows; None where the language
            was given and not recognised.
        confidence: in [0, 1], the mean confidence of the words; None where there is none.
        words: in the order of their starts; none where the recogniser gives no times.
        notes: sentences that a person should read before trusting the times.

    Raises:
        InputError: a probability is outside of [0, 1], or words are not in the order of their starts.
    """

    text: str
    language: str | None = None
    language_probability: float | None = None
    confidence: float | None = None
    words: tuple[TimedWord, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_share("language_probability", self.language_probability)
        _check_share("confidence", self.confidence)
        late = [one.text for one, other in zip(self.words, self.words[1:], strict=False) if one.start_s > other.start_s]
        if late:
            raise InputError(
                f"words: expected them in the order of their starts, {late[0]!r} begins after the next one"
            )

    def to_record(self) -> dict[str, Any]:
        """Return the values of a line; times are rounded to 0.1 ms, probabilities to 0.0001."""
        words = [
            {"text": word.text, "start_s": round(word.start_s, 4), "stop_s": round(word.stop_s, 4)}
            | ({} if word.confidence is None else {"confidence": round(word.confidence, 4)})
            for word in self.words
        ]
        return {
            "text": self.text,
            "language": self.language,
            "language_probability": _rounded(self.language_probability),
            "confidence": _rounded(self.confidence),
            "words": words,
            "notes": list(self.notes),
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Return the transcript of a line; all but ``text`` may be missing.

        Raises:
            InputError: a value is missing, has another type, or is out of its range.
        """
        return cls(
            text=_value(record, "text", str),
            language=_value(record, "language", str, None),
            language_probability=_value(record, "language_probability", float, None),
            confidence=_value(record, "confidence", float, None),
            words=tuple(_word(word) for word in _value(record, "words", list, []) or []),
            notes=tuple(map(str, _value(record, "notes", list, []) or [])),
        )

    def to_words(self, *, start_s: float = 0.0) -> Words:
        """Return the words as a dataset holds them.

        Args:
            start_s: where the clip begins in its recording.
        """
        times = [(word.start_s, word.stop_s) for word in self.words]
        return Words(
            tokens=tuple(word.text for word in self.words),
            intervals_s=np.array(times, dtype=np.float64).reshape(-1, 2) + start_s,
        )


def mean_confidence(words: Sequence[TimedWord]) -> float | None:
    """Return the mean confidence of the words that have one."""
    known = [word.confidence for word in words if word.confidence is not None]
    return math.fsum(known) / len(known) if known else None


def _word(record: Any) -> TimedWord:
    if not isinstance(record, Mapping):
        raise InputError(f"words: expected an object with text, start_s and stop_s, got {record!r}")
    return TimedWord(
        text=_value(record, "text", str).strip(),
        start_s=_value(record, "start_s", float),
        stop_s=_value(record, "stop_s", float),
        confidence=_value(record, "confidence", float, None),
    )


_REQUIRED = object()


def _value(record: Mapping[str, Any], name: str, kind: type, default: Any = _REQUIRED) -> Any:
    """Return a value of a line in its type; whole numbers are numbers, null is as good as missing."""
    value = record.get(name)
    if value is None and default is not _REQUIRED:
        return default
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind):
        raise InputError(f"{name}: expected {_KINDS[kind]}, got {value!r}")
    return value


_KINDS = {str: "a text", float: "a number", list: "a list"}


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)


def _check_share(what: str, share: float | None) -> None:
    if share is not None and not 0.0 <= share <= 1.0:
        raise InputError(f"{what}: expected a number from 0 to 1, got {share}")
