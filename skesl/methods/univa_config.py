"""Settings of UniVA, and its presets: ours, and the four published ones.

Lines are those of the released code, NUSTM/UniVA at ce59bbc. What it takes from files that were not released (the
features of voice and face, the unimodal models of valence and arousal) has no published value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mmfeat.errors import ConfigError
from skesl.inputs import DialogueInputConfig
from skesl.methods.base import Preset
from skesl.nn.frames import StackConfig

_DIALOGUE = DialogueInputConfig(max_dialogue_tokens=512, max_audio_frames=512, max_vision_frames=512)
# 512 words with a token at either end.
_WORDS = DialogueInputConfig(max_text_tokens=514, max_audio_frames=512, max_vision_frames=512)


@dataclass(frozen=True, kw_only=True)
class UnivaConfig(StackConfig):
    """Settings of UniVA."""

    # released: the published loss with its faults, see skesl.va_losses; softmax of the labels, a threshold, dropout on
    # the logits, a trained label prior without bound, contrast of features that are not normalised
    variant: Literal["default", "released"] = "default"
    head: Literal["sigmoid", "soft_target"] = "sigmoid"  # soft_target: shares of the labels and of none
    n_text_layers: int = 0  # behind a text encoder that knows the neighbours of a word none are needed
    n_audio_layers: int = 3
    n_vision_layers: int = 3
    contrast_weight: float = 0.2  # alpha
    text_contrast_weight: float = 1.0  # released: 3 on MOSEI (models.py:148)
    temperature: float = 0.4
    va_radius: float = 0.5  # within which clips are positives; in deviations of the train part
    label_prior_weight: float = 0.1
    threshold: float = 0.18  # of the released variant alone
    freeze_text_encoder: bool = False
    va_lexicon: str | None = None  # a csv of valence and arousal, which scores the texts
    audio_va_model: str | None = None  # a folder that skesl va-fit made
    vision_va_model: str | None = None
    va_of_labels: bool = True  # where nothing else scores a modality: the mean point of a clip's emotions
    emotion_points: tuple[str, ...] = ()  # NAME=VALENCE,AROUSAL in [0, 1], of labels that are not in the table
    inputs: DialogueInputConfig = field(default_factory=lambda: _DIALOGUE)

    def __post_init__(self) -> None:
        super().__post_init__()
        layers = ("n_text_layers", "n_audio_layers", "n_vision_layers")
        for name in (*layers, "text_contrast_weight", "label_prior_weight"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} must not be negative, got {getattr(self, name)}")
        for name in ("temperature", "va_radius"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} must be more than 0, got {getattr(self, name)}")
        for name, limit in (("contrast_weight", 1.0), ("threshold", 1.0)):
            if not 0.0 <= getattr(self, name) < limit:
                raise ConfigError(f"{name} must lie in [0, {limit:g}), got {getattr(self, name)}")
        if self.variant == "released" and self.head != "sigmoid":
            raise ConfigError("the released variant has a head of its own; leave head as it is")
        for stream in ("audio", "vision"):
            if stream in self.inputs.modalities and self.inputs.max_frames(stream) is None:
                raise ConfigError(f"inputs.max_{stream}_frames: expected a number, one learned position each, got none")
        if self.n_text_layers and self.inputs.max_text_tokens is None:
            raise ConfigError("n_text_layers needs inputs.max_text_tokens, one learned position each")

    @property
    def n_layers(self) -> Mapping[str, int]:
        """Layers of each modality."""
        return {"text": self.n_text_layers, "audio": self.n_audio_layers, "vision": self.n_vision_layers}


def _published(*, epochs: int, rate: float, batch: int, layers: tuple[int, int, int], **settings: Any) -> Preset:
    """Return a preset of the scripts run_MOSEI and run_M3ED; layers of text, audio, vision."""
    n_text, n_audio, n_vision = layers
    return Preset(
        config=UnivaConfig(
            variant="released",
            n_text_layers=n_text,
            n_audio_layers=n_audio,
            n_vision_layers=n_vision,
            va_radius=0.1,
            freeze_text_encoder=n_text > 0,
            inputs=_WORDS if n_text else _DIALOGUE,
            **settings,
        ),
        train={
            "finetune": {
                "n_epochs": epochs,
                "batch_size": batch,
                "learning_rate": rate,
                "text_encoder_learning_rate": rate,
                "schedule": "linear",
                "warmup_fraction": 0.1,
                "weight_decay": 0.0,
                "max_gradient_norm": 1.0,
                "patience": 0,
                "selection_metric": "micro_f1",
                "max_text_tokens": 514,
                "seed": 1111,
            }
        },
    )


UNIVA_PRESETS: Mapping[str, Preset] = {
    "univa": Preset(config=UnivaConfig()),
    "mosei_roberta": _published(
        epochs=5, rate=5e-5, batch=48, layers=(0, 5, 3), temperature=0.7, contrast_weight=0.45,
        text_contrast_weight=3.0, label_prior_weight=1.0,
    ),
    "mosei_glove": _published(
        epochs=15, rate=7e-5, batch=32, layers=(7, 3, 5), temperature=0.4, contrast_weight=0.2,
        text_contrast_weight=3.0, label_prior_weight=0.0,
    ),
    "m3ed_roberta": _published(
        epochs=10, rate=5e-5, batch=88, layers=(0, 5, 3), temperature=0.4, contrast_weight=0.2,
        label_prior_weight=1.0,
    ),
    "m3ed_glove": _published(
        epochs=15, rate=5e-5, batch=32, layers=(3, 5, 3), temperature=0.4, contrast_weight=0.1,
        label_prior_weight=1.0,
    ),
}  # fmt: skip
