"""Tones, videos, OpenFace files, manifests and a small dataset file."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mmfeat.audio import AudioFeatureConfig, audio_stream_info
from mmfeat.dataset import DatasetInfo, DatasetWriter, LabelInfo
from mmfeat.images import EncodedFrames, encode_image
from mmfeat.types import (
    ClipEntry,
    ClipFeatures,
    FrameFeatures,
    Split,
    StreamFailure,
    StreamInfo,
    StreamStatus,
    Waveform,
)
from mmfeat.vision import FrameConfig, OpenFaceConfig, frame_stream_info, openface_stream_info

WORDS = {-1: "terrible", 0: "ordinary", 1: "wonderful"}


def tone(frequency_hz: float, *, duration_s: float, sample_rate: int = 16_000, amplitude: float = 0.5) -> Waveform:
    """Return a sine tone; samples are float32 in [-amplitude, amplitude]."""
    times_s = np.arange(round(duration_s * sample_rate)) / sample_rate
    samples = amplitude * np.sin(2 * np.pi * frequency_hz * times_s)
    return Waveform(samples=samples.astype(np.float32), sample_rate=sample_rate)


def write_sound_as(
    path: Path,
    *sounds: Waveform,
    codec: str = "aac",
    codec_options: Mapping[str, str] | None = None,
    **options: str,
) -> Path:
    """Write sounds as the audio streams of a container that FFmpeg knows by the path's suffix (mp4, mkv, mov, mp3).

    Args:
        path: the file to make.
        sounds: one for each stream.
        codec: FFmpeg's name of the encoder.
        codec_options: FFmpeg's options of the encoder.
        options: FFmpeg's options of the container.

    Returns:
        The path.
    """
    import av

    with av.open(str(path), "w", options=options) as container:
        streams = [
            container.add_stream(codec, rate=sound.sample_rate, layout="mono", options=dict(codec_options or {}))
            for sound in sounds
        ]
        for stream, sound in zip(streams, sounds, strict=True):
            frame = av.AudioFrame.from_ndarray(sound.samples[None], format="flt", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = sound.sample_rate, 0, Fraction(1, sound.sample_rate)
            fifo = av.AudioFifo()
            fifo.write(frame)
            while (part := fifo.read(1024, partial=True)) is not None:
                container.mux(stream.encode(part))
            container.mux(stream.encode(None))
    return path


def write_example_video(
    path: Path | None = None,
    *,
    n_frame: int = 50,
    frame_rate_hz: int = 25,
    size: tuple[int, int] = (64, 64),
    milliseconds: Sequence[int] | None = None,
    codec: str = "mpeg4",
    codec_options: Mapping[str, str] | None = None,
    turned_deg: int = 0,
) -> Path:
    """Write a video without sound in which every frame shows its own number, which ``shown_number`` reads.

    Args:
        path: the file; its suffix names the container. A new temporary mp4 where None.
        n_frame: number of frames.
        frame_rate_hz: frames per second.
        size: width and height in pixels.
        milliseconds: time of each frame, for a variable frame rate.
        codec: FFmpeg's name of the encoder.
        codec_options: FFmpeg's options of the encoder.
        turned_deg: how far a player has to turn the picture against the clock, as phones write it.

    Returns:
        The path.
    """
    import av

    path = path or Path(tempfile.mkdtemp()) / "example.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=frame_rate_hz, options=dict(codec_options or {}))
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        if milliseconds is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if turned_deg:
            stream.set_display_rotation(turned_deg)
        for number in range(n_frame):
            frame = av.VideoFrame.from_ndarray(numbered_image(number, size), format="rgb24")
            frame.pts = number if milliseconds is None else milliseconds[number]
            frame.time_base = Fraction(1, frame_rate_hz if milliseconds is None else 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def numbered_image(number: int, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Return a red picture with a number in it: 4 x 4 fields in its centre square, white where a bit is set, else blue.

    Args:
        number: 0 to 65535; the lowest bit is the field at the top left, the next one stands to its right.
        size: width and height in pixels.

    Returns:
        uint8, shape (height, width, 3), red, green, blue.
    """
    width, height = size
    side = min(size)
    image = np.zeros((height, width, 3), dtype=np.uint8)
    image[..., 0] = 255
    bits = (number >> np.arange(16) & 1).astype(bool).reshape(4, 4)
    rows = np.arange(side) * 4 // side
    fields = np.where(bits[rows][:, rows, None], (255, 255, 255), (0, 0, 255))
    top, left = (height - side) // 2, (width - side) // 2
    image[top : top + side, left : left + side] = fields
    return image


def shown_number(image: npt.NDArray[np.uint8]) -> int:
    """Return the number in a square picture; shape (height, width, 3)."""
    side = len(image) // 4
    fields = image[: 4 * side, : 4 * side, 0].reshape(4, side, 4, side).mean(axis=(1, 3))
    return int(((fields > 128).ravel() << np.arange(16)).sum())


def write_openface_csv(
    path: Path, config: OpenFaceConfig | None = None, *, n_frame: int = 10, frame_rate_hz: float = 25.0
) -> Path:
    """Write a CSV in OpenFace's layout: column ``j`` of frame ``i`` is ``i % 5 + j / 1000``; the last has no face."""
    names = (config or OpenFaceConfig()).feature_names
    header = ["frame", "face_id", "timestamp", "confidence", "success", *names]
    rows = []
    for frame in range(n_frame):
        tracked = frame < n_frame - 1
        meta = [
            str(frame + 1),
            "0",
            f"{frame / frame_rate_hz:.3f}",
            "0.98" if tracked else "0.03",
            str(int(tracked)),
        ]
        rows.append([*meta, *(f"{frame % 5 + column / 1000:.3f}" for column in range(len(names)))])
    lines = [", ".join(row) for row in [header, *rows]]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_landmark_csv(
    path: Path, centres: Sequence[tuple[float, float]], *, side: float = 20.0, frame_rate_hz: float = 25.0
) -> Path:
    """Write a CSV of OpenFace with the 68 landmarks on a circle around each centre, one row a frame.

    Args:
        path: the file to make.
        centres: (x, y) in pixels; a NaN stands for a frame without a face.
        side: diameter of the circle in pixels.
        frame_rate_hz: of the rows.
    """
    names = OpenFaceConfig(groups=("face-2d",)).feature_names
    angles = np.arange(68) / 68 * 2 * np.pi
    circle = np.concatenate([np.cos(angles), np.sin(angles)]) * side / 2
    lines = [", ".join(["frame", "face_id", "timestamp", "confidence", "success", *names])]
    for frame, centre in enumerate(centres):
        points = np.nan_to_num(np.repeat(np.asarray(centre, dtype=np.float64), 68)) + circle
        tracked = int(np.isfinite(centre).all())
        meta = [str(frame + 1), "0", f"{frame / frame_rate_hz:.3f}", f"{0.98 * tracked:.2f}", str(tracked)]
        lines.append(", ".join([*meta, *(f"{value:.1f}" for value in points)]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_example_manifest(folder: Path, *, n_clip: int = 4) -> Path:
    """Write ``manifest.csv`` and its sound and OpenFace files: one tone of half a second for each clip.

    Clip ``i`` sounds at ``150 + 50 * i`` Hz; the parts go round through train, train, valid and test.

    Returns:
        The path of the manifest.
    """
    import soundfile

    rows = ["clip_id,recording_id,speaker_id,split,audio,openface,text,label:sentiment"]
    for index in range(n_clip):
        waveform = tone(150.0 + 50.0 * index, duration_s=0.5)
        soundfile.write(folder / f"{index}.wav", waveform.samples, waveform.sample_rate)
        write_openface_csv(folder / f"{index}.csv")
        part = ("train", "train", "valid", "test")[index % 4]
        row = (f"clip_{index}", f"recording_{index}", "", part, f"{index}.wav", f"{index}.csv", f"Take {index}.")
        rows.append(",".join([*row, f"{index % 7 - 3}"]))
    path = folder / "manifest.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def write_example_dataset(
    path: Path | None = None,
    *,
    n_clip: int = 12,
    signal: tuple[str, ...] = ("text", "audio", "vision"),
    seed: int = 0,
    with_frames: bool = False,
) -> Path:
    """Write a small dataset in which chosen modalities carry the label ``sentiment`` in [-3, 3].

    Clips cycle through train, train, valid and test; every clip is its own recording. Clip 1 has no vision
    (status ``no_face``).

    Args:
        path: the file; a new temporary one where None.
        n_clip: number of clips, at least 4.
        signal: which of text, audio and vision follow the label; the others are noise.
        seed: of the noise.
        with_frames: add the stream ``frames``: ``1 + i % 3`` images of 32 x 32 in clip ``i``, showing the numbers from
            ``10 * i`` on; the second one has no face.

    Returns:
        The path of the file.
    """
    path = path or Path(tempfile.mkdtemp()) / "example.h5"
    rng = np.random.default_rng(seed)
    openface = OpenFaceConfig(groups=("au",))
    streams = [audio_stream_info(AudioFeatureConfig()), openface_stream_info(openface)]
    images = [frame_stream_info(FrameConfig(size=32))] if with_frames else []
    with DatasetWriter(
        path,
        info=DatasetInfo(name="example", language="en"),
        streams=[*streams, *images],
        labels=[LabelInfo(name="sentiment", value_range=(-3.0, 3.0))],
        schemes=["default"],
        overwrite=True,
    ) as writer:
        for index in range(n_clip):
            clip = _example_clip(index, streams, signal, rng)
            writer.write(_with_images(clip, index) if with_frames else clip)
    return path


def _example_clip(
    index: int, streams: list[StreamInfo], signal: tuple[str, ...], rng: np.random.Generator
) -> ClipFeatures:
    label = float(rng.integers(-3, 4))
    heard = label if "text" in signal else float(rng.integers(-3, 4))
    entry = ClipEntry(
        clip_id=f"clip_{index:02d}",
        recording_id=f"recording_{index:02d}",
        splits={"default": (Split.TRAIN, Split.TRAIN, Split.VALID, Split.TEST)[index % 4]},
        text=f"It was {WORDS[int(np.sign(heard))]}, take {index}.",
        labels={"sentiment": label},
    )
    frames = {}
    for stream in streams:
        level = label if stream.name in signal else float(rng.integers(-3, 4))
        frames[stream.name] = _example_frames(stream, level, 10 + index, rng)
    failures: tuple[StreamFailure, ...] = ()
    if index == 1:
        del frames["vision"]
        failures = (StreamFailure(stream="vision", status=StreamStatus.NO_FACE, message="no face in 11 frames"),)
    return ClipFeatures(entry=entry, streams=frames, failures=failures, duration_s=(10 + index) * 0.032)


def _with_images(clip: ClipFeatures, index: int) -> ClipFeatures:
    """Return a clip with the stream ``frames``; clip 1 has no face."""
    if index == 1:
        failure = StreamFailure(stream="frames", status=StreamStatus.NO_FACE, message="no face")
        return replace(clip, failures=(*clip.failures, failure))
    n_frame = 1 + index % 3
    images = [numbered_image(10 * index + frame, (32, 32)) for frame in range(n_frame)]
    frames = EncodedFrames(
        jpegs=tuple(encode_image(image) for image in images),
        times_s=np.arange(n_frame, dtype=np.float64) / 5,
        valid=np.arange(n_frame) != 1,
        height=32,
        width=32,
    )
    return replace(clip, streams={**clip.streams, "frames": frames})


def _example_frames(stream: StreamInfo, level: float, n_frame: int, rng: np.random.Generator) -> FrameFeatures:
    """Return noise around ``level`` in the first four columns and around 0 in the rest."""
    values = rng.normal(size=(n_frame, len(stream.feature_names))).astype(np.float32) * 0.5
    values[:, :4] += level
    voiced = np.arange(n_frame) % 3 > 0
    valid = np.ones(n_frame, dtype=np.bool_)
    if stream.has_voiced:
        values[~voiced, 0] = 0.0
    else:
        valid[-1] = False
        values[-1] = 0.0
    step_s = stream.hop_s or 0.04
    return FrameFeatures(
        values=values,
        times_s=np.arange(n_frame, dtype=np.float64) * step_s,
        names=stream.feature_names,
        units=stream.feature_units,
        valid=valid,
        voiced=voiced if stream.has_voiced else None,
        confidence=valid.astype(np.float32) if stream.has_confidence else None,
        hop_s=stream.hop_s,
    )
