"""Settings of TAM-ULAG: two variants, and the published settings for three datasets.

``corrected``, the default, is what the paper describes; ``released`` computes what the released code computes. Every
way in which they differ is one field, whose value the variant gives unless it is chosen. Lines are those of the
released code, wsy981101/TAM-ULAG at 5d1cb37: ``model`` is models/multiTask/SELF_MM.py, ``training``
trains/multiTask/SELF_MM.py, ``settings`` preload/config_regression.py.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mmfeat.errors import ConfigError
from skesl.methods.base import Preset
from skesl.methods.self_mm_config import (
    ADAM,
    CHINESE_LENGTHS,
    ENGLISH_LENGTHS,
    N_FEATURES,
    Design,
    LabelGeneratingConfig,
    LabelUpdate,
    heads,
    recurrent,
)
from skesl.nn.multitask import CrossTerms
from skesl.nn.recurrent import ReadOut
from skesl.nn.similarity import Similarity

Variant = Literal["corrected", "released"]


@dataclass(frozen=True, kw_only=True)
class TamUlagDesign(Design):
    """What TAM-ULAG adds.

    Args:
        similarity: how the experts look at one another.
        train_confidence: the confidence heads are trained.
        detach_labels: no gradient flows into the labels.
    """

    similarity: Similarity
    train_confidence: bool
    detach_labels: bool


VARIANTS: Mapping[Variant, TamUlagDesign] = {
    "corrected": TamUlagDesign(
        text_read_out="attention",
        frame_read_out="attention",
        cross="per_dimension",
        similarity="softmax",
        train_confidence=True,
        detach_labels=True,
    ),
    "released": TamUlagDesign(
        text_read_out="gated_first",
        frame_read_out="gated_last_padded",
        detach_recurrent=True,
        cross="none",
        label_update="batch",
        exclude_zero=False,
        normalise_features=False,
        similarity="dot",
        train_confidence=False,
        detach_labels=False,
    ),
}


@dataclass(frozen=True, kw_only=True)
class TamUlagConfig(LabelGeneratingConfig):
    """Settings of TAM-ULAG; none: as the variant has it."""

    variant: Variant = "corrected"
    text_read_out: ReadOut | None = None  # released: gated_first, the class token alone, nearly 0 (model:89-94)
    frame_read_out: ReadOut | None = None  # released: gated_last_padded, 0 but for the longest clips (model:323-327)
    detach_recurrent: bool | None = None  # released: true, output.data has no gradient (model:324-326)
    cross: CrossTerms | None = None  # released: none (model:24 inverts the switch, run.py:242 sets it), else rank_one
    similarity: Similarity | None = None  # released: dot, neither scaled nor normalised (training:94-95)
    train_confidence: bool | None = None  # released: false, not known to model and optimiser (training:72-81, 126-138)
    detach_labels: bool | None = None  # released: false, the loss moves its own targets (training:198-211)
    label_update: LabelUpdate | None = None  # released: batch, by features with dropout (training:218-227)
    exclude_zero: bool | None = None  # released: false, there is no such key (training:340-343)
    normalise_features: bool | None = None  # released: false, need_normalized (settings:216)
    distance_share: float = 0.5  # of the distance label in a target, the rest is the similarity label's (training:29)
    n_common: int = 32  # width of the space of per_dimension
    n_expert: int = 16  # settings:259

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 <= self.distance_share <= 1.0:
            raise ConfigError(f"distance_share must lie in [0, 1], got {self.distance_share}")
        for name in ("n_common", "n_expert"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, got {getattr(self, name)}")

    @property
    def design(self) -> TamUlagDesign:
        """The variant's design with what was chosen."""
        names = (entry.name for entry in dataclasses.fields(TamUlagDesign))
        chosen = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return dataclasses.replace(VARIANTS[self.variant], **chosen)


TAM_ULAG_PRESETS: Mapping[str, Preset] = {
    "tam_ulag": Preset(config=TamUlagConfig()),
    "mosi": Preset(
        config=TamUlagConfig(
            **heads((128, 0.1), (64, 0.0), (16, 0.1), (32, 0.1)),
            audio=recurrent(32, 16, 1e-3, 1e-2),
            vision=recurrent(64, 32, 1e-4, 1e-3),
            text_weight_decay=1e-3,
            label_bound=3.0,
            inputs=ENGLISH_LENGTHS,
        ),
        train={"finetune": {**ADAM, "batch_size": 32, "learning_rate": 1e-3, "weight_decay": 1e-3}},
        n_features=N_FEATURES["mosi"],
    ),
    "mosei": Preset(
        config=TamUlagConfig(
            **heads((128, 0.0), (32, 0.1), (16, 0.0), (16, 0.1)),
            audio=recurrent(32, 16, 5e-3, 0.0),
            vision=recurrent(32, 32, 1e-4, 0.0),
            text_weight_decay=1e-3,
            label_bound=3.0,
            inputs=ENGLISH_LENGTHS,
        ),
        train={"finetune": {**ADAM, "batch_size": 32, "learning_rate": 1e-3, "weight_decay": 1e-2}},
        n_features=N_FEATURES["mosei"],
    ),
    "sims": Preset(
        config=TamUlagConfig(
            **heads((128, 0.0), (64, 0.1), (16, 0.1), (32, 0.0)),
            audio=recurrent(16, 16, 1e-5, 1e-2),
            vision=recurrent(64, 32, 2e-4, 1e-2),
            text_weight_decay=1e-3,
            label_bound=1.0,
            inputs=CHINESE_LENGTHS,
        ),
        train={"finetune": {**ADAM, "batch_size": 32, "learning_rate": 5e-4, "weight_decay": 1e-3}},
        n_features=N_FEATURES["sims"],
    ),
}
