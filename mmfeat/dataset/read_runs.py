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
    first_byte: int,
    row_bytes: int,
    content: npt.NDArray[Any],
    starts: npt.NDArray[Any],
    lengths: npt.NDArray[Any],
    places: npt.NDArray[Any],
    ends: npt.NDArray[Any],
) -> int:
    """Read runs of rows, put zeros behind them, and return how many could be read.

    The next one has no place in ``content``, ends too early in the file, or is refused by the system.

    Args:
        descriptor: of the open file.
        first_byte: of the file, where row 0 begins.
        row_bytes: bytes of a row.
        content: uint8, shape (byte,): what is filled.
        starts: int64, shape (run,): the row of the file at which each run begins.
        lengths: int64, shape (run,): its rows.
        places: int64, shape (run,): the row of ``content`` at which it begins.
        ends: int64, shape (run,): the row up to which ``content`` becomes 0 behind each run.
    """
    address = content.ctypes.data
    for run in range(starts.size):
        begin, place = places[run] * row_bytes, first_byte + starts[run] * row_bytes
        end, zeros_end = begin + lengths[run] * row_bytes, ends[run] * row_bytes
        if begin < 0 or max(end, zeros_end) > content.size:
            return run
        while begin < end:
            n_byte = _pread(descriptor, address + begin, end - begin, place)
            if n_byte <= 0:
                return run
            begin += n_byte
            place += n_byte
        content[begin:zeros_end] = 0
    return int(starts.size)
