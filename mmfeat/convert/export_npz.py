"""Export a dataset as one npz file, which numpy reads without any other package.

The keys are the paths of the dataset file (``clips/id``, ``streams/audio/values``, …); texts are unicode arrays,
attributes a JSON text of the key ``attributes`` by path. Nothing is pickled.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mmfeat.convert.export_report import ExportReport, whole_file
from mmfeat.dataset import DatasetReader
from mmfeat.dataset.logical import objects_of

_BYTES_PER_BLOCK = 1 << 22
_OF_STORAGE = ("coding", "schema")


def export_npz(dataset: Path | str, output: Path | str, *, overwrite: bool = False) -> ExportReport:
    """Write everything in a dataset file as an npz file, block by block.

    Args:
        dataset: the dataset file.
        output: the npz file to make; it appears whole or not at all.
        overwrite: replace an existing file.

    Raises:
        InputError: there is no such dataset.
        SchemaError: it is not a dataset of this format.
        OutputExistsError: the file exists and ``overwrite`` is false.
    """
    with DatasetReader(dataset) as reader:
        n_clip = reader.n_clip
    with (
        whole_file(Path(output), overwrite=overwrite) as unfinished,
        h5py.File(dataset, "r") as file,
        zipfile.ZipFile(unfinished, "w", zipfile.ZIP_STORED) as archive,
    ):
        attributes: dict[str, dict[str, Any]] = {"/": _plain(file)}
        for path, item in sorted(objects_of(file).items()):
            attributes[path] = _plain(item)
            if not isinstance(item, h5py.Group):
                _write(archive, path, item)
        _write_array(archive, "attributes", np.array(json.dumps(attributes)))
    return ExportReport(paths=(Path(output),), n_clip=n_clip)


def _plain(item: Any) -> dict[str, Any]:
    """Return attributes as JSON values; the specification and how values are stored are left out."""
    return {
        name: value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        for name, value in item.attrs.items()
        if name not in _OF_STORAGE
    }


def _write(archive: zipfile.ZipFile, path: str, dataset: h5py.Dataset) -> None:
    if h5py.check_string_dtype(dataset.dtype) is not None:
        _write_array(archive, path, np.array([text.decode("utf-8") for text in dataset[:]], dtype=np.str_))
        return
    dtype = np.dtype(dataset.dtype.str)  # without the names of an enumeration
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": dataset.shape}
    row_bytes = max(1, dtype.itemsize * int(np.prod(dataset.shape[1:])))
    n_row = max(1, _BYTES_PER_BLOCK // row_bytes)
    with archive.open(f"{path}.npy", "w", force_zip64=True) as handle:
        np.lib.format.write_array_header_1_0(handle, header)
        for start in range(0, dataset.shape[0], n_row):
            handle.write(np.ascontiguousarray(dataset[start : start + n_row], dtype=dtype).tobytes())


def _write_array(archive: zipfile.ZipFile, path: str, array: np.ndarray[Any, Any]) -> None:
    with archive.open(f"{path}.npy", "w", force_zip64=True) as handle:
        np.lib.format.write_array(handle, array, allow_pickle=False)
