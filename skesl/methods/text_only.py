"""The text-only baseline: the encoder's mean state and the same head, no voice and no face.

Every multimodal method is to be held against it: in this field it quietly wins more often than reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from mmfeat.errors import ConfigError
from skesl.data import Batch
from skesl.methods.base import Method
from skesl.nn.heads import TwoLayerHead
from skesl.nn.pooling import masked_mean
from skesl.normalise import FeatureNormaliser
from skesl.task import PROBLEMS, Task
from skesl.task_outputs import task_loss, task_scores


@dataclass(frozen=True, kw_only=True)
class TextOnlyConfig:
    """Settings of the text-only baseline."""

    n_head_hidden: int = 256
    dropout: float = 0.5

    def __post_init__(self) -> None:
        if self.n_head_hidden < 1:
            raise ConfigError(f"n_head_hidden must be at least 1, got {self.n_head_hidden}")
        if not 0.0 <= self.dropout < 1.0:
            raise ConfigError(f"dropout must lie in [0, 1), got {self.dropout}")


class TextOnly(Method):
    """Mean over the encoder's real tokens and two linear layers; see ``Method`` for the arguments."""

    name = "text_only"
    config_type = TextOnlyConfig
    stages = ("finetune",)
    stream_names = ()
    transferred = ("text_encoder",)
    problems = PROBLEMS

    def __init__(
        self,
        config: TextOnlyConfig,
        *,
        text_encoder: nn.Module,
        text_width: int,
        normalisers: Mapping[str, FeatureNormaliser],
        task: Task,
    ) -> None:
        super().__init__(config, text_encoder=text_encoder, text_width=text_width, normalisers=normalisers, task=task)
        self.head = TwoLayerHead(text_width, task.n_column, n_hidden=config.n_head_hidden, dropout=config.dropout)

    def finetune_loss(self, batch: Batch) -> Tensor:
        """Return the mean loss that suits the labels; the absolute error of a regression."""
        return task_loss(self.task, self._outputs(batch), batch.labels)

    def predict(self, batch: Batch) -> Tensor:
        """Return the prediction for each clip, shape (clip, column)."""
        return task_scores(self.task, self._outputs(batch))

    def _outputs(self, batch: Batch) -> Tensor:
        return self.head(masked_mean(self.read_text(batch), batch.text_mask))  # type: ignore[no-any-return]
