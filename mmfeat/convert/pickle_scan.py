"""Look through a pickle before it is loaded: what it would call, and how much memory its steps could claim.

Nothing is executed here. The loader itself (``unpickle``) holds every call to the same list again.
"""

from __future__ import annotations

import pickletools
from typing import Any

from mmfeat.errors import InputError

MAX_CONTAINERS = 2_000_000  # an empty set costs one byte in a file and 216 in memory
MAX_NESTING = 100  # Python hashes nested tuples without a check of its stack, and dies
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
_PUT = frozenset(["PUT", "BINPUT", "LONG_BINPUT"])
_GET = frozenset(["GET", "BINGET", "LONG_BINGET"])
_TUPLES = frozenset(["TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"])


def scan_pickle(content: Any, where: str, allowed: frozenset[tuple[str, str]]) -> None:
    """Refuse a pickle that holds anything but arrays and plain containers.

    Args:
        content: a file that reads bytes and never more than it has, at its start.
        where: the file, for messages.
        allowed: (module, name) of everything that may be called.

    Raises:
        InputError: the pickle is damaged, names another object, or would need memory out of proportion.
    """
    n_container, nesting = 0, _Nesting()
    for n_step, (step, argument, _) in enumerate(pickletools.genops(content)):
        if reason := _REFUSED.get(step.name):
            raise refusal(where, reason)
        if step.name == "GLOBAL" and tuple(str(argument).split(" ", 1)) not in allowed:
            raise refusal(where, str(argument).replace(" ", "."))
        if step.name in _PUT and int(argument or 0) > n_step + _FREE_PLACES:
            raise refusal(where, f"a memo number of {argument}")
        n_container += step.name in _CONTAINERS
        if n_container > MAX_CONTAINERS:
            raise refusal(where, f"more than {MAX_CONTAINERS:,} containers")
        if nesting.after(step, argument) > MAX_NESTING:
            raise refusal(where, f"tuples that are nested more than {MAX_NESTING} deep")


class _Nesting:
    """Follows how deeply tuples are nested; only they can be keys and hold keys."""

    def __init__(self) -> None:
        self._stack: list[int | None] = []  # depth of each object, None for a mark
        self._memo: dict[int, int] = {}

    def after(self, step: pickletools.OpcodeInfo, argument: Any) -> int:
        """Take one step and return the depth of the object on top."""
        if step.name in _PUT or step.name == "MEMOIZE":
            self._memo[int(argument) if step.name in _PUT else len(self._memo)] = self._stack[-1] or 0
        elif step.name in _GET:
            self._stack.append(self._memo.get(int(argument), 0))
        elif step.name == "DUP":
            self._stack.append(self._stack[-1])
        elif step.name == "MARK":
            self._stack.append(None)
        else:
            deepest = self._pop(step)
            pushed = deepest + 1 if step.name in _TUPLES else 0
            self._stack.extend([pushed] * len(step.stack_after))
        return (self._stack[-1] or 0) if self._stack else 0

    def _pop(self, step: pickletools.OpcodeInfo) -> int:
        """Take what a step takes from the stack and return the largest depth in it."""
        deepest, n_item = 0, len(step.stack_before)
        if pickletools.markobject in step.stack_before:
            n_item = step.stack_before.index(pickletools.markobject)
            while (depth := self._stack.pop()) is not None:
                deepest = max(deepest, depth)
        for _ in range(n_item):
            deepest = max(deepest, self._stack.pop() or 0)
        return deepest


def refusal(where: str, what: str) -> InputError:
    """Return the error for a pickle that holds ``what``."""
    return InputError(
        f"{where}: expected a pickle of numpy arrays, dicts, lists, texts and numbers, got {what[:80]}; nothing of it "
        "was run, save the data as plain arrays to import them"
    )
