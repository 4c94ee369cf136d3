"""Import a folder of padded arrays: one file for each stream and part, as many releases of features have it.

``STREAM_PART.h5`` (one dataset in it), ``.npy`` or ``.npz`` (one array in it), of shape (clip, row, column); ``y_PART``
are the labels, ``text_PART_emb`` counts as ``text_PART``. STREAM is ``audio``, ``video`` (stream ``vision``) or
``text``, PART ``train``, ``valid`` or ``test``. Clip ``i`` of a part is row ``i`` of each of its files.

Layout: pliang279/MFN, the processed data of CMU-MOSI, ICT-MMMO, YouTube and MOUD; there every row is a word, and clips
that are shorter than the array are padded at the start (CMU-MultimodalSDK, ``get_tensors``, its default).
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from mmfeat.convert.csd_file import DAMAGE, read_whole
from mmfeat.convert.fields import numbers, sequences
from mmfeat.convert.frames import Padding
from mmfeat.convert.parts import Part, PartsSource, is_aligned, missing_streams
from mmfeat.convert.report import ImportReport, write_import
from mmfeat.dataset import DatasetInfo, LabelInfo
from mmfeat.errors import InputError

_STREAMS = {"audio": "audio", "video": "vision", "vision": "vision", "text": "text"}
_PARTS = ("train", "valid", "test")
_LABELS = "y"


def import_arrays(
    folder: Path | str,
    output: Path | str,
    *,
    info: DatasetInfo | None = None,
    padding: Padding = "end",
    label: str = "sentiment",
    overwrite: bool = False,
    origin: Mapping[str, Any] | None = None,
) -> ImportReport:
    """Turn a folder of padded arrays into a dataset file; all arrays are held in memory.

    Args:
        folder: the folder.
        output: the file to make; it appears whole or not at all.
        info: attributes of the dataset; named after the file where None.
        padding: where rows of zeros are padding: at the end, at the start, or nowhere.
        label: name of the label in the files ``y_PART``.
        overwrite: replace an existing file.
        origin: what the provenance event says beside the source.

    Raises:
        InputError: the folder has no such files, or a file cannot be read.
        OutputExistsError: the file exists and ``overwrite`` is false.
    """
    folder = Path(folder)
    found = _files(folder)
    parts = [_part(name, files, label) for name, files in found.items()]
    labels = [LabelInfo(name=label, source=folder.name)] if any(part.labels for part in parts) else []
    source = PartsSource(
        parts,
        str(folder),
        aligned=is_aligned(parts),
        padding=padding,
        paths=[path for files in found.values() for path in files.values()],
    )
    return write_import(
        source.source("arrays", labels, missing_streams(parts)), Path(output), info, overwrite=overwrite, origin=origin
    )


def _files(folder: Path) -> dict[str, dict[str, Path]]:
    """Return the files of each part by stream."""
    if not folder.is_dir():
        raise InputError(f"{folder}: expected a folder of arrays, found none; correct the path")
    found: dict[str, dict[str, Path]] = {}
    for path in sorted(folder.iterdir()):
        stream, _, part = path.stem.removesuffix("_emb").rpartition("_")
        if path.suffix in (".h5", ".npy", ".npz") and part in _PARTS and (stream in _STREAMS or stream == _LABELS):
            found.setdefault(part, {})[_STREAMS.get(stream, stream)] = path
    if not found:
        raise InputError(f"{folder}: expected files such as audio_train.h5 and y_train.h5, found none")
    return {part: found[part] for part in _PARTS if part in found}


def _part(name: str, files: Mapping[str, Path], label: str) -> Part:
    streams = {stream: sequences(_array(path), str(path)) for stream, path in files.items() if stream != _LABELS}
    labels = {}
    if _LABELS in files:
        values = _array(files[_LABELS])
        labels[label] = numbers(values, len(values), str(files[_LABELS]))
    part = Part(name=name, streams=streams, labels=labels)
    part.check_lengths(str(next(iter(files.values())).parent))
    return part


def _array(path: Path) -> npt.NDArray[Any]:
    """Return the one array of a file."""
    try:
        if path.suffix == ".h5":
            with h5py.File(path, "r") as file:
                names = [name for name in file if isinstance(file.get(name, getlink=True), h5py.HardLink)]
                items = [read_whole(file[name]) for name in names if isinstance(file[name], h5py.Dataset)]
        else:
            with path.open("rb") as handle:
                content = np.load(handle, allow_pickle=False)
                items = [content] if path.suffix == ".npy" else list(content.values())
    except (*DAMAGE, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: expected an array that can be read: {error}; get the file again") from error
    if len(items) != 1 or items[0].ndim == 0:
        raise InputError(f"{path}: expected one array in the file, got {len(items)}; keep one file for each stream")
    return np.asarray(items[0])
