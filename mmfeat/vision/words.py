"""Bytes by the handful: what the compiled scan of a text file is made of.

The functions run inside kernels only, on contiguous uint8 arrays of one dimension; as in C there is no bounds check.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.core import types
from numba.core.typing.templates import signature as _signature
from numba.extending import intrinsic as _intrinsic

# numba's own types are not precise enough for these.
signature: Any = _signature
intrinsic: Any = _intrinsic

N_BYTE = 64  # that find_byte looks at: one cache line, and as many bits as an integer has
ByteArray = npt.NDArray[np.uint8]
Generator = Callable[[Any, Any, Any, Any], Any]

_BYTES = ir.VectorType(ir.IntType(8), N_BYTE)
_WORD = ir.IntType(64)


def _load(context: Any, builder: Any, array_type: Any, args: Any, loaded: Any) -> Any:
    """Load an LLVM value that begins at ``array[index]``, aligned or not."""
    data = context.make_array(array_type)(context, builder, args[0]).data
    return builder.load(builder.bitcast(builder.gep(data, [args[1]]), loaded.as_pointer()), align=1)


def _load_word(typing_context: Any, array: Any, index: Any) -> tuple[Any, Generator]:
    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _load(context, builder, sig.args[0], args, _WORD)

    return signature(types.uint64, array, types.intp), generate


def _find_byte(typing_context: Any, array: Any, index: Any, byte: Any) -> tuple[Any, Generator]:
    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        undefined = ir.Constant(_BYTES, ir.Undefined)
        first = builder.insert_element(undefined, args[2], ir.Constant(ir.IntType(32), 0))
        wanted = builder.shuffle_vector(
            first, undefined, ir.Constant(ir.VectorType(ir.IntType(32), N_BYTE), [0] * N_BYTE)
        )
        equal = builder.icmp_unsigned("==", _load(context, builder, sig.args[0], args, _BYTES), wanted)
        return builder.bitcast(equal, _WORD)

    return signature(types.uint64, array, types.intp, types.uint8), generate


def _lowest_bit(typing_context: Any, word: Any) -> tuple[Any, Generator]:
    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return signature(types.uint64, types.uint64), generate


load_word: Callable[[ByteArray, int | np.int64], np.uint64] = intrinsic(_load_word)  # eight bytes, the first one lowest
find_byte: Callable[[ByteArray, int, np.uint8], np.uint64] = intrinsic(_find_byte)  # bit i: array[index + i] == byte
lowest_bit: Callable[[np.uint64], np.uint64] = intrinsic(_lowest_bit)  # its number; the word must not be 0
