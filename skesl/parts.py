"""The parts of a method, and how many parameters each has."""

from __future__ import annotations

from torch import nn


def parameters_by_part(method: nn.Module) -> dict[str, int]:
    """Return the number of parameters of each part; shared ones count in the first part that has them.

    A part is a submodule of the method. Where that is an ``nn.ModuleDict``, each of its entries is a part by itself,
    named with a dot: ``heads.fusion``. Parts without parameters are left out; the numbers add up to the method's.
    """
    parts: dict[str, int] = {}
    for name, parameter in method.named_parameters():
        part = _part_of(method, name)
        parts[part] = parts.get(part, 0) + parameter.numel()
    return parts


def _part_of(method: nn.Module, name: str) -> str:
    """Return the part that a parameter belongs to."""
    names = name.split(".")
    module: nn.Module = method
    for depth, inner in enumerate(names[:-1], start=1):
        module = module.get_submodule(inner)
        if not isinstance(module, nn.ModuleDict):
            return ".".join(names[:depth])
    return name
