"""Settings of SKESL, and the three presets: ours, what the released code computes, what the paper prints.

Every way in which the three differ is one named field. Lines are those of the released code, qianfan1996/SKESL at
4a415b1; equations and tables those of the paper (Findings of ACL 2023).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mmfeat.errors import ConfigError
from skesl.inputs import InputConfig
from skesl.masking import MaskingConfig
from skesl.methods.base import Preset
from skesl.nn.fusion import FusionConfig


@dataclass(frozen=True, kw_only=True)
class SkeslConfig(FusionConfig):
    """Settings of SKESL."""

    n_head_hidden: int = 256
    normalise_features: bool = True  # by statistics of the train part; as released and in the paper: raw features
    attend_to_padding: bool = False  # as released (models.py:36-42): zeros up to the most frames are attended
    pool_padding: bool = False  # as released (models.py:151): the mean counts the padding up to the most tokens
    freeze_text_encoder_in_pretraining: bool = True  # as released (pretrain.py:55-56); the paper trains it
    frozen_text_encoder_dropout: bool = False  # as released (pretrain.py:69): frozen, but in training mode
    fusion_learning_rate: Literal["rest", "text_encoder"] = "rest"  # text_encoder: as released (main.py:73-76)
    inputs: InputConfig = field(default_factory=InputConfig)
    masking: MaskingConfig = field(default_factory=MaskingConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_head_hidden < 1:
            raise ConfigError(f"n_head_hidden must be at least 1, got {self.n_head_hidden}")
        needed = {
            "attend_to_padding": ("max_audio_frames", "max_vision_frames") if self.attend_to_padding else (),
            "pool_padding": ("max_text_tokens",) if self.pool_padding else (),
        }
        for setting, limits in needed.items():
            for limit in limits:
                if getattr(self.inputs, limit) is None:
                    raise ConfigError(f"{setting} needs inputs.{limit}, the length that is padded to")


_RELEASED = SkeslConfig(
    normalise_features=False,
    attend_to_padding=True,
    pool_padding=True,
    frozen_text_encoder_dropout=True,
    fusion_learning_rate="text_encoder",
    # data_loader.py:54 and the scripts of data/ (T_a, T_v); frames without a face are kept as OpenFace wrote them
    inputs=InputConfig(max_text_tokens=39, max_audio_frames=400, max_vision_frames=55, keep_failed_frames=True),
    masking=MaskingConfig(matching="word_piece", hidden_occurrences="all", attend_as_unmasked=True),
)
_PAPER = SkeslConfig(
    share_layers=False,
    n_inner=None,
    output_projection=False,
    attention_bias=False,
    residual="normed",
    feed_forward="transformer",
    normalise_features=False,
    freeze_text_encoder_in_pretraining=False,
)
# Adam without weight decay, clipping and early stop: pretrain.py:22,60; main.py:73-78; section 4.3 of the paper.
_ADAM: Mapping[str, Any] = {"batch_size": 32, "weight_decay": 0.0, "max_gradient_norm": 0.0, "patience": 0}
_RATES: Mapping[str, Any] = {"learning_rate": 1e-4, "text_encoder_learning_rate": 5e-6}

SKESL_PRESETS: Mapping[str, Preset] = {
    "skesl": Preset(config=SkeslConfig()),
    "released": Preset(
        config=_RELEASED,
        train={
            "pretrain": {**_ADAM, **_RATES, "n_epochs": 100, "seed": 666},
            # main.py:80,201: the only stage of the released code whose rates change
            "finetune": {**_ADAM, **_RATES, "n_epochs": 200, "seed": 666, "schedule": "released-cosine"},
        },
    ),
    "paper": Preset(
        config=_PAPER,
        train={
            "pretrain": {**_ADAM, **_RATES, "n_epochs": 200},
            "finetune": {**_ADAM, **_RATES, "n_epochs": 200},
        },
    ),
}
