"""The published splits and lists of speakers: data files of this package, each with its source in its first lines."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files

from mmfeat.types import Split


def fact_rows(name: str) -> list[dict[str, str]]:
    """Return the rows of a data file.

    Args:
        name: its name without suffix.
    """
    text = files("mmfeat.corpora").joinpath("fact_tables", f"{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


@cache
def published_split(name: str) -> Mapping[str, Split]:
    """Return the part of each clip of a corpus; ids are ``recording_clip``.

    Example:
        >>> split = published_split("mosi")
        >>> len(split), split["03bSnISJMiM_1"].name
        (2199, 'TRAIN')
    """
    return {
        f"{row['recording_id']}_{clip}": Split[row["split"].upper()]
        for row in fact_rows(name)
        for clip in _expanded(row["clips"])
    }


@cache
def published_recordings(name: str) -> Mapping[str, Split]:
    """Return the part of each recording of a corpus.

    Example:
        >>> len(published_recordings("m3ed"))
        56
    """
    return {row["recording_id"]: Split[row["split"].upper()] for row in fact_rows(name)}


def _expanded(clips: str) -> Iterator[str]:
    """Yield the clips that runs such as ``0001-0003 0007`` stand for."""
    for run in clips.split():
        first, _, last = run.partition("-")
        for number in range(int(first), int(last or first) + 1):
            yield str(number).zfill(len(first) if first.startswith("0") and len(first) > 1 else 0)
