"""Failures of a build, grouped by their reason."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_N_EXAMPLE = 3


@dataclass(frozen=True, kw_only=True)
class FailureGroup:
    """Clips whose stream failed for one reason.

    Args:
        stream: which stream.
        code: its status by name.
        message: the sentence of the first one.
        n_clip: how many.
        clip_ids: the first ones.
    """

    stream: str
    code: str
    message: str
    n_clip: int
    clip_ids: tuple[str, ...]


def grouped(failures: Iterable[tuple[str, str, str, str]]) -> tuple[FailureGroup, ...]:
    """Return failures (clip id, stream, code, message) by reason, the most frequent first.

    Two sentences give one reason where they differ in paths, clips and numbers alone.
    """
    groups: dict[tuple[str, str, str], tuple[str, list[str]]] = {}
    counts: dict[tuple[str, str, str], int] = {}
    for clip_id, stream, code, message in failures:
        key = (stream, code, _reason(clip_id, message))
        _, clip_ids = groups.setdefault(key, (message, []))
        counts[key] = counts.get(key, 0) + 1
        if len(clip_ids) < _N_EXAMPLE:
            clip_ids.append(clip_id)
    return tuple(
        FailureGroup(stream=key[0], code=key[1], message=groups[key][0], n_clip=n_clip, clip_ids=tuple(groups[key][1]))
        for key, n_clip in sorted(counts.items(), key=lambda item: -item[1])
    )


def _reason(clip_id: str, message: str) -> str:
    """Return a sentence without what differs from clip to clip."""
    without_paths = re.sub(r"(^|(?<=\s))\S*(?:[/\\]|\.\w+:)\S*", "…", message.replace(clip_id, "…"))
    return re.sub(r"\d+(?:\.\d+)?", "#", without_paths)
