"""Objects in npz files, such as dicts of labels: read by the restricted unpickler."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from mmfeat.convert.unpickle import load_pickle
from mmfeat.errors import InputError


def load_object_npz(path: Path) -> dict[str, Any]:
    """Return the single objects of an npz file by name; plain arrays in it are left out.

    Raises:
        InputError: it cannot be read, is no npz file, or holds anything but arrays, numbers, texts and plain
            containers.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".npy")]
            return {name.removesuffix(".npy"): item for name in names for item in _object(path, archive, name)}
    except (OSError, zipfile.BadZipFile, ValueError) as error:
        raise InputError(f"{path}: expected a whole npz file, cannot read it: {error}; get it again") from error


def _object(path: Path, archive: zipfile.ZipFile, name: str) -> list[Any]:
    """Return the object of one member in a list, an empty list where it is a plain array."""
    with archive.open(name) as member:
        version = np.lib.format.read_magic(member)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = header(member)
        if dtype.kind != "O" or shape:
            return []
        with tempfile.TemporaryDirectory() as folder:
            pickled = Path(folder) / f"{path.name} {name}"
            pickled.write_bytes(member.read())
            return [load_pickle(pickled)[()]]
