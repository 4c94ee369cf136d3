"""Decode any file to mono blocks: soundfile first, PyAV (FFmpeg in this process) for the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from mmfeat.errors import ClipError
from mmfeat.types import Float32Array, StreamStatus

_VALUES_PER_BLOCK = 1 << 18  # samples times channels; a damaged header may promise 1024 channels
_FFMPEG_TIMEOUT_S = 30.0  # of one open or read; a damaged file must not hold up a build
_MP4_SLACK_S = 0.25  # of the duration in the table of contents; codecs trim their first and last blocks
_SIZE_UNKNOWN = (0, 0x7FFFFFFF, 0xFFFFFFFF)  # what programs write that cannot seek back to the header
_N_FRAMES_UNKNOWN = 2**63 - 1  # libsndfile's
_FULL_SCALE = {"u8": 2.0**7, "s16": 2.0**15, "s32": 2.0**31, "s64": 2.0**63}
# Digital silence in FLAC's largest blocks comes to 6000 samples a byte; whatever gives more never ends.
_SAMPLES_PER_BYTE = 8_192


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
    if not _tells_its_length(path, file):
        file.close()
        with _open_with_ffmpeg(path, start_s, reason="a file that does not tell its length") as sound:
            yield sound
        return
    with file:
        yield Sound(sample_rate=int(file.samplerate), blocks=_soundfile_blocks(path, file, start_s))


def _tells_its_length(path: Path, file: Any) -> bool:
    """Return whether libsndfile knows how long a file is; it cannot read a FLAC of unknown length.

    Of an MP3 it must be the first frame that tells, or libsndfile guesses by the bit rate of the start and drops what
    lies behind.
    """
    if file.format != "MP3":
        return int(file.frames) < _N_FRAMES_UNKNOWN
    with path.open("rb") as handle:
        tag = handle.read(10)
        sizes = zip(tag[6:], (21, 14, 7, 0), strict=False)  # of an ID3v2 tag: 7 bits a byte
        handle.seek(10 + sum(byte << shift for byte, shift in sizes) if tag[:3] == b"ID3" else 0)
        frame = handle.read(256)
    return any(name in frame for name in (b"Xing", b"Info", b"VBRI"))


def _soundfile_blocks(path: Path, file: Any, start_s: float) -> Iterator[Float32Array]:
    """Yield mono blocks; a file that ends before its header says is refused."""
    import soundfile

    with path.open("rb") as handle:
        missing = missing_bytes(handle, path.stat().st_size)
    if missing:
        raise truncated(path, f"{missing} bytes of sound are missing at its end")
    start = min(round(start_s * file.samplerate), file.frames)
    n_frame = max(1, _VALUES_PER_BLOCK // file.channels)
    try:
        if start:
            file.seek(start)
        n_read = start
        while (block := file.read(n_frame, dtype="float32", always_2d=True)).size:
            n_read += len(block)
            yield block.mean(axis=1) if block.shape[1] > 1 else block[:, 0]
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise truncated(path, str(error).rstrip(".")) from error
    if start < n_read < file.frames < _SIZE_UNKNOWN[1]:
        raise truncated(path, f"its header says {file.frames} samples, it holds {n_read}")


@contextmanager
def _open_with_ffmpeg(path: Path, start_s: float, *, reason: str) -> Iterator[Sound]:
    """Open the first audio stream with PyAV; ``reason`` is why soundfile did not."""
    import av

    n_byte = path.stat().st_size

    def refusal(error: Exception) -> ClipError:
        return ClipError(
            f"{path}: expected a readable sound or video file, got {n_byte} bytes that neither "
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
        frames = _ffmpeg_frames(path, container, stream, refusal)
        first = next(frames, None)
        # A decoder may find another rate than the container says (HE-AAC doubles it).
        rate = stream.codec_context.sample_rate if first is None else first.sample_rate
        blocks = _ffmpeg_blocks(path, frames if first is None else chain([first], frames), rate)
        blocks = _whole(path, blocks, _expected_samples(container, stream, rate), _SAMPLES_PER_BYTE * n_byte)
        yield Sound(sample_rate=rate, blocks=_skip(blocks, round(start_s * rate)))


def _ffmpeg_frames(path: Path, container: Any, stream: Any, refusal: Callable[[Exception], ClipError]) -> Iterator[Any]:
    """Yield the decoded frames."""
    import av

    n_sample = 0
    try:
        if stream.codec_context is None:
            raise ValueError("Decoder not found")
        for frame in container.decode(stream):
            yield frame
            n_sample += frame.samples
    except (av.FFmpegError, ValueError) as error:
        if n_sample:
            reason = getattr(error, "strerror", None) or error
            raise truncated(path, f"FFmpeg stops after {n_sample} samples ({reason})") from error
        raise refusal(error) from error


def _ffmpeg_blocks(path: Path, frames: Iterable[Any], rate: int) -> Iterator[Float32Array]:
    """Yield the frames as mono blocks."""
    for frame in frames:
        if frame.sample_rate != rate:
            raise ClipError(
                f"{path}: expected one sample rate, got {rate} Hz and {frame.sample_rate} Hz; convert the file",
                StreamStatus.DECODE_ERROR,
            )
        yield _mono(frame)


def _expected_samples(container: Any, stream: Any, rate: int) -> int:
    """Return how many samples an MP4 must hold by its table of contents; 0 where a container has no such table."""
    if "mp4" not in container.format.name or not stream.duration:
        return 0
    return int(rate * (stream.duration * stream.time_base - _MP4_SLACK_S))


def _whole(path: Path, blocks: Iterable[Float32Array], n_least: int, n_most: int) -> Iterator[Float32Array]:
    """Yield the blocks; a file with fewer or more samples than can be is refused."""
    n_sample = 0
    for block in blocks:
        n_sample += block.size
        if n_sample > n_most:
            raise ClipError(
                f"{path}: expected at most {_SAMPLES_PER_BYTE} samples a byte, got more; the header is damaged",
                StreamStatus.DECODE_ERROR,
            )
        yield block
    if n_sample < n_least:
        raise truncated(path, f"its header says at least {n_least} samples, it holds {n_sample}")


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


def missing_bytes(handle: BinaryIO, n_byte: int) -> int:
    """Return how many bytes of sound a WAV or AIFF file lacks that its header promises; 0 for other files.

    Libraries read such files to their end without a word.
    """
    header = handle.read(12)
    if header[:4] == b"FORM" and header[8:12] in (b"AIFF", b"AIFC"):
        return max(0, 8 + int.from_bytes(header[4:8], "big") - n_byte)
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
