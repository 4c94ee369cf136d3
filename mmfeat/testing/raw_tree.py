"""A raw tree that is made file by file, with what people's disks add to it."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from mmfeat.testing.material import tone, write_example_video, write_openface_csv

_DURATION_S = 0.5


class RawTree:
    """Writes the files of a raw tree below one folder.

    Args:
        root: the folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._n_sound = 0

    def sound(self, path: str, *, duration_s: float = _DURATION_S) -> Path:
        """Write a tone, each one higher than the one before."""
        import soundfile

        self._n_sound += 1
        waveform = tone(140.0 + 10.0 * self._n_sound, duration_s=duration_s)
        target = self._made(path)
        soundfile.write(target, waveform.samples, waveform.sample_rate, format="WAV")
        return target

    def video(self, path: str, *, n_frame: int = 15) -> Path:
        """Write a video without sound."""
        return write_example_video(self._made(path), n_frame=n_frame)

    def openface(self, path: str, *, n_frame: int = 15) -> Path:
        """Write a csv of OpenFace."""
        return write_openface_csv(self._made(path), n_frame=n_frame)

    def text(self, path: str, *lines: str) -> Path:
        """Write lines of text."""
        target = self._made(path)
        target.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return target

    def table(
        self, path: str, header: Sequence[str], rows: Iterable[Sequence[object]], *, delimiter: str = ","
    ) -> Path:
        """Write a table."""
        target = self._made(path)
        with target.open("w", encoding="utf-8", newline="") as handle:
            writer = csv.writer(handle, delimiter=delimiter, lineterminator="\n")
            writer.writerows([header, *rows])
        return target

    def litter(self, folder: str, name: str) -> None:
        """Write what archives and systems leave behind: hidden files, and ``__MACOSX`` with a copy of a name."""
        for path in (f"{folder}/.DS_Store", f"{folder}/._{name}", f"__MACOSX/{folder}/{name}"):
            self._made(path).write_bytes(b"litter")

    def rename(self, path: str, name: str) -> None:
        """Give a file another name."""
        (self.root / path).rename((self.root / path).with_name(name))

    def remove(self, path: str) -> None:
        """Remove a file."""
        (self.root / path).unlink()

    def _made(self, path: str) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        return target
