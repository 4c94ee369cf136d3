"""A restricted unpickler: numpy arrays, numbers, texts and plain containers, and nothing else.

Pickles of Python 2 and of old numpy are read as well; texts of Python 2 arrive as bytes. No class and no function of
the pickle's choice is ever touched: what numpy's pickles call is answered by objects of this module, which check
shape, type and size against the bytes that are there before anything is allocated.

Memory: twice the arrays while they are loaded (the format keeps their bytes until its end), once afterwards. The file
itself is mapped.
"""

from __future__ import annotations

import math
import mmap
import pickle
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mmfeat.convert.pickle_scan import refusal, scan_pickle
from mmfeat.errors import InputError

_MAX_DIMENSIONS = 8
_PLAIN_DTYPE = re.compile(r"[<>|=]?(?:[biufc?][0-9]{0,2}|[SUa][0-9]+|O[0-9]?)")
_ITEM_LIMIT = 1 << 20  # bytes of one text in an array


class _Refused(Exception):  # noqa: N818 - never leaves the module
    """What was refused, in a few words."""


def load_pickle(path: Path | str) -> Any:
    """Return what a pickle holds; arrays are plain numpy arrays or a subclass that adds nothing.

    Raises:
        InputError: there is no such file, it is no pickle, it is damaged, or it holds anything but arrays, numbers,
            texts and plain containers.

    Example:
        >>> import pickle, tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.pkl"
        >>> _ = path.write_bytes(pickle.dumps({"train": {"audio": np.zeros((2, 3))}}))
        >>> load_pickle(path)["train"]["audio"].shape
        (2, 3)
    """
    path = Path(path)
    try:
        with path.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return _load(content, str(path))
    except OSError as error:
        raise InputError(f"{path}: expected a pickle, cannot read it: {error.strerror}; correct the path") from error
    except ValueError as error:  # mmap's word for an empty file
        raise InputError(f"{path}: expected a pickle, got an empty file; get it again") from error


def _load(content: mmap.mmap, where: str) -> Any:
    try:
        scan_pickle(content, where, frozenset(_SHIMS))
        content.seek(0)
        return _Unpickler(content, encoding="bytes").load()
    except InputError:
        raise
    except _Refused as error:
        raise refusal(where, str(error)) from None
    except Exception as error:  # whatever a damaged pickle makes pickle, numpy or Python say
        kind = type(error).__name__
        raise InputError(
            f"{where}: expected a whole pickle, got a damaged one ({kind}: {error}); get it again"
        ) from error


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if (shim := _SHIMS.get((module_name, global_name))) is None:
            raise _Refused(f"{module_name}.{global_name}")
        return _Call(shim)

    def persistent_load(self, _pid: Any, /) -> Any:
        raise _Refused("a persistent id")


class _Call:
    """Stands for a function or class of the pickle; can be called and nothing else."""

    __slots__ = ("_answer",)

    def __init__(self, answer: Callable[..., Any]) -> None:
        object.__setattr__(self, "_answer", answer)

    def __call__(self, *arguments: Any) -> Any:
        return self._answer(*arguments)  # type: ignore[attr-defined]  # a slot, set once

    def __setattr__(self, name: str, value: Any) -> None:
        raise _Refused(f"a change of {name!r} of a function")

    def __setstate__(self, _state: Any) -> None:
        raise _Refused("a change of a function")


class _Dtype:
    """A dtype that was named and not made yet."""

    __slots__ = ("order", "text")

    def __init__(self, text: str) -> None:
        self.text, self.order = text, ""

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) < 5 or any(part is not None for part in state[2:5]):
            raise _Refused("a structured dtype")
        self.order = _text(state[1]).replace("|", "")

    def resolve(self) -> np.dtype[Any]:
        """Return the dtype."""
        name = self.text if self.text[0] in "<>|=" else self.order + self.text
        dtype = np.dtype(name)
        if dtype.itemsize > _ITEM_LIMIT or dtype.names is not None or dtype.subdtype is not None:
            raise _Refused(f"the dtype {name!r}")
        return dtype


class _Array(np.ndarray[Any, Any]):
    """An array whose state is checked before it is taken."""

    def __setstate__(self, state: Any, /) -> None:
        if not isinstance(state, tuple) or len(state) not in (4, 5):
            raise _Refused("an array without a state")
        shape, dtype, fortran, data = state[-4:]
        resolved = _resolved(dtype)
        shape = _checked_shape(shape)
        if resolved.hasobject:
            if type(data) is not list or len(data) != math.prod(shape):
                raise _Refused(f"an array of shape {shape} without its {math.prod(shape):,} objects")
        else:
            data = _bytes(data)
            _check_size(shape, resolved, len(data))
        super().__setstate__((1, shape, resolved, bool(fortran), data))  # type: ignore[arg-type]  # numpy's own form


def _new_array(_kind: Any, _shape: Any = (), _code: Any = b"", *_rest: Any) -> _Array:
    """Answer numpy's ``_reconstruct``: an empty array that waits for its state."""
    return _Array((0,), np.uint8)


def _dtype(name: Any, *_rest: Any) -> _Dtype:
    """Answer ``numpy.dtype``."""
    text = _text(name)
    if not _PLAIN_DTYPE.fullmatch(text):
        raise _Refused(f"the dtype {text!r}")
    return _Dtype(text)


def _scalar(dtype: Any, data: Any = b"") -> Any:
    """Answer ``numpy.core.multiarray.scalar``."""
    resolved = _resolved(dtype)
    if resolved.hasobject:
        raise _Refused("a number that is an object")
    content = _bytes(data)
    _check_size((), resolved, len(content))
    return np.frombuffer(content, dtype=resolved)[0]


def _from_buffer(data: Any, dtype: Any, shape: Any, order: Any = "C", *_rest: Any) -> Any:
    """Answer ``numpy.core.numeric._frombuffer``, which newer protocols use."""
    resolved, shape, content = _resolved(dtype), _checked_shape(shape), _bytes(data)
    if resolved.hasobject:
        raise _Refused("objects in a buffer")
    _check_size(shape, resolved, len(content))
    return np.frombuffer(content, dtype=resolved).reshape(shape, order="F" if order == "F" else "C")


def _encode(text: Any, encoding: Any) -> bytes:
    """Answer ``_codecs.encode``, by which Python 3 writes bytes for Python 2."""
    if type(text) is not str or encoding not in ("latin1", "latin-1"):
        raise _Refused(f"a text in the encoding {encoding!r}")
    return text.encode("latin-1")


def _empty_bytes(*arguments: Any) -> bytes:
    """Answer ``bytes()``, by which old protocols write empty bytes."""
    if arguments:
        raise _Refused("a call of bytes")
    return b""


def _of(kind: Callable[..., Any]) -> Callable[..., Any]:
    """Return the answer for a plain container: made of nothing, or of one list or tuple."""

    def make(items: Any = ()) -> Any:
        if type(items) not in (list, tuple):
            raise _Refused(f"a {getattr(kind, '__name__', 'container')} of {type(items).__name__}")
        return kind(items)

    return make


def _array_class(*_arguments: Any) -> Any:
    """Answer a call of ``numpy.ndarray`` itself, which no pickle of an array makes."""
    raise _Refused("a call of numpy.ndarray")


def _resolved(dtype: Any) -> np.dtype[Any]:
    if not isinstance(dtype, _Dtype):
        raise _Refused("an array without a dtype")
    return dtype.resolve()


def _checked_shape(shape: Any) -> tuple[int, ...]:
    if type(shape) is not tuple or len(shape) > _MAX_DIMENSIONS or any(type(n) is not int or n < 0 for n in shape):
        raise _Refused(f"an array of shape {str(shape)[:40]}")
    return shape


def _check_size(shape: tuple[int, ...], dtype: np.dtype[Any], n_byte: int) -> None:
    wanted = math.prod(shape) * dtype.itemsize
    if wanted != n_byte:
        raise _Refused(f"an array of shape {shape} and {wanted:,} bytes with {n_byte:,} bytes of data")


def _bytes(data: Any) -> bytes:
    if type(data) is str:  # an array of Python 2 that was read as text
        return data.encode("latin-1")
    if type(data) not in (bytes, bytearray):
        raise _Refused(f"an array whose data are a {type(data).__name__}")
    return bytes(data) if type(data) is bytearray else data


def _text(name: Any) -> str:
    return name.decode("latin-1") if type(name) is bytes else str(name)


def _numpy(module: str, name: str) -> list[tuple[str, str]]:
    """Return the places where old and new numpy keep a function."""
    return [(f"numpy.{core}.{module}", name) for core in ("core", "_core")]


_SHIMS: Mapping[tuple[str, str], Callable[..., Any]] = {
    **dict.fromkeys(_numpy("multiarray", "_reconstruct"), _new_array),
    **dict.fromkeys(_numpy("multiarray", "scalar"), _scalar),
    **dict.fromkeys(_numpy("numeric", "_frombuffer"), _from_buffer),
    ("numpy", "dtype"): _dtype,
    ("numpy", "ndarray"): _array_class,
    ("_codecs", "encode"): _encode,
    ("collections", "OrderedDict"): _of(OrderedDict),
    **{(home, "set"): _of(set) for home in ("builtins", "__builtin__")},
    **{(home, "frozenset"): _of(frozenset) for home in ("builtins", "__builtin__")},
    **{(home, "bytes"): _empty_bytes for home in ("builtins", "__builtin__")},
}
