"""The methods by name: built-in ones in a plain table, others through the entry points ``skesl.methods``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmfeat import config_from_mapping, config_to_dict, merge_mappings
from mmfeat.errors import ConfigError
from mmfeat.plugins import METHODS, discover, load
from skesl.errors import MethodError
from skesl.methods.base import Method, Preset
from skesl.methods.self_mm import SelfMm
from skesl.methods.skesl import Skesl
from skesl.methods.tam_ulag import TamUlag
from skesl.methods.text_only import TextOnly
from skesl.methods.univa import Univa
from skesl.methods.vat import Vat

BUILT_IN: dict[str, type[Method]] = {method.name: method for method in (Skesl, TextOnly, SelfMm, TamUlag, Univa, Vat)}

_NO_PRESET = Preset(config=None)

__all__ = ["BUILT_IN", "Method", "Preset", "find_method", "find_preset", "method_config", "method_names"]


def method_names() -> tuple[str, ...]:
    """Return the names of all methods, built-in ones first; no plugin is imported."""
    return (*BUILT_IN, *discover(METHODS, taken=BUILT_IN))


def find_method(name: str) -> type[Method]:
    """Return the class of a method.

    Raises:
        MethodError: no method has this name, or a plugin's object is no ``Method``.
        PluginError: the plugin does not import.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    plugins = discover(METHODS, taken=BUILT_IN)
    if name not in plugins:
        raise MethodError(f"unknown method {name!r}; known: {', '.join(method_names())}")
    method = load(plugins[name])
    if not (isinstance(method, type) and issubclass(method, Method)):
        raise MethodError(f"method {name!r}: {plugins[name].value} is not a subclass of skesl.Method")
    return method


def find_preset(method: str, name: str | None) -> Preset:
    """Return settings of a method by their name; None: its first ones, which are the default.

    Raises:
        MethodError: no method has this name.
        ConfigError: it has no such preset; the message names those it has.
    """
    presets = find_method(method).presets
    if name is None:
        return next(iter(presets.values()), _NO_PRESET)
    if name not in presets:
        known = ", ".join(presets) or "none"
        raise ConfigError(f"method {method!r} has no preset {name!r}; known: {known}")
    return presets[name]


def method_config(
    method: str,
    *,
    preset: str | None = None,
    settings: Mapping[str, Any] | None = None,
    inherited: Mapping[str, Any] | None = None,
) -> Any:
    """Return the settings of a method; what comes later wins.

    Args:
        method: its name.
        inherited: settings of the run that is started from.
        preset: settings by name, in place of ``inherited``.
        settings: single ones.

    Raises:
        MethodError: no method has this name.
        ConfigError: it has no such preset, or a setting is wrong; all faults at once.
    """
    base = config_to_dict(find_preset(method, preset).config) if preset is not None else inherited or {}
    return config_from_mapping(
        find_method(method).config_type, merge_mappings(base, settings or {}), where=f"settings of {method}"
    )
