"""What a build must know of all its clips before it reads the first one, in one pass: there may be a million."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from mmfeat.types import ClipEntry


@dataclass(frozen=True, kw_only=True)
class ClipSurvey:
    """Names that clips use, each in the order of first appearance, and what decides their content beside their files.

    Args:
        labels: names of labels.
        schemes: names of split schemes.
        features: names of streams of finished features.
        has_words: a clip has words.
        cuts_sha256: hash of the times of clips that are parts of recordings, and of the words; empty without any.
    """

    labels: tuple[str, ...]
    schemes: tuple[str, ...]
    features: tuple[str, ...]
    has_words: bool = False
    cuts_sha256: str = ""


def survey_clips(entries: Iterable[ClipEntry]) -> ClipSurvey:
    """Return what all clips have in common."""
    labels: dict[str, None] = {}
    schemes: dict[str, None] = {}
    features: dict[str, None] = {}
    cuts, n_cut, has_words = hashlib.sha256(), 0, False
    for entry in entries:
        labels |= dict.fromkeys(entry.labels)
        schemes |= dict.fromkeys(entry.splits)
        features |= dict.fromkeys(entry.features)
        if entry.is_part or entry.words is not None:
            n_cut += 1
            has_words = has_words or entry.words is not None
            cuts.update(_cut(entry))
    return ClipSurvey(
        labels=tuple(labels),
        schemes=tuple(schemes),
        features=tuple(features),
        has_words=has_words,
        cuts_sha256=cuts.hexdigest() if n_cut else "",
    )


def _cut(entry: ClipEntry) -> bytes:
    """Return the times of a clip and its words as bytes."""
    words = entry.words
    told = () if words is None else (words.tokens, words.intervals_s.tolist())
    span = (entry.start_s, entry.end_s) if entry.is_part else ()
    return repr((entry.clip_id, span, told)).encode("utf-8", "surrogateescape")
