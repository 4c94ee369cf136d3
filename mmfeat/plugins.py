"""Plugins: other distributions add commands and methods through entry points.

Groups: ``mmfeat.commands`` (a Click command each) and ``skesl.methods`` (a ``Method`` class each).
Entry points are listed without importing anything and loaded at first use.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from mmfeat.errors import PluginError

COMMANDS = "mmfeat.commands"
METHODS = "skesl.methods"


def discover(group: str, *, taken: Iterable[str] = ()) -> dict[str, EntryPoint]:
    """Return the entry points of ``group`` by name, importing none of them.

    Args:
        group: the entry-point group.
        taken: built-in names, which no plugin may claim.

    Raises:
        PluginError: two distributions claim one name, or a plugin claims a built-in name.
    """
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=group):
        other = found.get(entry.name)
        if other is not None and other.value != entry.value:
            raise PluginError(
                f"{group}: the name {entry.name!r} is claimed by {claimant(other)} and by {claimant(entry)}; "
                "uninstall one of them"
            )
        if entry.name in taken:
            raise PluginError(
                f"{group}: {claimant(entry)} claims the built-in name {entry.name!r}; rename the plugin or uninstall it"
            )
        found[entry.name] = entry
    return found


def load(entry: EntryPoint) -> Any:
    """Return the object that an entry point names.

    Raises:
        PluginError: its module does not import or lacks the object; the reason is in the message.
    """
    try:
        return entry.load()
    except Exception as error:
        raise PluginError(
            f"plugin {entry.name!r} of {claimant(entry)} does not import: {type(error).__name__}: {error}"
        ) from error


def claimant(entry: EntryPoint) -> str:
    """Return who brings an entry point: the distribution and the object's path."""
    distribution = entry.dist.name if entry.dist is not None else "an unknown distribution"
    return f"{distribution} ({entry.value})"
