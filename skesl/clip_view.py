"""What there is to see of one clip over time: sound, log-F0, action units, words, and what a run attends to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmfeat import AUDIO_SUFFIXES, DatasetReader, FrameFeatures, read_audio
from skesl.inputs import InputConfig
from skesl.measures import Values

Track = tuple[Values, Values]

_N_POINT = 1200  # of a drawn waveform
_N_UNIT = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class ClipView:
    """One clip over time.

    Args:
        clip_id: name of the clip.
        text: what is said.
        waveform: times in seconds, lowest and highest sample around each; None where the sound is not at hand.
        log_f0: times and values of the voiced frames; None where there are none.
        action_units: times and values of the action units that move most.
        words: each word with its start and end in seconds.
        attention: times and weights for each stream.
    """

    clip_id: str
    text: str
    waveform: tuple[Values, Values, Values] | None = None
    log_f0: Track | None = None
    action_units: Mapping[str, Track] = field(default_factory=dict)
    words: tuple[tuple[str, float, float], ...] = ()
    attention: Mapping[str, Track] = field(default_factory=dict)

    @property
    def has_tracks(self) -> bool:
        """Whether there is anything to draw."""
        return any((self.waveform is not None, self.log_f0 is not None, self.action_units, self.words, self.attention))


def view_clip(
    reader: DatasetReader,
    clip_id: str,
    *,
    media: Path | None = None,
    inputs: InputConfig | None = None,
    attention: Mapping[str, Values] | None = None,
) -> ClipView:
    """Return what there is to see of a clip.

    Args:
        reader: the dataset.
        clip_id: name of the clip.
        media: folder in which the sound lies as ``CLIP_ID.wav`` or with another suffix.
        inputs: which frames of a clip the method reads.
        attention: weight of each of these frames, for each stream.
    """
    inputs = inputs or InputConfig()
    index = reader.clip_ids.index(clip_id)
    streams = {name: reader.read(name, index) for name in reader.stream_names if not reader.info(name).codec}
    words, clip_start_s = reader.words(index), float(np.nan_to_num(reader.starts_s[index]))
    return ClipView(
        clip_id=clip_id,
        text=reader.texts[index],
        waveform=_waveform(clip_id, media),
        log_f0=next(filter(None, map(_log_f0, streams.values())), None),
        action_units=_action_units(streams),
        words=tuple(
            (token, float(start_s - clip_start_s), float(end_s - clip_start_s))
            for token, (start_s, end_s) in zip(words.tokens, words.intervals_s, strict=True)
        ),
        attention={
            name: (streams[name].times_s[inputs.kept(name, streams[name])], weights)
            for name, weights in (attention or {}).items()
        },
    )


def _waveform(clip_id: str, media: Path | None) -> tuple[Values, Values, Values] | None:
    """Return times, lowest and highest sample of each of so many stretches."""
    paths = [media / f"{clip_id}{suffix}" for suffix in AUDIO_SUFFIXES] if media is not None else []
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        return None
    sound = read_audio(path)
    stretches = np.array_split(sound.samples.astype(np.float64), min(_N_POINT, sound.samples.size))
    times_s = np.linspace(0, sound.samples.size / sound.sample_rate, len(stretches), endpoint=False)
    return times_s, np.array([part.min() for part in stretches]), np.array([part.max() for part in stretches])


def _log_f0(frames: FrameFeatures) -> Track | None:
    if "log_f0" not in frames.names:
        return None
    values = frames.values[:, frames.names.index("log_f0")].astype(np.float64)
    shown = frames.valid if frames.voiced is None else frames.valid & frames.voiced
    return (frames.times_s[shown], values[shown]) if shown.any() else None


def _action_units(streams: Mapping[str, FrameFeatures]) -> dict[str, Track]:
    """Return the intensities of the action units that move most."""
    tracks = {
        name: (frames.times_s[frames.valid], frames.values[frames.valid, column].astype(np.float64))
        for frames in streams.values()
        for column, name in enumerate(frames.names)
        if re.fullmatch(r"AU\d+_r", name) and frames.valid.any()
    }
    moving = sorted(tracks, key=lambda name: -float(tracks[name][1].std()))[:_N_UNIT]
    return {name: tracks[name] for name in sorted(moving)}
