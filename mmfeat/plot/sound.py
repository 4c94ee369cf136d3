"""The sound of a clip of a dataset, where its file is at hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mmfeat.audio import AUDIO_SUFFIXES, read_audio
from mmfeat.dataset import DatasetReader
from mmfeat.errors import InputError
from mmfeat.file_hash import file_sha256
from mmfeat.types import Waveform

_SAME_LENGTH_S = 0.25  # containers and codecs pad their ends


def find_sound(reader: DatasetReader, index: int, media: Path) -> Path | None:
    """Return the file of a clip's sound: ``media`` itself, or the one in that folder; None where it has none.

    Raises:
        InputError: ``media`` is not there.
    """
    if media.is_file():
        return media
    if not media.is_dir():
        raise InputError(f"{media}: expected a sound file or a folder with sound files, found none; correct the path")
    names = [f"{reader.clip_ids[index]}{suffix}" for suffix in sorted(AUDIO_SUFFIXES)]
    source = reader.sources[index]
    return next((media / name for name in [*names, source] if name and (media / name).is_file()), None)


def read_sound(reader: DatasetReader, index: int, path: Path) -> tuple[Waveform, tuple[str, ...]]:
    """Return the sound of a clip and what a person should know of it.

    Where the file is longer than the clip and the dataset knows where the clip begins in its recording, it is taken
    for the file of the recording.

    Raises:
        ClipError: it cannot be read.
    """
    notes: list[str] = []
    expected = reader.source_sha256[index]
    if expected and path.name == reader.sources[index] and file_sha256(path) != expected:
        notes.append(f"{path}: is not the file that the features were made of (another SHA-256)")
    sound = read_audio(path)
    duration_s, start_s = float(reader.durations_s[index]), float(reader.starts_s[index])
    if not np.isnan(duration_s) and sound.duration_s > duration_s + _SAME_LENGTH_S:
        if not np.isnan(start_s):
            return read_audio(path, start_s=start_s, end_s=start_s + duration_s), tuple(notes)
        notes.append(f"{path}: lasts {sound.duration_s:.2f} s, the clip {duration_s:.2f} s; both are shown from 0")
    return sound, tuple(notes)
