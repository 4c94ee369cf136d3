"""What every export shares: the report, and files that appear whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mmfeat.errors import InputError, OutputExistsError, list_faults


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """What an export did.

    Args:
        paths: the files that were written.
        n_clip: clips in them.
        notes: sentences that a person should read before trusting the files.
    """

    paths: tuple[Path, ...]
    n_clip: int
    notes: tuple[str, ...] = ()

    def summary(self) -> str:
        """Return what was written and every note."""
        text = f"{', '.join(map(str, self.paths))}: {self.n_clip} clips"
        return f"{text}; {list_faults(f'{len(self.notes)} note(s)', self.notes)}" if self.notes else text


@contextmanager
def whole_file(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Yield a place to write to; it becomes ``path`` when the block ends without an error.

    Raises:
        OutputExistsError: the file exists and ``overwrite`` is false.
        InputError: nothing can be written there.
    """
    if path.exists() and not overwrite:
        raise OutputExistsError(path)
    unfinished = path.with_name(f"{path.name}.part")
    try:
        yield unfinished
        unfinished.replace(path)
    except OSError as error:
        raise InputError(f"{path}: expected a place to write a file, got {error.strerror!r}; choose another") from error
    finally:
        unfinished.unlink(missing_ok=True)
