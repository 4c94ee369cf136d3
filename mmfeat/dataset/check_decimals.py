"""The rule of values that are stored as decimals: they can be decoded."""

from __future__ import annotations

from collections.abc import Iterator

import h5py
import numpy as np

from mmfeat.dataset.decimal_values import CODING, DECIMAL, MOST_PLACES, NOT_CODED, coded_columns
from mmfeat.dataset.findings import Finding


def decimal_findings(path: str, stream: h5py.Group) -> Iterator[Finding]:
    """MF025: the coding is known, the widths follow from the places, exceptions name coded values in their order."""
    if CODING not in stream.attrs:
        return
    where = f"{path}/{DECIMAL}"
    for message in _faults(stream):
        yield Finding(rule="MF025", where=where, message=message)


def _faults(stream: h5py.Group) -> Iterator[str]:
    if stream.attrs[CODING] != DECIMAL:
        yield f"expected the coding {DECIMAL!r}, got {stream.attrs[CODING]!r}"
        return
    group = stream[DECIMAL]
    places = group["places"][:].astype(np.int64)
    if places.size and not NOT_CODED <= places.min() <= places.max() <= MOST_PLACES:
        yield f"expected places from {NOT_CODED} to {MOST_PLACES}, got {places.min()} to {places.max()}"
    columns, float_columns = coded_columns(places)
    for name, expected in (("steps", columns.size), ("floats", float_columns.size)):
        if group[name].shape[1] != expected:
            yield f"expected {expected} columns of {name}, as places say, got {group[name].shape[1]}"
    frames, features = group["exception_frame"][:], group["exception_feature"][:]
    if frames.size and (frames.min() < 0 or frames.max() >= group["steps"].shape[0] or (np.diff(frames) < 0).any()):
        yield f"expected exceptions in the order of the frames, got {frames.min()} … {frames.max()}"
    if not np.isin(features, columns).all():
        yield "expected exceptions of coded features only"
