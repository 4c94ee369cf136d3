"""Settings of Self-MM, what it shares with TAM-ULAG, and the published settings for three datasets.

Lines are those of the code in thuiar/MMSA at a94e65d, src/MMSA: config/config_regression.json, section ``self_mm``;
models/multiTask/SELF_MM.py; trains/multiTask/SELF_MM.py.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mmfeat.errors import ConfigError
from skesl.inputs import InputConfig
from skesl.label_generator import FUSION
from skesl.methods.base import Preset
from skesl.nn.heads import HeadConfig
from skesl.nn.multitask import CrossTerms
from skesl.nn.recurrent import ReadOut, RecurrentConfig

LabelUpdate = Literal["epoch", "batch"]


@dataclass(frozen=True, kw_only=True)
class Design:
    """How a network with one task for each modality reads, fuses and generates labels.

    Args:
        text_read_out: how the text encoder's states become one vector.
        frame_read_out: how those of a recurrent encoder do.
        detach_recurrent: no gradient reaches the recurrent encoders.
        cross: interaction terms of pairs of modalities, see ``MultitaskHeads``.
        n_common: width of the common space of ``per_dimension``.
        label_update: the memory of labels moves once an epoch, by features in evaluation mode, or after each batch, by
            those of training.
        exclude_zero: clips with label 0 are neither positive nor negative.
        normalise_features: by statistics of the train part.
    """

    text_read_out: ReadOut
    frame_read_out: ReadOut
    detach_recurrent: bool = False
    cross: CrossTerms = "none"
    n_common: int = 32
    label_update: LabelUpdate = "epoch"
    exclude_zero: bool = True
    normalise_features: bool = True


@dataclass(frozen=True, kw_only=True)
class LabelGeneratingConfig(ABC):
    """Settings of a method with one task for each modality and labels that it generates."""

    audio: RecurrentConfig = field(default_factory=lambda: RecurrentConfig(n_hidden=32, n_output=16))
    vision: RecurrentConfig = field(default_factory=lambda: RecurrentConfig(n_hidden=64, n_output=32))
    fusion_head: HeadConfig = field(default_factory=lambda: HeadConfig(n_hidden=128, dropout=0.1))
    text_head: HeadConfig = field(default_factory=lambda: HeadConfig(n_hidden=64))
    audio_head: HeadConfig = field(default_factory=lambda: HeadConfig(n_hidden=16, dropout=0.1))
    vision_head: HeadConfig = field(default_factory=lambda: HeadConfig(n_hidden=32, dropout=0.1))
    label_bound: float | None = None  # of generated labels; none: the largest label of the training clips
    text_weight_decay: float | None = None  # of the text encoder, biases and norms left out; none: that of training
    unimodal_labels: Literal["generated", "human"] = "generated"  # human: where a clip has them, in place of generated
    text_label: str = "sentiment_T"  # the human labels, as mmfeat build-sims calls them
    audio_label: str = "sentiment_A"
    vision_label: str = "sentiment_V"
    inputs: InputConfig = field(default_factory=InputConfig)

    def __post_init__(self) -> None:
        if self.label_bound is not None and self.label_bound <= 0:
            raise ConfigError(f"label_bound must be above 0, got {self.label_bound}")
        if (self.text_weight_decay or 0.0) < 0:
            raise ConfigError(f"text_weight_decay must not be negative, got {self.text_weight_decay}")

    @property
    @abstractmethod
    def design(self) -> Design:
        """How the network reads, fuses and generates labels."""

    def encoder(self, modality: str) -> RecurrentConfig:
        """Return the settings of a stream's recurrent encoder."""
        return {"audio": self.audio, "vision": self.vision}[modality]

    def head(self, name: str) -> HeadConfig:
        """Return the settings of a modality's head, or of the fusion's."""
        heads = {"text": self.text_head, "audio": self.audio_head, "vision": self.vision_head}
        return self.fusion_head if name == FUSION else heads[name]

    def human_label(self, modality: str) -> str:
        """Return the name of the human label of a modality."""
        return {"text": self.text_label, "audio": self.audio_label, "vision": self.vision_label}[modality]


@dataclass(frozen=True, kw_only=True)
class SelfMmConfig(LabelGeneratingConfig):
    """Settings of Self-MM."""

    label_update: LabelUpdate = "epoch"  # batch: as released (trains/multiTask/SELF_MM.py:141-148), with dropout
    exclude_zero: bool = True
    normalise_features: bool = True  # by statistics of the train part; as released: raw (need_normalized)

    @property
    def design(self) -> Design:
        """The class token, the last real frame, no interaction terms (models/multiTask/SELF_MM.py:56, 130-132)."""
        return Design(
            text_read_out="first",
            frame_read_out="last",
            label_update=self.label_update,
            exclude_zero=self.exclude_zero,
            normalise_features=self.normalise_features,
        )


# Lengths of the published feature files, to which both codes cut and pad.
ENGLISH_LENGTHS = InputConfig(max_text_tokens=50, max_audio_frames=500, max_vision_frames=375)
CHINESE_LENGTHS = InputConfig(max_text_tokens=39, max_audio_frames=400, max_vision_frames=55)
# Features of a frame of sound and of faces in these files: COVAREP and FACET; librosa's 33 and OpenFace's 709.
N_FEATURES: Mapping[str, Mapping[str, int]] = {
    "mosi": {"audio": 5, "vision": 20},
    "mosei": {"audio": 74, "vision": 35},
    "sims": {"audio": 33, "vision": 709},
}
# Adam with the decay added to the gradients, no clipping, four batches a step; there is no last epoch but patience.
ADAM: Mapping[str, Any] = {
    "optimiser": "adam",
    "n_accumulated": 4,
    "max_gradient_norm": 0.0,
    "patience": 8,
    "n_epochs": 1000,
    "selection_metric": "mae",
    "text_encoder_learning_rate": 5e-5,
    "seed": 1111,
}


def heads(
    fusion: tuple[int, float], text: tuple[int, float], audio: tuple[int, float], vision: tuple[int, float]
) -> dict[str, Any]:
    """Return the settings of four heads, each of its width and dropout."""
    given = {"fusion_head": fusion, "text_head": text, "audio_head": audio, "vision_head": vision}
    return {name: HeadConfig(n_hidden=n_hidden, dropout=dropout) for name, (n_hidden, dropout) in given.items()}


def recurrent(n_hidden: int, n_output: int, learning_rate: float, weight_decay: float) -> RecurrentConfig:
    """Return the settings of a recurrent encoder with published rates."""
    return RecurrentConfig(n_hidden=n_hidden, n_output=n_output, learning_rate=learning_rate, weight_decay=weight_decay)


_AS_RELEASED: Mapping[str, Any] = {"label_update": "batch", "normalise_features": False, "text_weight_decay": 1e-3}

SELF_MM_PRESETS: Mapping[str, Preset] = {
    "self_mm": Preset(config=SelfMmConfig()),
    "mosi": Preset(
        config=SelfMmConfig(
            **_AS_RELEASED,
            **heads((128, 0.0), (32, 0.1), (16, 0.1), (32, 0.0)),
            audio=recurrent(16, 16, 5e-3, 1e-3),
            vision=recurrent(32, 32, 5e-3, 1e-3),
            label_bound=3.0,
            inputs=ENGLISH_LENGTHS,
        ),
        train={"finetune": {**ADAM, "batch_size": 16, "learning_rate": 1e-3, "weight_decay": 1e-3}},
        n_features=N_FEATURES["mosi"],
    ),
    "mosei": Preset(
        config=SelfMmConfig(
            **_AS_RELEASED,
            **heads((128, 0.1), (32, 0.0), (16, 0.0), (32, 0.0)),
            audio=recurrent(16, 16, 5e-3, 0.0),
            vision=recurrent(32, 32, 1e-4, 0.0),
            label_bound=3.0,
            inputs=ENGLISH_LENGTHS,
        ),
        train={"finetune": {**ADAM, "batch_size": 32, "learning_rate": 1e-3, "weight_decay": 1e-2}},
        n_features=N_FEATURES["mosei"],
    ),
    "sims": Preset(
        config=SelfMmConfig(
            **_AS_RELEASED,
            **heads((128, 0.0), (64, 0.1), (16, 0.1), (32, 0.0)),
            audio=recurrent(16, 16, 5e-3, 1e-2),
            vision=recurrent(64, 32, 5e-3, 1e-2),
            label_bound=1.0,
            inputs=CHINESE_LENGTHS,
        ),
        train={"finetune": {**ADAM, "batch_size": 32, "learning_rate": 1e-3, "weight_decay": 1e-3}},
        n_features=N_FEATURES["sims"],
    ),
}
