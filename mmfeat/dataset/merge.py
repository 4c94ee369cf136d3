"""Unite dataset files of the same streams and different clips, such as the shards of a build."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmfeat.dataset.assemble import CopyReport, assemble
from mmfeat.dataset.finish import check_output
from mmfeat.dataset.source import Source, differences, open_sources
from mmfeat.dataset.storage import Compression, check_compression
from mmfeat.dataset.tables import Part
from mmfeat.errors import InputError, list_faults
from mmfeat.shards import disorder_notes, missing_shards
from mmfeat.types import Track, untracked

_MOST_FAULTS = 200


def merge_datasets(
    paths: Sequence[Path | str],
    output: Path | str,
    *,
    allow_missing: bool = False,
    overwrite: bool = False,
    compression: Compression = "none",
    verify: bool = True,
    track: Track[Any] = untracked,
    origin: Mapping[str, Any] | None = None,
) -> CopyReport:
    """Unite files with the same streams and different clips; the order is that of the files, then of their clips.

    A label that a file does not have is absent for its clips, a split scheme has no part for them. The content is that
    of one build of all clips. Memory is bounded by the tables, whatever the size of the streams.

    Args:
        paths: the files, at least one.
        output: the file to make; it appears whole or not at all.
        allow_missing: a stream that a file does not have is "not requested" for its clips, and the clips of a shard
            that is not given are left out, instead of refused.
        overwrite: replace an existing file.
        compression: of the streams of the new file, however those of the old are stored; see ``DatasetWriter``.
        verify: recompute the content hash of each file first; without it damage is copied and goes unnoticed.
        track: shows progress.
        origin: what the provenance event says of where the request comes from.

    Raises:
        InputError: streams, labels or schemes differ, clips stand in two files, or of the shards of a build some are
            not given; all differences are listed.
        SchemaError: a file breaks a rule of the format, or was damaged.
        OutputExistsError: the output exists and ``overwrite`` is false.

    Example:
        >>> from mmfeat import merge_datasets, subset_dataset
        >>> from mmfeat.testing import write_example_dataset
        >>> whole = write_example_dataset()
        >>> halves = [whole.with_name("first.h5"), whole.with_name("rest.h5")]
        >>> first = subset_dataset(whole, halves[0], ids=["clip_00", "clip_01"])
        >>> rest = subset_dataset(whole, halves[1], ids=[f"clip_{index:02d}" for index in range(2, 12)])
        >>> merge_datasets(halves, whole.with_name("again.h5")).n_clip
        12
    """
    output = Path(output)
    if not paths:
        raise InputError(f"{output}: expected at least one dataset file to merge, got none")
    check_output(output, overwrite=overwrite)  # before minutes of reading
    check_compression(compression)
    sources = open_sources(paths, verify=verify, track=track)
    events = {source.path: json.loads(source.events[-1]) for source in sources if source.events}
    missing = [] if allow_missing else [*missing_shards(events), *_missing_streams(sources)]
    faults = [*missing, *_all_differences(sources), *_doubled(sources)]
    if faults:
        raise InputError(list_faults(f"{output}: the files cannot be merged", faults, most=_MOST_FAULTS))
    parts, first = [], 0
    for source in sources:
        parts.append(Part(source=source, rows=source.all_rows(), first=first, paths=tuple(source.groups)))
        first += source.n_clip
    return assemble(
        parts,
        output,
        event={"action": "merge", **(origin or {})},
        overwrite=overwrite,
        compression=compression,
        track=track,
        notes=disorder_notes(events),
    )


def _missing_streams(sources: Sequence[Source]) -> list[str]:
    names = dict.fromkeys(name for source in sources for name in source.names("streams"))
    return [
        f"stream {name!r} is missing in {source.path}; take it as not requested with --allow-missing"
        for name in names
        for source in sources
        if name not in source.names("streams")
    ]


def _all_differences(sources: Sequence[Source]) -> list[str]:
    return differences(sources, ("streams", "words", "labels", "splits"))


def _doubled(sources: Sequence[Source]) -> list[str]:
    """Return a sentence for each clip that stands in two files."""
    place: dict[str, Source] = {}
    faults = []
    for source in sources:
        for clip_id in source.clip_ids:
            known = place.setdefault(clip_id, source)
            if known is not source:
                faults.append(f"clip {clip_id!r} stands in {known.path} and in {source.path}")
    return faults
