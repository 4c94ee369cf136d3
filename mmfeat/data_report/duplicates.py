"""Clips that say or hold the same, and groups of clips that stand in several parts of a split."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mmfeat.data_report.streams import Digests
from mmfeat.types import BoolArray, Split

PARTS = (Split.TRAIN, Split.VALID, Split.TEST)


@dataclass(frozen=True, kw_only=True)
class Duplicates:
    """Clips that are equal in something.

    Args:
        equal: in what: names of streams, or "text".
        clip_ids: the clips.
        parts: in which parts they stand, by name.
    """

    equal: tuple[str, ...]
    clip_ids: tuple[str, ...]
    parts: tuple[str, ...]

    @property
    def crosses_parts(self) -> bool:
        """Whether they stand in several of train, valid and test."""
        return len(set(self.parts) - {"none"}) > 1


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """A recording or a speaker with clips in several parts of a split scheme: how many in each."""

    scheme: str
    kind: str
    name: str
    n_clip: dict[str, int]


def text_key(text: str) -> str:
    """Return a text without case, punctuation and spaces beside words; empty where there is no text."""
    return " ".join(re.findall(r"\w+", text.casefold())) or text.strip()


def equal_texts(texts: Iterable[str]) -> list[npt.NDArray[np.int64]]:
    """Return groups of clips that say the same, case and punctuation aside; clips without a text are in none."""
    places: dict[str, list[int]] = {}
    for index, text in enumerate(texts):
        if key := text_key(text):
            places.setdefault(key, []).append(index)
    return [np.array(group, dtype=np.int64) for group in places.values() if len(group) > 1]


def equal_digests(digests: Digests) -> list[npt.NDArray[np.int64]]:
    """Return groups of clips with equal hashes; clips without one are in none."""
    there = np.flatnonzero((digests != 0).any(axis=1))
    order = there[np.lexsort((there, *digests[there].T))]
    starts = np.flatnonzero(np.concatenate([[True], (np.diff(digests[order].astype(np.uint64), axis=0) != 0).any(1)]))
    groups = np.split(order, starts[1:]) if order.size else []
    return [np.sort(group) for group in groups if group.size > 1]


def united(
    groups: Mapping[str, Sequence[npt.NDArray[np.int64]]], clip_ids: Sequence[str], parts: npt.NDArray[np.uint8]
) -> tuple[Duplicates, ...]:
    """Return every group of equal clips once, with all in which they are equal; those across parts come first.

    Args:
        groups: for each stream, and the text, groups of clips.
        clip_ids: names of the clips.
        parts: the part of each clip.
    """
    equal: dict[tuple[int, ...], list[str]] = {}
    for name, found in groups.items():
        for group in found:
            equal.setdefault(tuple(group.tolist()), []).append(name)
    duplicates = [
        Duplicates(
            equal=tuple(names),
            clip_ids=tuple(clip_ids[index] for index in group),
            parts=tuple(Split(int(parts[index])).name.lower() for index in group),
        )
        for group, names in equal.items()
    ]
    return tuple(sorted(duplicates, key=lambda found: (not found.crosses_parts, -len(found.clip_ids))))


def overlaps(scheme: str, parts: npt.NDArray[np.uint8], groups: Mapping[str, Sequence[str]]) -> tuple[Overlap, ...]:
    """Return the recordings and speakers that have clips in several parts of a scheme, by name.

    Args:
        scheme: name of the scheme.
        parts: the part of each clip; those of no part do not count.
        groups: for "recording" and "speaker" the name of each clip's; empty where unknown.
    """
    found: list[Overlap] = []
    for kind, names in groups.items():
        known, codes = np.unique(np.array(names, dtype=object), return_inverse=True)
        counts = np.stack([np.bincount(codes[parts == part], minlength=known.size) for part in PARTS], axis=1)
        shared: BoolArray = ((counts > 0).sum(axis=1) > 1) & (known != "")
        found += [
            Overlap(scheme=scheme, kind=kind, name=str(known[at]), n_clip=_by_part(counts[at]))
            for at in np.flatnonzero(shared)
        ]
    return tuple(found)


def _by_part(counts: npt.NDArray[Any]) -> dict[str, int]:
    return {part.name.lower(): int(count) for part, count in zip(PARTS, counts, strict=True)}
