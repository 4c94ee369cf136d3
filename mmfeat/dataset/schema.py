"""The specification ``dataset-v1.toml`` as objects: the writer and the validator both follow it."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import h5py
import numpy as np

from mmfeat.errors import SchemaError

FORMAT = "mmfeat"
FORMAT_VERSION = "1.0"


@dataclass(frozen=True, kw_only=True)
class AttributeRule:
    """What an attribute has to be; ``only_with`` names another one without which it is not there."""

    name: str
    type_name: str
    must: bool
    doc: str
    only_with: str = ""


@dataclass(frozen=True, kw_only=True)
class ObjectRule:
    """What a group or a dataset has to be; ``path`` may hold ``<name>``.

    ``only_with`` names an attribute that the parent has where the object is there, ``only_without`` those that it has
    not.
    """

    path: str
    kind: str
    must: bool
    doc: str
    type_name: str = ""
    dims: tuple[str, ...] = ()
    allows_nan: bool = False
    value_range: tuple[float, float] | None = None
    members: Mapping[str, int] = field(default_factory=dict)
    only_with: str = ""
    only_without: tuple[str, ...] = ()
    attributes: tuple[AttributeRule, ...] = ()

    @property
    def parent(self) -> str:
        """Path of the group that holds the object."""
        return self.path.rpartition("/")[0] or "/"

    def belongs_to(self, parent_attributes: Mapping[str, Any]) -> bool:
        """Return whether the object may be in a group with these attributes."""
        has_all = not self.only_with or self.only_with in parent_attributes
        return has_all and not any(name in parent_attributes for name in self.only_without)

    def match(self, path: str) -> str | None:
        """Return what ``<name>`` stands for in ``path`` ("" where the rule has none); None: another object."""
        pattern = re.escape(self.path).replace("<name>", "([^/]+)")
        found = re.fullmatch(pattern, path)
        return None if found is None else "".join(found.groups())


def schema_text() -> str:
    """Return the specification as it is embedded in every dataset file."""
    return (files("mmfeat_schemas") / "dataset-v1.toml").read_text(encoding="utf-8")


@functools.cache
def schema_rules() -> tuple[ObjectRule, ...]:
    """Return the rules of the specification in the order of the text."""
    return tuple(_object_rule(entry) for entry in tomllib.loads(schema_text())["object"])


def find_rule(path: str) -> tuple[ObjectRule, str] | None:
    """Return the rule for ``path`` and what its ``<name>`` stands for, or None."""
    for rule in schema_rules():
        name = rule.match(path)
        if name is not None:
            return rule, name
    return None


def rule_for(path: str) -> ObjectRule:
    """Return the rule for ``path``.

    Raises:
        SchemaError: the specification has no such object.
    """
    found = find_rule(path)
    if found is None:
        raise SchemaError(f"{path}: expected an object of the specification, it has none of this name; see schemas/")
    return found[0]


def storage_type(rule: ObjectRule) -> np.dtype[Any]:
    """Return the dtype with which a dataset of this rule is stored."""
    if rule.type_name == "text":
        return h5py.string_dtype("utf-8")  # type: ignore[no-any-return]
    if rule.members:
        return h5py.enum_dtype(dict(rule.members), basetype=rule.type_name)  # type: ignore[no-any-return]
    return np.dtype(rule.type_name)


def type_name(dtype: np.dtype[Any]) -> str:
    """Return the specification's word for a stored dtype."""
    if h5py.check_string_dtype(dtype) is not None:
        return "text"
    return np.dtype(dtype).name


def _object_rule(entry: Mapping[str, Any]) -> ObjectRule:
    attributes = tuple(
        AttributeRule(
            name=name,
            type_name=kind,
            must=must != "may",
            doc=doc,
            only_with=must.partition("with ")[2],
        )
        for name, (kind, must, doc) in entry.get("attributes", {}).items()
    )
    limits = entry.get("range")
    return ObjectRule(
        path=entry["path"],
        kind=entry["kind"],
        must=entry["must"],
        doc=entry["doc"],
        type_name=entry.get("type", ""),
        dims=tuple(entry.get("dims", ())),
        allows_nan=entry.get("nan", False),
        value_range=(float(limits[0]), float(limits[1])) if limits else None,
        members=entry.get("enum", {}),
        only_with=entry.get("only_with", ""),
        only_without=tuple(entry.get("only_without", ())),
        attributes=attributes,
    )
