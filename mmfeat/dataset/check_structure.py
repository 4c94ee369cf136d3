"""The rules that need only the tables of a dataset file, not its frames."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from mmfeat.dataset.check_images import image_table_findings
from mmfeat.dataset.disjoint import is_disjoint
from mmfeat.dataset.findings import Finding
from mmfeat.dataset.places import links_elsewhere, unreadable_storage
from mmfeat.dataset.schema import (
    FORMAT_VERSION,
    AttributeRule,
    ObjectRule,
    find_rule,
    schema_rules,
    type_name,
)
from mmfeat.types import StreamStatus

CLOCKS = ("words", "unknown")
_ONE_MORE = " + 1"


def structure_findings(file: h5py.File) -> list[Finding]:
    """Return the broken rules MF003 to MF010, MF012, MF013, MF015, MF016, MF018, MF021, MF022 and MF024."""
    findings = list(_places(file))
    if findings:
        return findings  # no link is ever followed
    findings = [*_missing(file), *_objects(file)]
    if findings:
        return findings  # the tables below are not what the next rules take for granted
    findings = [*_axes(file), *_clip_ids(file)]
    for name, stream in file["streams"].items():
        findings += _stream(f"/streams/{name}", stream)
    if "words" in file:
        findings += _offsets("/words", file["words"], file["words/token"].shape[0])
    if findings:
        return findings
    return [*_failures(file), *_splits(file)]


def _places(file: h5py.File) -> Iterator[Finding]:
    """MF008 and MF024."""
    elsewhere = [Finding(rule="MF008", where=where, message=message) for where, message in links_elsewhere(file)]
    yield from elsewhere
    if not elsewhere:
        for where, message in unreadable_storage(file):
            yield Finding(rule="MF024", where=where, message=message)


def _missing(file: h5py.File) -> Iterator[Finding]:
    """MF004: walk the specification and look for each object below every parent that is there."""
    for rule in schema_rules():
        if not rule.must or rule.path == "/":
            continue
        for parent in _instances(file, rule.parent):
            path = f"{parent.rstrip('/')}/{rule.path.rpartition('/')[2]}"
            if path not in file and rule.belongs_to(file[parent].attrs):
                yield Finding(rule="MF004", where=path, message=f"expected a {rule.kind}: {rule.doc}")


def _instances(file: h5py.File, path: str) -> list[str]:
    """Return the paths in ``file`` for which a specification path stands."""
    head, placeholder, _ = path.partition("/<name>")
    if not placeholder:
        return [path] if path in file else []
    if head not in file:
        return []
    return [f"{head}/{name}" for name in file[head] if isinstance(file[head][name], h5py.Group)]


def _objects(file: h5py.File) -> Iterator[Finding]:
    """MF003, MF005, MF007 for the root and everything below it."""
    yield from _attributes("/", file, schema_rules()[0])
    paths: list[str] = []
    file.visit(paths.append)
    newer_minor = str(file.attrs.get("format_version")) != FORMAT_VERSION
    for path in (f"/{name}" for name in paths):
        found = find_rule(path)
        if found is None:
            if not newer_minor:
                yield Finding(rule="MF007", where=path, message="expected only objects of the specification")
        elif not found[0].belongs_to(file[path].parent.attrs):
            kind = "features" if found[0].only_with else "images"
            yield Finding(rule="MF007", where=path, message=f"expected no such object in a stream of {kind}")
        else:
            yield from _object(path, file[path], found[0])


def _object(path: str, item: Any, rule: ObjectRule) -> Iterator[Finding]:
    kind = "dataset" if isinstance(item, h5py.Dataset) else "group"
    if kind != rule.kind:
        yield Finding(rule="MF005", where=path, message=f"expected a {rule.kind}, got a {kind}")
        return
    if kind == "dataset":
        if type_name(item.dtype) != rule.type_name:
            yield Finding(rule="MF005", where=path, message=f"expected {rule.type_name}, got {type_name(item.dtype)}")
        if item.ndim != len(rule.dims):
            yield Finding(rule="MF006", where=path, message=f"expected axes {rule.dims}, got shape {item.shape}")
    yield from _attributes(path, item, rule)


def _attributes(path: str, item: Any, rule: ObjectRule) -> Iterator[Finding]:
    for attribute in rule.attributes:
        belongs = not attribute.only_with or attribute.only_with in item.attrs
        if attribute.name not in item.attrs:
            if attribute.must and belongs:
                message = f"expected the attribute {attribute.name!r}: {attribute.doc}"
                yield Finding(rule="MF003", where=path, message=message)
        elif not belongs:
            message = f"attribute {attribute.name!r}: expected only beside {attribute.only_with!r}"
            yield Finding(rule="MF003", where=path, message=message)
        elif not _has_type(item.attrs[attribute.name], attribute):
            got = type(item.attrs[attribute.name]).__name__
            message = f"attribute {attribute.name!r}: expected {attribute.type_name}, got {got}"
            yield Finding(rule="MF003", where=path, message=message)


def _has_type(value: Any, attribute: AttributeRule) -> bool:
    if attribute.type_name == "text":
        return isinstance(value, str) or getattr(value, "dtype", None) == np.dtype(object)
    kinds = {"float64": "f", "bool": "b", "int64": "i"}
    return np.asarray(value).dtype.kind == kinds[attribute.type_name]


def _axes(file: h5py.File) -> Iterator[Finding]:
    """MF006: every axis has one length; and MF012 for small tables."""
    lengths: dict[str, int] = {"clip": file["/clips/id"].shape[0]}
    for rule in schema_rules():
        for path in _dataset_paths(file, rule):
            name = rule.match(path) or ""
            for axis, length in zip(rule.dims, file[path].shape, strict=True):
                extra = int(axis.endswith(_ONE_MORE))
                known = axis.removesuffix(_ONE_MORE).replace("<name>", name)
                expected = lengths.setdefault(known, int(known) if known.isdigit() else length - extra) + extra
                if length != expected:
                    message = f"axis {axis!r}: expected length {expected}, got {length}"
                    yield Finding(rule="MF006", where=path, message=message)
            if rule.members:
                yield from _enumeration(path, file[path], rule)


def _dataset_paths(file: h5py.File, rule: ObjectRule) -> list[str]:
    if rule.kind != "dataset":
        return []
    if rule.path.endswith("/<name>"):
        return [f"{rule.parent}/{name}" for name in file[rule.parent]]
    leaf = rule.path.rpartition("/")[2]
    paths = [f"{parent}/{leaf}" for parent in _instances(file, rule.parent)]
    return [path for path in paths if path in file]


def _enumeration(path: str, dataset: h5py.Dataset, rule: ObjectRule) -> Iterator[Finding]:
    strange = set(np.unique(dataset[:]).tolist()) - set(rule.members.values())
    if strange:
        message = f"expected one of {dict(rule.members)}, got {sorted(strange)}"
        yield Finding(rule="MF012", where=path, message=message)


def _clip_ids(file: h5py.File) -> Iterator[Finding]:
    """MF009."""
    ids = list(file["/clips/id"][:])
    if b"" in ids:
        yield Finding(rule="MF009", where="/clips/id", message=f"row {ids.index(b'')} is empty")
    if len(set(ids)) < len(ids):
        double = next(clip_id for clip_id, count in Counter(ids).items() if count > 1)
        yield Finding(rule="MF009", where="/clips/id", message=f"{double.decode()!r} stands there twice")


def _stream(path: str, stream: h5py.Group) -> Iterator[Finding]:
    """MF010, MF013, MF015 and the time base."""
    n_frame = stream["frame_offsets"].shape[0] - 1 if "codec" in stream.attrs else stream["values"].shape[0]
    broken = list(_offsets(path, stream, n_frame))
    if broken:
        yield from broken
        return
    offsets = stream["offsets"][:]
    is_ok = stream["status"][:] == StreamStatus.OK
    wrong = np.flatnonzero(is_ok != (np.diff(offsets) > 0))
    if wrong.size:
        message = (
            f"expected frames exactly where the status is ok; not so in {wrong.size} clip(s), first row {wrong[0]}"
        )
        yield Finding(rule="MF013", where=f"{path}/status", message=message)
    if "codec" in stream.attrs:
        yield from image_table_findings(path, stream)
    else:
        yield from _feature_names(path, stream)
    yield from _time_base(path, stream)


def _offsets(path: str, group: h5py.Group, n_row: int) -> Iterator[Finding]:
    """MF010."""
    offsets = group["offsets"][:]
    if offsets[0] != 0 or offsets[-1] != n_row or (np.diff(offsets) < 0).any():
        message = f"expected 0 … {n_row} without a step back, got {offsets[0]} … {offsets[-1]}"
        yield Finding(rule="MF010", where=f"{path}/offsets", message=message)


def _time_base(path: str, stream: h5py.Group) -> Iterator[Finding]:
    """MF003: exactly one way of telling the time."""
    ways = [name for name in ("times_s", "intervals_s") if name in stream]
    ways += [name for name in ("hop_s", "clock") if name in stream.attrs]
    if len(ways) != 1:
        message = f"expected one of times_s, intervals_s, hop_s and clock, got {' and '.join(ways) or 'none'}"
        yield Finding(rule="MF003", where=path, message=message)
    elif ways == ["clock"] and stream.attrs["clock"] not in CLOCKS:
        message = f"attribute 'clock': expected {' or '.join(CLOCKS)}, got {stream.attrs['clock']!r}"
        yield Finding(rule="MF003", where=path, message=message)


def _feature_names(path: str, stream: h5py.Group) -> Iterator[Finding]:
    """MF015."""
    names = list(stream["feature_names"][:])
    if len(set(names)) < len(names):
        yield Finding(rule="MF015", where=f"{path}/feature_names", message="expected unique names")


def _failures(file: h5py.File) -> Iterator[Finding]:
    """MF016: the failures and the status columns say the same."""
    ids = [clip_id.decode() for clip_id in file["/clips/id"][:]]
    table = zip(file["/failures/clip_id"][:], file["/failures/stage"][:], file["/failures/code"][:], strict=True)
    listed = {(clip_id.decode(), stage.decode(), code.decode()) for clip_id, stage, code in table}
    marked = {
        (ids[row], name, StreamStatus(int(code)).name.lower())
        for name, stream in file["streams"].items()
        for row, code in enumerate(stream["status"][:])
        if code not in (StreamStatus.OK, StreamStatus.NOT_REQUESTED)
    }
    for clip_id, stage, code in sorted(listed ^ marked):
        message = f"clip {clip_id!r}, stream {stage!r}, {code}: expected in the status column and in /failures"
        yield Finding(rule="MF016", where="/failures", message=message)


def _splits(file: h5py.File) -> Iterator[Finding]:
    """MF018."""
    recordings = file["/clips/recording_id"][:]
    for name, scheme in file["splits"].items():
        disjoint = is_disjoint(recordings, scheme[:].tolist())
        if bool(scheme.attrs["recording_disjoint"]) != disjoint:
            message = f"recording_disjoint is {bool(scheme.attrs['recording_disjoint'])}, the clips say {disjoint}"
            yield Finding(rule="MF018", where=f"/splits/{name}", message=message)
