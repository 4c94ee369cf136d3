"""How much of a clip a method reads, and what that leaves out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from mmfeat import DatasetReader, EncodedFrames, Float32Array, FrameFeatures
from mmfeat.errors import ConfigError

Modality = Literal["text", "audio", "vision"]
MODALITIES: tuple[Modality, ...] = ("text", "audio", "vision")


@dataclass(frozen=True, kw_only=True)
class InputConfig:
    """How much of a clip a method reads; nothing is cut by default."""

    modalities: tuple[Modality, ...] = MODALITIES  # without text every text is one mask token: queries without words
    max_text_tokens: int | None = None  # special tokens included; none: the limits of training and encoder alone
    max_audio_frames: int | None = None  # the first ones are kept; none: all
    max_vision_frames: int | None = None
    keep_failed_frames: bool = False  # read frames that are not valid (no face was tracked) as they are stored

    def __post_init__(self) -> None:
        if not self.modalities or len(set(self.modalities)) < len(self.modalities):
            raise ConfigError(f"modalities: expected one or more different names, got {list(self.modalities)}")
        for name, least in (("max_text_tokens", 3), ("max_audio_frames", 1), ("max_vision_frames", 1)):
            limit = getattr(self, name)
            if limit is not None and limit < least:
                raise ConfigError(f"{name} must be at least {least}, got {limit}")

    @property
    def reads_text(self) -> bool:
        """Whether the words are read."""
        return "text" in self.modalities

    @property
    def reads_dialogues(self) -> bool:
        """Whether each text is read among those of its recording."""
        return False

    @property
    def image_limit(self) -> int | None:
        """How many images of a stream of encoded images are read, None where all are."""
        return None

    def max_frames(self, stream: str) -> int | None:
        """Return how many frames of a stream are kept, None where all are."""
        return {"audio": self.max_audio_frames, "vision": self.max_vision_frames}.get(stream)

    def kept(self, stream: str, features: FrameFeatures) -> npt.NDArray[np.int64]:
        """Return which frames of one clip are read."""
        kept = np.arange(features.n_frame) if self.keep_failed_frames else np.flatnonzero(features.valid)
        return kept[: self.max_frames(stream)]

    def images(self, frames: EncodedFrames) -> EncodedFrames:
        """Return the images of one clip that are read: those at the centres of equal parts where there are more."""
        kept = np.arange(frames.n_frame) if self.keep_failed_frames else np.flatnonzero(frames.valid)
        limit = self.image_limit
        if limit is not None and kept.size > limit:
            kept = kept[((np.arange(limit) + 0.5) * kept.size / limit).astype(np.int64)]
        return replace(
            frames,
            jpegs=tuple(frames.jpegs[place] for place in kept),
            times_s=frames.times_s[kept],
            valid=frames.valid[kept],
        )

    def frames(self, stream: str, features: FrameFeatures) -> Float32Array:
        """Return the frames of one clip that are read, shape (frame, feature)."""
        return features.values[self.kept(stream, features)]


@dataclass(frozen=True, kw_only=True)
class ImageInputConfig(InputConfig):
    """How much of a clip a method reads that reads images."""

    max_images: int | None = None  # so many are read, evenly; none: all

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_images is not None and self.max_images < 1:
            raise ConfigError(f"max_images must be at least 1, got {self.max_images}")

    @property
    def image_limit(self) -> int | None:
        """See ``InputConfig.image_limit``."""
        return self.max_images


@dataclass(frozen=True, kw_only=True)
class DialogueInputConfig(InputConfig):
    """How much of a clip a method reads that can read a text among those of its recording (``skesl.context``)."""

    max_dialogue_tokens: int | None = None  # of the texts of a recording in one sequence; none: each text alone
    min_utterance_tokens: int = 1  # that each text of a recording may keep; a recording of too many texts is parted

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.min_utterance_tokens < 1:
            raise ConfigError(f"min_utterance_tokens must be at least 1, got {self.min_utterance_tokens}")
        least = 2 + self.min_utterance_tokens
        if self.max_dialogue_tokens is not None and self.max_dialogue_tokens < least:
            raise ConfigError(f"max_dialogue_tokens must be at least {least}, got {self.max_dialogue_tokens}")

    @property
    def reads_dialogues(self) -> bool:
        """Whether each text is read among those of its recording."""
        return self.reads_text and self.max_dialogue_tokens is not None


@dataclass(frozen=True, kw_only=True)
class Cut:
    """How much of one stream, or of the texts, was left out."""

    name: str
    unit: str
    limit: int
    n_clip: int
    n_left_out: int

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.n_clip} clip(s) cut to {self.limit} {self.unit}, "
            f"{self.n_left_out} {self.unit} left out"
        )


def frames_cut(reader: DatasetReader, indices: Iterable[int], stream: str, inputs: InputConfig) -> Cut | None:
    """Return what the limit of a stream leaves out of some clips; None where that is nothing."""
    holds_images = bool(reader.info(stream).codec)
    limit = inputs.image_limit if holds_images else inputs.max_frames(stream)
    if limit is None:
        return None
    offsets = reader.offsets(stream)
    n_clip = n_left_out = 0
    for index in indices:
        n_frame = int(offsets[index + 1] - offsets[index])
        if n_frame > limit and not inputs.keep_failed_frames:
            frames = reader.read_frames(stream, int(index)) if holds_images else reader.read(stream, int(index))
            n_frame = int(frames.valid.sum())
        if n_frame > limit:
            n_clip += 1
            n_left_out += n_frame - limit
    return Cut(name=stream, unit="frames", limit=limit, n_clip=n_clip, n_left_out=n_left_out) if n_clip else None
