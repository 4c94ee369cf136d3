"""The folder ``NAME.part`` in which a dataset file grows: a lock, a journal, and what is needed to go on after a kill.

A clip is committed by one line in ``journal.jsonl``, written after its frames. Whatever a killed process left behind
the last whole line is cut off when the next one opens the folder.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mmfeat.journal import LOCK, OWNER, cut_lines, lock_folder

FINISHED = "finished"
PLAN = "plan"


class PartFolder:
    """An unfinished dataset file, held by this process alone.

    Args:
        output: the finished file's path.
        fingerprint: of everything that decides the content, part by part. A folder of another fingerprint is started
            anew, one of the same is continued; without a fingerprint nothing is ever continued.
        keep: whether a committed clip is still the same; it and those behind it are dropped where not.

    Raises:
        InputError: another process holds the folder, or nothing can be written there.
    """

    def __init__(
        self,
        output: Path,
        fingerprint: Mapping[str, str] | None,
        keep: Callable[[Mapping[str, Any]], bool] = lambda _record: True,
    ) -> None:
        self.path = part_path(output)
        self.keeps = bool(fingerprint)
        self.restart_reason = ""
        self._journal_path = self.path / "journal.jsonl"
        self._lock = lock_folder(self.path, output)
        try:
            self._begin(dict(fingerprint or {}), keep)
            self._journal = self._journal_path.open("a", encoding="utf-8")
        except BaseException:
            self._lock.release()
            raise

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield the lines of the journal."""
        with self._journal_path.open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)

    def commit(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Add lines to the journal and hand them to the operating system: a killed process does not lose them."""
        self._journal.write("".join(json.dumps(record) + "\n" for record in records))
        self._journal.flush()

    def close(self, *, discard: bool) -> None:
        """Release the folder, and remove it where ``discard`` is true."""
        with suppress(OSError):  # of a full disk: a line that is not whole is cut off by the next run
            self._journal.close()
        if discard:
            _remove(self.path)
        self._lock.release()

    def _begin(self, fingerprint: Mapping[str, str], keep: Callable[[Mapping[str, Any]], bool]) -> None:
        """Continue the interrupted run of the same build; clear the folder of any other."""
        (self.path / FINISHED).unlink(missing_ok=True)
        plan = self.path / PLAN
        before = _read_plan(plan)
        if before is not None and fingerprint:
            changed = [name for name in fingerprint if before.get(name) != fingerprint[name]]
            if not changed:
                cut_lines(self._journal_path, keep)
                return
            self.restart_reason = " and ".join(changed)
        _clear(self.path)
        plan.write_text(json.dumps(fingerprint), encoding="utf-8")
        self._journal_path.touch()


def part_path(output: Path) -> Path:
    """Return the folder of an unfinished file."""
    return output.with_name(output.name + ".part")


def mark_finished(folder: Path) -> None:
    """Note that the file is about to get its name: whatever is left in its part folder then is of no use."""
    (folder / FINISHED).touch()


def sweep_finished(output: Path) -> None:
    """Remove what a run left that was killed after its file had got its name."""
    folder = part_path(output)
    if (folder / FINISHED).exists() or (folder.exists() and not (folder / PLAN).exists()):
        lock = lock_folder(folder, output)
        _remove(folder)
        lock.release()


def _remove(folder: Path) -> None:
    """Remove a part folder; at a kill it still says that it is of no use, by its mark or by having no plan."""
    with suppress(OSError):
        _clear(folder, keep=(LOCK, OWNER, FINISHED))
    shutil.rmtree(folder, ignore_errors=True)


def _clear(folder: Path, keep: Container[str] = (LOCK, OWNER)) -> None:
    for item in folder.iterdir():
        if item.name not in keep:
            item.unlink()


def _read_plan(plan: Path) -> dict[str, str] | None:
    """Return the fingerprint of an interrupted run; None where there is none."""
    try:
        found = json.loads(plan.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
