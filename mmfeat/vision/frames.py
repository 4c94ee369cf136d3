"""Video to encoded frames: which frames, which part of them, what size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np

from mmfeat.config import config_to_dict
from mmfeat.errors import ClipError, ConfigError, InputError
from mmfeat.images import EncodedFrames, encode_image
from mmfeat.types import BoolArray, FrameFeatures, StreamInfo, StreamStatus
from mmfeat.vision.crop import Box, face_boxes, face_track
from mmfeat.vision.decode import FrameTable, NotDecodedError, decode_frames, index_by_decoding, index_frames
from mmfeat.vision.picture import Picture, cut, fitted, upright
from mmfeat.vision.sampling import centres, regular

VIDEO_SUFFIXES = frozenset(
    ".mp4 .mkv .avi .mpg .mpeg .wmv .webm .mov .m4v .flv .ts .mts .3gp .ogv".split()  # noqa: SIM905
)
_DEFAULT_N_FRAMES = 8


@dataclass(frozen=True, kw_only=True)
class FrameConfig:
    """Which frames of a video are kept, and how."""

    n_frames: int | None = None  # at the centres of equal parts of the video; 8 where neither this nor fps is given
    fps: float | None = None  # frames per second, the other choice
    size: int = 224  # height and width in pixels
    crop: Literal["none", "face"] = "none"  # none: the centre square of the whole frame
    margin: float = 1.5  # of a face crop: its side in sides of the box around the 68 landmarks
    quality: int = 95  # of JPEG, 1 to 100

    def __post_init__(self) -> None:
        if self.n_frames is None and self.fps is None:
            object.__setattr__(self, "n_frames", _DEFAULT_N_FRAMES)
        faults = []
        if self.n_frames is not None and self.fps is not None:
            faults.append(f"n_frames ({self.n_frames}) and fps ({self.fps:g}) exclude each other; give one")
        if self.n_frames is not None and not 1 <= self.n_frames <= 100_000:
            faults.append(f"n_frames must be from 1 to 100000, got {self.n_frames}")
        if self.fps is not None and not 0 < self.fps <= 1000:
            faults.append(f"fps must be above 0 and at most 1000, got {self.fps}")
        if not 8 <= self.size <= 4096:
            faults.append(f"size must be from 8 to 4096 pixels, got {self.size}")
        if not (math.isfinite(self.margin) and 0.5 <= self.margin <= 10):
            faults.append(f"margin must be from 0.5 to 10, got {self.margin}")
        if not 1 <= self.quality <= 100:
            faults.append(f"quality must be from 1 to 100, got {self.quality}")
        if faults:
            raise ConfigError("; ".join(faults))


def read_frames(
    path: Path | str,
    config: FrameConfig | None = None,
    landmarks: FrameFeatures | None = None,
    *,
    start_s: float | None = None,
    end_s: float | None = None,
) -> EncodedFrames:
    """Return chosen frames of a video, or of a part of it, as JPEG files of equal size.

    With ``n_frames`` the frames are those shown at the centres of as many equal parts of the video; a video with
    fewer frames gives each once, nothing is repeated. With ``fps`` they are the frames nearest to the multiples of
    ``1 / fps`` after the first frame, none twice.

    Frames are turned upright as the container says and get square pixels. Without a crop the short side is scaled to
    ``size`` and the centre square is kept. A face crop is a square around the landmarks; what it holds beyond the
    image's border is black, and where the face was not tracked the box is that of the nearest tracked row.

    Args:
        path: any video that FFmpeg reads; of several video streams the first is read.
        config: which frames, and how; 8 whole frames of 224 where None.
        landmarks: for a face crop: the columns of the OpenFace group ``face-2d`` of this video, from its start.
        start_s: where the part begins, in seconds from the start of the container; the first frame where None.
        end_s: where it ends; the end of the video where None.

    Returns:
        The frames in ascending time; ``times_s`` count from ``start_s``, or from the start of the container, as the
        sound does.

    Raises:
        ClipError: no such file, no video, damaged or cut off; no frame in the part; no face for a face crop.
        InputError: a face crop without landmarks.

    Example:
        >>> from mmfeat.testing import write_example_video
        >>> frames = read_frames(write_example_video(n_frame=50), FrameConfig(n_frames=4, size=64))
        >>> frames.times_s.tolist(), frames.decode().shape
        ([0.24, 0.72, 1.24, 1.72], (4, 64, 64, 3))
    """
    path = Path(path)
    config = config or FrameConfig()
    if config.crop == "face" and landmarks is None:
        raise InputError(f"{path}: a face crop needs landmarks; read them with read_openface_csv, group 'face-2d'")
    part = (-math.inf if start_s is None else start_s, math.inf if end_s is None else end_s)
    table = index_frames(path)
    try:
        return _read(path, table, config, landmarks, part)
    except NotDecodedError:  # packets that hold no frame of their own, or a file that jumps beside its index
        return _read(path, index_by_decoding(path), config, landmarks, part)


def _read(
    path: Path, table: FrameTable, config: FrameConfig, landmarks: FrameFeatures | None, part: tuple[float, float]
) -> EncodedFrames:
    wanted = _wanted(path, table, config, part)
    pictures = (upright(frame, table.pixel_aspect) for frame in decode_frames(path, table, wanted))
    valid: BoolArray = np.ones(len(wanted), dtype=np.bool_)
    if config.crop == "none" or landmarks is None:
        images = (fitted(picture.image, config.size) for picture in pictures)
    else:
        first = next(pictures)
        boxes, valid = _boxes(path, landmarks, table, wanted, first, config.margin)
        pairs = zip(chain([first], pictures), boxes, strict=True)
        images = (cut(picture.image, box, config.size) for picture, box in pairs)
    return EncodedFrames(
        jpegs=tuple(encode_image(image, quality=config.quality) for image in images),
        times_s=table.times_s[wanted] - max(part[0], 0.0),
        valid=valid,
        height=config.size,
        width=config.size,
    )


def _wanted(path: Path, table: FrameTable, config: FrameConfig, part: tuple[float, float]) -> list[int]:
    """Return the numbers of the frames that are taken of a part."""
    first, last = (int(place) for place in np.searchsorted(table.times_s, part))
    if first == last:
        raise ClipError(
            f"{path}: expected frames from {part[0]:g} s to {part[1]:g} s, got none; correct the times of the clip",
            StreamStatus.EMPTY,
        )
    times_s, end_s = table.times_s[first:last], min(part[1], table.end_s)
    if config.fps is not None:
        numbers = regular(times_s, end_s, config.fps)
    else:
        numbers = centres(times_s, end_s, config.n_frames or _DEFAULT_N_FRAMES)
    return [first + int(number) for number in numbers]


def _boxes(
    path: Path, landmarks: FrameFeatures, table: FrameTable, wanted: list[int], first: Picture, margin: float
) -> tuple[list[Box], BoolArray]:
    """Return the face's square in each wanted frame, and whether it was tracked there."""
    times_s = table.times_s - table.times_s[0]
    try:
        track = face_track(landmarks, times_s, max(first.image.shape), first.stretch)
    except ClipError as error:
        raise ClipError(f"{path}: {error}", error.status) from error
    return face_boxes(track, times_s[wanted], margin)


def frame_stream_info(config: FrameConfig) -> StreamInfo:
    """Return what the dataset file says of a stream of frames taken with ``config``."""
    usual = FrameConfig(crop=config.crop)
    name = {"none": "whole-8", "face": "face-8"}[config.crop]
    return StreamInfo(
        name="frames",
        extractor="mmfeat",
        extractor_version=version("mmfeat"),
        preset=name if config == usual else "custom",
        config=config_to_dict(config),
        codec="jpeg",
        height=config.size,
        width=config.size,
    )
