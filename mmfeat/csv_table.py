"""Read a table that a person wrote, and say plainly why it cannot be read."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from mmfeat.errors import InputError


@contextmanager
def open_csv(path: Path, what: str) -> Iterator[TextIO]:
    """Open a csv file in utf-8, with or without a byte order mark.

    Args:
        path: the file.
        what: what it should be, for messages.

    Raises:
        InputError: it cannot be read, or what is read inside the ``with`` is no csv text in utf-8.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            yield handle
    except OSError as error:
        message = f"{path}: expected a {what} (csv), cannot read it: {error.strerror}; correct the path"
        raise InputError(message) from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{path}: expected a {what} (csv in utf-8): {error}; save it as such") from error


def read_rows(
    path: Path, what: str, columns: Sequence[str], *, delimiter: str = ","
) -> list[tuple[int, dict[str, str]]]:
    """Return (line number, cells by column) of a table; cells are stripped, column names too.

    Args:
        path: the file.
        what: what it should be, for messages.
        columns: names that must be in its header.
        delimiter: between the cells.

    Raises:
        InputError: it cannot be read, or columns are missing.
    """
    with open_csv(path, what) as handle:
        reader = csv.DictReader(handle, delimiter=delimiter, restkey="", restval="")
        header = [name.strip() for name in reader.fieldnames or []]
        reader.fieldnames = header
        missing = [name for name in columns if name not in header]
        if missing:
            shown = ", ".join(header[:8]) or "an empty file"
            raise InputError(
                f"{path}: expected a {what} with the columns {', '.join(columns)}, {missing[0]!r} is missing; "
                f"got {shown}"
            )
        return [
            (reader.line_num, {name: (cell or "").strip() for name, cell in row.items() if name})
            for row in reader
            if any(row.values())
        ]
