"""What there is to see of one clip over time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmfeat.dataset import DatasetReader
from mmfeat.errors import InputError
from mmfeat.plot.sound import find_sound, read_sound
from mmfeat.types import FrameFeatures, Split, StreamStatus, Waveform


@dataclass(frozen=True, kw_only=True, eq=False)
class ClipView:
    """One clip over time; all times are seconds from its start.

    Args:
        clip_id: name of the clip.
        text: what is said.
        facts: what else is known of it, in a few words each: labels, parts, speaker.
        duration_s: length of its sound, NaN where unknown.
        sound: its sound; None where it is not at hand.
        streams: its features, of the streams whose frames have known times.
        words: each word with its start and end.
        missing: why a stream has no frames to show, by name.
        notes: what a person should know of the sound.
    """

    clip_id: str
    text: str
    facts: tuple[str, ...] = ()
    duration_s: float = float("nan")
    sound: Waveform | None = None
    streams: Mapping[str, FrameFeatures] = field(default_factory=dict)
    words: tuple[tuple[str, float, float], ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def has_tracks(self) -> bool:
        """Whether there is anything to draw."""
        return self.sound is not None or bool(self.streams) or bool(self.words)

    @property
    def end_s(self) -> float:
        """Where the time axis ends: with the sound, the last frame and the last word."""
        ends = [0.0 if np.isnan(self.duration_s) else self.duration_s]
        ends += [self.sound.duration_s] if self.sound is not None else []
        ends += [float(frames.times_s[-1]) + (frames.hop_s or 0.0) / 2 for frames in self.streams.values()]
        ends += [end_s for _, _, end_s in self.words]
        return max(ends)


def view_clip(reader: DatasetReader, clip_id: str, *, media: Path | None = None) -> ClipView:
    """Return what there is to see of a clip.

    Args:
        reader: the dataset.
        clip_id: name of the clip.
        media: where the sound lies: the file itself, or a folder with ``CLIP_ID.wav`` (or another suffix) or the file
            that the dataset names as the clip's source. Of the file of a whole recording the clip is cut out.

    Raises:
        InputError: the dataset has no such clip, is damaged, or ``media`` is not there.
        ClipError: the sound cannot be read.
    """
    index = index_of(reader, clip_id)
    path = find_sound(reader, index, media) if media is not None else None
    sound, notes = read_sound(reader, index, path) if path is not None else (None, ())
    streams, missing = _streams(reader, index)
    words, clip_start_s = reader.words(index), float(np.nan_to_num(reader.starts_s[index]))
    return ClipView(
        clip_id=clip_id,
        text=reader.texts[index],
        facts=tuple(_facts(reader, index)),
        duration_s=float(reader.durations_s[index]),
        sound=sound,
        streams=streams,
        words=tuple(
            (token, float(start_s - clip_start_s), float(end_s - clip_start_s))
            for token, (start_s, end_s) in zip(words.tokens, words.intervals_s, strict=True)
        ),
        missing=missing,
        notes=notes,
    )


def index_of(reader: DatasetReader, clip_id: str) -> int:
    """Return the place of a clip in a dataset.

    Raises:
        InputError: the dataset has no such clip.
    """
    try:
        return reader.clip_ids.index(clip_id)
    except ValueError:
        some = ", ".join(reader.clip_ids[:3]) + (", …" if reader.n_clip > 3 else "")
        raise InputError(
            f"{reader.path}: expected a clip to show, got {clip_id!r}, which is not in it; its clips are {some}"
        ) from None


def _streams(reader: DatasetReader, index: int) -> tuple[dict[str, FrameFeatures], dict[str, str]]:
    """Return the features that can stand on a time axis, and why others cannot."""
    streams: dict[str, FrameFeatures] = {}
    missing: dict[str, str] = {}
    for name in reader.stream_names:
        status = reader.status(name)[index]
        if status is not StreamStatus.OK:
            missing[name] = status.name.lower().replace("_", " ")
        elif not reader.info(name).codec:
            frames = reader.read(name, index)
            if not frames.n_frame or np.isnan(frames.times_s).any():
                missing[name] = "its frames have no known times"
            else:
                streams[name] = frames
    return streams, missing


def _facts(reader: DatasetReader, index: int) -> list[str]:
    """Return the labels, the parts and the speaker of a clip in words."""
    facts = []
    for name in reader.label_names:
        label = reader.labels(name)
        if label.present[index]:
            value = float(label.values[index])
            is_named = label.problem == "class" and 0 <= value < len(label.class_names)
            facts.append(f"{name} {label.class_names[int(value)] if is_named else format(value, 'g')}")
    for scheme in reader.scheme_names[:3]:
        part = Split(int(reader.parts(scheme)[index])).name.lower()
        facts.append(f"{part} part" if scheme == "default" else f"{part} part of {scheme}")
    if speaker := reader.speaker_ids[index]:
        facts.append(f"speaker {speaker}")
    return facts
