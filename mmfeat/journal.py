"""What lets a killed run go on: a journal of whole lines, and a lock that only one process holds.

A journal is a text file with one JSON object a line. A line is written when its clip is finished, so whatever a
killed process left behind the last whole line is cut off when the next one opens the journal.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from mmfeat.errors import InputError

LOCK, OWNER = "lock", "owner"


def whole_lines(journal: Path) -> list[dict[str, Any]]:
    """Return the records of a journal, and cut off what was not written to its end."""
    if not journal.is_file():
        return []
    records: list[dict[str, Any]] = []

    def take(record: dict[str, Any]) -> bool:
        records.append(record)
        return True

    cut_lines(journal, take)
    return records


def cut_lines(journal: Path, keep: Callable[[dict[str, Any]], bool]) -> None:
    """Cut off what was not written to its end, and the first record that ``keep`` refuses with all behind it."""
    with journal.open("r+b") as handle:
        n_byte = 0
        for record, end in _whole(handle):
            if not keep(record):
                break
            n_byte = end
        handle.truncate(n_byte)


def lines_so_far(journal: Path) -> list[dict[str, Any]]:
    """Return the records of a journal that another process may be writing; nothing where it cannot be read."""
    try:
        with journal.open("rb") as handle:
            return [record for record, _ in _whole(handle)]
    except OSError:
        return []


def _whole(handle: BinaryIO) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield the record of each whole line, and the number of bytes to its end."""
    n_byte = 0
    for line in handle:
        record = _record(line)
        if record is None:
            return
        n_byte += len(line)
        yield record, n_byte


def _record(line: bytes) -> dict[str, Any] | None:
    """Return one line of a journal, None where it is not whole."""
    try:
        record = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def lock_folder(folder: Path, output: Path) -> FileLock:
    """Make a folder and return its lock, held; the file ``owner`` inside says by whom.

    Args:
        folder: where the unfinished work is.
        output: the file or folder that the work is for, for messages.

    Raises:
        InputError: another process holds the lock, or nothing can be written there.
    """
    lock = FileLock(folder / LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
        (folder / OWNER).write_text(f"process {os.getpid()} on {platform.node()}", encoding="utf-8")
    except Timeout as error:
        kind = "folder" if output.is_dir() else "file"
        message = f"{output}: another process writes this {kind} ({_owner(folder)}); wait for it"
        raise InputError(message) from error
    except OSError as error:
        lock.release()
        message = f"{output}: expected a place to write a file, got {error.strerror!r}; choose another name"
        raise InputError(message) from error
    return lock


def _owner(folder: Path) -> str:
    try:
        return (folder / OWNER).read_text(encoding="utf-8")
    except OSError:
        return "it has just begun"
