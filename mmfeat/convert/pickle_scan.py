"""Look through a pickle before it is loaded: what it would call, and how much memory its steps could claim.

Nothing is executed here. The loader itself (``unpickle``) holds every call to the same list again.
"""

from __future__ import annotations

import pickletools
from typing import Any

from mmfeat.errors import InputError

MAX_CONTAINERS = 2_000_000  # an empty set costs one byte in a file and 216 in memory
_FREE_PLACES = 4_096  # memo numbers that may run ahead of the steps
_CONTAINERS = frozenset(["EMPTY_LIST", "EMPTY_DICT", "EMPTY_SET", "LIST", "DICT", "FROZENSET", "REDUCE", "MARK"]) | {
    *("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"),
}
_REFUSED = {
    **dict.fromkeys(["PERSID", "BINPERSID"], "a persistent id"),
    **dict.fromkeys(["EXT1", "EXT2", "EXT4"], "an extension code"),
    **dict.fromkeys(["INST", "OBJ", "NEWOBJ", "NEWOBJ_EX"], "an object of a class"),
    **dict.fromkeys(["NEXT_BUFFER", "READONLY_BUFFER"], "a buffer outside of the file"),
}
_MEMO = frozenset(["PUT", "BINPUT", "LONG_BINPUT"])


def scan_pickle(content: Any, where: str, allowed: frozenset[tuple[str, str]]) -> None:
    """Refuse a pickle that holds anything but arrays and plain containers.

    Args:
        content: a file that reads bytes and never more than it has, at its start.
        where: the file, for messages.
        allowed: (module, name) of everything that may be called.

    Raises:
        InputError: the pickle is damaged, names another object, or would need memory out of proportion.
    """
    n_container = 0
    for n_step, (step, argument, _) in enumerate(pickletools.genops(content)):
        if reason := _REFUSED.get(step.name):
            raise refusal(where, reason)
        if step.name == "GLOBAL" and tuple(str(argument).split(" ", 1)) not in allowed:
            raise refusal(where, str(argument).replace(" ", "."))
        if step.name in _MEMO and int(argument or 0) > n_step + _FREE_PLACES:
            raise refusal(where, f"a memo number of {argument}")
        n_container += step.name in _CONTAINERS
        if n_container > MAX_CONTAINERS:
            raise refusal(where, f"more than {MAX_CONTAINERS:,} containers")


def refusal(where: str, what: str) -> InputError:
    """Return the error for a pickle that holds ``what``."""
    return InputError(
        f"{where}: expected a pickle of numpy arrays, dicts, lists, texts and numbers, got {what[:80]}; nothing of it "
        "was run, save the data as plain arrays to import them"
    )
