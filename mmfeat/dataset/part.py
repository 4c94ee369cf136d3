"""The folder ``NAME.part`` in which a dataset file grows: a lock, a journal, and what is needed to go on after a kill.

A clip is committed by one line in ``journal.jsonl``, written after its frames. Whatever a killed process left behind
the last whole line is cut off when the next one opens the folder.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmfeat.journal import LOCK, OWNER, lock_folder, whole_lines


class PartFolder:
    """An unfinished dataset file, held by this process alone.

    Args:
        output: the finished file's path.
        fingerprint: of everything that decides the content. A folder of another fingerprint is started anew, one of
            the same is continued; with the empty fingerprint nothing is ever continued.

    Raises:
        InputError: another process holds the folder, or nothing can be written there.
    """

    def __init__(self, output: Path, fingerprint: str) -> None:
        self.path = output.with_name(output.name + ".part")
        self.keeps = bool(fingerprint)
        self._lock = lock_folder(self.path, output)
        try:
            self.records: list[dict[str, Any]] = self._continued(fingerprint)
        except BaseException:
            self._lock.release()
            raise
        self._journal = (self.path / "journal.jsonl").open("a", encoding="utf-8")

    def commit(self, record: Mapping[str, Any]) -> None:
        """Add one line to the journal and hand it to the operating system: a killed process does not lose it."""
        self._journal.write(json.dumps(record) + "\n")
        self._journal.flush()

    def close(self, *, discard: bool) -> None:
        """Release the folder, and remove it where ``discard`` is true."""
        self._journal.close()
        if discard:
            shutil.rmtree(self.path, ignore_errors=True)
        self._lock.release()

    def _continued(self, fingerprint: str) -> list[dict[str, Any]]:
        """Return the committed records of an interrupted run of the same build; clear the folder of any other."""
        plan, journal = self.path / "plan", self.path / "journal.jsonl"
        if fingerprint and plan.is_file() and plan.read_text(encoding="utf-8") == fingerprint:
            return whole_lines(journal)
        self._clear()
        plan.write_text(fingerprint, encoding="utf-8")
        return []

    def _clear(self) -> None:
        for item in self.path.iterdir():
            if item.name not in (LOCK, OWNER):
                item.unlink()
