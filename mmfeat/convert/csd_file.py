"""One computational sequence of the CMU SDK: ``<root>/data/<key>/{features,intervals}`` and ``<root>/metadata``.

Metadata are texts, most of them JSON. Two spellings are in use: the SDK's list of required keys lacks a comma, so newer
files have the key ``dimension namescomputational sequence version`` where older ones have ``dimension names`` and
``computational sequence version`` (CMU-MultimodalSDK, metadataconfigs.py). Keys of aligned sequences end in ``[k]``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from mmfeat.convert.fields import text
from mmfeat.errors import ClipError, InputError
from mmfeat.types import Float64Array, StreamStatus

FUSED = "dimension namescomputational sequence version"
DAMAGE = (OSError, LookupError, RuntimeError, ValueError, ArithmeticError, TypeError, AttributeError, MemoryError)
_INFLATION = 2_000  # gzip packs zeros 1,032 times
_DIMENSIONS = ("dimension names", FUSED)


class CsdFile:
    """An open sequence; entries are read one by one.

    Args:
        path: the file.

    Raises:
        InputError: there is no such file, it is no HDF5, or it has another layout.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise InputError(f"{path}: expected a computational sequence, found no file; correct the path")
        try:
            self._file = h5py.File(path, "r")
        except OSError as error:
            raise InputError(f"{path}: expected a computational sequence (HDF5), cannot open it: {error}") from error
        try:
            self.root, self._data = self._find()
            self.metadata = self._metadata()
            self.keys = tuple(self._data)
            self.is_text, self.width = self._kind()
        except DAMAGE as error:
            self._file.close()
            raise InputError(f"{path}: expected a whole computational sequence: {error}; get it again") from error
        except InputError:
            self._file.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def dimension_names(self) -> list[str]:
        """Names of the columns; empty where the metadata do not name them all."""
        for key in _DIMENSIONS:
            names = _parsed(self.metadata.get(key, ""))
            if isinstance(names, list) and len(names) == self.width:
                return [text(name) for name in names]
        return []

    def read(self, key: str) -> tuple[npt.NDArray[Any], Float64Array]:
        """Return features, shape (row, column), and intervals in seconds, shape (row, 2), of one entry.

        Raises:
            ClipError: the entry cannot be read or is not what it should be.
        """
        try:
            entry = _own(self._data, key)
            features = read_whole(_own(entry, "features"))
            intervals = read_whole(_own(entry, "intervals")).astype(np.float64)
        except DAMAGE as error:
            raise self._fault(key, f"expected features and intervals that can be read: {error}") from error
        if features.ndim == 1:
            features = features[:, None]
        width = 1 if self.is_text else self.width
        if features.ndim != 2 or features.shape[1] != width or intervals.shape != (len(features), 2):
            shapes = f"{features.shape} and {intervals.shape}"
            raise self._fault(key, f"expected features (row, {width}) and intervals (row, 2), got {shapes}")
        if not np.isfinite(intervals).all():
            raise self._fault(key, "expected finite intervals, got NaN or infinity")
        if not len(features):
            raise self._fault(key, "expected rows, got none", StreamStatus.EMPTY)
        return features, intervals

    def _fault(self, key: str, message: str, status: StreamStatus = StreamStatus.DECODE_ERROR) -> ClipError:
        return ClipError(f"{self.path.name}: {key}: {message}", status)

    def _find(self) -> tuple[str, h5py.Group]:
        roots = [name for name in self._file if isinstance(self._file.get(name, getlink=True), h5py.HardLink)]
        found = [name for name in roots if isinstance(self._file[name], h5py.Group) and "data" in self._file[name]]
        if len(found) != 1:
            shown = ", ".join(map(repr, list(self._file)[:4])) or "nothing"
            raise InputError(f"{self.path}: expected one group with data and metadata, got {shown}; is it a .csd file?")
        data = _own(self._file[found[0]], "data")
        if not isinstance(data, h5py.Group) or not len(data):
            raise InputError(f"{self.path}: expected entries in {found[0]}/data, got none; get the file again")
        return found[0], data

    def _metadata(self) -> dict[str, str]:
        group = self._file[self.root]
        if "metadata" not in group:
            return {}
        stored = _own(group, "metadata")
        return {key: text(read_whole(_own(stored, key)).reshape(-1)[0]) for key in stored}

    def _kind(self) -> tuple[bool, int]:
        """Return whether the features are texts, and their number of columns, by the first entry."""
        features = _own(_own(self._data, self.keys[0]), "features")
        is_text = features.dtype.kind in "SUO"
        if not is_text and features.dtype.kind not in "biuf":
            raise InputError(f"{self.path}: expected numbers or texts as features, got {features.dtype}")
        return is_text, int(features.shape[1]) if features.ndim > 1 else 1


def read_whole(dataset: h5py.Dataset) -> npt.NDArray[Any]:
    """Return the values of a dataset.

    Raises:
        ValueError: it claims more bytes than its file can hold.
    """
    room = _INFLATION * Path(dataset.file.filename).stat().st_size
    if dataset.nbytes > room:
        raise ValueError(f"{dataset.name} claims {dataset.nbytes:,} bytes, more than the file can hold")
    return np.asarray(dataset[()])


def _own(group: h5py.Group, name: str) -> Any:
    """Return a member that lies in the file itself; no link is ever followed."""
    link = group.get(name, getlink=True)
    if not isinstance(link, h5py.HardLink):
        raise ValueError(f"{name!r} is {'missing' if link is None else 'a link to elsewhere'}")
    item = group[name]
    if isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
        raise ValueError(f"{name!r} keeps its values in another file")
    return item


def _parsed(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return None


def write_csd_metadata(root: h5py.Group, metadata: Mapping[str, str]) -> None:
    """Write the metadata of a sequence, each a dataset of one text."""
    group = root.create_group("metadata")
    for key, value in metadata.items():
        group.create_dataset(key, data=[value], shape=(1,), dtype=h5py.string_dtype("utf-8"))
