"""The fields of a foreign file as texts, numbers and sequences, each checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mmfeat.errors import InputError
from mmfeat.types import Float64Array

_MAX_LABEL = 3.4e38  # stored as float32


def text(value: Any) -> str:
    """Return a value as text; bytes of Python 2 are UTF-8, or Latin-1 where they are not. NUL cannot be stored."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(-1)[0]
    if isinstance(value, bytes):
        try:
            value = value.decode("utf-8")
        except UnicodeDecodeError:
            value = value.decode("latin-1")
    if isinstance(value, list | tuple | dict | set | frozenset | np.ndarray):
        raise InputError(f"expected a text, got {type(value).__name__}; correct the source")
    return str(value).replace("\0", " ").encode("utf-8", "replace").decode("utf-8", "replace")


def mapping(value: Any, where: str) -> Mapping[str, Any]:
    """Return a dict with its keys as text.

    Raises:
        InputError: it is no dict.
    """
    if not isinstance(value, dict):
        raise InputError(f"{where}: expected a dict, got {type(value).__name__}; is it the right kind of file?")
    return {text(key): item for key, item in value.items()}


def texts(value: Any, where: str) -> list[str]:
    """Return a list of texts; a row of several values becomes one text, joined by ``$_$``.

    Raises:
        InputError: it is no list or array.
    """
    if not isinstance(value, list | tuple | np.ndarray) or (isinstance(value, np.ndarray) and value.ndim == 0):
        raise InputError(f"{where}: expected a list of texts, got {type(value).__name__}; correct the source")
    return [_joined(item) for item in value]


def _joined(item: Any) -> str:
    if isinstance(item, list | tuple | np.ndarray):
        return "$_$".join(text(part) for part in np.asarray(item, dtype=object).reshape(-1))
    return text(item)


def numbers(value: Any, n_clip: int, where: str) -> Float64Array:
    """Return one number for each clip, NaN where it is no number that can be stored; float64, shape (clip,).

    Raises:
        InputError: the shape is another, or these are no numbers.
    """
    array = _numeric(value, where)
    if array.ndim == 0 or array.size != n_clip or array.shape[0] != n_clip:
        raise InputError(f"{where}: expected {n_clip} numbers, got shape {array.shape}; correct the source")
    flat = array.reshape(-1).astype(np.float64)
    return np.where(np.abs(flat) <= _MAX_LABEL, flat, np.nan)


def sequences(value: Any, where: str) -> Sequence[npt.NDArray[Any]]:
    """Return one array of shape (row, column) for each clip; features of a whole clip become one row.

    Raises:
        InputError: the shape is another, or the number of columns is not the same for all clips.
    """
    if isinstance(value, list) or (isinstance(value, np.ndarray) and value.dtype == object and value.ndim == 1):
        clips = [_numeric(item, f"{where}[{index}]") for index, item in enumerate(value)]
        shapes = {clip.shape[1:] for clip in clips}
        if len(shapes) > 1 or any(len(shape) != 1 for shape in shapes):
            raise InputError(f"{where}: expected arrays (row, column) of one width, got {sorted(shapes)[:3]}")
        return clips
    array = _numeric(value, where)
    if array.ndim == 2:
        array = array[:, None, :]
    if array.ndim != 3 or not array.shape[2]:
        raise InputError(f"{where}: expected an array (clip, row, column), got shape {array.shape}; correct the source")
    return np.asarray(array)  # type: ignore[return-value]  # iterating it gives the clips


def _numeric(value: Any, where: str) -> npt.NDArray[Any]:
    try:
        array = np.asarray(value)
        return array if array.dtype.kind in "biuf" else array.astype(np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(
            f"{where}: expected numbers, got {type(value).__name__}: {error}; correct the source"
        ) from error
