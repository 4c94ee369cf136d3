"""What does not fit: one kind of difference, and the ids that it concerns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One difference between a raw tree and what was expected of it.

    Args:
        kind: a few words, the same for all differences of a kind.
        clip_id: the clip, or the name of what belongs to no clip.
        detail: what was expected and what came, where the kind does not say it.
    """

    kind: str
    clip_id: str
    detail: str = ""


class Differences:
    """All differences of a corpus, by kind, in the order in which they were met."""

    def __init__(self) -> None:
        self._by_kind: dict[str, dict[str, str]] = {}

    def add(self, kind: str, clip_id: str, detail: str = "") -> None:
        """Add a difference; the same kind is listed once for each id."""
        self._by_kind.setdefault(kind, {}).setdefault(clip_id, detail)

    def __iter__(self) -> Iterator[Difference]:
        for kind, found in self._by_kind.items():
            for clip_id, detail in found.items():
                yield Difference(kind=kind, clip_id=clip_id, detail=detail)

    def __len__(self) -> int:
        return sum(map(len, self._by_kind.values()))

    def ids(self, kind: str) -> tuple[str, ...]:
        """Return the ids of one kind."""
        return tuple(self._by_kind.get(kind, ()))

    @property
    def kinds(self) -> Mapping[str, int]:
        """Number of differences of each kind."""
        return {kind: len(found) for kind, found in self._by_kind.items()}

    def rows(self) -> list[dict[str, Any]]:
        """Return the differences as plain values."""
        return [{"kind": item.kind, "clip_id": item.clip_id, "detail": item.detail} for item in self]
