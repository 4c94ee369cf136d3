"""Decode any file to mono blocks: soundfile first, PyAV (FFmpeg in this process) for the rest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from mmfeat.errors import ClipError
from mmfeat.types import Float32Array, StreamStatus

_FRAMES_PER_BLOCK = 1 << 18
_FFMPEG_TIMEOUT_S = 30.0  # of one open or read; a damaged file must not hold up a build
_SIZE_UNKNOWN = (0, 0x7FFFFFFF, 0xFFFFFFFF)  # what programs write that cannot seek back to the header
_FULL_SCALE = {"u8": 2.0**7, "s16": 2.0**15, "s32": 2.0**31}


@dataclass(frozen=True, kw_only=True)
class Sound:
    """An open sound: its rate in Hz and its mono samples, block by block, from ``start`` on."""

    sample_rate: int
    blocks: Iterator[Float32Array]


@contextmanager
def open_sound(path: Path, *, start_s: float = 0.0) -> Iterator[Sound]:
    """Open the sound of a file; of several audio streams the first is read, its channels are averaged.

    Args:
        path: wav, flac, ogg, mp3, or any container that FFmpeg reads.
        start_s: where to begin, in seconds.

    Raises:
        ClipError: neither soundfile nor FFmpeg can decode the file, it has no audio stream, or data is missing.
    """
    import soundfile

    try:
        file = soundfile.SoundFile(path)
    except (soundfile.LibsndfileError, RuntimeError, TypeError, ValueError) as error:
        with _open_with_ffmpeg(path, start_s, reason=getattr(error, "error_string", str(error))) as sound:
            yield sound
        return
    with file:
        yield Sound(sample_rate=int(file.samplerate), blocks=_soundfile_blocks(path, file, start_s))


def _soundfile_blocks(path: Path, file: Any, start_s: float) -> Iterator[Float32Array]:
    """Yield mono blocks; a file that ends before its header says is refused."""
    import soundfile

    with path.open("rb") as handle:
        missing = missing_wav_bytes(handle, path.stat().st_size)
    if missing:
        raise truncated(path, f"{missing} bytes of sound are missing at its end")
    start = min(round(start_s * file.samplerate), file.frames)
    try:
        if start:
            file.seek(start)
        n_read = start
        while (block := file.read(_FRAMES_PER_BLOCK, dtype="float32", always_2d=True)).size:
            n_read += len(block)
            yield block.mean(axis=1) if block.shape[1] > 1 else block[:, 0]
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise truncated(path, str(error).rstrip(".")) from error
    if 0 < n_read < file.frames < _SIZE_UNKNOWN[1]:
        raise truncated(path, f"its header says {file.frames} samples, it holds {n_read}")


@contextmanager
def _open_with_ffmpeg(path: Path, start_s: float, *, reason: str) -> Iterator[Sound]:
    """Open the first audio stream with PyAV; ``reason`` is why soundfile did not."""
    import av

    def refusal(error: Exception) -> ClipError:
        return ClipError(
            f"{path}: expected a readable sound or video file, got {path.stat().st_size} bytes that neither "
            f"soundfile ({reason.rstrip('.')}) nor FFmpeg ({getattr(error, 'strerror', None) or error}) decodes; "
            "convert or remove it",
            StreamStatus.DECODE_ERROR,
        )

    try:
        container = av.open(str(path), timeout=_FFMPEG_TIMEOUT_S, metadata_errors="ignore")
    except (av.FFmpegError, ValueError, OSError) as error:
        raise refusal(error) from error
    with container:
        if not container.streams.audio:
            raise ClipError(
                f"{path}: expected an audio stream, got {len(container.streams)} stream(s) without sound; "
                "leave the audio cell of this clip empty",
                StreamStatus.MISSING_SOURCE,
            )
        stream = container.streams.audio[0]
        try:
            blocks = _skip(_ffmpeg_blocks(container, stream), round(start_s * int(stream.rate or 0)))
            yield Sound(sample_rate=int(stream.rate or 0), blocks=blocks)
        except (av.FFmpegError, ValueError) as error:
            raise refusal(error) from error


def _ffmpeg_blocks(container: Any, stream: Any) -> Iterator[Float32Array]:
    for frame in container.decode(stream):
        yield _mono(frame)


def _mono(frame: Any) -> Float32Array:
    """Return the mean over the channels of a decoded frame, scaled to [-1, 1]."""
    values: npt.NDArray[Any] = frame.to_ndarray()
    if not frame.format.is_planar:
        values = values.reshape(-1, frame.layout.nb_channels).T
    kind = frame.format.name.removesuffix("p")
    if kind in _FULL_SCALE:
        centre = 128.0 if kind == "u8" else 0.0
        values = (values.astype(np.float32) - np.float32(centre)) / np.float32(_FULL_SCALE[kind])
    return np.asarray(values[0] if len(values) == 1 else values.mean(axis=0), dtype=np.float32)


def _skip(blocks: Iterator[Float32Array], n_sample: int) -> Iterator[Float32Array]:
    """Yield the blocks without their first ``n_sample`` samples."""
    for block in blocks:
        if n_sample < block.size:
            yield block[n_sample:]
        n_sample = max(0, n_sample - block.size)


def missing_wav_bytes(handle: BinaryIO, n_byte: int) -> int:
    """Return how many bytes of sound a RIFF file lacks that its header promises; 0 for other files.

    Libraries read such files to their end without a word.
    """
    header = handle.read(12)
    if header[:4] != b"RIFF" or header[8:12] != b"WAVE":
        return 0
    while len(chunk := handle.read(8)) == 8:
        size = int.from_bytes(chunk[4:], "little")
        if chunk[:4] == b"data":
            return 0 if size in _SIZE_UNKNOWN else max(0, handle.tell() + size - n_byte)
        handle.seek(size + size % 2, 1)
    return 0


def truncated(path: Path, what: str) -> ClipError:
    """Return the error for a file whose sound ends too early."""
    return ClipError(f"{path}: expected a whole file, but {what}; copy it again", StreamStatus.DECODE_ERROR)
