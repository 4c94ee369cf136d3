"""Find the files of a raw tree, as people unpack them: hidden files, ``__MACOSX``, letters of either case."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from mmfeat.errors import InputError

AUDIO = (".wav", ".flac", ".mp3", ".m4a", ".ogg")
VIDEO = (".mp4", ".avi", ".mkv", ".mov", ".webm", ".flv", ".mpg", ".wmv")
_LITTER = frozenset(["__MACOSX", "Thumbs.db", "desktop.ini"])


def check_root(root: Path) -> None:
    """Refuse a root that is no folder.

    Raises:
        InputError: it is none.
    """
    if not root.is_dir():
        raise InputError(f"{root}: expected the folder of the unpacked corpus, found none; correct ROOT")


def is_litter(name: str) -> bool:
    """Return whether a name is what systems and archives leave behind, not a part of a corpus."""
    return name.startswith(".") or name in _LITTER


def files_below(folder: Path, suffixes: Collection[str]) -> Iterator[Path]:
    """Yield the files below a folder by suffix, in lower case, in the order of their names; litter is left out."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_litter(name))
        for name in sorted(names):
            if not is_litter(name) and os.path.splitext(name)[1].lower() in suffixes:  # noqa: PTH122 - millions of names
                yield Path(place, name)


def inside(folder: Path | None, *parts: str) -> Path | None:
    """Return what lies in a folder by these names, whatever the case of their letters; None where nothing does."""
    for part in parts:
        if folder is None or not folder.is_dir():
            return None
        exact = folder / part
        others = () if exact.exists() else sorted(folder.iterdir())
        folder = exact if exact.exists() else next((o for o in others if o.name.lower() == part.lower()), None)
    return folder


def first_inside(root: Path, *choices: Sequence[str]) -> Path | None:
    """Return the first of several places that exists, in the root or in its folder ``Raw``."""
    for place in (root, inside(root, "Raw")):
        for parts in choices:
            if (found := inside(place, *parts)) is not None:
                return found
    return None


class MediaFiles:
    """Sound and video files below a folder by their names.

    Args:
        folder: None: there are no files.
        n_parts: how many parts of a path, from its end, are the name; ``video/clip.mp4`` has two.
    """

    def __init__(self, folder: Path | None, *, n_parts: int = 1) -> None:
        self.folder = folder
        self._n_parts = n_parts
        self._sounds: dict[str, list[Path]] = {}
        self._videos: dict[str, list[Path]] = {}
        for path in () if folder is None else files_below(folder, {*AUDIO, *VIDEO}):
            kind = self._sounds if path.suffix.lower() in AUDIO else self._videos
            kind.setdefault(self._name(path), []).append(path)

    def __bool__(self) -> bool:
        return bool(self._sounds or self._videos)

    @property
    def has_sounds(self) -> bool:
        """Whether there are sound files at all."""
        return bool(self._sounds)

    def names(self) -> set[str]:
        """Return the names of all files."""
        return {*self._sounds, *self._videos}

    def sound(self, name: str) -> list[Path]:
        """Return the sound files of a name."""
        return self._sounds.get(name, [])

    def video(self, name: str) -> list[Path]:
        """Return the videos of a name."""
        return self._videos.get(name, [])

    def _name(self, path: Path) -> str:
        return "/".join([*path.parts[-self._n_parts : -1], path.stem])
