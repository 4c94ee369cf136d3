"""How much a build finds and how large its file will be, by a look at a few of the clips' files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from mmfeat.build_config import BuildConfig
from mmfeat.types import ClipEntry

_N_LOOKED_AT = 50
_CSV_BYTES_PER_ROW = 4_600  # of OpenFace's 714 columns
_JPEG_BYTES_PER_PIXEL = 0.6  # of JPEG files of quality 95
_COMPRESSED_BYTES_PER_S = 100_000  # of a talking head with sound
_DEFAULT_N_FRAMES = 8


def n_with(entries: Sequence[ClipEntry]) -> dict[str, int]:
    """Return how many clips have sound, a video, an OpenFace file, a text: files that exist."""
    counts = dict.fromkeys(("with sound", "with video", "with OpenFace", "with text", "with words"), 0)
    for entry in entries:
        counts["with sound"] += _exists(entry.audio or entry.video)
        counts["with video"] += _exists(entry.video)
        counts["with OpenFace"] += _exists(entry.openface)
        counts["with text"] += bool(entry.text)
        counts["with words"] += entry.words is not None
    return counts


def expected_bytes(entries: Sequence[ClipEntry], config: BuildConfig) -> int:
    """Return about how many bytes the streams will take: what a few clips would take, times all."""
    step = max(1, len(entries) // _N_LOOKED_AT)
    looked_at = [entries[index] for index in range(0, len(entries), step)]
    return round(sum(_clip_bytes(entry, config) for entry in looked_at) / len(looked_at) * len(entries))


def _clip_bytes(entry: ClipEntry, config: BuildConfig) -> float:
    n_byte = 0.0
    source = entry.audio or entry.video
    if source is not None and "audio" in config.streams:
        length_s = _span_s(entry, lambda: _sound_s(source))
        n_byte += 4 * length_s / config.audio.hop_s * len(config.audio.feature_names)
    if entry.openface is not None and "vision" in config.streams:
        path = entry.openface
        n_row = _span_s(entry, lambda: _size(path) / _CSV_BYTES_PER_ROW / 30) * 30
        n_byte += 4 * n_row * len(config.openface.feature_names)
    if config.frames is not None and "frames" in config.streams and _exists(entry.video):
        n_frame = config.frames.n_frames or _DEFAULT_N_FRAMES
        n_byte += n_frame * config.frames.size**2 * _JPEG_BYTES_PER_PIXEL
    return n_byte


def _span_s(entry: ClipEntry, whole: Callable[[], float]) -> float:
    return entry.end_s - entry.start_s if entry.is_part else whole()


def _sound_s(path: Path) -> float:
    """Return about how long a sound lasts, by its header where soundfile knows it, else by its size."""
    import soundfile

    try:
        return float(soundfile.info(str(path)).duration)
    except (soundfile.LibsndfileError, OSError):
        return _size(path) / _COMPRESSED_BYTES_PER_S


def _exists(path: Path | None) -> bool:
    return path is not None and path.is_file()


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
