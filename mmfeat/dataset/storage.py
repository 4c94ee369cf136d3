"""How columns are stored: in one piece, or in compressed chunks that hold a few clips."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Literal

import h5py

from mmfeat.errors import MissingExtraError

Compression = Literal["none", "gzip", "blosc2", "decimal"]
"""none: in one piece, the fastest to read. gzip: HDF5's own filter. blosc2: with zstd, the filter of hdf5plugin.
decimal: numbers of few decimal places as differences of integers, which gzip makes small; the rest as gzip does."""

BLOCK = 64  # rows of a chunk of a table: a clip touches few
_VALUES_PER_CHUNK = 1 << 14  # of a column of single values
_BLOSC2 = 32026
_NAMES = {1: "gzip", _BLOSC2: "blosc2"}
_OF_HDF5PLUGIN = {
    307: "bzip2",
    32001: "blosc",
    32004: "lz4",
    32008: "bitshuffle",
    32015: "zstd",
    _BLOSC2: "blosc2",
}  # the filters of the package that lose nothing, by their registered numbers


def storage_options(compression: Compression, shape: tuple[int, ...]) -> dict[str, Any]:
    """Return the options of ``h5py.Group.create_dataset`` for a column with rows along its first axis.

    Raises:
        MissingExtraError: ``blosc2`` without the package that brings it.
    """
    if compression == "none" or 0 in shape:
        return {}
    chunks = (min(shape[0], BLOCK if len(shape) > 1 else _VALUES_PER_CHUNK), *shape[1:])
    if compression != "blosc2":
        return {"chunks": chunks, "compression": "gzip", "shuffle": True}
    hdf5plugin = _blosc2()
    return {"chunks": chunks, **hdf5plugin.Blosc2(cname="zstd", clevel=1, filters=hdf5plugin.Blosc2.SHUFFLE)}


def check_compression(compression: Compression) -> None:
    """Refuse a compression for which a package is missing, before anything is computed.

    Raises:
        MissingExtraError: ``blosc2`` without the package that brings it.
    """
    if compression == "blosc2":
        _blosc2()


def storage_of(dataset: h5py.Dataset) -> str:
    """Return the name of the compression of a dataset; ``none`` where there is none, numbers of unknown filters."""
    names = [_NAMES.get(code, str(code)) for code, _ in filters_of(dataset) if code != h5py.h5z.FILTER_SHUFFLE]
    return ", ".join(names) or "none"


def filters_of(dataset: h5py.Dataset) -> Iterator[tuple[int, str]]:
    """Yield number and name of each filter of a dataset."""
    properties = dataset.id.get_create_plist()
    for index in range(properties.get_nfilters()):
        code, _, _, name = properties.get_filter(index)
        yield int(code), name.decode(errors="replace")


def is_available(code: int) -> bool:
    """Return whether HDF5 can undo a filter; hdf5plugin is loaded where it may bring it."""
    if code in _OF_HDF5PLUGIN and not h5py.h5z.filter_avail(code):
        with suppress(ImportError):
            import hdf5plugin  # noqa: F401  # registers its filters
    return bool(h5py.h5z.filter_avail(code))


def load_filters(file: h5py.File) -> None:
    """Make HDF5 know the filters of a file's datasets, in this process."""

    def load(_name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.chunks is not None:
            for code, _ in filters_of(item):
                is_available(code)

    file.visititems(load)


def remedy(code: int) -> str:
    """Return what to do where a filter is not available; empty where nothing is known."""
    return "; pip install 'mmfeat[archive]' brings it" if code in _OF_HDF5PLUGIN else ""


def _blosc2() -> Any:
    try:
        import hdf5plugin
    except ImportError as error:
        raise MissingExtraError("hdf5plugin", extra="archive", purpose="compression with blosc2") from error
    return hdf5plugin
