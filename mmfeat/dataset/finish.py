"""The last steps of every new dataset file: its hash, a flush to disk, a rename. It appears whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from mmfeat.dataset.content_hash import content_sha256
from mmfeat.dataset.in_place import LIBVER
from mmfeat.dataset.part import mark_finished, sweep_finished
from mmfeat.errors import InputError, OutputExistsError
from mmfeat.types import Track, untracked

_SUFFIXES = (".h5", ".hdf5")  # a damaged dataset may be replaced; a manifest named by mistake may not
UNFINISHED = "dataset.h5"


def check_output(path: Path, *, overwrite: bool) -> None:
    """Refuse a path at which no dataset file can be made; of one that is finished remove what a killed run left.

    Raises:
        OutputExistsError: the file exists and ``overwrite`` is false.
        InputError: what is there is no dataset file.
    """
    if path.exists() and not overwrite:
        sweep_finished(path)
        raise OutputExistsError(path)
    if path.is_file() and path.suffix not in _SUFFIXES and not h5py.is_hdf5(path):
        raise InputError(f"{path}: expected a dataset file to replace, got another file; choose another name")


@contextmanager
def unfinished_file(
    folder: Path, output: Path, *, mode: str = "w", n_byte: int = 0, track: Track[str] = untracked
) -> Iterator[h5py.File]:
    """Open the file that grows in ``folder``; when the block ends it gets its hash and then the name ``output``.

    Args:
        folder: the part folder of the output.
        output: the finished file; replaced if it is there.
        mode: ``w`` makes a new file, ``r+`` changes the one that was put into the folder.
        n_byte: about how large the file will be; the space is taken at once.
        track: shows progress over the objects that are hashed.

    Raises:
        OSError: the disk has no space for ``n_byte``.
    """
    unfinished = folder / UNFINISHED
    if mode == "w":
        h5py.File(unfinished, "w", libver=LIBVER).close()
    reserve_space(unfinished, n_byte)
    with h5py.File(unfinished, "r+", libver=LIBVER) as file:
        yield file
        file.attrs["content_sha256"] = content_sha256(file, track)
    put_in_place(unfinished, output)


def reserve_space(path: Path, n_byte: int, *, start: int = 0) -> None:
    """Take space on the disk for a file that is closed; HDF5 opens it next and cuts off at the end what is too much.

    HDF5 cannot close a file that it could not write: the process dies without a word. So the disk is asked first.

    Args:
        path: the file.
        n_byte: the space.
        start: byte at which it begins; what is before may stay a hole.

    Raises:
        OSError: the disk has no space for ``n_byte``.
    """
    if n_byte and hasattr(os, "posix_fallocate"):
        with path.open("r+b") as handle:
            os.posix_fallocate(handle.fileno(), start, n_byte)


def put_in_place(unfinished: Path, output: Path) -> None:
    """Give a whole file of a part folder its name, such that it survives a power cut."""
    with unfinished.open("rb") as handle:
        os.fsync(handle.fileno())
    mark_finished(unfinished.parent)
    unfinished.replace(output)
    _flush_folder(output.parent)


def _flush_folder(folder: Path) -> None:
    """Make a new name survive a power cut, where the system can do that."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
