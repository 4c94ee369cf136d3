"""Open a dataset file, and refuse what is none."""

from __future__ import annotations

import itertools
from pathlib import Path

import h5py

from mmfeat.dataset.damage import in_a_line
from mmfeat.dataset.places import links_elsewhere, unreadable_storage
from mmfeat.dataset.schema import FORMAT, FORMAT_VERSION
from mmfeat.errors import InputError, SchemaError


def open_file(path: Path) -> h5py.File:
    """Return the open file.

    Raises:
        InputError: there is no such file, or it is not HDF5.
    """
    if not path.is_file():
        raise InputError(f"{path}: expected a dataset file, found none; make one with mmfeat build")
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise InputError(f"{path}: expected an HDF5 file that can be opened: {in_a_line(error)}") from error


def check_header(path: Path, file: h5py.File) -> None:
    """Refuse foreign files, newer major versions, and files that do not hold all of their content.

    Raises:
        SchemaError: with the reason.
    """
    found = file.attrs.get("format")
    if not isinstance(found, str) or found != FORMAT:
        raise SchemaError(
            f"{path}: expected a dataset with the attribute format={FORMAT!r}, got {found!r}; "
            "make one with mmfeat build"
        )
    stored = str(file.attrs.get("format_version", ""))
    major = stored.partition(".")[0]
    if not major.isdigit() or int(major) > int(FORMAT_VERSION.partition(".")[0]):
        raise SchemaError(f"{path}: expected format version {FORMAT_VERSION} or older, got {stored!r}; update mmfeat")
    for where, fault in itertools.chain(links_elsewhere(file), unreadable_storage(file)):
        raise SchemaError(f"{path}: {where}: {fault}; see mmfeat validate {path}")
