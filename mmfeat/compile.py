"""The one way in which the project compiles its kernels."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function) -> Function:
    """Return ``function`` compiled by numba: without the GIL, and cached on disk where a cache can be written.

    Numba decides at decoration where the cache will lie, and raises where neither the package's folder nor the user's
    cache folder can be written (read-only containers). Such a process compiles for itself, about half a minute.
    """
    compiled: Any
    try:
        compiled = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
        _stamp(compiled, Path(inspect.getfile(function)).parent)
    except RuntimeError as error:
        if "cannot cache function" not in str(error):
            raise
        compiled = numba.njit(nogil=True, error_model="numpy")(function)
    return cast(Function, compiled)


def _stamp(dispatcher: Any, folder: Path) -> None:
    """Make the cache of ``dispatcher`` valid only as long as no module of its folder changes.

    Numba compares the file of the kernel alone, so a change in ``fft`` would leave stale copies inside cached callers.
    """
    cache_file = dispatcher._cache._cache_file
    cache_file._source_stamp = (*cache_file._source_stamp, _newest_source(folder))


@functools.cache
def _newest_source(folder: Path) -> float:
    """Return when any module of ``folder`` was last changed."""
    return max(path.stat().st_mtime for path in folder.glob("*.py"))
