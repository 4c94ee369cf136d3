"""Decode chosen frames of a video with PyAV (FFmpeg in this process), and no more than is needed.

A first pass reads the packets without decoding them and gives the time of every frame. The second pass decodes up to
the frames that are wanted; where an index allows it and it is cheaper, it jumps to the key frame before the next one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mmfeat.errors import ClipError
from mmfeat.types import BoolArray, Float64Array, StreamStatus
from mmfeat.vision.container import damaged, decode_all, demux_packets, open_video, rate_of

_CONTAINERS_WITH_INDEX = ("mov", "matroska")  # the others find a time by guessing
_SEEK_COST = 16  # in decoded frames; below, going on is cheaper than jumping
# Where the format itself says of a frame that no other leans on it. In H.265 and H.266 it only says so of the frames of
# one temporal layer, and the layers above may still need it.
_CODECS_WITH_UNUSED_FRAMES = frozenset(("h264", "mpeg1video", "mpeg2video", "mpeg4", "wmv3", "vc1"))
_NO_TIME = np.iinfo(np.int64).min


class NotDecodedError(LookupError):
    """A frame that the packets promise did not come out of the decoder; index by decoding."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Packets:
    """The packets of a video stream in file order; times are in units of the stream's time base."""

    pts: npt.NDArray[np.int64]
    seek_to: npt.NDArray[np.int64]
    is_key: BoolArray
    is_shown: BoolArray
    can_seek: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameTable:
    """The frames of a video in the order in which they are shown.

    Args:
        times_s: float64, shape (frame,), in seconds from the clip's start: where the container starts, so that sound
            and frames keep their distance.
        end_s: when the last frame ends.
        pixel_aspect: width of a stored pixel by its height.
        packets: None where the times come from a full decoding.
    """

    times_s: Float64Array
    end_s: float
    pixel_aspect: float
    packets: _Packets | None = None


def index_frames(path: Path) -> FrameTable:
    """Return the times of all frames of a video; nothing is decoded where the container has time stamps.

    Raises:
        ClipError: no such file, no video in it, or it is damaged or cut off.
    """
    with open_video(path) as (container, stream):
        packets = [packet for packet in demux_packets(path, container, stream) if packet.size]
        _check_whole(path, stream, len(packets))
        table = _packet_table(container, stream, packets)
    return table or index_by_decoding(path)


def index_by_decoding(path: Path) -> FrameTable:
    """Return the times of all frames that the decoder gives; without time stamps, a regular grid of the mean rate.

    Raises:
        ClipError: as ``index_frames``.
    """
    with open_video(path) as (container, stream):
        pts = [_NO_TIME if frame.pts is None else int(frame.pts) for frame in decode_all(path, container, stream)]
        step_s = 1.0 / rate_of(stream)
        times_s = np.arange(len(pts), dtype=np.float64) * step_s
        if _NO_TIME not in pts and bool((np.diff(pts) > 0).all()):
            times_s = _times_s(np.asarray(pts, dtype=np.int64), container, stream)
        pixel_aspect = _pixel_aspect(stream)
    if not pts:
        raise _no_frames(path)
    end_s = float(times_s[-1]) + _last_duration_s(times_s, step_s)
    return FrameTable(times_s=times_s, end_s=end_s, pixel_aspect=pixel_aspect)


def decode_frames(path: Path, table: FrameTable, wanted: Sequence[int]) -> Iterator[Any]:
    """Yield the decoded frames (``av.VideoFrame``) with the wanted numbers of the table.

    Args:
        path: the video.
        table: its frames.
        wanted: numbers of frames, ascending.

    Raises:
        ClipError: the file is damaged.
        NotDecodedError: the table promises a frame that the decoder does not give.
    """
    with open_video(path) as (container, stream):
        if table.packets is None:
            yield from _numbered(decode_all(path, container, stream), wanted)
        else:
            yield from _by_time(path, container, stream, table.packets, wanted)


def _check_whole(path: Path, stream: Any, n_packet: int) -> None:
    """Refuse an MP4 with fewer frames than its table of contents lists."""
    if n_packet < stream.frames:
        raise ClipError(
            f"{path}: expected the {stream.frames} frames that its header says, got {n_packet}; copy it again",
            StreamStatus.DECODE_ERROR,
        )
    if not n_packet:
        raise _no_frames(path)


def _packet_table(container: Any, stream: Any, packets: Sequence[Any]) -> FrameTable | None:
    """Return the table that the packets give; None where time stamps are missing or doubled."""
    shown = [packet for packet in packets if not packet.is_discard]
    if not shown or any(packet.pts is None for packet in packets):
        return None
    pts = np.array([packet.pts for packet in shown], dtype=np.int64)
    order = np.argsort(pts)
    if (np.diff(pts[order]) <= 0).any():
        return None
    times_s = _times_s(pts[order], container, stream)
    duration = shown[order[-1]].duration
    given_s = float(duration * stream.time_base) if duration else _last_duration_s(times_s, 0.0)
    return FrameTable(
        times_s=times_s,
        end_s=float(times_s[-1]) + given_s,
        pixel_aspect=_pixel_aspect(stream),
        packets=_Packets(
            pts=np.array([packet.pts for packet in packets], dtype=np.int64),
            seek_to=np.array([_seek_place(packet) for packet in packets], dtype=np.int64),
            is_key=np.array([packet.is_keyframe for packet in packets]),
            is_shown=np.array([not packet.is_discard for packet in packets]),
            can_seek=container.format.name.startswith(_CONTAINERS_WITH_INDEX),
        ),
    )


def _seek_place(packet: Any) -> int:
    """Return the time by which a container finds a packet: MP4 goes by the time of decoding, Matroska by that shown."""
    return int(packet.pts if packet.dts is None else min(packet.pts, packet.dts))


def _times_s(pts: npt.NDArray[np.int64], container: Any, stream: Any) -> Float64Array:
    """Return time stamps in seconds from the start of the container."""
    times_s = pts * float(stream.time_base)
    start_s = times_s[:1].min(initial=np.inf) if container.start_time is None else container.start_time / 1e6
    return np.asarray(np.maximum(times_s - start_s, 0.0), dtype=np.float64)


def _last_duration_s(times_s: Float64Array, otherwise_s: float) -> float:
    return float(np.median(np.diff(times_s))) if times_s.size > 1 else otherwise_s


def _pixel_aspect(stream: Any) -> float:
    return float(stream.sample_aspect_ratio or 1)


def _numbered(frames: Iterator[Any], wanted: Sequence[int]) -> Iterator[Any]:
    """Yield the frames with the wanted numbers."""
    pending = set(wanted)
    for number, frame in enumerate(frames):
        if number in pending:
            yield frame
            if number == wanted[-1]:
                return
    raise NotDecodedError("the second decoding gave fewer frames than the first")


def _by_time(path: Path, container: Any, stream: Any, packets: _Packets, wanted: Sequence[int]) -> Iterator[Any]:
    """Yield the frames with the wanted numbers, found by their time stamps."""
    shown = np.flatnonzero(packets.is_shown)
    packet_of = shown[np.argsort(packets.pts[shown])]
    targets = [int(packet_of[number]) for number in wanted]
    position = _Position(path, container, stream, packets, frozenset(packets.pts[targets].tolist()))
    for packet in targets:
        start = _first_needed(packets, packet)
        if packets.can_seek and packet - start + _SEEK_COST < packet - position.n_fed:
            position.jump(start)
        yield position.frame_at(int(packets.pts[packet]))


def _first_needed(packets: _Packets, packet: int) -> int:
    """Return the key frame from which on a packet can be decoded.

    A frame that is shown before the key frame in front of it leans on the group before that key frame as well.
    """
    keys = np.flatnonzero(packets.is_key[: packet + 1])
    keys = keys[packets.pts[keys] <= packets.pts[packet]]
    return int(keys[-1]) if keys.size else 0


class _Position:
    """Where the decoder stands in a video; frames that are neither wanted nor leant on by others are passed over."""

    def __init__(self, path: Path, container: Any, stream: Any, packets: _Packets, wanted_pts: frozenset[int]) -> None:
        self.n_fed = 0  # packets, from the start of the file
        self._path, self._container, self._stream, self._packets = path, container, stream, packets
        self._wanted_pts = wanted_pts
        self._frames = self._decoded(None)

    def jump(self, packet: int) -> None:
        """Go to a key frame; the container may take one that lies before it."""
        self._container.seek(int(self._packets.seek_to[packet]), stream=self._stream)
        self._frames = self._decoded(packet)

    def frame_at(self, pts: int) -> Any:
        """Return the frame with this time stamp, which lies before the position of no earlier call."""
        for frame in self._frames:
            if frame.pts == pts:
                return frame
            if frame.pts is None or frame.pts > pts:
                break
        raise NotDecodedError(f"{self._path}: no frame at {pts} in units of {self._stream.time_base} s")

    def _decoded(self, latest: int | None) -> Iterator[Any]:
        """Yield frames; after a jump, ``latest`` is the last packet with which the file may go on."""
        import av

        codec = self._stream.codec_context
        may_skip = codec.name in _CODECS_WITH_UNUSED_FRAMES
        for packet in demux_packets(self._path, self._container, self._stream):
            if packet.size and latest is not None:
                self.n_fed, latest = self._number_of(packet, latest), None
            self.n_fed += 1
            needed = not packet.size or packet.pts in self._wanted_pts
            codec.skip_frame = "NONREF" if may_skip and not needed else "DEFAULT"
            try:
                yield from packet.decode()
            except (av.FFmpegError, ValueError) as error:
                raise damaged(self._path, error) from error

    def _number_of(self, packet: Any, latest: int) -> int:
        found = np.flatnonzero((self._packets.pts == packet.pts) & self._packets.is_key)
        found = found[found <= latest]
        if not found.size:
            raise NotDecodedError(f"{self._path}: a jump led past the wanted key frame")
        return int(found[-1])


def _no_frames(path: Path) -> ClipError:
    return ClipError(f"{path}: expected a video, got a stream of 0 frames; remove the clip", StreamStatus.EMPTY)
