"""Take the frames of chosen clips from several files into one ragged group: a stream of features, images or words.

The specification says what each dataset of the group is: its first axis is clips, features, frames or bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

import h5py
import numpy as np
import numpy.typing as npt

from mmfeat.dataset.column import open_column
from mmfeat.dataset.columns import (
    IntArray,
    Reader,
    Runs,
    SizeReader,
    clip_runs,
    copy_ends,
    copy_rows,
    n_block,
    row_bytes,
    rows_at,
    united,
)
from mmfeat.dataset.decimal_values import CODING
from mmfeat.dataset.logical import columns_of
from mmfeat.dataset.schema import rule_for, storage_type
from mmfeat.types import StreamStatus

_ENDS, _BYTES = "frame_offsets", "bytes"


def copy_attributes(source: h5py.HLObject, target: h5py.HLObject) -> None:
    """Copy all attributes with their stored types, but for the coding of values, which are copied decoded."""
    for name in source.attrs:
        if name == CODING:
            continue
        target.attrs.create(name, source.attrs[name], dtype=source.attrs.get_id(name).dtype)


@dataclass
class RaggedCopy:
    """One ragged group of the new file: first measured, then made, then filled, each from all its sources in order.

    Args:
        path: of the group, the same in all files.
        n_clip: clips of the new file; those that no source gives have no frames and were not requested.
        n_block: blocks that are to be copied, as far as they are measured.
        size: bytes of its columns, as far as they are measured.
    """

    path: str
    n_clip: int
    lengths: IntArray = field(init=False)
    status: npt.NDArray[np.uint8] = field(init=False)
    n_block: int = 0
    size: int = 0
    _n_byte: int = 0
    _next_byte: int = 0

    def __post_init__(self) -> None:
        self.lengths = np.zeros(self.n_clip, dtype=np.int64)
        self.status = np.full(self.n_clip, StreamStatus.NOT_REQUESTED, dtype=np.uint8)

    @property
    def n_ok(self) -> int:
        """Number of clips that have frames."""
        return int((self.status == StreamStatus.OK).sum())

    def measure(self, source: h5py.File, rows: IntArray, first: int) -> None:
        """Add up the frames of chosen clips.

        Args:
            source: a file that has the group.
            rows: its clips, -1 for one that it has not.
            first: row of the first of them in the new file.
        """
        group = source[self.path]
        there, place = rows >= 0, slice(first, first + len(rows))
        self.lengths[place][there] = np.diff(group["offsets"][:])[rows[there]]
        if "status" in group:
            self.status[place][there] = group["status"][:][rows[there]]
        for name, reader, runs in frame_columns(group, rows):
            self.n_block += n_block(reader, runs)
            self.size += runs.n_row * row_bytes(reader)
            self._n_byte += runs.n_row if name == _BYTES else 0

    def make(self, file: h5py.File, source: h5py.File) -> None:
        """Make the group with its attributes and tables, and its columns without rows.

        Args:
            file: the new file.
            source: the first file that has the group.
        """
        group, target = source[self.path], file.create_group(self.path)
        copy_attributes(group, target)
        offsets = np.concatenate([[0], np.cumsum(self.lengths)]).astype(np.int64)
        for name, column in columns_of(group).items():
            create = partial(target.create_dataset, name, dtype=storage_type(rule_for(f"{self.path}/{name}")))
            match axis_of(group, name):
                case "clip":
                    create(data=self.status)
                case "clip + 1":
                    create(data=offsets)
                case "feature":
                    create(data=column[:])
                case "byte":
                    create(shape=(self._n_byte,))
                case "frame + 1":
                    create(shape=(offsets[-1] + 1,))[0] = 0
                case _:
                    create(shape=(offsets[-1], *column.shape[1:]))

    def fill(self, file: h5py.File, source: h5py.File, rows: IntArray, first: int) -> Iterator[int]:
        """Copy the frames of chosen clips into the new file, see ``measure``; yield the size of each block."""
        frame, byte = int(self.lengths[:first].sum()), self._next_byte
        for name, reader, runs in frame_columns(source[self.path], rows):
            target = file[self.path][name]
            if name == _ENDS:
                yield from copy_ends(reader, runs, target, frame + 1, byte)
            else:
                yield from copy_rows(reader, runs, target, byte if name == _BYTES else frame)
            self._next_byte += runs.n_row if name == _BYTES else 0


def frame_columns(group: h5py.Group, rows: IntArray) -> Iterator[tuple[str, Reader, Runs]]:
    """Yield name, reader and wanted rows of every column that has one for each frame or byte.

    Where each image ends is read as its size.

    Args:
        group: a stream or the words of a file.
        rows: the wanted clips of the file, -1 for none.
    """
    frames = clip_runs(group["offsets"][:], rows)
    for name, column in columns_of(group).items():
        axis = axis_of(group, name)
        if axis not in ("frame", "frame + 1", "byte"):
            continue
        with open_column(column) as reader:
            if axis == "byte":
                yield name, reader, _byte_runs(group, frames)
            else:
                yield name, SizeReader(reader) if axis == "frame + 1" else reader, frames


def _byte_runs(group: h5py.Group, frames: Runs) -> Runs:
    with open_column(group[_ENDS]) as ends:
        return united(rows_at(ends, frames.starts), rows_at(ends, frames.stops))


def axis_of(group: h5py.Group, name: str) -> str:
    """Return what the rows of a dataset are: clip, clip + 1, feature, byte, frame or frame + 1."""
    axis = rule_for(f"{group.name}/{name}").dims[0].replace(" of <name>", "")
    if axis in ("clip", "clip + 1", "feature", "byte"):
        return axis
    return "frame + 1" if axis.endswith(" + 1") else "frame"
