"""Shards: the clips of one build in N parts of neighbours, each a file of its own, which ``merge`` unites.

A shard is named ``I/N``, the first is ``1/N``. Which clips it has follows from their number alone, so the tasks of a
job array need not know of each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Self, TypeVar

from mmfeat.errors import ConfigError, InputError

Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One of ``n_shard`` parts; ``number`` counts from 1."""

    number: int
    n_shard: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.n_shard:
            raise ConfigError(f"shard: expected I/N with I from 1 to N, got {self}; the first of four is 1/4")

    def __str__(self) -> str:
        return f"{self.number}/{self.n_shard}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the shard that ``I/N`` names.

        Raises:
            ConfigError: the text is none.
        """
        number, _, n_shard = text.partition("/")
        if not (number.strip().isdecimal() and n_shard.strip().isdecimal()):
            raise ConfigError(f"shard: expected I/N, two numbers such as 1/4, got {text!r}")
        return cls(number=int(number), n_shard=int(n_shard))

    def of(self, items: Sequence[Item]) -> Sequence[Item]:
        """Return the items of this shard: neighbours, and in all shards as many but for one.

        Raises:
            InputError: there are more shards than items.
        """
        if self.n_shard > len(items):
            raise InputError(
                f"shard {self}: expected at most as many shards as clips, there are {len(items)}; make fewer shards"
            )
        first, last = ((number * len(items)) // self.n_shard for number in (self.number - 1, self.number))
        return items[first:last]

    def event(self, n_clip: int) -> dict[str, int]:
        """Return what provenance says of the shard of a build of ``n_clip`` clips."""
        return {"number": self.number, "n_shard": self.n_shard, "n_clip": n_clip}


def missing_shards(last_events: Mapping[Path, Mapping[str, Any]]) -> list[str]:
    """Return a sentence for each build of which some shards are given and others are not.

    Args:
        last_events: by file its last provenance event.
    """
    faults = []
    for (n_shard, n_clip), found in _builds(last_events).items():
        missing = [number for number in range(1, n_shard + 1) if number not in found]
        if missing:
            first = ", ".join(f"{number}/{n_shard}" for number in missing[:3]) + (", …" if missing[3:] else "")
            faults.append(
                f"of {n_shard} shards of a build of {n_clip} clips {len(missing)} are not given ({first}); build them, "
                "or leave their clips out with --allow-missing"
            )
    return faults


def disorder_notes(last_events: Mapping[Path, Mapping[str, Any]]) -> list[str]:
    """Return a note for each build whose shards are given in another order than theirs.

    Args:
        last_events: by file, in the order of the files, its last provenance event.
    """
    return [
        f"the shards of a build of {n_clip} clips come in the order {', '.join(map(str, found[:4]))}"
        f"{', …' if found[4:] else ''}: so do the clips, and the content hash is not that of one build"
        for (_, n_clip), found in _builds(last_events).items()
        if any(number > following for number, following in pairwise(found))
    ]


def _builds(last_events: Mapping[Path, Mapping[str, Any]]) -> dict[tuple[int, int], list[int]]:
    """Return the numbers of the shards of each build, told apart by the numbers of its shards and clips."""
    builds: dict[tuple[int, int], list[int]] = {}
    for event in last_events.values():
        if event.get("action") == "build" and "shard" in event:
            shard = event["shard"]
            builds.setdefault((shard["n_shard"], shard["n_clip"]), []).append(shard["number"])
    return builds
