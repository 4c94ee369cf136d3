"""Store the streams of a whole file another way: the same content in less space."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import h5py

from mmfeat.dataset.decimal_store import store_decimals
from mmfeat.dataset.finish import reserve_space
from mmfeat.dataset.in_place import LIBVER
from mmfeat.dataset.ragged import axis_of, copy_attributes
from mmfeat.dataset.storage import Compression, storage_options
from mmfeat.types import Float32Array, Track, untracked

_BYTES_PER_BLOCK = 1 << 22


def pack_file(path: Path, compression: Compression, track: Track[Any] = untracked) -> Path:
    """Return a file beside ``path`` with its content, hash included, and with its streams of features compressed.

    Args:
        path: a whole dataset file whose columns lie in one piece.
        compression: of the features; images are compressed as they are.
        track: shows progress over the columns of the streams.

    Raises:
        OSError: the disk has no space for a second file of the same size.
        MissingExtraError: ``blosc2`` without the package that brings it.
    """
    packed = path.with_name(f"packed-{path.name}")
    h5py.File(packed, "w", libver=LIBVER).close()
    reserve_space(packed, path.stat().st_size)
    with h5py.File(path, "r") as source, h5py.File(packed, "r+", libver=LIBVER) as target:
        copy_attributes(source, target)
        for name in source:
            if name != "streams":
                source.copy(name, target)
        columns = list(_columns(source["streams"], target.create_group("streams")))
        for stream, new, name in track(columns, len(columns), "columns"):
            _store(stream, new, name, compression)
    return packed


def _columns(streams: h5py.Group, target: h5py.Group) -> Iterator[tuple[h5py.Group, h5py.Group, str]]:
    """Make the groups of the streams; yield old group, new group and name of every dataset."""
    for stream_name, stream in streams.items():
        new = target.create_group(stream_name)
        copy_attributes(stream, new)
        yield from ((stream, new, name) for name in stream)


def _store(stream: h5py.Group, new: h5py.Group, name: str, compression: Compression) -> None:
    dataset = stream[name]
    if "codec" in stream.attrs or axis_of(stream, name) != "frame":
        stream.copy(name, new)
        return
    blocks = partial(_blocks, dataset)
    if name == "values" and compression == "decimal" and store_decimals(new, blocks, dataset.shape):
        return
    options = storage_options(compression, dataset.shape)
    target = new.create_dataset(name, shape=dataset.shape, dtype=dataset.dtype, **options)
    start = 0
    for block in blocks():
        target[start : start + len(block)] = block
        start += len(block)


def _blocks(dataset: h5py.Dataset) -> Iterator[Float32Array]:
    """Yield a column in blocks of whole chunks."""
    row_bytes = max(1, dataset.dtype.itemsize * int(dataset.size / max(1, dataset.shape[0])))
    n_row = 1 << max(6, (_BYTES_PER_BLOCK // row_bytes).bit_length())
    for start in range(0, dataset.shape[0], n_row):
        yield dataset[start : start + n_row]
