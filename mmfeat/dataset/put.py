"""Store a column with the type that the specification gives it."""

from __future__ import annotations

from typing import Any

import h5py

from mmfeat.dataset.schema import rule_for, storage_type


def put(file: h5py.File, path: str, values: Any) -> None:
    """Store a whole column."""
    empty_column(file, path, len(values))[:] = values


def empty_column(file: h5py.File, path: str, n_row: int) -> h5py.Dataset:
    """Return a new column of ``n_row`` rows to be filled.

    Raises:
        SchemaError: the specification has no such dataset.
    """
    return file.create_dataset(path, shape=(n_row,), dtype=storage_type(rule_for(path)))
