"""Settings of a build: a preset, then a TOML file, then single overrides."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from mmfeat.audio import AUDIO_PRESETS, AudioFeatureConfig, Engine
from mmfeat.config import config_from_mapping, config_to_dict, merge_mappings, merge_overrides, read_toml
from mmfeat.errors import ConfigError
from mmfeat.vision import FrameConfig, OpenFaceConfig

STREAMS = ("audio", "vision", "frames")


@dataclass(frozen=True, kw_only=True)
class BuildConfig:
    """Which streams are extracted, and how."""

    audio: AudioFeatureConfig = field(default_factory=AudioFeatureConfig)
    engine: Engine = "fast"  # of the audio features; both give the same values
    openface: OpenFaceConfig = field(default_factory=OpenFaceConfig)
    frames: FrameConfig | None = None  # of the videos; None: no stream of frames
    streams: tuple[str, ...] = STREAMS  # the streams that are extracted where a clip has what they need

    def __post_init__(self) -> None:
        unknown = [name for name in self.streams if name not in STREAMS]
        if unknown:
            raise ConfigError(f"unknown stream {unknown[0]!r}; known: {', '.join(STREAMS)}")
        # The order of the names means nothing.
        object.__setattr__(self, "streams", tuple(name for name in STREAMS if name in self.streams))


def resolve_build_config(
    *,
    preset: str = "default",
    file: Path | None = None,
    overrides: Iterable[str] = (),
    frames: bool = False,
) -> BuildConfig:
    """Return the settings of a build; what comes later wins.

    Args:
        preset: a name of ``AUDIO_PRESETS``.
        file: a TOML file with ``engine``, ``streams`` and the sections ``audio``, ``openface`` and ``frames``.
        overrides: ``section.key=value``, for example ``audio.pitch.f0_min_hz=60``.
        frames: extract frames of the videos; a section or an override of frames asks for them as well.

    Raises:
        ConfigError: an unknown preset or key, or a value that a section refuses; all faults at once.
        InputError: the file cannot be read or is not TOML.
    """
    if preset not in AUDIO_PRESETS:
        raise ConfigError(f"unknown audio preset {preset!r}; known: {', '.join(AUDIO_PRESETS)}")
    values = config_to_dict(BuildConfig(audio=AUDIO_PRESETS[preset]))
    del values["frames"]
    if frames:
        values["frames"] = {}
    if file is not None:
        values = merge_mappings(values, read_toml(file))
    values = merge_overrides(values, overrides)
    return config_from_mapping(BuildConfig, values, where=str(file or "settings"))
