"""Settings of a build: a preset, then a TOML file, then single overrides."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from mmfeat.audio import AUDIO_PRESETS, AudioFeatureConfig, Engine
from mmfeat.config import config_from_mapping, config_to_dict, merge_mappings, merge_overrides, read_toml
from mmfeat.errors import ConfigError
from mmfeat.vision import OpenFaceConfig


@dataclass(frozen=True, kw_only=True)
class BuildConfig:
    """How the streams are extracted."""

    audio: AudioFeatureConfig = field(default_factory=AudioFeatureConfig)
    engine: Engine = "fast"  # of the audio features; both give the same values
    openface: OpenFaceConfig = field(default_factory=OpenFaceConfig)


def resolve_build_config(
    *, preset: str = "default", file: Path | None = None, overrides: Iterable[str] = ()
) -> BuildConfig:
    """Return the settings of a build; what comes later wins.

    Args:
        preset: a name of ``AUDIO_PRESETS``.
        file: a TOML file with ``engine`` and the sections ``audio`` and ``openface``.
        overrides: ``section.key=value``, for example ``audio.pitch.f0_min_hz=60``.

    Raises:
        ConfigError: an unknown preset or key, or a value that a section refuses; all faults at once.
        InputError: the file cannot be read or is not TOML.
    """
    if preset not in AUDIO_PRESETS:
        raise ConfigError(f"unknown audio preset {preset!r}; known: {', '.join(AUDIO_PRESETS)}")
    values = config_to_dict(BuildConfig(audio=AUDIO_PRESETS[preset]))
    if file is not None:
        values = merge_mappings(values, read_toml(file))
    values = merge_overrides(values, overrides)
    return config_from_mapping(BuildConfig, values, where=str(file or "settings"))
