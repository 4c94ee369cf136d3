"""SKESL: sentiment knowledge enhanced self-supervised learning.

Source: Qian, Han et al., "Sentiment Knowledge Enhanced Self-supervised Learning for Multimodal Sentiment
Analysis", Findings of ACL 2023. Pretraining hides the most sentimental word of a clip and predicts its
intensity from text, voice and face; fine-tuning predicts the clip's label from the same fused states.

The default has the shape that gives the paper's parameter counts (Table 10: one layer's weights used four times,
inner width 256), and masks wherever the released code attends to padding.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmfeat.errors import ConfigError
from skesl.config import Stage, TrainConfig
from skesl.data import Batch
from skesl.errors import MethodError
from skesl.inputs import InputConfig
from skesl.mask_states import MaskStates
from skesl.masking import MaskingConfig
from skesl.methods.base import Method
from skesl.methods.skesl_config import SKESL_PRESETS, SkeslConfig
from skesl.nn.fusion import CrossmodalEncoder
from skesl.nn.heads import TwoLayerHead
from skesl.nn.pooling import masked_mean
from skesl.normalise import FeatureNormaliser
from skesl.task import PROBLEMS, Task
from skesl.task_outputs import task_loss, task_scores


class Skesl(Method):
    """Text that attends to voice and face; see ``Method`` for the arguments.

    Raises:
        MethodError: the dataset has neither an audio nor a vision stream, and the settings ask for one.
    """

    name = "skesl"
    config_type = SkeslConfig
    stages = ("pretrain", "finetune")
    stream_names = ("audio", "vision")
    transferred = ("text_encoder", "fusion")
    presets = SKESL_PRESETS
    problems = PROBLEMS

    config: SkeslConfig

    def __init__(
        self,
        config: SkeslConfig,
        *,
        text_encoder: nn.Module,
        text_width: int,
        normalisers: Mapping[str, FeatureNormaliser],
        task: Task,
    ) -> None:
        super().__init__(config, text_encoder=text_encoder, text_width=text_width, normalisers=normalisers, task=task)
        if not normalisers and self.used_streams(config):
            raise MethodError(
                "method 'skesl' needs a stream named audio or vision, the dataset has none of them; "
                "--modalities text does without"
            )
        limits = {name: config.inputs.max_frames(name) for name in normalisers} if config.attend_to_padding else {}
        self.fusion = CrossmodalEncoder(
            text_width,
            {name: normaliser.n_feature for name, normaliser in normalisers.items()},
            config,
            n_padded={name: limit for name, limit in limits.items() if limit is not None},
        )
        self.head = TwoLayerHead(text_width, task.n_column, n_hidden=config.n_head_hidden, dropout=config.dropout)

    @classmethod
    def used_streams(cls, config: SkeslConfig) -> tuple[str, ...]:
        """Return audio and vision, as far as they are among the modalities."""
        return tuple(name for name in cls.stream_names if name in config.inputs.modalities)

    @property
    def inputs(self) -> InputConfig:
        """How much of a clip is read."""
        return self.config.inputs

    @property
    def masking(self) -> MaskingConfig:
        """Which words are hidden in pretraining."""
        return self.config.masking

    def frozen_modules(self, stage: Stage) -> tuple[nn.Module, ...]:
        """Return the text encoder in pretraining, unless the paper's end-to-end training was chosen."""
        freeze = stage == "pretrain" and self.config.freeze_text_encoder_in_pretraining
        return (self.text_encoder,) if freeze else ()

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002 - torch's signature
        """Set the training mode; a frozen text encoder is in evaluation mode unless its dropout was asked for."""
        super().train(mode)
        if self.config.frozen_text_encoder_dropout:
            self.text_encoder.train(mode)
        return self

    def use_mask_states(self, states: MaskStates) -> None:
        """Take the states of the hidden words; they are the encoder's own only while it is frozen and has no dropout.

        Raises:
            ConfigError: it is trained, or has dropout.
        """
        if not self.config.freeze_text_encoder_in_pretraining or self.config.frozen_text_encoder_dropout:
            raise ConfigError(
                "stored states of hidden words need a text encoder that is frozen and without dropout; set "
                "method.freeze_text_encoder_in_pretraining=true and method.frozen_text_encoder_dropout=false"
            )
        self.mask_states = states

    def learning_rates(self, config: TrainConfig) -> Mapping[str, float]:
        """Return the rate of the text encoder; as released, the fusion shares it in fine-tuning."""
        rates = super().learning_rates(config)
        if self.config.fusion_learning_rate == "text_encoder" and self.stage != "pretrain":
            return {**rates, "fusion": config.text_encoder_learning_rate}
        return rates

    def pretrain_loss(self, batch: Batch) -> Tensor:
        """Return the mean absolute error of the hidden words' intensities (equation 9)."""
        return (self.predict_hidden_words(batch) - batch.labels).abs().mean()

    def predict_hidden_words(self, batch: Batch) -> Tensor:
        """Return the intensity predicted for each hidden word, shape (clip, 1).

        Text rows do not see one another in the fusion, so that only those of the hidden words are fused.
        """
        fused = self.fuse(self._states_of_masks(batch)[:, None], batch)
        return self.head(fused[:, 0])  # type: ignore[no-any-return]

    def finetune_loss(self, batch: Batch) -> Tensor:
        """Return the mean loss that suits the labels; the absolute error of a regression."""
        return task_loss(self.task, self._outputs(batch), batch.labels)

    def predict(self, batch: Batch) -> Tensor:
        """Return the prediction for each clip, shape (clip, column)."""
        return task_scores(self.task, self._outputs(batch))

    def _outputs(self, batch: Batch) -> Tensor:
        """Return what the head says of the mean over each clip's tokens, shape (clip, column)."""
        ids, mask = batch.input_ids, batch.text_mask
        if self.config.pool_padding:
            n_missing = max(0, (self.inputs.max_text_tokens or 0) - ids.shape[1])
            ids = F.pad(ids, (0, n_missing))
            mask = F.pad(mask, (0, n_missing))
        fused = self.fuse(self.encode_text(ids, mask), batch)
        pooled = masked_mean(fused, torch.ones_like(mask) if self.config.pool_padding else mask)
        return self.head(pooled)  # type: ignore[no-any-return]

    def fuse(self, text: Tensor, batch: Batch) -> Tensor:
        """Return text states that have attended to voice and face; shape (clip, token, text_width), any tokens."""
        streams = {
            name: normalise(batch.streams[name]) if self.config.normalise_features else batch.streams[name]
            for name, normalise in self.normalisers.items()
        }
        return self.fusion(text, streams, batch.stream_masks)  # type: ignore[no-any-return]

    def _states_of_masks(self, batch: Batch) -> Tensor:
        """Return the text encoder's states of the hidden words, shape (clip, text_width)."""
        if self.mask_states is None:
            return self._encode_masks(batch.input_ids, batch.text_mask, batch.mask_positions)
        states, missing = self.mask_states.read(batch.clip_ids, device=batch.input_ids.device)
        if len(missing):
            encoded = self._encode_masks(
                batch.input_ids[missing], batch.text_mask[missing], batch.mask_positions[missing]
            )
            states[missing] = encoded.to(states.dtype)
        return states

    def _encode_masks(self, input_ids: Tensor, text_mask: Tensor, positions: Tensor) -> Tensor:
        states = self.encode_text(input_ids, text_mask)
        return states[torch.arange(len(states), device=states.device), positions]
