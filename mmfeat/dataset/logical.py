"""What a dataset file says, however it is stored: every stream of features has its ``values``."""

from __future__ import annotations

from typing import Any

import h5py

from mmfeat.dataset.decimal_values import CODING, DECIMAL, DecimalValues
from mmfeat.dataset.storage import storage_of


def values_of(stream: h5py.Group) -> Any:
    """Return the values of a stream of features: the dataset, or what decodes them."""
    return DecimalValues(stream) if CODING in stream.attrs else stream["values"]


def n_frame_of(stream: h5py.Group) -> int:
    """Return the rows of the values of a stream of features, without a look at them."""
    return int(stream[f"{DECIMAL}/steps" if CODING in stream.attrs else "values"].shape[0])


def columns_of(group: h5py.Group) -> dict[str, Any]:
    """Return the datasets of a stream, or of the words, by name; ``values`` may be what decodes them."""
    if CODING not in group.attrs:
        return dict(group.items())
    plain = {name: item for name, item in group.items() if name != DECIMAL}
    return dict(sorted({**plain, "values": DecimalValues(group)}.items()))


def objects_of(file: h5py.File) -> dict[str, Any]:
    """Return every group and dataset of a file by its path, without the slash in front."""
    paths: list[str] = []
    file.visit(paths.append)
    coded = [name for name in file.get("streams", ()) if CODING in file["streams"][name].attrs]
    inside = tuple(f"streams/{name}/{DECIMAL}/" for name in coded)
    objects = {path: file[path] for path in paths if not f"{path}/".startswith(inside)}
    return {**objects, **{f"streams/{name}/values": DecimalValues(file["streams"][name]) for name in coded}}


def compression_of(stream: h5py.Group) -> str:
    """Return the name of the compression of a stream, as ``--compression`` has it."""
    if CODING in stream.attrs:
        return str(stream.attrs[CODING])
    return storage_of(stream["bytes" if "codec" in stream.attrs else "values"])
