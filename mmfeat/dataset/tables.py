"""The tables of a dataset file that is put together from others: clips, labels, splits and failures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import h5py
import numpy as np

from mmfeat.dataset.columns import IntArray
from mmfeat.dataset.disjoint import is_disjoint
from mmfeat.dataset.ragged import copy_attributes
from mmfeat.dataset.schema import rule_for, schema_rules, storage_type
from mmfeat.dataset.source import Source, kind_of, texts
from mmfeat.types import Split

_FAILURES = ("clip_id", "stage", "code", "message")


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """What the new file takes from one source.

    Args:
        source: the file.
        rows: int64, its clips in the order of the new file; -1 stands for one that it has not.
        first: row of the first of them in the new file.
        paths: the streams, labels and schemes that are taken.
        fills: the clips are those of an earlier part; only what that leaves unknown is taken from the tables.
    """

    source: Source
    rows: IntArray
    first: int
    paths: tuple[str, ...]
    fills: bool = False

    @property
    def place(self) -> slice:
        """The rows of the new file."""
        return slice(self.first, self.first + len(self.rows))

    def paths_of(self, kind: str) -> list[str]:
        """Return the paths of one kind that are taken."""
        return [path for path in self.paths if kind_of(path) == kind]


def make_clips(file: h5py.File, n_clip: int, sources: Sequence[Source]) -> None:
    """Make the clip table: the columns that must be there, and those that may where a source has them."""
    for rule in schema_rules():
        if rule.parent == "/clips" and any(rule.path in source.clip_columns for source in sources):
            column = file.create_dataset(rule.path, shape=(n_clip,), dtype=storage_type(rule))
            if rule.allows_nan:
                column[:] = np.nan


def make_label(file: h5py.File, path: str, n_clip: int, source: h5py.File, note: str) -> None:
    """Make a label that no clip has, with the attributes of the source."""
    group = file.create_group(path)
    copy_attributes(source[path], group)
    if note:
        group.attrs["source"] = note
    for name, column in source[path].items():
        dtype = storage_type(rule_for(f"{path}/{name}"))
        group.create_dataset(name, shape=(n_clip, *column.shape[1:]), dtype=dtype)


def make_scheme(file: h5py.File, path: str, n_clip: int, note: str) -> h5py.Dataset:
    """Make a split scheme to which no clip belongs."""
    parts = np.full(n_clip, Split.NONE, dtype=np.uint8)
    scheme = file.create_dataset(path, data=parts, dtype=storage_type(rule_for(path)))
    if note:
        scheme.attrs["source"] = note
    return scheme


def copy_tables(source: h5py.File, file: h5py.File, part: Part) -> None:
    """Copy the rows of clips, labels and splits."""
    for column in source["clips"].values():
        file[column.name][part.place] = column[:][part.rows]
    for path in part.paths_of("labels"):
        for column in source[path].values():
            file[column.name][part.place] = column[:][part.rows]
    for path in part.paths_of("splits"):
        file[path][part.place] = source[path][:][part.rows]


def mark_disjoint(file: h5py.File) -> None:
    """Say of every scheme whether it keeps the recordings together."""
    recordings = file["/clips/recording_id"][:]
    for scheme in file["splits"].values():
        scheme.attrs["recording_disjoint"] = is_disjoint(recordings, scheme[:].tolist())


def failures_of(source: h5py.File, part: Part) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield (row in the new file, failure) for the streams that are taken of the clips that are taken."""
    table = list(zip(*(texts(source[f"/failures/{name}"]) for name in _FAILURES), strict=True))
    failed = {clip_id for clip_id, *_ in table}
    row_of = {
        clip_id: part.first + index
        for index, row in enumerate(part.rows if failed else ())
        if row >= 0 and (clip_id := part.source.clip_ids[row]) in failed
    }
    streams = {path.rpartition("/")[2] for path in part.paths_of("streams")}
    for failure in table:
        if failure[0] in row_of and failure[1] in streams:
            yield row_of[failure[0]], failure


def store_failures(file: h5py.File, failures: Sequence[tuple[int, tuple[str, ...]]]) -> None:
    """Write the failures in the order of the clips, those of a clip in the order of the streams' names."""
    ordered = [failure for _, failure in sorted(failures, key=lambda entry: (entry[0], entry[1][1]))]
    for index, name in enumerate(_FAILURES):
        store_texts(file, f"/failures/{name}", [failure[index] for failure in ordered])


def store_texts(file: h5py.File, path: str, values: Sequence[str]) -> None:
    """Write a column of text."""
    file.create_dataset(path, data=values, shape=(len(values),), dtype=h5py.string_dtype("utf-8"))


def joined_texts(values: Sequence[str]) -> str:
    """Return different texts with semicolons between them, each once, empty ones left out."""
    return "; ".join(dict.fromkeys(value for value in values if value))


def notes_on(sources: Sequence[Source]) -> Mapping[str, str]:
    """Return for each path where all sources say that it comes from."""
    paths = {path for source in sources for path in source.groups}
    return {path: joined_texts([source.notes_on.get(path, "") for source in sources]) for path in paths}
