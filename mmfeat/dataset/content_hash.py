"""The content hash of a dataset file: what it says, not how it is stored.

Two files have the same hash when their clips, streams, labels and splits are equal, however they are chunked or
compressed, and whenever, by how many workers and by which command they were made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np

from mmfeat.dataset.schema import type_name
from mmfeat.types import Track, untracked

_BLOCK_BYTES = 1 << 22
_EXCLUDED_ROOT_ATTRIBUTES = ("content_sha256", "created_by", "name", "schema")
_EXCLUDED_PATHS = ("provenance", "failures/message")


def content_sha256(file: h5py.File, track: Track[str] = untracked, *, known: Mapping[str, bytes] | None = None) -> str:
    """Return the SHA-256 over the logical content of an open dataset file.

    Covered are all groups, datasets and attributes except ``/provenance``, ``/failures/message`` (it names paths) and
    the root attributes ``name``, ``schema``, ``content_sha256`` and ``created_by``. Objects are taken in the order of
    their paths, a dataset by its type, its shape and the SHA-256 of its rows; text is utf-8 with its length in front,
    numbers are little-endian in C order.

    Args:
        file: the open file.
        track: shows progress over the objects.
        known: SHA-256 of the rows of datasets that need not be read, by path.
    """
    digest = hashlib.sha256()
    _hash_attributes(digest, file, excluded=_EXCLUDED_ROOT_ATTRIBUTES)
    paths = sorted(_paths(file))
    for path in track(paths, len(paths), "hash"):
        item = file[path]
        digest.update(f"\0{path}\0".encode())
        _hash_attributes(digest, item)
        if isinstance(item, h5py.Dataset):
            digest.update(f"{type_name(item.dtype)}{item.shape}\0".encode())
            digest.update((known or {}).get(item.name) or _rows_sha256(item))
    return digest.hexdigest()


def _paths(file: h5py.File) -> list[str]:
    paths: list[str] = []
    file.visit(paths.append)
    return [path for path in paths if not path.startswith(_EXCLUDED_PATHS)]


def _hash_attributes(digest: Any, item: Any, *, excluded: tuple[str, ...] = ()) -> None:
    for name in sorted(item.attrs):
        if name not in excluded:
            digest.update(f"@{name}={_attribute_text(item.attrs[name])}\0".encode())


def _attribute_text(value: Any) -> str:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    return repr(value)


def _rows_sha256(dataset: h5py.Dataset) -> bytes:
    digest = hashlib.sha256()
    kind = type_name(dataset.dtype)
    n_row = dataset.shape[0] if dataset.shape else 0
    row_bytes = 64 if kind == "text" else max(1, dataset.dtype.itemsize * int(np.prod(dataset.shape[1:])))
    rows_per_block = max(1, _BLOCK_BYTES // row_bytes)
    for start in range(0, n_row, rows_per_block):
        digest.update(_block_bytes(dataset, kind, start, min(n_row, start + rows_per_block)))
    return digest.digest()


def _block_bytes(dataset: h5py.Dataset, kind: str, start: int, stop: int) -> bytes:
    block = dataset[start:stop]
    if kind == "text":
        texts = [text if isinstance(text, bytes) else str(text).encode() for text in block]
        return b"".join(len(text).to_bytes(8, "little") + text for text in texts)
    little_endian = block.dtype.newbyteorder("<") if block.dtype.byteorder == ">" else block.dtype
    return np.ascontiguousarray(block, dtype=little_endian).tobytes()
