"""A dataset file that is opened where it is used: at first use, and again in every process."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
import numpy.typing as npt

from mmfeat.dataset.column import READ_ONLY
from mmfeat.dataset.damage import refusing_damage
from mmfeat.dataset.open_stream import OpenStream
from mmfeat.dataset.opening import check_header, open_file
from mmfeat.errors import InputError, SchemaError

_OPENING = threading.Lock()  # threads may share a reader that is not open yet


class OpenDataset:
    """What reads groups, columns and texts of a file; a context manager.

    Args:
        path: the dataset file.

    Raises:
        InputError: there is no such file, or it is not HDF5.
        SchemaError: it is HDF5 but not a dataset of this format, or of a newer major version.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._file: h5py.File | None = None
        self._streams: dict[str, OpenStream] = {}
        self._descriptor = self._pid = -1
        with refusing_damage(self.path):
            check_header(self.path, self._open())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None, "_streams": {}, "_descriptor": -1, "_pid": -1}

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        if self._file is not None and self._pid == os.getpid():
            self._file.close()
            os.close(self._descriptor)
        self._file, self._streams, self._descriptor = None, {}, -1

    @functools.cached_property
    def attributes(self) -> Mapping[str, str]:
        """Attributes of the dataset: name, language, license, content_sha256, …."""
        with refusing_damage(self.path):
            return {name: str(value) for name, value in self._open().attrs.items()}

    def _open(self) -> h5py.File:
        if self._file is not None and self._pid == os.getpid():
            return self._file
        with _OPENING:
            if self._file is None or self._pid != os.getpid():
                self._file, self._streams = open_file(self.path), {}
                self._descriptor = os.open(self.path, READ_ONLY)
                self._pid = os.getpid()
            return self._file

    def _item(self, path: str) -> Any:
        """Return a group or dataset of the file.

        Raises:
            SchemaError: the file has none.
        """
        with refusing_damage(self.path):
            file = self._open()
            if path not in file:
                raise SchemaError(f"{self.path}: expected {path}; see mmfeat validate {self.path}")
            return file[path]

    def _names(self, path: str) -> tuple[str, ...]:
        group = self._item(path)
        with refusing_damage(self.path):
            return tuple(group)

    def _values(self, path: str) -> npt.NDArray[Any]:
        dataset = self._item(path)
        with refusing_damage(self.path):
            return np.asarray(dataset[:])

    def _texts(self, path: str) -> tuple[str, ...]:
        encoded = self._encoded(path)
        with refusing_damage(self.path):
            return tuple(text.decode("utf-8") for text in encoded)

    def _encoded(self, path: str) -> list[bytes]:
        dataset = self._item(path)
        with refusing_damage(self.path):
            return list(dataset[:].tolist())

    def _check_name(self, kind: str, name: str, known: tuple[str, ...]) -> None:
        if name not in known:
            raise InputError(f"{self.path}: no {kind} {name!r}; known: {', '.join(known) or 'none'}")
