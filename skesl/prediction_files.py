"""Predictions as a file of one row a clip: csv, or Parquet where its name ends in ``.parquet``.

Both hold the same columns. In a Parquet file numbers are float64 and names texts, and what is not known is null; csv
has every digit, and an empty cell there.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmfeat import open_csv
from mmfeat.errors import InputError, MissingExtraError

Row = Mapping[str, Any]


def check_format(path: Path) -> None:
    """Refuse at once a file that could not be written or read later.

    Raises:
        MissingExtraError: it is a Parquet file and pyarrow is not installed.
    """
    if _is_parquet(path):
        _parquet()


def write_rows(path: Path, header: Sequence[str], rows: Iterable[Mapping[str, str | float]]) -> None:
    """Write one row a clip; the file appears whole or not at all.

    Args:
        path: csv, or Parquet where it ends in ``.parquet``.
        header: names of the columns.
        rows: by these names; an empty text is not known.

    Raises:
        InputError: it cannot be written.
        MissingExtraError: it is a Parquet file and pyarrow is not installed.
    """
    check_format(path)
    unfinished = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        (_write_parquet if _is_parquet(path) else _write_csv)(unfinished, header, rows)
        unfinished.replace(path)
    except OSError as error:
        message = f"{path}: expected a place to write predictions, got {error.strerror!r}; choose another name"
        raise InputError(message) from error


def read_rows(path: Path) -> tuple[list[str], list[tuple[int, Row]]]:
    """Return the names of the columns, and each row with its number: its line in csv, its place from 1 on in Parquet.

    Every cell is text, empty where it is not known; None where a row of csv ends early. Empty rows are left out.

    Raises:
        InputError: the file cannot be read.
        MissingExtraError: it is a Parquet file and pyarrow is not installed.
    """
    if _is_parquet(path):
        return _read_parquet(path)
    with open_csv(path, "file of predictions") as handle:
        table = csv.DictReader(handle)
        header = [name.strip() for name in table.fieldnames or ()]
        table.fieldnames = header
        return header, [(table.line_num, row) for row in table if any(row.values())]


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() == ".parquet"


def _parquet() -> Any:
    """Return the part of pyarrow that reads and writes these files."""
    try:
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise MissingExtraError("pyarrow", extra="parquet", purpose="a Parquet file") from error
    return pyarrow.parquet


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Mapping[str, str | float]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, header, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({name: repr(value) if isinstance(value, float) else value for name, value in row.items()})


def _write_parquet(path: Path, header: Sequence[str], rows: Iterable[Mapping[str, str | float]]) -> None:
    import pyarrow

    columns: dict[str, list[Any]] = {name: [] for name in header}
    for row in rows:
        for name, value in row.items():
            columns[name].append(None if value == "" else value)
    arrays = {
        name: pyarrow.array(values, type=pyarrow.string() if _holds_text(name, values) else pyarrow.float64())
        for name, values in columns.items()
    }
    _parquet().write_table(pyarrow.table(arrays), path)


def _holds_text(name: str, values: Sequence[Any]) -> bool:
    return name == "clip_id" or any(isinstance(value, str) for value in values)


def _read_parquet(path: Path) -> tuple[list[str], list[tuple[int, Row]]]:
    parquet = _parquet()
    try:
        table = parquet.ParquetFile(path).read()
        columns = [table.column(index).to_pylist() for index in range(table.num_columns)]
    except OSError as error:
        reason = error.strerror or "it is damaged"
        message = f"{path}: expected a file of predictions (Parquet), cannot read it: {reason}; correct the path"
        raise InputError(message) from error
    except ValueError as error:  # pyarrow's own are ValueErrors
        message = f"{path}: expected a file of predictions (Parquet): {' '.join(str(error).split())}; save it as such"
        raise InputError(message) from error
    header = [name.strip() for name in table.column_names]
    texts = ({name: _text(cell) for name, cell in zip(header, row, strict=True)} for row in zip(*columns, strict=True))
    return header, [(number, row) for number, row in enumerate(texts, start=1) if any(row.values())]


def _text(cell: Any) -> str:
    """Return a cell as csv has it: every digit of a number, 1 and 0 for yes and no."""
    if cell is None:
        return ""
    return repr(float(cell)) if isinstance(cell, bool | float) else str(cell)
