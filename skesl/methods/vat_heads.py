"""VAT's heads for labels: on the fused states, and on each modality alone where the supervision is blended.

Certain (abstract of ACM MM 2023, 10.1145/3581783.3612872): "jointly train all modalities via a weighted blending of
supervision signals". Inferred: the form ``L = w_va L_va + w_v L_v + w_a L_a``, a head of two linear maps for each, and
that the fused one predicts.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skesl.losses import distilled_cross_entropy, pearson_loss
from skesl.methods.vat_config import VatConfig
from skesl.task import Task


class VatHeads(nn.Module):
    """One head for each supervised state: logits of classes in front, then values.

    Args:
        config: settings of the method.
        task: what is learned.
    """

    def __init__(self, config: VatConfig, task: Task) -> None:
        super().__init__()
        self.config, self.task = config, task
        weights = {"fused": config.fused_weight, "video": config.video_weight, "audio": config.audio_weight}
        self.weights = {name: weight for name, weight in weights.items() if weight > 0}
        self.heads = nn.ModuleDict(
            {
                name: nn.Sequential(
                    nn.Linear(config.width, config.width),
                    nn.GELU(),
                    nn.Dropout(config.head_dropout),
                    nn.Linear(config.width, task.n_column),
                )
                for name in self.weights
            }
        )

    def forward(self, states: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return what each head says, shape (clip, task.n_column)."""
        return {name: head(states[name]) for name, head in self.heads.items()}

    def answer(self, said: Tensor) -> Tensor:
        """Return probabilities of classes in front, then values; shape (clip, task.n_column)."""
        n_class = len(self.task.class_names)
        return torch.cat([said[:, :n_class].softmax(dim=1), self._values(said)], dim=1)

    def loss(
        self,
        said: Mapping[str, Tensor],
        labels: Tensor,
        of_teacher: Mapping[str, Tensor] | None,
        *,
        alpha: float | Tensor,
    ) -> Tensor:
        """Return the weighted sum of the heads' losses.

        Args:
            said: what ``forward`` returned.
            labels: float, shape (clip, label), in the order of the task.
            of_teacher: what the momentum model's heads say of the same clips; None: the labels alone.
            alpha: its share.
        """
        losses = [
            weight * self._loss_of(said[name], labels, None if of_teacher is None else of_teacher[name], alpha)
            for name, weight in self.weights.items()
        ]
        return torch.stack(losses).sum()

    def _loss_of(self, said: Tensor, labels: Tensor, of_teacher: Tensor | None, alpha: float | Tensor) -> Tensor:
        n_class, losses = len(self.task.class_names), []
        truth = labels[:, 1:] if n_class else labels  # the label with classes stands in front
        if n_class:
            classes = labels[:, 0].long()
            teacher_logits = None if of_teacher is None else of_teacher[:, :n_class]
            losses.append(distilled_cross_entropy(said[:, :n_class], classes, teacher_logits, alpha=alpha))
        if truth.shape[1]:
            of_labels = self._distance(self._values(said), truth)
            if of_teacher is not None:
                of_labels = (1 - alpha) * of_labels + alpha * F.mse_loss(
                    self._values(said).float(), self._values(of_teacher).float()
                )
            losses.append((self.config.valence_weight if n_class else 1.0) * of_labels)
        return torch.stack(losses).sum()

    def _values(self, said: Tensor) -> Tensor:
        values = said[:, len(self.task.class_names) :]
        return values.sigmoid() if self.config.regression_output == "sigmoid" else values

    def _distance(self, values: Tensor, truth: Tensor) -> Tensor:
        if self.config.regression_loss == "pearson":
            return pearson_loss(values, truth)
        return F.mse_loss(values.float(), truth.float())
