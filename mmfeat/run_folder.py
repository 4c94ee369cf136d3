"""A folder of one output for each clip, with a journal of what was done: the same run again does only the rest.

The journal ``NAME.jsonl`` in the folder has one line for each finished clip, failures included. Outputs are made in
the folder ``DIR.part`` beside it and renamed when they are whole, so no half-written file is ever seen under a final
name. For each clip the old outputs are removed, then the line is written, then the new outputs are renamed: a file that
no line speaks of is not ours, and a kill in between leaves a clip without its outputs, which is done again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import IO, Any

from mmfeat.errors import InputError, list_faults
from mmfeat.journal import lines_so_far, lock_folder, whole_lines
from mmfeat.types import StreamStatus

FINISHED = tuple(status.name.lower() for status in (StreamStatus.OK, StreamStatus.NO_FACE))


class RunFolder:
    """An output folder, held by this process alone.

    Args:
        path: the folder; made where it is missing.
        journal: name of its journal.

    Raises:
        InputError: another process holds the folder, or nothing can be written there.
    """

    def __init__(self, path: Path, journal: str) -> None:
        self.path = path
        self._part = self._part_of(path)
        self._lock = lock_folder(self._part, path)
        try:
            self.last: dict[str, dict[str, Any]] = {}
            self._journal = self._open_journal(journal)
            self.abandoned = tuple(item for item in self._part.iterdir() if item.is_dir())  # by runs that were killed
            # A new name each time: programs that a killed run left behind may still write into the old one.
            self.work = Path(tempfile.mkdtemp(dir=self._part))
        except OSError as error:
            self._lock.release()
            raise InputError(
                f"{path}: expected a folder to write into, got {error.strerror!r}; choose another"
            ) from error

    def _part_of(self, path: Path) -> Path:
        """Return where unfinished work goes."""
        return part_folder(path)

    def _open_journal(self, name: str) -> IO[Any]:
        """Read what earlier runs did into ``last``, and return the journal to go on with."""
        self.path.mkdir(parents=True, exist_ok=True)
        journal = self.path / name
        self.last = {record["clip_id"]: record for record in whole_lines(journal) if is_ours(record)}
        return journal.open("a", encoding="utf-8")

    def finish(self, clip_ids: Sequence[str]) -> None:
        """Every clip of the run was attempted: what is made of them all may be made now.

        Args:
            clip_ids: in the order of the run.
        """

    def close(self) -> None:
        """Release the folder and remove what was not finished."""
        with suppress(OSError):  # a line that could not be written
            self._journal.close()
        shutil.rmtree(self._part, ignore_errors=True)
        self._lock.release()

    def is_done(self, clip_id: str, stamp: Sequence[int | str], settings: Mapping[str, Any]) -> bool:
        """Return whether a clip was finished with these settings, its source is the same and its outputs are there."""
        last = self.last.get(clip_id)
        if last is None or last["status"] not in FINISHED:
            return False
        same = last["stamp"] == list(stamp) and last["settings"] == json.loads(json.dumps(settings))
        return same and all(_n_byte(self.path / name) == n_byte for name, n_byte in last["outputs"].items())

    def refuse_sources(self, sources: Mapping[str, Path], suffixes: Iterable[str]) -> None:
        """Refuse to replace what is read.

        Args:
            sources: by clip id.
            suffixes: of the outputs.

        Raises:
            InputError: an output would have the name of its source.
        """
        for (clip_id, source), suffix in product(sources.items(), suffixes):
            if (self.path / (clip_id + suffix)).resolve() == source.resolve():
                raise InputError(f"{source}: expected an output beside it, not in its place; choose another folder")

    def refuse_foreign(self, clip_ids: Iterable[str], suffixes: Iterable[str]) -> None:
        """Refuse to replace files that no run wrote.

        Raises:
            InputError: files that would be replaced are not in the journal.
        """
        unknown = [clip_id for clip_id in clip_ids if clip_id not in self.last]
        names = [clip_id + suffix for clip_id in unknown for suffix in suffixes]
        foreign = [name for name in names if os.path.lexists(self.path / name)]
        if foreign:
            title = (
                f"{self.path}: {len(foreign)} file(s) are not from this command; choose another folder or --overwrite"
            )
            raise InputError(list_faults(title, foreign))

    def written(self) -> set[Path]:
        """Return every file that a run wrote into this folder."""
        return _outputs(self.path, self.last.values())

    def note(self, record: dict[str, Any]) -> None:
        """Write one line and hand it to the operating system: a killed process does not lose it.

        Raises:
            InputError: the journal cannot be written.
        """
        try:
            self._journal.write(json.dumps(record) + "\n")
            self._journal.flush()
        except OSError as error:
            raise InputError(
                f"{self._journal.name}: expected to write the journal, got {error.strerror!r}; make room and run again"
            ) from error
        self.last[record["clip_id"]] = record

    def commit(self, record: dict[str, Any], files: Mapping[str, Path], suffixes: Iterable[str]) -> None:
        """Remove what an earlier run made for a clip, write its line, and move its files to their names.

        Args:
            record: the line; ``outputs`` is added to it.
            files: the finished files by suffix.
            suffixes: of all files that a clip may have.

        Raises:
            OSError: a file cannot be removed or renamed.
            InputError: the journal cannot be written.
        """
        name = str(record["clip_id"])
        record["outputs"] = {name + suffix: file.stat().st_size for suffix, file in files.items()}
        for suffix in suffixes:
            (self.path / (name + suffix)).unlink(missing_ok=True)
        self.note(record)
        for suffix, file in files.items():
            target = self.path / (name + suffix)
            target.parent.mkdir(parents=True, exist_ok=True)
            file.replace(target)


def written_files(path: Path, journal: str) -> set[Path]:
    """Return every file that a run wrote into a folder, whoever holds the folder now."""
    last = {record["clip_id"]: record for record in lines_so_far(path / journal) if is_ours(record)}
    return _outputs(path, last.values())


def _outputs(path: Path, records: Iterable[Mapping[str, Any]]) -> set[Path]:
    return {(path / name).resolve() for record in records for name in record["outputs"]}


def part_folder(path: Path) -> Path:
    """Return where unfinished work goes: beside the folder; inside where the folder is a disk of its own."""
    path = path.absolute()
    # Path.is_mount does not work on Windows before Python 3.12.
    return path / ".part" if os.path.ismount(path) else path.with_name(path.name + ".part")


def source_stamp(path: Path) -> list[int | str]:
    """Return what tells that a source changed: size and time of a file; number and hash of a folder's files.

    The hash is over the name, the size and the time of each file: swapped names count.

    Raises:
        OSError: there is no such file.
    """
    found = path.stat()
    if not path.is_dir():
        return [found.st_size, found.st_mtime_ns]
    files = [(item.name, item.stat()) for item in path.iterdir() if item.is_file()]
    rows = sorted([name, file.st_size, file.st_mtime_ns] for name, file in files)
    return [len(rows), hashlib.sha256(json.dumps(rows).encode()).hexdigest()]


def is_ours(record: Mapping[str, Any]) -> bool:
    """Return whether a line of the journal has what a run writes."""
    kinds = {"clip_id": str, "status": str, "reason": str, "stamp": list, "settings": dict, "outputs": dict}
    return all(isinstance(record.get(name), kind) for name, kind in kinds.items())


def _n_byte(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
