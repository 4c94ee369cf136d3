"""Eight cells side by side: short texts to numbers, without a branch.

A cell of up to eight characters is one 64-bit word: its last character the top byte, bytes in front of the first one
0, every byte exclusive-or ``'0'``, so that digits are 0 to 9 and the dot is 0x1E. The dot is taken out by moving what
stands before it up by a byte; eight digits then become an integer in three multiplications (pairs, fours, all), and
the integer is divided by the power of ten that belongs to the number of bytes behind the dot. Integers up to 10^8 and
powers up to 10^7 are exact in float64, so their quotient is correctly rounded (Clinger, "How to read floating point
numbers accurately", PLDI 1990). The vector type is LLVM's: one register of AVX-512, two of AVX2, four of NEON.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types

from mmfeat.vision.words import Generator, intrinsic, signature

N_LANE = 8
ZEROS = np.uint64(0x3030303030303030)  # '0' in every byte
NO_WORD = np.uint64((ord(".") ^ ord("0")) << 56)  # a lone dot: what stands for a cell that does not fit into a word

_WORDS = ir.VectorType(ir.IntType(64), N_LANE)
_INTEGERS = ir.VectorType(ir.IntType(32), N_LANE)
_NUMBERS = ir.VectorType(ir.DoubleType(), N_LANE)
_ABOVE_NINE = 0x7676767676767676  # added to a byte up to 127 it sets the top bit of those above 9
_TOP_BITS = 0x8080808080808080
_PAIRS = 0x000000FF000000FF
_MILLION_AND_HUNDRED = 0x000F424000000064
_TEN_THOUSAND_AND_ONE = 0x0000271000000001


def _all(value: int) -> Any:
    """Return a vector of one number."""
    return ir.Constant(_WORDS, [value] * N_LANE)


def _without_dot(builder: Any, word: Any) -> tuple[Any, Any, Any]:
    """Return the digits of words, the number of decimals, and which words are plain numbers."""
    foreign = builder.and_(builder.or_(builder.add(word, _all(_ABOVE_NINE)), word), _all(_TOP_BITS))
    lowest = builder.and_(foreign, builder.sub(_all(0), foreign))
    one = builder.lshr(lowest, _all(7))  # 1 in the byte of the dot, 0 where there is none
    before = builder.and_(word, builder.sub(one, _all(1)))
    is_behind = builder.not_(builder.sub(builder.shl(lowest, _all(1)), _all(1)))
    has_dot = builder.icmp_unsigned("!=", lowest, _all(0))
    moved = builder.select(has_dot, builder.shl(before, _all(8)), before)
    digits = builder.or_(moved, builder.and_(word, is_behind))
    n_decimal = builder.lshr(_count_bits(builder, is_behind), _all(3))
    at_dot = builder.and_(word, builder.mul(one, _all(0xFF)))
    is_dot = builder.icmp_unsigned("==", at_dot, builder.mul(one, _all(ord(".") ^ ord("0"))))
    is_single = builder.icmp_unsigned("==", foreign, lowest)
    has_digit = builder.icmp_unsigned("!=", word, _all(int(NO_WORD)))
    return digits, n_decimal, builder.and_(builder.and_(is_dot, is_single), has_digit)


def _count_bits(builder: Any, word: Any) -> Any:
    name = f"llvm.ctpop.v{N_LANE}i64"
    function = builder.module.globals.get(name) or ir.Function(builder.module, ir.FunctionType(_WORDS, [_WORDS]), name)
    return builder.call(function, [word])


def _integer(builder: Any, digits: Any) -> Any:
    """Return the numbers that eight bytes of 0 to 9 spell, the lowest byte first, as float64."""
    pairs = builder.add(builder.mul(digits, _all(10)), builder.lshr(digits, _all(8)))
    first = builder.mul(builder.and_(pairs, _all(_PAIRS)), _all(_MILLION_AND_HUNDRED))
    second = builder.and_(builder.lshr(pairs, _all(16)), _all(_PAIRS))
    total = builder.add(first, builder.mul(second, _all(_TEN_THOUSAND_AND_ONE)))
    return builder.sitofp(builder.trunc(builder.lshr(total, _all(32)), _INTEGERS), _NUMBERS)


def _pick(builder: Any, table: Any, index: Any) -> Any:
    """Return the entries of a table of float64."""
    picked = ir.Constant(_NUMBERS, ir.Undefined)
    for lane in range(N_LANE):
        place = ir.Constant(ir.IntType(32), lane)
        entry = builder.load(builder.gep(table, [builder.extract_element(index, place)]))
        picked = builder.insert_element(picked, entry, place)
    return picked


def _read_eight(
    typing_context: Any, words: Any, signs: Any, powers: Any, values: Any, index: Any
) -> tuple[Any, Generator]:
    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        def place(which: int, vector: Any) -> Any:
            data = context.make_array(sig.args[which])(context, builder, args[which]).data
            return builder.bitcast(builder.gep(data, [args[4]]), vector.as_pointer())

        digits, n_decimal, is_plain = _without_dot(builder, builder.load(place(0, _WORDS), align=8))
        table = context.make_array(sig.args[2])(context, builder, args[2]).data
        divisor = builder.fmul(_pick(builder, table, n_decimal), builder.load(place(1, _NUMBERS), align=8))
        builder.store(builder.fdiv(_integer(builder, digits), divisor), place(3, _NUMBERS), align=8)
        return builder.zext(builder.bitcast(builder.not_(is_plain), ir.IntType(N_LANE)), ir.IntType(64))

    return signature(types.uint64, words, signs, powers, values, types.intp), generate


read_eight: Any = intrinsic(_read_eight)
"""``read_eight(words, signs, powers, values, index)`` reads ``words[index : index + 8]`` into ``values``.

``signs`` are 1.0 or -1.0, ``powers[i]`` is ``10.0**i``. Returns a bit for each cell that is no plain number; its value
is undefined. Kernels only; no bounds check; little-endian machines.
"""
