"""What a method is: a module with a loss for each of its stages and a prediction.

The trainer knows no method by name; whatever a method needs beyond this contract is its own business.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from torch import Tensor, nn

from skesl.config import Stage, TrainConfig
from skesl.data import Batch
from skesl.errors import MethodError
from skesl.normalise import FeatureNormaliser


class Method(nn.Module):
    """Base class of all methods.

    Args:
        config: settings of the method, an instance of ``config_type``.
        text_encoder: maps ids and mask to ``last_hidden_state``, shape (clip, token, width).
        text_width: size of the hidden states.
        normalisers: for each stream that the dataset has and the method uses; they know its features.

    Class attributes:
        name: the word on the command line.
        config_type: a frozen dataclass.
        stages: the stages it declares.
        stream_names: the streams it can use.
        transferred: names of the submodules that pretraining hands on to fine-tuning.
    """

    name: ClassVar[str]
    config_type: ClassVar[type]
    stages: ClassVar[tuple[Stage, ...]]
    stream_names: ClassVar[tuple[str, ...]]
    transferred: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        config: Any,
        *,
        text_encoder: nn.Module,
        text_width: int,
        normalisers: Mapping[str, FeatureNormaliser],
    ) -> None:
        super().__init__()
        self.config = config
        self.text_encoder = text_encoder
        self.text_width = text_width
        self.normalisers = nn.ModuleDict(dict(normalisers))
        self._frozen: tuple[nn.Module, ...] = ()
        self._freeze_pooler()

    def pretrain_loss(self, batch: Batch) -> Tensor:
        """Return the mean loss of a pretraining batch, a scalar."""
        raise MethodError(f"method {self.name!r} has no stage 'pretrain'; its stages: {', '.join(self.stages)}")

    def finetune_loss(self, batch: Batch) -> Tensor:
        """Return the mean loss of a fine-tuning batch, a scalar."""
        raise MethodError(f"method {self.name!r} has no stage 'finetune'; its stages: {', '.join(self.stages)}")

    def predict(self, batch: Batch) -> Tensor:
        """Return the prediction for each clip, shape (clip,)."""
        raise MethodError(f"method {self.name!r} predicts nothing")

    def start_stage(self, stage: Stage) -> None:
        """Prepare for a stage: everything is trained but what the method freezes.

        Raises:
            MethodError: the method does not declare the stage.
        """
        if stage not in self.stages:
            raise MethodError(f"method {self.name!r} has no stage {stage!r}; its stages: {', '.join(self.stages)}")
        self.requires_grad_(requires_grad=True)
        self._frozen = self.frozen_modules(stage)
        for module in self._frozen:
            module.requires_grad_(requires_grad=False)
        self._freeze_pooler()

    def frozen_modules(self, stage: Stage) -> tuple[nn.Module, ...]:
        """Return the modules that are not trained in a stage; they also stay in evaluation mode."""
        return ()

    def on_epoch_end(self, epoch: int) -> None:
        """Do what the method does between epochs; nothing by default."""

    def forward(self, batch: Batch, stage: Stage) -> Tensor:
        """Return the loss of a stage; what the trainer calls, so that data-parallel wrappers work."""
        return self.pretrain_loss(batch) if stage == "pretrain" else self.finetune_loss(batch)

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002 - torch's signature
        """Set the training mode; frozen modules stay in evaluation mode, without dropout."""
        super().train(mode)
        for module in self._frozen:
            module.eval()
        return self

    def parameter_groups(self, config: TrainConfig) -> list[dict[str, Any]]:
        """Return the trained parameters in groups: the text encoder with its own learning rate, and the rest."""
        of_text = {id(parameter) for parameter in self.text_encoder.parameters()}
        trained = [parameter for parameter in self.parameters() if parameter.requires_grad]
        groups = [
            {
                "params": [parameter for parameter in trained if id(parameter) in of_text],
                "lr": config.text_encoder_learning_rate,
            },
            {
                "params": [parameter for parameter in trained if id(parameter) not in of_text],
                "lr": config.learning_rate,
            },
        ]
        return [group for group in groups if group["params"]]

    def read_text(self, batch: Batch) -> Tensor:
        """Return the text encoder's states, shape (clip, token, text_width)."""
        output = self.text_encoder(input_ids=batch.input_ids, attention_mask=batch.text_mask)
        return output.last_hidden_state  # type: ignore[no-any-return]

    def _freeze_pooler(self) -> None:
        """The encoder's pooler is part of its published size but no method reads it; it gets no gradient."""
        pooler = getattr(self.text_encoder, "pooler", None)
        if pooler is not None:
            pooler.requires_grad_(requires_grad=False)
