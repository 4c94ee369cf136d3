"""The csv files of OpenFace in a folder of the user's, found by name."""

from __future__ import annotations

from pathlib import Path

from mmfeat.errors import InputError

_SUFFIXES = (".csv", ".CSV")


class OpenFaceFiles:
    """A folder of csv files, such as ``mmfeat run-openface`` writes.

    A file is looked for when its clip is asked for: a corpus may have a million.

    Args:
        folder: the folder.

    Raises:
        InputError: there is no such folder.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise InputError(f"{folder}: expected a folder of OpenFace csv files, found none; correct --openface")
        self.folder = folder

    def find(self, *names: str) -> Path:
        """Return the file of a clip: the first name that exists, else where the first one should be.

        Args:
            names: what the file may be called, relative to the folder, without suffix.
        """
        paths = [self.folder / f"{name}{suffix}" for name in names for suffix in _SUFFIXES]
        return next((path for path in paths if path.is_file()), paths[0])
