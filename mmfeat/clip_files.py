"""Clips without a manifest: one for each file, or for each folder of images, below the paths of a command line."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from mmfeat.errors import InputError
from mmfeat.openface_output import unwritten_csvs
from mmfeat.types import ClipEntry


def entries_from_paths(
    paths: Sequence[Path],
    suffixes: Iterable[str],
    *,
    column: str,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    leave_out: Collection[Path] = (),
) -> list[ClipEntry]:
    """Return one clip for each file, folders searched through; ids are relative paths without suffix.

    Of OpenFace files those count as well that a run did not write: the multi-face tool leaves only
    ``NAME_of_details.txt`` where it meets no face, and ``run-openface.jsonl`` tells of failed runs.

    Args:
        paths: files, folders, and patterns such as ``day*/*.wav`` (``**`` stands for any folders) whose ids are
            relative to the last folder in front of the first wildcard.
        suffixes: which files of a folder count, in lower case with the dot.
        column: ``audio``, ``video`` or ``openface``: what the files are.
        include: patterns such as ``*_close.wav``; of a folder's files only those that match one are taken. A pattern is
            held against the name and against the path inside the folder.
        exclude: patterns; files that match one are left out.
        leave_out: absolute paths without links; of a folder's files these are left out.

    Raises:
        InputError: a path does not exist, nothing was found, two files would have the same id, or a name is not text.
    """
    wanted = frozenset(suffixes)
    found: list[tuple[str, Path]] = []
    for path in paths:
        if path.exists() and not path.is_dir():
            found.append((path.stem, path))
            continue
        folder, files = _files_of(path)
        if column == "openface":
            files = sorted({*files, *unwritten_csvs(files)})
        for file in files:
            place = file.relative_to(folder)
            if leave_out and file.resolve() in leave_out:
                continue
            if file.suffix.lower() in wanted and not file.is_dir() and _chosen(place, include, exclude):
                found.append((place.with_suffix("").as_posix(), file))
    if not found:
        raise InputError(f"{paths[0]}: expected files ending in {', '.join(sorted(wanted))}, found none")
    _check_ids(found)
    return [_path_entry(clip_id, file, column) for clip_id, file in found]


def entries_from_frame_folders(paths: Sequence[Path], suffixes: Iterable[str]) -> list[ClipEntry]:
    """Return one clip for each folder that holds images itself; ids are relative paths.

    Args:
        paths: folders, searched through, and patterns as in ``entries_from_paths``. A given folder that holds images
            itself has its own name as id.
        suffixes: which files are images, with the dot; small and large letters differ, as for OpenFace.

    Raises:
        InputError: a path is no folder, no images were found, two folders would have one id, or a name is not text.
    """
    wanted = frozenset(suffixes)
    found: list[tuple[str, Path]] = []
    for path in paths:
        if path.is_file():
            raise InputError(f"{path}: expected a folder of images, got a file; give its folder")
        folder, matches = (path, [path]) if path.is_dir() else _files_of(path)
        for frames in sorted({frames for match in matches for frames in _frame_folders(match, wanted)}):
            clip_id = frames.relative_to(folder).as_posix()
            found.append((frames.resolve().name if clip_id == "." else clip_id, frames))
    if not found:
        raise InputError(f"{paths[0]}: expected folders of images ({', '.join(sorted(wanted))}), found none")
    _check_ids(found)
    return [_path_entry(clip_id, frames, "video") for clip_id, frames in found]


def _frame_folders(folder: Path, suffixes: frozenset[str]) -> Iterator[Path]:
    """Yield the folders, from this one down, that hold images."""
    for place, _, names in os.walk(folder):  # a corpus of frames has too many files for a list of all
        if any(os.path.splitext(name)[1] in suffixes for name in names):  # noqa: PTH122 - millions of names
            yield Path(place)


def _check_ids(found: Sequence[tuple[str, Path]]) -> None:
    """Refuse ids that are doubled or that cannot be written."""
    doubled = [clip_id for clip_id, count in Counter(clip_id for clip_id, _ in found).items() if count > 1]
    if doubled:
        one, other = [str(file) for clip_id, file in found if clip_id == doubled[0]][:2]
        raise InputError(
            f"{one} and {other} would both be clip {doubled[0]!r}; give their common folder, or rename one"
        )
    for clip_id, file in found:
        if not _is_text(clip_id):
            raise InputError(f"{str(file)!r}: expected a name in UTF-8; rename the file")


def _files_of(path: Path) -> tuple[Path, list[Path]]:
    """Return the files below a folder or those that match a pattern, and the folder that their ids are relative to."""
    if path.is_dir():
        return path, sorted(path.rglob("*"))
    if not glob.has_magic(str(path)):
        raise InputError(f"{path}: expected a file or a folder, found none; correct the path")
    folder = next(parent for parent in path.parents if not glob.has_magic(str(parent)))
    return folder, sorted(Path(match) for match in glob.glob(str(path), recursive=True))  # noqa: PTH207 - absolute ones


def _is_text(name: str) -> bool:
    """Return whether a name can be written; bytes of a path that are no UTF-8 cannot."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _chosen(place: Path, include: Sequence[str], exclude: Sequence[str]) -> bool:
    """Return whether a file inside a folder is wanted."""

    def matches(pattern: str) -> bool:
        return fnmatchcase(place.name, pattern) or fnmatchcase(place.as_posix(), pattern)

    return (not include or any(map(matches, include))) and not any(map(matches, exclude))


def _path_entry(clip_id: str, file: Path, column: str) -> ClipEntry:
    if column == "openface":
        return ClipEntry(clip_id=clip_id, openface=file)
    if column == "video":
        return ClipEntry(clip_id=clip_id, video=file)
    return ClipEntry(clip_id=clip_id, audio=file)
