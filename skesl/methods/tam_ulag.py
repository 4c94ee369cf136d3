"""TAM-ULAG: temporal attention, interaction terms, and labels generated from the similarity of modalities.

Source: "TAM-ULAG", Journal of Electronics and Information Technology 46(2), 2024, 588-601, whose code is called TA_GML.
The default is what its abstract describes; the variant ``released`` is what its released code computes, in which the
recurrent encoders are never trained and most clips' frames are read as zeros. See ``TamUlagConfig``.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from skesl.config import Stage
from skesl.label_generator import similarity_labels
from skesl.methods.label_generating import LabelGeneratingMethod, Targets
from skesl.methods.tam_ulag_config import TAM_ULAG_PRESETS, TamUlagConfig
from skesl.nn.multitask import TaskOutputs
from skesl.nn.similarity import SimilarityScores
from skesl.normalise import FeatureNormaliser
from skesl.task import Task


class TamUlag(LabelGeneratingMethod):
    """Self-MM with temporal attention, interaction terms and labels by similarity; see ``Method`` for the arguments.

    A modality's head is held to a mean of two labels: the one in memory, and the clip's own label as far as the
    modality carries it, ``y tanh(s / 2)``. The confidence ``s`` is trained to say the labels in memory: one clip's
    generated label is noisy, what its features' similarity says of many clips is less so.
    """

    name = "tam_ulag"
    config_type = TamUlagConfig
    presets = TAM_ULAG_PRESETS

    config: TamUlagConfig

    def __init__(
        self,
        config: TamUlagConfig,
        *,
        text_encoder: nn.Module,
        text_width: int,
        normalisers: Mapping[str, FeatureNormaliser],
        task: Task,
    ) -> None:
        super().__init__(config, text_encoder=text_encoder, text_width=text_width, normalisers=normalisers, task=task)
        self.similarity = SimilarityScores(
            self.heads.feature_widths,
            self.modalities,
            n_expert=config.n_expert,
            similarity=config.design.similarity,
        )

    def frozen_modules(self, stage: Stage) -> tuple[nn.Module, ...]:
        """Return what gets no gradient: confidence heads that are not trained, and experts that nothing can reach."""
        design = self.config.design
        untrained: tuple[nn.Module, ...] = ()
        if not design.train_confidence:
            untrained = (self.similarity if design.detach_labels else self.similarity["confidence"],)
        return (*super().frozen_modules(stage), *untrained)

    def targets(
        self, outputs: TaskOutputs, labels: Mapping[str, Tensor], truth: Tensor, present: Mapping[str, Tensor]
    ) -> Targets:
        """Return the mean of both labels, and the error of the confidence heads where they have a loss of their own."""
        design, share = self.config.design, self.config.distance_share
        detached = {name: values.detach() for name, values in outputs.features.items()}
        scores = self.similarity(detached if design.detach_labels else outputs.features)
        similar = {name: similarity_labels(truth, score) for name, score in scores.items()}
        if not design.detach_labels:
            return Targets(labels={name: share * labels[name] + (1 - share) * similar[name] for name in labels})
        errors = [(present[name] * (similar[name] - labels[name]).abs()).mean() for name in labels]
        return Targets(
            labels={name: share * labels[name] + (1 - share) * similar[name].detach() for name in labels},
            loss=sum(errors) if design.train_confidence else 0.0,
        )
