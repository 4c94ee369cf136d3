"""What Self-MM and TAM-ULAG share: a task for each modality, whose labels are generated while it is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.distributed
from torch import Tensor, nn

from mmfeat.errors import ConfigError
from skesl.config import Stage, TrainConfig
from skesl.data import Batch, ClipSet
from skesl.errors import MethodError
from skesl.inputs import InputConfig
from skesl.label_generator import FUSION, LabelCentres, LabelMemory, label_weights
from skesl.methods.base import Method
from skesl.methods.self_mm_config import LabelGeneratingConfig
from skesl.nn.multitask import MultitaskHeads, TaskOutputs
from skesl.nn.recurrent import RecurrentEncoder, SequenceReader
from skesl.normalise import FeatureNormaliser
from skesl.over_clips import over_clips
from skesl.task import Task

TEXT = "text"
_SPECIAL_TOKENS = 2  # at the ends of every text, also of an empty one
_CLIPS_AT_ONCE = 64  # in the pass over the training clips between epochs


@dataclass(frozen=True, kw_only=True, eq=False)
class Targets:
    """What the heads of the modalities are held to.

    Args:
        labels: for each modality, shape (clip,).
        loss: of whatever generates labels, a scalar.
    """

    labels: Mapping[str, Tensor]
    loss: Tensor | float = 0.0


class LabelGeneratingMethod(Method):
    """A head for the fusion and one for each modality, whose labels come from a memory; see ``Method``.

    The label of a modality starts as the clip's own and counts by ``tanh |y_m - y|``, that is not at all in the first
    epoch. A clip that lacks a modality teaches its head nothing.

    Raises:
        MethodError: nothing is left to be read.
    """

    stages = ("finetune",)
    stream_names = ("audio", "vision")
    training_only = ("memory",)

    config: LabelGeneratingConfig

    def __init__(
        self,
        config: LabelGeneratingConfig,
        *,
        text_encoder: nn.Module,
        text_width: int,
        normalisers: Mapping[str, FeatureNormaliser],
        task: Task,
    ) -> None:
        super().__init__(config, text_encoder=text_encoder, text_width=text_width, normalisers=normalisers, task=task)
        design = config.design
        self.modalities = (*([TEXT] if config.inputs.reads_text else []), *normalisers)
        if not self.modalities:
            raise MethodError(
                f"method {self.name!r} has nothing to read: text is not among the modalities, and the dataset has none "
                "of the streams audio and vision that are"
            )
        self.text_reader = SequenceReader(text_width, design.text_read_out) if TEXT in self.modalities else None
        self.encoders = nn.ModuleDict(
            {
                name: RecurrentEncoder(
                    normaliser.n_feature,
                    config.encoder(name),
                    read_out=design.frame_read_out,
                    detach=design.detach_recurrent,
                )
                for name, normaliser in normalisers.items()
            }
        )
        widths = {name: text_width if name == TEXT else config.encoder(name).n_output for name in self.modalities}
        self.heads = MultitaskHeads(
            widths,
            {name: config.head(name) for name in (FUSION, *self.modalities)},
            cross=design.cross,
            n_common=design.n_common,
        )
        self.centres = LabelCentres(
            self.heads.feature_widths, bound=config.label_bound or 0.0, exclude_zero=design.exclude_zero
        )
        self.memory: LabelMemory | None = None
        self._clips: ClipSet | None = None

    @classmethod
    def used_streams(cls, config: LabelGeneratingConfig) -> tuple[str, ...]:
        """Return audio and vision, as far as they are among the modalities."""
        return tuple(name for name in cls.stream_names if name in config.inputs.modalities)

    @classmethod
    def side_labels(cls, config: LabelGeneratingConfig) -> tuple[str, ...]:
        """Return the human labels of single modalities, where they are to be learned."""
        if config.unimodal_labels == "generated":
            return ()
        return tuple(config.human_label(name) for name in config.inputs.modalities)

    @property
    def inputs(self) -> InputConfig:
        """How much of a clip is read."""
        return self.config.inputs

    def frozen_modules(self, stage: Stage) -> tuple[nn.Module, ...]:
        """Return what gets no gradient: the text encoder where no words are read, recurrent layers where detached."""
        unread = (self.text_encoder,) if self.text_reader is None else ()
        encoders = cast("list[RecurrentEncoder]", list(self.encoders.values()))
        return (*unread, *(encoder.rnn for encoder in encoders if encoder.detach))

    def parameter_groups(self, config: TrainConfig) -> list[dict[str, Any]]:
        """Return groups with the rate and decay of the text encoder, of each recurrent encoder, and of the rest.

        Biases and norms of the text encoder are not decayed.
        """
        groups: dict[str, dict[str, Any]] = {}
        for name, parameter in self.named_parameters():
            if parameter.requires_grad:
                group, rate, decay = self._group(name, parameter, config)
                added = groups.setdefault(group, {"name": group, "params": [], "lr": rate, "weight_decay": decay})
                added["params"].append(parameter)
        return list(groups.values())

    def _group(self, name: str, parameter: Tensor, config: TrainConfig) -> tuple[str, float, float]:
        """Return the group of a parameter, and that group's learning rate and weight decay."""
        part, _, rest = name.partition(".")
        if part == "text_encoder":
            if parameter.ndim < 2:
                return "text_encoder_norms", config.text_encoder_learning_rate, 0.0
            return part, config.text_encoder_learning_rate, _chosen(self.config.text_weight_decay, config.weight_decay)
        if part == "encoders":
            modality = rest.partition(".")[0]
            own = self.config.encoder(modality)
            return (
                modality,
                _chosen(own.learning_rate, config.learning_rate),
                _chosen(own.weight_decay, config.weight_decay),
            )
        return "rest", config.learning_rate, config.weight_decay

    def read(self, batch: Batch) -> TaskOutputs:
        """Return features and predictions of the fusion and of each modality."""
        states: dict[str, Tensor] = {}
        if self.text_reader is not None:
            states[TEXT] = self.text_reader(self.read_text(batch), batch.text_mask)
        for name, normalise in self.normalisers.items():
            values = batch.streams[name]
            values = normalise(values) if self.config.design.normalise_features else values
            states[name] = self.encoders[name](values, batch.stream_masks[name])
        return self.heads(states)  # type: ignore[no-any-return]

    def predict(self, batch: Batch) -> Tensor:
        """Return the label predicted for each clip by the fusion, shape (clip, 1)."""
        return self.read(batch).predictions[FUSION].unsqueeze(-1)

    def finetune_loss(self, batch: Batch) -> Tensor:
        """Return the mean absolute error of the fusion, and those of the modalities by the weights of their labels."""
        outputs, truth = self.read(batch), batch.labels[:, 0]
        labels, is_human = self._labels(batch, truth)
        present = self._present(batch, truth.dtype)
        targets = self.targets(outputs, labels, truth, present)
        loss = (outputs.predictions[FUSION] - truth).abs().mean() + targets.loss
        for name in self.modalities:
            target = labels[name].where(is_human[name], targets.labels[name])
            weights = label_weights(labels[name], truth).masked_fill(is_human[name], 1.0) * present[name]
            loss = loss + (weights * (outputs.predictions[name] - target).abs()).mean()
        if self.training and self.memory is not None and self.memory.keeps_features:
            features = {name: values.detach() for name, values in outputs.features.items()}
            has = {name: of_clips > 0 for name, of_clips in present.items()}
            self.memory.remember(batch.rows, features, self.centres, has)
        return loss

    def targets(
        self, outputs: TaskOutputs, labels: Mapping[str, Tensor], truth: Tensor, present: Mapping[str, Tensor]
    ) -> Targets:
        """Return what the heads are held to.

        Args:
            outputs: what the network says.
            labels: of each modality, shape (clip,).
            truth: the clips' labels, shape (clip,).
            present: 1 for clips that have a modality, 0 for others, shape (clip,).
        """
        return Targets(labels=labels)

    def meet_clips(self, clips: ClipSet) -> None:
        """Begin the memory of labels, one for each training clip and modality.

        Raises:
            ConfigError: labels are to move after each batch, and several processes train; or a label is beyond
                ``label_bound``.
        """
        truth = torch.from_numpy(clips.labels[:, 0])
        largest = float(truth.abs().max())
        bound = self.config.label_bound or largest or 1.0
        if largest > bound:
            raise ConfigError(
                f"method.label_bound: expected at least {largest:g}, the largest absolute label of the train part, "
                f"got {bound:g}"
            )
        per_batch = self.config.design.label_update == "batch"
        if per_batch and torch.distributed.is_initialized() and torch.distributed.get_world_size() > 1:
            raise ConfigError(
                "method.label_update: expected epoch where several processes train, got batch, whose order of clips "
                "is that of one process"
            )
        self.centres.bound.fill_(bound)
        widths = self.heads.feature_widths if per_batch else None
        self.memory = LabelMemory(truth, self.modalities, feature_widths=widths)
        self._clips = clips

    def on_epoch_end(self, epoch: int) -> None:
        """Move the labels, by the features of all training clips in evaluation mode; see ``label_update``."""
        if self.memory is None or self._clips is None:
            return
        self.memory.epoch.fill_(epoch + 1)
        if self.memory.keeps_features:
            return
        truth = self.memory.truth
        features, present = self._split(self._features_of_all(self._clips, truth.device).to(truth))
        self.centres.update(features, self.memory.all_labels(present))
        generated = _where_present(self.centres.labels(features, truth), present)
        self.memory.move(torch.arange(len(truth), device=truth.device), generated, epoch=epoch + 1)

    @property
    def generated_labels(self) -> tuple[str, ...]:
        """Names of the human labels of the modalities."""
        return tuple(self.config.human_label(name) for name in self.modalities)

    def generate_labels(self, batch: Batch) -> Tensor:
        """Return the labels that the trained network generates, shape (clip, modality), in the order of ``modalities``.

        They are those of one epoch alone, without what the memory held before. NaN: the clip lacks the modality.
        """
        outputs, truth = self.read(batch), batch.labels[:, 0]
        unknown = dict.fromkeys(self.modalities, torch.full_like(truth, torch.nan))
        distance = unknown | self.centres.labels(outputs.features, truth)
        present = self._present(batch, truth.dtype)
        targets = self.targets(outputs, distance, truth, present).labels
        return torch.stack([targets[name].where(present[name] > 0, torch.nan) for name in self.modalities], dim=1)

    def _labels(self, batch: Batch, truth: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return the labels of each modality, shape (clip,), and which of them were made by people."""
        labels = dict.fromkeys(self.modalities, truth) if self.memory is None else self.memory.labels(batch.rows)
        is_human = {name: torch.zeros_like(truth, dtype=torch.bool) for name in self.modalities}
        for name in self.modalities if self.config.unimodal_labels == "human" else ():
            human = batch.side_labels.get(self.config.human_label(name))
            if human is not None:
                is_human[name] = human.isfinite()
                labels[name] = human.where(is_human[name], labels[name])
        return labels, is_human

    def _present(self, batch: Batch, dtype: torch.dtype) -> dict[str, Tensor]:
        """Return for each modality 1 for the clips that have it and 0 for others, shape (clip,)."""
        lengths = {TEXT: batch.text_mask.sum(dim=1) - _SPECIAL_TOKENS}
        lengths |= {name: mask.sum(dim=1) for name, mask in batch.stream_masks.items()}
        return {name: (lengths[name] > 0).to(dtype) for name in self.modalities}

    def _features_of_all(self, clips: ClipSet, device: torch.device) -> Tensor:
        """Return ``_features_and_presence`` of all clips, in evaluation mode."""
        was_training = self.training
        width = sum(self.heads.feature_widths.values()) + len(self.modalities)
        table = over_clips(
            self.eval()._features_and_presence, clips, width=width, batch_size=_CLIPS_AT_ONCE, device=device
        )
        self.train(was_training)
        return table

    def _features_and_presence(self, batch: Batch) -> Tensor:
        """Return all features side by side, and behind them which modalities a clip has."""
        features = list(self.read(batch).features.values())
        return torch.cat([*features, torch.stack(list(self._present(batch, features[0].dtype).values()), 1)], dim=1)

    def _split(self, table: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return the features by name, and for each modality which clips have it, of ``_features_and_presence``."""
        widths = self.heads.feature_widths
        *features, present = torch.split(table, [*widths.values(), len(self.modalities)], dim=1)
        by_name = dict(zip(widths, features, strict=True))
        return by_name, {name: present[:, place] > 0 for place, name in enumerate(self.modalities)}


def _chosen(own: float | None, common: float) -> float:
    return common if own is None else own


def _where_present(labels: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: values.where(present[name], torch.nan) for name, values in labels.items()}
