"""What tells that a file of a clip changed since it was read: size and time first, then its hash."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmfeat.file_hash import file_sha256
from mmfeat.types import ClipEntry, Stamp


def stamps_of(entry: ClipEntry) -> tuple[Stamp, ...]:
    """Return the stamp of each file of a clip, with its hash."""
    return tuple(_stamp(path, _sha256_or_empty(path)) for path in source_paths(entry))


def quick_stamps_of(entry: ClipEntry) -> tuple[Stamp, ...]:
    """Return the stamp of each file of a clip, without hashes: a file that is touched counts as changed."""
    return tuple(_stamp(path, "") for path in source_paths(entry))


def source_paths(entry: ClipEntry) -> tuple[Path, ...]:
    """Return the files of a clip."""
    return tuple(path for path in (entry.audio, entry.video, entry.openface) if path is not None)


def changed_source(entry: ClipEntry, stamps: Sequence[Sequence[object]]) -> str:
    """Return what changed in the files of a clip since it was extracted; empty where nothing did.

    A file of another size changed; one of the same size and time did not; else its hash decides.
    """
    paths = source_paths(entry)
    if [str(path) for path in paths] != [stamp[0] for stamp in stamps]:
        return f"clip {entry.clip_id!r} has other files"
    for path, (_, size, time_ns, sha256) in zip(paths, stamps, strict=True):
        _, size_now, time_now_ns, _ = _stamp(path, "")
        if (size_now, time_now_ns) != (size, time_ns) and (size_now != size or _sha256_or_empty(path) != sha256):
            return f"{path} has changed"
    return ""


def _sha256_or_empty(path: Path) -> str:
    """Return the hash of a file; empty where it is missing or may not be read."""
    try:
        return file_sha256(path)
    except OSError:
        return ""


def _stamp(path: Path, sha256: str) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return str(path), -1, -1, ""
    return str(path), found.st_size, found.st_mtime_ns, sha256
