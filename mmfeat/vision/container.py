"""Open a video with PyAV (FFmpeg in this process), and say plainly what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmfeat.errors import ClipError
from mmfeat.types import StreamStatus

_FFMPEG_TIMEOUT_S = 30.0  # of one open or read; a damaged file must not hold up a build
_USUAL_RATE_HZ = 25
_MOST_PIXELS = 8192 * 8192
_NO_VIDEO = ("tty", "ico", "image2")  # what FFmpeg shows as video and nobody films
_STILL_BRANDS = ("avif", "heic", "heix", "mif1")  # pictures in the container of MP4


@contextmanager
def open_video(path: Path) -> Iterator[tuple[Any, Any]]:
    """Open a container and find its first video stream that is no cover picture.

    Raises:
        ClipError: no such file, not a video, or nothing that FFmpeg reads.
    """
    import av

    n_byte = _check_file(path)
    try:
        container = av.open(str(path), timeout=_FFMPEG_TIMEOUT_S, metadata_errors="ignore")
    except (av.FFmpegError, ValueError, OSError) as error:
        raise ClipError(
            f"{path}: expected a video file, got {n_byte} bytes that FFmpeg does not read ({_reason(error)}); "
            "copy it again, convert or remove it",
            StreamStatus.DECODE_ERROR,
        ) from error
    with container:
        if (kind := _no_video(container)) is not None:
            raise ClipError(
                f"{path}: expected a video, got a file of the kind {kind!r}; correct the path",
                StreamStatus.MISSING_SOURCE,
            )
        yield container, _video_stream(path, container)


def frame_rate_hz(path: Path) -> float:
    """Return the mean frame rate of a video as its container says, 25 where it says nothing.

    Raises:
        ClipError: as ``open_video``.
    """
    with open_video(path) as (_, stream):
        return rate_of(stream)


def picture_offset_s(path: Path) -> float:
    """Return how many seconds after the start of its container a video's first frame is shown.

    Raises:
        ClipError: as ``open_video``.
    """
    with open_video(path) as (container, stream):
        if stream.start_time is None or container.start_time is None:
            return 0.0
        return max(0.0, float(stream.start_time * stream.time_base) - float(container.start_time) / 1e6)


def rate_of(stream: Any) -> float:
    """Return the mean frame rate of a stream in Hz."""
    return float(stream.average_rate or stream.guessed_rate or _USUAL_RATE_HZ)


def _no_video(container: Any) -> str | None:
    """Return the kind of a picture or text that FFmpeg would show as a video."""
    kind = str(container.format.name)
    brand = container.metadata.get("major_brand")
    if kind in _NO_VIDEO or kind.endswith("_pipe"):
        return kind.removesuffix("_pipe")
    return brand if brand in _STILL_BRANDS else None


def _check_file(path: Path) -> int:
    """Return the size of a file that is there and not empty."""
    try:
        if not path.is_file():
            raise ClipError(f"{path}: expected a video file, found none; correct the path", StreamStatus.MISSING_SOURCE)
        n_byte = path.stat().st_size
    except OSError as error:
        raise ClipError(f"{path}: cannot be read: {error.strerror}", StreamStatus.DECODE_ERROR) from error
    if not n_byte:
        raise ClipError(f"{path}: expected a video, got a file of 0 bytes; copy it again", StreamStatus.EMPTY)
    return n_byte


def _video_stream(path: Path, container: Any) -> Any:
    from av.stream import Disposition

    pictures = Disposition.attached_pic | Disposition.timed_thumbnails
    if not container.streams.video:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "no stream"
        raise ClipError(
            f"{path}: expected a video stream, got {kinds}; leave the video cell of this clip empty",
            StreamStatus.MISSING_SOURCE,
        )
    streams = [stream for stream in container.streams.video if not stream.disposition & pictures]
    if not streams:
        raise ClipError(
            f"{path}: expected a video stream, got a cover picture; leave the video cell of this clip empty",
            StreamStatus.MISSING_SOURCE,
        )
    if streams[0].codec_context is None:
        raise ClipError(
            f"{path}: expected a video that FFmpeg decodes, got an unknown codec; convert it", StreamStatus.DECODE_ERROR
        )
    context = streams[0].codec_context
    if context.width * context.height > _MOST_PIXELS:
        raise ClipError(
            f"{path}: expected a video of at most {_MOST_PIXELS / 1e6:.0f} megapixels, got {context.width} x "
            f"{context.height}; the header is damaged",
            StreamStatus.DECODE_ERROR,
        )
    return streams[0]


def demux_packets(path: Path, container: Any, stream: Any) -> Iterator[Any]:
    """Yield the packets of a stream.

    Raises:
        ClipError: the file is damaged.
    """
    with _naming_damage(path):
        yield from container.demux(stream)


def decode_all(path: Path, container: Any, stream: Any) -> Iterator[Any]:
    """Yield the decoded frames of a stream.

    Raises:
        ClipError: the file is damaged.
    """
    with _naming_damage(path):
        yield from container.decode(stream)


@contextmanager
def _naming_damage(path: Path) -> Iterator[None]:
    import av

    try:
        yield
    except (av.FFmpegError, ValueError) as error:
        raise damaged(path, error) from error


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).rstrip(".")


def damaged(path: Path, error: Exception) -> ClipError:
    """Return the error for a video in which FFmpeg stops."""
    return ClipError(
        f"{path}: expected a whole video, but FFmpeg stops ({_reason(error)}); copy it again, convert or remove it",
        StreamStatus.DECODE_ERROR,
    )
