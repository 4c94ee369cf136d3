"""Extract every stream of one clip; what cannot be read becomes a failure with its reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from mmfeat.audio import extract_audio, read_audio
from mmfeat.build_config import BuildConfig
from mmfeat.cut_out import clip_span, cut_out
from mmfeat.errors import ClipError, InputError
from mmfeat.feature_files import NONE, read_feature_file
from mmfeat.images import EncodedFrames
from mmfeat.stamps import stamps_of
from mmfeat.types import ClipEntry, ClipFeatures, FrameFeatures, StreamFailure, StreamInfo, StreamStatus
from mmfeat.vision import FrameConfig, OpenFaceConfig, frame_rate_hz, picture_offset_s, read_frames, read_openface_csv

_LATE_S = 0.1  # a picture that begins later is worth a note


def extract_clip(entry: ClipEntry, config: BuildConfig, named: Mapping[str, StreamInfo] = NONE) -> ClipFeatures:
    """Return all streams of one clip; a stream that cannot be read becomes a failure, never an exception.

    Args:
        entry: the clip.
        config: settings of the streams that are extracted.
        named: the streams whose files the clips name.
    """
    stamps = stamps_of(entry)  # taken first: a file that changes while it is read is noticed the next time
    attempts = _Attempts()
    span, duration_s = clip_span(entry), float("nan")

    def sound(source: Path) -> FrameFeatures:
        nonlocal duration_s
        waveform = read_audio(source, config.audio.sample_rate, **span)
        duration_s = waveform.duration_s
        return extract_audio(waveform, config.audio, engine=config.engine)

    if (source := entry.audio or entry.video) is not None and "audio" in config.streams:
        attempts.extract("audio", partial(sound, source))
    if (openface := entry.openface) is not None and "vision" in config.streams:
        faces = partial(_faces, openface, config.openface)
        attempts.extract("vision", lambda: cut_out(_in_sounds_time(faces(), entry.video), **span))
    frames, video = frames_config(config), entry.video
    if frames is not None and video is not None:
        attempts.extract("frames", lambda: read_frames(video, frames, _landmarks(entry, video, config, frames), **span))
    for name, path in entry.features.items():
        attempts.extract(name, partial(read_feature_file, path, named[name]))
    return ClipFeatures(
        entry=entry,
        streams=attempts.streams,
        words=entry.words,
        failures=tuple(attempts.failures),
        duration_s=duration_s,
        source_sha256=next((stamp[3] for stamp in stamps if stamp[0] == str(source)), ""),
        stamps=stamps,
        notes=tuple(note for features in attempts.streams.values() for note in getattr(features, "notes", ())),
    )


class _Attempts:
    """Streams of a clip that were read, and the failures of those that were not."""

    def __init__(self) -> None:
        self.streams: dict[str, FrameFeatures | EncodedFrames] = {}
        self.failures: list[StreamFailure] = []

    def extract(self, name: str, extract: Callable[[], FrameFeatures | EncodedFrames]) -> None:
        """Read a stream; whatever goes wrong is its failure, but for Ctrl-C."""
        try:
            self.streams[name] = extract()
        except InputError as error:
            self._fail(name, getattr(error, "status", StreamStatus.DECODE_ERROR), str(error))
        except Exception as error:  # whatever one clip does to a tool, the others go on
            if _is_interrupt(error):
                raise KeyboardInterrupt from error
            self._fail(name, StreamStatus.TOOL_FAILED, f"{type(error).__name__}: {error}")

    def _fail(self, name: str, status: StreamStatus, message: str) -> None:
        self.failures.append(StreamFailure(stream=name, status=status, message=message))


def frames_config(config: BuildConfig) -> FrameConfig | None:
    """Return the settings of the frames, None where no frames are wanted."""
    return config.frames if "frames" in config.streams else None


def _is_interrupt(error: BaseException) -> bool:
    """Return whether Ctrl-C is behind an error: compiled code turns it into a SystemError, or a chain of them."""
    cause = error.__cause__ or error.__context__
    return isinstance(error, KeyboardInterrupt) or (cause is not None and _is_interrupt(cause))


def _faces(path: Path, config: OpenFaceConfig) -> FrameFeatures:
    """Return the columns of the stream, all of them."""
    features = read_openface_csv(path, config)
    wanted = config.feature_names
    if features.names != wanted:
        missing = sorted(set(wanted) - set(features.names), key=wanted.index)
        raise ClipError(
            f"{path}: expected the {len(wanted)} columns of the other files, OpenFace 1.x writes "
            f"{len(features.names)} of them, not {missing[0]!r}; run OpenFace 2, or ask for --groups that both have",
            StreamStatus.DECODE_ERROR,
        )
    return features


def _in_sounds_time(features: FrameFeatures, video: Path | None) -> FrameFeatures:
    """Return the features with times from the start of the video's container, where its sound begins.

    OpenFace counts from the first frame; some videos show it later than they begin.
    """
    try:
        offset_s = picture_offset_s(video) if video is not None else 0.0
    except ClipError:  # the other streams say so
        offset_s = 0.0
    if not offset_s:
        return features
    note = f"{video}: the picture begins {offset_s:.3f} s after the sound; so do the times of vision"
    notes = (*features.notes, note) if offset_s >= _LATE_S else features.notes
    return replace(features, times_s=features.times_s + offset_s, notes=notes)


def _landmarks(entry: ClipEntry, video: Path, config: BuildConfig, frames: FrameConfig) -> FrameFeatures | None:
    """Return what a face crop needs."""
    if frames.crop == "none":
        return None
    if entry.openface is None:
        raise ClipError(
            f"{video}: a face crop needs an OpenFace csv, the clip has none; run FeatureExtraction -2Dfp, or take "
            "crop none",
            StreamStatus.MISSING_SOURCE,
        )
    rate_hz = config.openface.frame_rate_hz or frame_rate_hz(video)  # for files without a timestamp column
    return read_openface_csv(entry.openface, replace(config.openface, groups=("face-2d",), frame_rate_hz=rate_hz))
