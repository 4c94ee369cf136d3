"""Versions of the packages that have a say in the values of a dataset."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

_MODULES = {"opencv": "cv2"}  # several distributions bring it


def versions_of(names: Iterable[str]) -> dict[str, str]:
    """Return the version of each package, ``none`` where it is not installed."""
    return {name: _version(name) for name in names}


def _version(name: str) -> str:
    try:
        if name in _MODULES:
            return str(__import__(_MODULES[name]).__version__)
        return version(name)
    except (ImportError, PackageNotFoundError):
        return "none"
