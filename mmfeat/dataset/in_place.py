"""The flat file of the largest column becomes the dataset file: its rows are written once and never copied.

HDF5 may store a contiguous dataset at any byte of the file. A flat file keeps its rows behind ``ROOM`` free bytes; the
dataset file is made beside it with a hole of the same size at the same byte, and then what is not the hole is copied
around the rows: the head before them, all other columns behind them.
"""

from __future__ import annotations

import os
from pathlib import Path

import h5py

from mmfeat.dataset.flat_file import ROOM, FlatFile, write_at

LIBVER = ("v108", "v110")
_WORTH_IT = 1 << 20  # bytes below which a copy costs nothing
_BYTES_PER_COPY = 1 << 22


def leave_room(path: Path, dataset: str, rows: FlatFile | None) -> bool:
    """Make an HDF5 file with a hole where ``rows`` lie in their own file; return whether that is so.

    Args:
        path: the file to make.
        dataset: path of the dataset in it.
        rows: its content; None where there is no such column.
    """
    options = {"alignment_threshold": ROOM, "alignment_interval": ROOM}
    with h5py.File(path, "w", libver=LIBVER, **options) as file:
        if rows is None or rows.n_byte < _WORTH_IT:
            return False
        parent, _, name = dataset.rpartition("/")
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        properties.set_obj_track_times(False)
        group = file.require_group(parent)
        kind, space = h5py.h5t.py_create(rows.dtype, logical=True), h5py.h5s.create_simple(rows.shape)
        created = h5py.h5d.create(group.id, name.encode(), kind, space, properties)
        if created.get_offset() == ROOM:
            return True
        del group[name]  # a head that is larger than it ever was: the rows are copied
        return False


def fill_room(path: Path, rows: FlatFile) -> None:
    """Put what lies around the hole of the file at ``path`` around the rows of a flat file."""
    source, target = os.open(path, os.O_RDONLY), os.open(rows.path, os.O_RDWR)
    try:
        end = ROOM + rows.n_byte
        size = os.fstat(source).st_size
        os.ftruncate(target, end)
        for start, stop in ((end, size), (0, ROOM)):
            for place in range(start, stop, _BYTES_PER_COPY):
                write_at(target, os.pread(source, min(_BYTES_PER_COPY, stop - place), place), place)
    finally:
        os.close(source)
        os.close(target)
