"""A table of numbers in a text file: the header, and the cells of the columns that are asked for."""

from __future__ import annotations

import functools
import os
import re
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from mmfeat.errors import ClipError, list_faults
from mmfeat.types import Float64Array, StreamStatus
from mmfeat.vision.words import ByteArray

Loader = Literal["compiled", "numpy"]
Choose = Callable[[tuple[str, ...]], tuple[str, ...]]

PADDING = 128  # newlines behind the text, so that the compiled scan may look ahead
BLANK = bytes(range(33))  # white space and what a terminal does not show
_MAX_HEADER = 1 << 17  # bytes
_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_WINDOWS_NAN = re.compile(rb"[-+]?(?:nan|1\.#(?:QNAN|SNAN|IND))(?:\((?:ind|snan)\))?", re.IGNORECASE)
_WINDOWS_INF = re.compile(rb"([-+]?)1\.#INF", re.IGNORECASE)
_BOOLEANS = {b"True": 1.0, b"TRUE": 1.0, b"False": 0.0, b"FALSE": 0.0}  # as pandas and Excel save ``success`` again
_AGAIN = "run FeatureExtraction again"


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """Some columns of a text file.

    Args:
        path: the file.
        header: all names of the file, without the spaces around them.
        names: the columns that were read.
        values: float64, shape (row, column), NaN where a cell is empty.
        is_cut_off: the last row was not whole and is left out.
    """

    path: Path
    header: tuple[str, ...]
    names: tuple[str, ...]
    values: Float64Array
    is_cut_off: bool = False

    @functools.cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.names)}

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def __getitem__(self, name: str) -> Float64Array:
        return self.values[:, self._places[name]]

    def has_all(self, names: tuple[str, ...]) -> bool:
        """Return whether all these columns were read."""
        return self._places.keys() >= set(names)

    def columns(self, names: tuple[str, ...]) -> Float64Array:
        """Return some columns side by side, shape (row, len(names))."""
        places = [self._places[name] for name in names]
        if places == list(range(places[0], places[0] + len(places))):
            return self.values[:, places[0] : places[0] + len(places)]  # no copy
        return self.values[:, places]

    @property
    def n_row(self) -> int:
        """Number of rows."""
        return int(self.values.shape[0])


@dataclass(frozen=True, kw_only=True, eq=False)
class Text:
    """The bytes of a file and what its first line says.

    Args:
        data: the file, with ``PADDING`` newlines behind it.
        start: where the first row begins.
        stop: where the file ends.
        separator: ``,``, ``;`` or a tabulator.
        header: the names of the columns.
    """

    path: Path
    data: ByteArray
    start: int
    stop: int
    separator: str
    header: tuple[str, ...]

    def line_of(self, position: int) -> int:
        """Return the number of the line, from 1, in which a byte stands."""
        return 1 + int(np.count_nonzero(self.data[:position] == ord("\n")))


def read_table(path: Path, choose: Choose, *, loader: Loader = "compiled") -> Table:
    r"""Return some columns of a file, exactly the numbers that Python's ``float`` reads.

    Cells are separated by ``,``, ``;`` or tabulators; names and cells may have spaces around them; lines end with
    ``\n``, ``\r\n`` or ``\r``; the text is utf-8 or, with its mark in front, utf-16. Empty cells are NaN. A last
    row that lacks cells, or whose last cell is empty or begun, is left out: the program was interrupted while it
    wrote it.

    Args:
        path: the file.
        choose: gets the names of the header, returns the columns to read.
        loader: ``compiled`` is the fast one; ``numpy`` gives the same by ``numpy.loadtxt``.

    Raises:
        ClipError: the file is missing or empty, has no rows, a column twice, a row of another length, or a cell that
            is no number. What ``choose`` raises.
    """
    text = _read_text(path)
    names = choose(text.header)
    doubled, places = _find_columns(text.header, names)
    if doubled:
        count = text.header.count(doubled)
        message = f"{path}: expected each column once, got {doubled!r} {count} times; {_AGAIN}"
        raise ClipError(message, StreamStatus.DECODE_ERROR)
    wanted = np.array(places, dtype=np.int64)
    if loader == "compiled" and sys.byteorder == "little":
        from mmfeat.vision.compiled_table import read_values
    else:
        from mmfeat.vision.numpy_table import read_values
    values, is_cut_off = read_values(text, wanted)
    if not values.shape[0]:
        raise ClipError(f"{path}: expected frames below the header, got none", StreamStatus.EMPTY)
    return Table(path=path, header=text.header, names=names, values=values, is_cut_off=is_cut_off)


def prepare_loader() -> None:
    """Compile the scan, or load it from the cache, before threads or processes need it."""
    if sys.byteorder == "little":
        from mmfeat.vision.compiled_table import read_values

        text = _as_text(Path(), *_padded(b"a,b\n0.5,-12345.6789\n"))
        read_values(text, np.arange(2))


def read_header(path: Path) -> tuple[str, ...] | None:
    """Return the names in the first line of a file, None where it cannot be read."""
    try:
        with path.open("rb") as handle:
            content = handle.read(_MAX_HEADER)
    except OSError:
        return None
    if content[:2] in _UTF16_MARKS:
        content = content.decode("utf-16", errors="replace").encode()
    return _names(content.removeprefix(_UTF8_MARK).replace(b"\r", b"\n").partition(b"\n")[0])[1]


def number(cell: bytes) -> float | None:
    """Return the number that a cell spells, in C, Python, the Windows runtime or a table program.

    Empty cells are NaN, what is no number is None.

    Example:
        >>> number(b"-nan(ind)"), number(b"1e-3"), number(b"-1.#INF"), number(b"ten")
        (nan, 0.001, -inf, None)
    """
    cell = cell.strip(BLANK + b'"')
    if not cell or _WINDOWS_NAN.fullmatch(cell):
        return float("nan")
    if cell in _BOOLEANS:
        return _BOOLEANS[cell]
    if found := _WINDOWS_INF.fullmatch(cell):
        return float(found[1] + b"inf")
    try:
        return None if b"_" in cell else float(cell)  # Python reads 1_0 as ten
    except ValueError:
        return None


def foreign_cells(text: Text, cells: list[tuple[int, int, bytes]]) -> ClipError:
    """Return the error for cells that are no numbers: (line, column, what stands there)."""
    faults = [
        f"line {line}, column {text.header[column]!r}: got {cell.strip(BLANK)[:40].decode('utf-8', errors='replace')!r}"
        for line, column, cell in cells
    ]
    commas = any(b"," in cell for _, _, cell in cells)
    what = "numbers with decimal points, got commas; save it with points" if commas else f"numbers; {_AGAIN}"
    return ClipError(list_faults(f"{text.path}: expected {what}", faults), StreamStatus.DECODE_ERROR)


def foreign_line(text: Text, line: int, n_cell: int) -> ClipError:
    """Return the error for a line with another number of cells than the header."""
    return ClipError(
        f"{text.path}: line {line}: expected {len(text.header)} cells as in the header, got {n_cell}; {_AGAIN}",
        StreamStatus.DECODE_ERROR,
    )


def ends_within_cell(text: Text, last_line: bytes, *, is_ended: bool) -> bool:
    """Return whether a last line of all its separators has no last cell, or ends inside it without a newline."""
    cell = last_line.rpartition(text.separator.encode())[2]
    return bool(text.header[-1]) and (not cell.strip(BLANK) or (not is_ended and number(cell) is None))


def _read_text(path: Path) -> Text:
    try:
        data, stop = _read_bytes(path)
    except OSError as error:
        message = f"{path}: expected a file that can be read, got {error.strerror!r}; look what became of it"
        raise ClipError(message, StreamStatus.DECODE_ERROR) from error
    return _as_text(path, data, stop)


def _as_text(path: Path, data: ByteArray, stop: int) -> Text:
    begin = len(_UTF8_MARK) if data[: len(_UTF8_MARK)].tobytes() == _UTF8_MARK else 0
    line = _first_line(data[begin:stop])
    separator, header = _names(line)
    if not any(header):
        raise ClipError(f"{path}: expected an OpenFace csv, got an empty file", StreamStatus.EMPTY)
    start = begin + len(line) + 1
    return Text(path=path, data=data, start=start, stop=stop, separator=separator, header=header)


def _read_bytes(path: Path) -> tuple[ByteArray, int]:
    """Return a file as utf-8 with lines that end in newlines and ``PADDING`` of them behind it, and its length."""
    with path.open("rb", buffering=0) as handle:
        size = os.fstat(handle.fileno()).st_size
        data = np.empty(size + PADDING, dtype=np.uint8)
        stop = 0
        while stop < size and (n_byte := handle.readinto(data[stop:size].data)):
            stop += n_byte
    data[stop:] = ord("\n")
    if data[:2].tobytes() in _UTF16_MARKS:
        return _padded(data[:stop].tobytes().decode("utf-16", errors="replace").encode())
    if not (data[: min(stop, _MAX_HEADER)] == ord("\n")).any():
        return _padded(data[:stop].tobytes())
    return data, stop


def _first_line(data: ByteArray) -> bytes:
    start = data[:_MAX_HEADER].tobytes()
    return (start if b"\n" in start else data.tobytes()).partition(b"\n")[0]


def _padded(content: bytes) -> tuple[ByteArray, int]:
    if b"\n" not in content:
        content = content.replace(b"\r", b"\n")
    return np.frombuffer(content + b"\n" * PADDING, dtype=np.uint8), len(content)


@functools.lru_cache(maxsize=8)  # the files of a corpus have one header
def _names(line: bytes) -> tuple[str, tuple[str, ...]]:
    """Return the separator and the names of a header."""
    text = line.decode("utf-8", errors="replace")
    separator = max(",;\t", key=text.count)
    return separator, tuple(name.strip().strip('"') for name in text.split(separator))


@functools.lru_cache(maxsize=8)
def _find_columns(header: tuple[str, ...], names: tuple[str, ...]) -> tuple[str, tuple[int, ...]]:
    """Return the first of ``names`` that stands in a header twice, or "", and where they stand."""
    counts = Counter(header)
    places = {name: place for place, name in enumerate(header)}
    return next((name for name in names if counts[name] > 1), ""), tuple(places[name] for name in names)
