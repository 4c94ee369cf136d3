"""Configurations: frozen dataclasses that are read from TOML and stored in every file they produced.

A configuration is a frozen keyword-only dataclass whose fields are numbers, text, booleans, tuples or other
configurations. An unknown key is an error that names the known ones, and all faults are reported at once.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

from mmfeat.errors import ConfigError, InputError, list_faults

Config = TypeVar("Config")
_MOST_CHANGES = 3
_MOST_LETTERS = 80  # of one value in a message


def config_from_mapping(config_type: type[Config], mapping: Mapping[str, Any], *, where: str = "") -> Config:
    """Return the configuration that ``mapping`` describes; keys that are missing keep their defaults.

    Args:
        config_type: a frozen dataclass.
        mapping: plain values, nested like the dataclass.
        where: the file or option that the values came from, for the message.

    Raises:
        ConfigError: unknown keys, values of another type, values that the class refuses; all at once.
    """
    faults: list[str] = []
    config = _build(config_type, mapping, "", faults)
    if faults:
        raise ConfigError(list_faults(f"{where or config_type.__name__}: the configuration is wrong", faults))
    return cast("Config", config)


def load_config(config_type: type[Config], path: Path) -> Config:
    """Return the configuration stored in the TOML file ``path``.

    Raises:
        InputError: the file cannot be read or is not TOML.
        ConfigError: it is TOML, but not this configuration.
    """
    return config_from_mapping(config_type, read_toml(path), where=str(path))


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file.

    Raises:
        InputError: the file cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: expected a readable TOML file: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: expected TOML: {error}") from error


def merge_overrides(mapping: Mapping[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """Return ``mapping`` with ``section.key=value`` overrides applied.

    The value is read as TOML (``3``, ``0.5``, ``true``, ``["au", "pose"]``), and as plain text where it is none.

    Raises:
        ConfigError: an override has no ``=``, or goes through a key that is no section.
    """
    merged = copy.deepcopy(dict(mapping))
    for override in overrides:
        dotted, equals, text = override.partition("=")
        if not equals or not dotted.strip():
            raise ConfigError(f"override {override!r}: expected KEY=VALUE, for example pitch.f0_min_hz=60")
        *sections, key = dotted.strip().split(".")
        node = merged
        for section in sections:
            node = node.setdefault(section, {})
            if not isinstance(node, dict):
                raise ConfigError(f"override {override!r}: {section!r} is a value, not a section")
        node[key] = _toml_value(text.strip())
    return merged


def merge_mappings(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with the values of ``changes``, section by section."""
    merged = dict(base)
    for key, value in changes.items():
        both_sections = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = merge_mappings(merged[key], value) if both_sections else value
    return merged


def config_to_dict(config: Any) -> dict[str, Any]:
    """Return a configuration as plain nested values, tuples as lists: what JSON and TOML can hold."""
    return cast("dict[str, Any]", json.loads(json.dumps(dataclasses.asdict(config))))


def config_sha256(config: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a configuration's canonical JSON (sorted keys, no spaces)."""
    canonical = json.dumps(config, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()


def flatten(mapping: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings as one level, the keys joined by dots."""
    flat: dict[str, Any] = {}
    for key, value in mapping.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
    return flat


def changed_values(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return a few words for each setting that differs: its name, what it was, what it is."""
    before, now = flatten(before), flatten(now)
    return [
        f"{name} was {_shown(before, name)}, is {_shown(now, name)}"
        for name in dict.fromkeys([*before, *now])
        if (name in before, before.get(name)) != (name in now, now.get(name))
    ]


def listed(changes: Sequence[str]) -> str:
    """Return the first changes in one line, and how many more there are."""
    more = len(changes) - _MOST_CHANGES
    return "; ".join([*changes[:_MOST_CHANGES], *([f"and {more} more"] if more > 0 else [])])


def _shown(settings: Mapping[str, Any], name: str) -> str:
    """Return a value for a message, a long one cut."""
    if name not in settings:
        return "not set"
    text = json.dumps(settings[name], ensure_ascii=False)
    return text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]} …"


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _build(config_type: type[Any], mapping: Mapping[str, Any], prefix: str, faults: list[str]) -> Any:
    """Build one (nested) configuration; append faults instead of raising."""
    hints = typing.get_type_hints(config_type)
    known = [entry.name for entry in dataclasses.fields(config_type)]
    n_faults = len(faults)
    values = {}
    for key, value in mapping.items():
        if key not in known:
            faults.append(f"unknown key {prefix + key!r}; known: {', '.join(known)}")
            continue
        values[key] = _convert(value, hints[key], prefix + key, faults)
    if len(faults) > n_faults:
        return None
    try:
        return config_type(**values)
    except ConfigError as error:
        faults.append(f"{prefix.rstrip('.') or config_type.__name__}: {error}")
    return None


def _convert(value: Any, hint: Any, key: str, faults: list[str]) -> Any:
    """Return ``value`` as the annotated type, or note a fault."""
    if dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
        return _build(cast("type[Any]", hint), value, f"{key}.", faults)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return _convert_optional(value, hint, key, faults)
    if typing.get_origin(hint) is tuple and isinstance(value, list | tuple):
        item_hint = typing.get_args(hint)[0]
        return tuple(_convert(item, item_hint, f"{key}[{i}]", faults) for i, item in enumerate(value))
    if typing.get_origin(hint) is typing.Literal:
        if value not in typing.get_args(hint):
            faults.append(f"{key}: expected one of {', '.join(map(repr, typing.get_args(hint)))}, got {value!r}")
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    faults.append(f"{key}: expected {getattr(hint, '__name__', hint)}, got {value!r}")
    return None


def _convert_optional(value: Any, hint: Any, key: str, faults: list[str]) -> Any:
    """Convert a value for ``X | None``; TOML has no null, so the word "none" stands for it."""
    choices = [choice for choice in typing.get_args(hint) if choice is not type(None)]
    if value is None or value == "none":
        return None
    return _convert(value, choices[0], key, faults)
