"""Whether a split scheme keeps groups of clips together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mmfeat.types import Split


def is_disjoint(groups: Iterable[Any], parts: Iterable[int]) -> bool:
    """Return whether no group has clips in two parts of a scheme; clips without a part do not count.

    Args:
        groups: the recording or speaker of each clip.
        parts: the part of each clip, numbers of ``Split``.
    """
    part_of: dict[Any, int] = {}
    return all(
        part_of.setdefault(group, part) == part for group, part in zip(groups, parts, strict=True) if part != Split.NONE
    )
