"""Open a table that a person wrote, and say plainly why it cannot be read."""

from __future__ import annotations

import csv
from collections.abc import Iterator
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
