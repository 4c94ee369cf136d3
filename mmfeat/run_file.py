"""A file of one line for each clip; the same run again does only the rest.

Lines go to a journal in the folder ``NAME.part`` beside the file while clips are done. When all were attempted the file
is written with the lines in the order of the clips, flushed to disk and renamed: at any kill it is absent or whole, and
the next run goes on from the journal. Lines of clips that a run does not name are kept, in front.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from mmfeat.errors import InputError
from mmfeat.journal import cut_lines
from mmfeat.run_folder import RunFolder, is_ours

_BOOKKEEPING = ("status", "reason", "source", "stamp", "settings")  # last in a line
_IN_MEMORY = ("clip_id", "notes", "outputs", *_BOOKKEEPING)
_UNFINISHED, _JOURNAL = "unfinished.jsonl", "journal.jsonl"


class RunFile(RunFolder):
    """An output file, held by this process alone.

    Args:
        path: the file.
        journal: what the lines are, for messages: "transcripts".
        anew: forget what earlier runs did, and take the place of whatever file is there.

    Raises:
        InputError: another process holds the file, nothing can be written there, or it is a file of something else.
    """

    def __init__(self, path: Path, journal: str, *, anew: bool = False) -> None:
        self._what, self._anew = journal, anew
        self._places: dict[str, tuple[Path, int]] = {}  # of the last line of each clip: file, first byte
        self._settings: dict[str, dict[str, Any]] = {}  # those of a million clips are the same
        self._is_finished = False
        try:
            super().__init__(path, journal)
        except InputError:
            self._abandon()
            raise

    def note(self, record: dict[str, Any]) -> None:
        """Write one line and hand it to the operating system: a killed process does not lose it.

        Raises:
            InputError: the journal cannot be written.
        """
        place = self._journal.tell()
        line = {**record, "outputs": {}}
        try:
            self._journal.write(json.dumps(line).encode() + b"\n")
            self._journal.flush()
        except OSError as error:
            raise InputError(
                f"{self._journal.name}: expected to write the journal, got {error.strerror!r}; make room and run again"
            ) from error
        self._remember(line, Path(self._journal.name), place)

    def finish(self, clip_ids: Sequence[str]) -> None:
        """Write the file: lines of other clips first, then those of the run in their order.

        Args:
            clip_ids: in the order of the run.
        """
        named = set(clip_ids)
        wanted = [*(clip_id for clip_id in self.last if clip_id not in named), *clip_ids]
        unfinished = self._part / _UNFINISHED
        try:
            with unfinished.open("wb") as handle:
                handle.writelines(self._lines(wanted))
                handle.flush()
                os.fsync(handle.fileno())
            unfinished.replace(self.path)
        except OSError as error:
            raise InputError(
                f"{self.path}: expected to write the file, got {error.strerror!r}; make room and run again"
            ) from error
        self._is_finished = True

    def close(self) -> None:
        """Release the file; what was done of an unfinished run stays in ``NAME.part``."""
        with suppress(OSError):
            self._journal.close()
        if self._is_finished or not self._has_work():
            shutil.rmtree(self._part, ignore_errors=True)
        else:
            shutil.rmtree(self.work, ignore_errors=True)
        self._lock.release()

    def _part_of(self, path: Path) -> Path:
        return path.absolute().with_name(path.name + ".part")

    def _open_journal(self, name: str) -> IO[Any]:
        journal = self._part / _JOURNAL
        if self._anew:
            journal.unlink(missing_ok=True)
        else:
            self._read(self.path, is_journal=False)
            journal.touch()
            cut_lines(journal, lambda _record: True)
            self._read(journal, is_journal=True)
        handle = journal.open("ab")
        handle.seek(0, os.SEEK_END)
        return handle

    def _has_work(self) -> bool:
        with suppress(OSError):
            return (self._part / _JOURNAL).stat().st_size > 0
        return False

    def _abandon(self) -> None:
        """Leave no trace of a run that was refused, unless another one holds the file."""
        if hasattr(self, "_lock") and not self._has_work():
            shutil.rmtree(self._part, ignore_errors=True)
            self._lock.release()

    def _read(self, path: Path, *, is_journal: bool) -> None:
        """Remember the lines of a file.

        Raises:
            InputError: it is no journal, and has a line that no run wrote.
        """
        if not path.exists():
            return
        with path.open("rb") as handle:
            place = 0
            for number, line in enumerate(handle, start=1):
                record = _record(line)
                if record is not None:
                    self._remember(record, path, place)
                elif not is_journal and line.strip():
                    raise InputError(
                        f"{path}: line {number}: expected {self._what} of an earlier run, got something else; choose "
                        "another name or pass --overwrite"
                    )
                place += len(line)

    def _remember(self, record: dict[str, Any], path: Path, place: int) -> None:
        key = json.dumps(record["settings"], sort_keys=True)
        settings = self._settings.setdefault(key, record["settings"])
        self.last[record["clip_id"]] = {name: record[name] for name in _IN_MEMORY if name in record} | {
            "settings": settings
        }
        self._places[record["clip_id"]] = (path, place)

    def _lines(self, clip_ids: Sequence[str]) -> Iterator[bytes]:
        """Yield the finished lines of clips."""
        handles: dict[Path, IO[bytes]] = {}
        try:
            for clip_id in clip_ids:
                path, place = self._places[clip_id]
                if path not in handles:
                    handles[path] = path.open("rb")
                handles[path].seek(place)
                yield _finished(json.loads(handles[path].readline()))
        finally:
            for handle in handles.values():
                handle.close()


def _record(line: bytes) -> dict[str, Any] | None:
    """Return the record of a line, None where it is not of a run."""
    with suppress(ValueError):
        record = json.loads(line)
        if isinstance(record, dict) and is_ours({"outputs": {}, **record}):
            return {"outputs": {}, **record}
    return None


def _finished(record: dict[str, Any]) -> bytes:
    """Return the line of a finished file: what a reader wants first, the bookkeeping behind it."""
    ours = ("outputs", *_BOOKKEEPING)
    content = {name: value for name, value in record.items() if name not in ours}
    line = content | {name: record[name] for name in _BOOKKEEPING if name in record}
    return json.dumps(line, ensure_ascii=False).encode() + b"\n"
