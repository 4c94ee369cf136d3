"""What a method is: a module with a loss for each of its stages and a prediction.

The trainer knows no method by name; whatever a method needs beyond this contract is its own business.

What a method remembers from step to step (running means, queues, banks of labels) it keeps as tensors in its
``state_dict``, that is as parameters or persistent buffers, whose shapes are those of a new method that has met the
same clips. Checkpoints hold nothing else of a method: a training that goes on would begin with any other memory empty.
What only training needs is named in ``training_only``; it is left out of the weights of a finished run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from torch import Tensor, nn

from skesl.config import Stage, TrainConfig
from skesl.data import Batch, ClipSet
from skesl.errors import MethodError
from skesl.inputs import InputConfig
from skesl.mask_states import MaskStates
from skesl.masking import MaskingConfig
from skesl.normalise import FeatureNormaliser
from skesl.task import Problem, Task


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Settings that go together: the method's, what they ask of the training of each stage, features of their data."""

    config: Any
    train: Mapping[Stage, Mapping[str, Any]] = field(default_factory=dict)
    n_features: Mapping[str, int] = field(default_factory=dict)  # of each stream, where published for one dataset


class Method(nn.Module):
    """Base class of all methods.

    Args:
        config: settings of the method, an instance of ``config_type``.
        text_encoder: maps ids and mask to ``last_hidden_state``, shape (clip, token, width); of a method that needs
            none an empty module.
        text_width: size of the hidden states; 0 without a text encoder.
        normalisers: for each stream that the dataset has and the method uses; they know its features.
        task: what is to be predicted.

    Class attributes:
        name: the word on the command line.
        config_type: a frozen dataclass.
        stages: the stages it declares.
        stream_names: the streams it can use.
        transferred: names of the submodules that pretraining hands on to fine-tuning.
        presets: settings by name, of which the first is the default.
        problems: those it can learn.
        needs_text_encoder: whether it reads words.
        training_only: names of the submodules and buffers that only training needs.
    """

    name: ClassVar[str]
    config_type: ClassVar[type]
    stages: ClassVar[tuple[Stage, ...]]
    stream_names: ClassVar[tuple[str, ...]]
    transferred: ClassVar[tuple[str, ...]] = ()
    presets: ClassVar[Mapping[str, Preset]] = {}
    problems: ClassVar[tuple[Problem, ...]] = ("regression",)
    needs_text_encoder: ClassVar[bool] = True
    training_only: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        config: Any,
        *,
        text_encoder: nn.Module,
        text_width: int,
        normalisers: Mapping[str, FeatureNormaliser],
        task: Task,
    ) -> None:
        if task.problem not in self.problems:
            raise MethodError(
                f"method {self.name!r} learns {', '.join(self.problems)}; the label {', '.join(task.labels)} asks for "
                f"{task.problem}"
            )
        super().__init__()
        self.config = config
        self.task = task
        self.text_encoder = text_encoder
        self.text_width = text_width
        self.normalisers = nn.ModuleDict(dict(normalisers))
        self.stage: Stage | None = None
        self.mask_states: MaskStates | None = None
        self._frozen: tuple[nn.Module, ...] = ()
        self._freeze_pooler()

    @classmethod
    def used_streams(cls, config: Any) -> tuple[str, ...]:
        """Return the streams that the method uses with these settings."""
        return cls.stream_names

    @classmethod
    def usual_shapes(cls, config: Any) -> Mapping[str, tuple[int, ...]]:
        """Return the shape of one clip's streams where estimates should not take SKESL's.

        Returns:
            For a stream (frame, feature), or (frame, row, column, 3) where it holds images.
        """
        return {}

    @classmethod
    def example_task(cls) -> Task:
        """Return a task that the method can learn, for stages without labels and for estimates."""
        return Task() if "regression" in cls.problems else Task.example(cls.problems[0])

    @classmethod
    def side_labels(cls, config: Any) -> tuple[str, ...]:
        """Return further labels that the method reads in training where the file has them; see ``Batch``."""
        return ()

    @property
    def inputs(self) -> InputConfig:
        """How much of a clip the method reads; everything by default."""
        return InputConfig()

    @property
    def masking(self) -> MaskingConfig:
        """Which words are hidden from the method in pretraining."""
        return MaskingConfig()

    def pretrain_loss(self, batch: Batch) -> Tensor:
        """Return the mean loss of a pretraining batch, a scalar."""
        raise MethodError(f"method {self.name!r} has no stage 'pretrain'; its stages: {', '.join(self.stages)}")

    def finetune_loss(self, batch: Batch) -> Tensor:
        """Return the mean loss of a fine-tuning batch, a scalar."""
        raise MethodError(f"method {self.name!r} has no stage 'finetune'; its stages: {', '.join(self.stages)}")

    def predict(self, batch: Batch) -> Tensor:
        """Return the prediction for each clip, shape (clip, column); see ``Task`` for the columns."""
        raise MethodError(f"method {self.name!r} predicts nothing")

    @property
    def generated_labels(self) -> tuple[str, ...]:
        """Names of the human labels in whose place the method generates labels; see ``generate_labels``."""
        return ()

    def generate_labels(self, batch: Batch) -> Tensor:
        """Return the labels that the trained method generates, NaN where it cannot.

        Args:
            batch: with the clips' own labels.

        Returns:
            Shape (clip, label), in the order of ``generated_labels``.
        """
        raise MethodError(f"method {self.name!r} generates no labels")

    def use_mask_states(self, states: MaskStates) -> None:
        """Take the frozen text encoder's states of the hidden words as they were computed before.

        Raises:
            MethodError: the method does not read them.
        """
        raise MethodError(f"method {self.name!r} does not pretrain with stored states of hidden words; leave them out")

    def start_stage(self, stage: Stage) -> None:
        """Prepare for a stage: everything is trained but what the method freezes.

        Raises:
            MethodError: the method does not declare the stage.
        """
        if stage not in self.stages:
            raise MethodError(f"method {self.name!r} has no stage {stage!r}; its stages: {', '.join(self.stages)}")
        self.stage = stage
        self.requires_grad_(requires_grad=True)
        self._frozen = self.frozen_modules(stage)
        for module in self._frozen:
            module.requires_grad_(requires_grad=False)
        self._freeze_pooler()

    def frozen_modules(self, stage: Stage) -> tuple[nn.Module, ...]:
        """Return the modules that are not trained in a stage; they also stay in evaluation mode."""
        return ()

    def read_pretrained(self) -> None:
        """Take the weights of other people's checkpoints that the settings name; nothing by default.

        It is called for a training that begins with new weights, and not for one that goes on or starts from a run.
        """

    def meet_clips(self, clips: ClipSet) -> None:
        """Make memories for the clips of training, before anything is restored; nothing by default."""

    def on_step_end(self) -> None:
        """Do what the method does after each step of the optimiser; nothing by default."""

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

    def learning_rates(self, config: TrainConfig) -> Mapping[str, float]:
        """Return the submodules that do not learn at ``config.learning_rate``, and at which rate they do."""
        return {"text_encoder": config.text_encoder_learning_rate}

    def parameter_groups(self, config: TrainConfig) -> list[dict[str, Any]]:
        """Return the trained parameters in groups: those with a learning rate of their own, and the rest."""
        rates = self.learning_rates(config)
        groups: dict[str, dict[str, Any]] = {
            name: {"name": name, "params": [], "lr": rate} for name, rate in rates.items()
        }
        groups["rest"] = {"name": "rest", "params": [], "lr": config.learning_rate}
        for name, parameter in self.named_parameters():
            if parameter.requires_grad:
                module = name.partition(".")[0]
                groups[module if module in rates else "rest"]["params"].append(parameter)
        return [group for group in groups.values() if group["params"]]

    def read_text(self, batch: Batch) -> Tensor:
        """Return the text encoder's states, shape (clip, token, text_width)."""
        return self.encode_text(batch.input_ids, batch.text_mask)

    def encode_text(self, input_ids: Tensor, mask: Tensor) -> Tensor:
        """Return the text encoder's states, shape (clip, token, text_width), of ids and what is real of them."""
        # In a batch the padding is 0; RoBERTa counts positions by its own id of padding.
        padding = getattr(getattr(self.text_encoder, "config", None), "pad_token_id", None) or 0
        ids = input_ids.masked_fill(~mask, padding)
        output = self.text_encoder(input_ids=ids, attention_mask=mask)
        return output.last_hidden_state  # type: ignore[no-any-return]

    def _freeze_pooler(self) -> None:
        """The encoder's pooler is part of its published size but no method reads it; it gets no gradient."""
        pooler = getattr(self.text_encoder, "pooler", None)
        if pooler is not None:
            pooler.requires_grad_(requires_grad=False)
