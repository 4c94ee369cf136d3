"""Errors of the whole project, one tree; ``except MmfeatError`` catches every one.

```
MmfeatError                     exit code of the commands
├── ConfigError                 3   a configuration is wrong: unknown key, wrong type, value out of range
├── InputError                  3   a file or a folder that was given is not what it should be
│   ├── ManifestError           3   a manifest has faults; all of them are listed with their lines
│   ├── ClipError               3   one stream of one clip could not be read; carries its StreamStatus
│   └── OutputExistsError       3   the output is there already and overwriting was not asked for
├── StorageError                3   the output cannot be written, the disk is full for example; what was done is kept
├── SchemaError                 3   a dataset file breaks a rule of the format
├── PluginError                 3   a plugin clashes with another or does not import
├── MissingExtraError           4   an optional package is not installed; the message says how to get it
├── MissingToolError            4   a program outside of Python is not there or does not run; the message says why
└── (skesl) MethodError         3   a method was asked for something that it does not do
    (skesl) CheckpointError     3   a run folder is incomplete or does not fit the data
```

Every message says where, what was expected, what came, and what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mmfeat.types import StreamStatus


class MmfeatError(Exception):
    """Base class of every error that the project raises on purpose."""

    exit_code: ClassVar[int] = 3


class ConfigError(MmfeatError):
    """A configuration is wrong; all faults found are in the message."""


class InputError(MmfeatError):
    """A given file or folder is not what it should be."""


class ManifestError(InputError):
    """A manifest has faults.

    Args:
        path: the manifest.
        faults: one sentence each, with the line number in front.
    """

    def __init__(self, path: Path, faults: Sequence[str]) -> None:
        self.path = path
        self.faults = tuple(faults)
        super().__init__(list_faults(f"{path}: the manifest has {len(faults)} fault(s); correct each", faults))


class ClipError(InputError):
    """One stream of one clip could not be read; a build records it and goes on.

    Args:
        message: where, expected, got, what to do.
        status: what the stream's ``status`` column will say.
    """

    def __init__(self, message: str, status: StreamStatus) -> None:
        self.status = status
        super().__init__(message)

    def __reduce__(self) -> tuple[type[ClipError], tuple[str, StreamStatus]]:
        """Survive the way back from a worker process, where the constructor is called again."""
        return type(self), (str(self), self.status)


class OutputExistsError(InputError):
    """The output exists and overwriting was not asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"{path}: expected a new output, but it exists; choose another name or pass --overwrite")


class StorageError(MmfeatError):
    """The output cannot be written, because the disk is full for example; the next run goes on from what was done."""


class SchemaError(MmfeatError):
    """A dataset file breaks a rule of the format."""


class PluginError(MmfeatError):
    """A plugin clashes with another one or does not import."""


class MissingExtraError(MmfeatError):
    """An optional package is not installed.

    Args:
        package: the package that did not import.
        extra: the extra of ``mmfeat`` that brings it.
        purpose: what needs it, in a few words.
    """

    exit_code: ClassVar[int] = 4

    def __init__(self, package: str, *, extra: str, purpose: str) -> None:
        self.package = package
        self.extra = extra
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed; pip install 'mmfeat[{extra}]'"
        )


class MissingToolError(MmfeatError):
    """A program that the user brings is not there or does not run; the message says what to do."""

    exit_code: ClassVar[int] = 4


def list_faults(title: str, faults: Sequence[str], *, most: int = 20) -> str:
    """Return ``title`` with one fault a line below it; more than ``most`` are counted, not shown."""
    shown = [f"  {fault}" for fault in faults[:most]]
    if len(faults) > most:
        shown.append(f"  … and {len(faults) - most} more")
    return "\n".join([f"{title}:", *shown])
