"""Self-MM: a task for each modality beside the fused one, with labels that it generates itself.

Source: Yu et al., "Learning modality-specific representations with self-supervised multi-task learning for multimodal
sentiment analysis", AAAI 2021. The method that TAM-ULAG derives from, and its baseline.
"""

from __future__ import annotations

from skesl.methods.label_generating import LabelGeneratingMethod
from skesl.methods.self_mm_config import SELF_MM_PRESETS, SelfMmConfig


class SelfMm(LabelGeneratingMethod):
    """The text's class token, the last real frame of two LSTMs, four heads; see ``Method`` for the arguments.

    The label of a modality follows the distances of its features to the means of positive and of negative clips.
    """

    name = "self_mm"
    config_type = SelfMmConfig
    presets = SELF_MM_PRESETS

    config: SelfMmConfig
