"""The rules that need every frame of a dataset file; frames are read in blocks."""

from __future__ import annotations

from collections.abc import Iterator

import h5py
import numpy as np

from mmfeat.dataset.check_images import image_findings
from mmfeat.dataset.content_hash import content_sha256
from mmfeat.dataset.findings import Finding
from mmfeat.dataset.logical import objects_of, values_of
from mmfeat.dataset.schema import find_rule

_ROWS_PER_BLOCK = 65_536


def content_findings(file: h5py.File) -> list[Finding]:
    """Return the broken rules MF011, MF012 (numbers), MF014, MF017, MF019, MF020 and MF023."""
    findings: list[Finding] = []
    for path, item in objects_of(file).items():
        if not isinstance(item, h5py.Group) and item.dtype.kind == "f":
            findings += _numbers(f"/{path}", item)
    for name, stream in file["streams"].items():
        findings += _frames(f"/streams/{name}", stream)
    return [*findings, *_hash(file)]


def _blocks(dataset: h5py.Dataset) -> Iterator[slice]:
    for start in range(0, dataset.shape[0], _ROWS_PER_BLOCK):
        yield slice(start, min(start + _ROWS_PER_BLOCK, dataset.shape[0]))


def _numbers(path: str, dataset: h5py.Dataset) -> Iterator[Finding]:
    """MF011 and MF012: the first offending row of a column of numbers."""
    found = find_rule(path)
    if found is None:
        return
    rule = found[0]
    low, high = rule.value_range or (-np.inf, np.inf)
    for block in _blocks(dataset):
        values = dataset[block]
        finite = np.isfinite(values) | (np.isnan(values) if rule.allows_nan else False)
        if not finite.all():
            row = block.start + int(np.argwhere(~finite)[0][0])
            yield Finding(rule="MF011", where=path, message=f"row {row} holds NaN or an infinity")
            return
        outside = (values < low) | (values > high)
        if outside.any():
            row = int(np.argwhere(outside)[0][0])
            message = f"row {block.start + row}: expected {low} … {high}, got {values[row]}"
            yield Finding(rule="MF012", where=path, message=message)
            return


def _frames(path: str, stream: h5py.Group) -> Iterator[Finding]:
    if "codec" in stream.attrs:
        yield from image_findings(path, stream)
    else:
        yield from _invalid_frames(path, stream)
        yield from _unvoiced_frames(path, stream)
    yield from _times(path, stream)


def _invalid_frames(path: str, stream: h5py.Group) -> Iterator[Finding]:
    """MF014."""
    values = values_of(stream)
    for block in _blocks(values):
        stale = ~stream["valid"][block] & (values[block] != 0).any(axis=1)
        if stale.any():
            row = block.start + int(np.flatnonzero(stale)[0])
            yield Finding(rule="MF014", where=f"{path}/values", message=f"row {row} is not valid but not 0")
            return


def _unvoiced_frames(path: str, stream: h5py.Group) -> Iterator[Finding]:
    """MF020."""
    names = list(stream["feature_names"][:])
    if "voiced" not in stream or b"log_f0" not in names:
        return
    column, values = names.index(b"log_f0"), values_of(stream)
    for block in _blocks(values):
        wrong = ~stream["voiced"][block] & (values[block][:, column] != 0)
        if wrong.any():
            row = block.start + int(np.flatnonzero(wrong)[0])
            yield Finding(rule="MF020", where=f"{path}/values", message=f"row {row} is unvoiced with a pitch")
            return


def _times(path: str, stream: h5py.Group) -> Iterator[Finding]:
    """MF017."""
    if "times_s" not in stream:
        return
    step_back = np.diff(stream["times_s"][:]) < 0
    starts = stream["offsets"][1:-1]
    step_back[starts[(starts > 0) & (starts <= step_back.size)] - 1] = False
    if step_back.any():
        row = int(np.flatnonzero(step_back)[0]) + 1
        yield Finding(rule="MF017", where=f"{path}/times_s", message=f"row {row} is earlier than the row before")


def _hash(file: h5py.File) -> Iterator[Finding]:
    """MF019."""
    stored, computed = str(file.attrs["content_sha256"]), content_sha256(file)
    if stored != computed:
        message = f"expected {stored[:12]}…, the content gives {computed[:12]}…; the file was changed or damaged"
        yield Finding(rule="MF019", where="/", message=message)
