"""Read many runs of bytes of a file in one compiled call, in which other threads of the process go on.

A call of ``os.preadv`` costs about as much as the copy of a short clip, and takes the interpreter's lock twice.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy.typing as npt
from numba import types

from mmfeat.compile import kernel

CAN_READ = hasattr(os, "pread") and sys.maxsize >= 1 << 32  # where offsets of files have 64 bits
# The C library's ssize_t pread(int descriptor, void *buffer, size_t n_byte, off_t offset), which is in every process.
_pread: Any = types.ExternalFunction("pread", types.int64(types.int32, types.uintp, types.uint64, types.int64))


@kernel
def read_runs(
    descriptor: int,
    content: npt.NDArray[Any],
    begins: npt.NDArray[Any],
    places: npt.NDArray[Any],
    sizes: npt.NDArray[Any],
    ends: npt.NDArray[Any],
) -> int:
    """Read runs of bytes, put zeros behind them, and return how many could be read.

    The next one has no place in ``content``, ends too early in the file, or is refused by the system.

    Args:
        descriptor: of the open file.
        content: uint8, shape (byte,): what is filled.
        begins: int64, shape (run,): where each run begins in ``content``.
        places: int64, shape (run,): where it begins in the file.
        sizes: int64, shape (run,): its bytes.
        ends: int64, shape (run,): up to where ``content`` becomes 0 behind each run.
    """
    address = content.ctypes.data
    for run in range(sizes.size):
        begin, place, end = begins[run], places[run], begins[run] + sizes[run]
        if begin < 0 or max(end, ends[run]) > content.size:
            return run
        while begin < end:
            n_byte = _pread(descriptor, address + begin, end - begin, place)
            if n_byte <= 0:
                return run
            begin += n_byte
            place += n_byte
        content[begin : ends[run]] = 0
    return int(sizes.size)
