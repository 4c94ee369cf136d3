"""Sixteen float32 numbers side by side: the vector type that the audio kernels compute with.

A kernel works on sixteen frames at once, one frame per lane. Nothing ever crosses lanes, so a loud frame cannot disturb
its silent neighbour. Plain numba loops leave vectorization to a compiler that must first prove that arrays do not
overlap; on loops this short it mostly gives up (a third of the speed was measured). Here the vector is a type of its
own, ``Lanes``, with the usual operators, and LLVM maps it to whatever the processor has: one AVX-512 register, two of
AVX2, four of NEON.

The functions here run inside kernels only. ``load(array, index)`` reads the sixteen float32 that start at
``array[index]`` of a contiguous array of one dimension; as in C there is no bounds check and no negative index.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.core import types
from numba.core.datamodel.models import PrimitiveModel
from numba.core.datamodel.registry import register_default
from numba.core.typing.templates import ConcreteTemplate, infer_global as _infer_global, signature as _signature
from numba.extending import intrinsic as _intrinsic, lower_builtin as _lower_builtin

# numba's own types are not precise enough for these.
signature: Any = _signature
intrinsic: Any = _intrinsic
lower_builtin: Any = _lower_builtin
infer_global: Any = _infer_global
tuple_of: Any = types.UniTuple

N_LANES = 16
FloatArray = npt.NDArray[np.float32]
Generator = Callable[[Any, Any, Any, Any], Any]

_FLOATS = ir.VectorType(ir.FloatType(), N_LANES)
_INTEGERS = ir.VectorType(ir.IntType(32), N_LANES)


class Lanes(Protocol):
    """Sixteen float32; tells a type checker what kernels may do with them."""

    def __add__(self, other: Lanes, /) -> Lanes:
        """Return the sum, lane by lane."""

    def __sub__(self, other: Lanes, /) -> Lanes:
        """Return the difference, lane by lane."""

    def __mul__(self, other: Lanes, /) -> Lanes:
        """Return the product, lane by lane."""

    def __truediv__(self, other: Lanes, /) -> Lanes:
        """Return the quotient, lane by lane."""


class LanesType(types.Type):
    """The numba type of ``Lanes``."""

    def __init__(self) -> None:
        """Name the type."""
        super().__init__(name="Lanes16f32")


class _LanesModel(PrimitiveModel):
    """A value of ``LanesType`` is an LLVM vector."""

    def __init__(self, manager: Any, fe_type: Any) -> None:
        super().__init__(manager, fe_type, _FLOATS)  # type: ignore[no-untyped-call]


register_default(LanesType)(_LanesModel)
lanes_type: Any = LanesType()


def _address(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    """Return the LLVM address of ``array[index]`` as a pointer to a vector."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), _FLOATS.as_pointer())


def _load(typing_context: Any, array: Any, index: Any) -> tuple[Any, Generator]:
    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load(_address(context, builder, sig.args[0], *args), align=4)

    return signature(lanes_type, array, types.intp), generate


def _store(typing_context: Any, array: Any, index: Any, value: Any) -> tuple[Any, Generator]:
    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store(args[2], _address(context, builder, sig.args[0], *args[:2]), align=4)
        return context.get_dummy_value()

    return signature(types.none, array, types.intp, lanes_type), generate


def _splat(typing_context: Any, scalar: Any) -> tuple[Any, Generator]:
    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        undefined = ir.Constant(_FLOATS, ir.Undefined)
        first = builder.insert_element(undefined, args[0], ir.Constant(ir.IntType(32), 0))
        return builder.shuffle_vector(first, undefined, ir.Constant(_INTEGERS, [0] * N_LANES))

    return signature(lanes_type, types.float32), generate


def _lanewise(n_arguments: int, emit: Callable[..., Any]) -> Callable[..., Any]:
    """Return the intrinsic that applies ``emit(builder, *vectors)``."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return emit(builder, *args)

    answer = (signature(lanes_type, *[lanes_type] * n_arguments), generate)
    typed: dict[int, Callable[..., Any]] = {
        1: lambda typing_context, a: answer,
        2: lambda typing_context, a, b: answer,
        3: lambda typing_context, a, b, c: answer,
    }
    function: Callable[..., Any] = intrinsic(typed[n_arguments])
    return function


def _call(name: str) -> Callable[..., Any]:
    """Return an emitter of the LLVM intrinsic function ``name`` on vectors."""

    def emit(builder: Any, *vectors: Any) -> Any:
        function_type = ir.FunctionType(_FLOATS, [_FLOATS] * len(vectors))
        full_name = f"llvm.{name}.v{N_LANES}f32"
        function = builder.module.globals.get(full_name) or ir.Function(builder.module, function_type, full_name)
        return builder.call(function, vectors)

    return emit


def _choose(comparison: str) -> Callable[..., Any]:
    """Return an emitter of ``a if a <comparison> b else b``, one instruction on x86 for < and >."""
    return lambda builder, a, b: builder.select(builder.fcmp_ordered(comparison, a, b), a, b)


def _interleave(first: int) -> Callable[..., Any]:
    """Return an emitter of a[first], b[first], a[first + 1], b[first + 1] and so on."""
    order = [first + i // 2 + N_LANES * (i % 2) for i in range(N_LANES)]
    return lambda builder, a, b: builder.shuffle_vector(a, b, ir.Constant(_INTEGERS, order))


def _comparison(symbol: str) -> Callable[[Lanes, Lanes], int]:
    """Return the intrinsic that packs ``a <symbol> b`` of the sixteen lanes into the bits of an integer."""

    def typed(typing_context: Any, a: Any, b: Any) -> tuple[Any, Generator]:
        def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            flags = builder.bitcast(builder.fcmp_ordered(symbol, *args), ir.IntType(N_LANES))
            return builder.zext(flags, ir.IntType(64))

        return signature(types.int64, lanes_type, lanes_type), generate

    function: Callable[[Lanes, Lanes], int] = intrinsic(typed)
    return function


def _split_exponent(typing_context: Any, a: Any) -> tuple[Any, Generator]:
    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        def constant(value: int) -> Any:
            return ir.Constant(_INTEGERS, [value] * N_LANES)

        # The sum makes mantissas above sqrt(2) carry into the exponent: 0x3F800000 is 1, 0x3F3504F3 sqrt(1/2).
        bits = builder.bitcast(args[0], _INTEGERS)
        shifted = builder.add(bits, constant(0x3F800000 - 0x3F3504F3))
        exponent = builder.sub(builder.lshr(shifted, constant(23)), constant(127))
        mantissa = builder.add(builder.and_(shifted, constant(0x007FFFFF)), constant(0x3F3504F3))
        parts = [builder.bitcast(mantissa, _FLOATS), builder.sitofp(exponent, _FLOATS)]
        return context.make_tuple(builder, sig.return_type, parts)

    return signature(tuple_of(lanes_type, 2), lanes_type), generate


def _lowest_lane(typing_context: Any, lanes: Any) -> tuple[Any, Generator]:
    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return signature(types.int64, types.int64), generate


def _reduction(name: str) -> Callable[[Lanes], np.float32]:
    """Return the intrinsic that reduces a vector without NaN to one number."""
    full_name = f"llvm.vector.reduce.{name}.v{N_LANES}f32"

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        function_type = ir.FunctionType(ir.FloatType(), [_FLOATS])
        function = builder.module.globals.get(full_name) or ir.Function(builder.module, function_type, full_name)
        return builder.call(function, args, fastmath=("nnan",))

    function: Callable[[Lanes], np.float32] = intrinsic(
        lambda typing_context, a: (signature(types.float32, lanes_type), generate)
    )
    return function


largest_lane = _reduction("fmax")
smallest_lane = _reduction("fmin")
lowest_lane: Callable[[int], int] = intrinsic(_lowest_lane)  # the lowest set bit of what a comparison returns, not 0
load: Callable[[FloatArray, int], Lanes] = intrinsic(_load)
store: Callable[[FloatArray, int, Lanes], None] = intrinsic(_store)
splat: Callable[[np.float32], Lanes] = intrinsic(_splat)
fused_multiply_add: Callable[[Lanes, Lanes, Lanes], Lanes] = _lanewise(3, _call("fma"))
square_root: Callable[[Lanes], Lanes] = _lanewise(1, _call("sqrt"))
larger: Callable[[Lanes, Lanes], Lanes] = _lanewise(2, _choose(">"))
smaller: Callable[[Lanes, Lanes], Lanes] = _lanewise(2, _choose("<"))
interleave_low: Callable[[Lanes, Lanes], Lanes] = _lanewise(2, _interleave(0))
interleave_high: Callable[[Lanes, Lanes], Lanes] = _lanewise(2, _interleave(N_LANES // 2))
is_less = _comparison("<")
is_less_or_equal = _comparison("<=")
split_exponent: Callable[[Lanes], tuple[Lanes, Lanes]] = intrinsic(_split_exponent)

_OPERATORS: dict[Callable[[Any, Any], Any], str] = {
    operator.add: "fadd",
    operator.sub: "fsub",
    operator.mul: "fmul",
    operator.truediv: "fdiv",
}


def _register(symbol: Callable[[Any, Any], Any], instruction: str) -> None:
    """Make ``symbol`` between two vectors mean LLVM's ``instruction``."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return getattr(builder, instruction)(*args)

    case = {"cases": [signature(lanes_type, lanes_type, lanes_type)]}
    infer_global(symbol)(type(f"_{instruction}", (ConcreteTemplate,), case))
    lower_builtin(symbol, lanes_type, lanes_type)(generate)


for _symbol, _instruction in _OPERATORS.items():
    _register(_symbol, _instruction)
