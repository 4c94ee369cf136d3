"""UniVA: multi-label emotion from text in its dialogue, voice and face, with contrast by valence and arousal.

Source: "Unimodal valence-arousal driven contrastive learning for multimodal multi-label emotion recognition", ACM MM
2024; NUSTM/UniVA at ce59bbc. The unimodal models that gave it valence and arousal of each modality were never released;
see ``skesl.va_scores`` for what takes their place.

The default differs from the published code where that has faults: features are normalised before they are contrasted,
valence and arousal are scaled each on its own by the train part, the label prior is fixed and bounded, and the head
can say that no label or every label is true. ``variant="released"`` computes the published loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skesl.config import Stage
from skesl.data import Batch, ClipSet
from skesl.emotion_points import emotion_points, label_similarity
from skesl.errors import MethodError
from skesl.inputs import MODALITIES, InputConfig
from skesl.methods.base import Method
from skesl.methods.univa_config import UNIVA_PRESETS, UnivaConfig
from skesl.nn.frames import FrameEncoder
from skesl.nn.pooling import AdditiveAttentionPooling
from skesl.normalise import FeatureNormaliser
from skesl.task import Task
from skesl.va_losses import (
    label_prior_loss,
    released_label_loss,
    released_label_prior_loss,
    released_va_contrast,
    soft_label_loss,
    va_contrast,
)
from skesl.va_scores import VaSources, points_of_labels, scaled, score_clips, side_label_names

_SAID_FROM = 0.5  # a label is said from this score on, see skesl.metrics


class Univa(Method):
    """Three attention-pooled vectors and a linear map to the labels; see ``Method`` for the arguments.

    Raises:
        MethodError: nothing is left to read.
        ConfigError: a label has no point in valence and arousal, and the settings ask for it.
    """

    name = "univa"
    config_type = UnivaConfig
    stages = ("finetune",)
    stream_names = ("audio", "vision")
    presets = UNIVA_PRESETS
    problems = ("multilabel",)
    training_only = ("va_memory", "label_similarity")

    config: UnivaConfig
    va_memory: Tensor
    label_similarity: Tensor
    label_points: Tensor

    def __init__(
        self,
        config: UnivaConfig,
        *,
        text_encoder: nn.Module,
        text_width: int,
        normalisers: Mapping[str, FeatureNormaliser],
        task: Task,
    ) -> None:
        super().__init__(config, text_encoder=text_encoder, text_width=text_width, normalisers=normalisers, task=task)
        read = {"text": config.inputs.reads_text, **{name: name in normalisers for name in self.stream_names}}
        self.modalities = tuple(name for name in MODALITIES if read[name])
        if not self.modalities:
            raise MethodError(
                "method 'univa' has nothing to read: the dataset has none of the streams that were chosen"
            )
        widths = {"text": text_width, **{name: normaliser.n_feature for name, normaliser in normalisers.items()}}
        self.encoders = nn.ModuleDict(
            {
                name: FrameEncoder(
                    widths[name], n_layers=config.n_layers[name], max_frames=self._n_position(name), config=config
                )
                for name in self.modalities
            }
        )
        self.poolings = nn.ModuleDict({name: AdditiveAttentionPooling(config.width) for name in self.modalities})
        n_label = len(task.labels)
        is_released = config.variant == "released"
        n_output = n_label + 1 if config.head == "soft_target" else n_label
        self.head = nn.Linear(config.width * len(self.modalities), n_output)
        self.dropout = nn.Dropout(config.dropout)
        self._add_label_space(is_trained=is_released)
        self.register_buffer("va_memory", torch.zeros((0, len(self.modalities), 2)))
        self._scored = self.modalities

    @classmethod
    def used_streams(cls, config: UnivaConfig) -> tuple[str, ...]:
        """Return audio and vision, as far as they are among the modalities."""
        return tuple(name for name in cls.stream_names if name in config.inputs.modalities)

    @classmethod
    def side_labels(cls, config: UnivaConfig) -> tuple[str, ...]:
        """Return the labels of valence and arousal that score the modalities, where they are contrasted."""
        return side_label_names(config.inputs.modalities) if config.contrast_weight else ()

    @property
    def inputs(self) -> InputConfig:
        """How much of a clip is read."""
        return self.config.inputs

    def frozen_modules(self, stage: Stage) -> tuple[nn.Module, ...]:
        """Return the text encoder where it is not to be trained, or where no text is read."""
        return (self.text_encoder,) if self.config.freeze_text_encoder or "text" not in self.modalities else ()

    def meet_clips(self, clips: ClipSet) -> None:
        """Score every clip of training in valence and arousal, once, and scale the scores.

        Raises:
            MethodError: no modality has a source.
            InputError: a source cannot be read, or does not fit the dataset.
        """
        if not self.config.contrast_weight:
            return
        config = self.config
        models = {"audio": config.audio_va_model, "vision": config.vision_va_model}
        sources = VaSources(
            lexicon=config.va_lexicon,
            models={name: folder for name, folder in models.items() if folder is not None},
            label_points=self.label_points.double() if config.va_of_labels else None,
        )
        scores = score_clips(clips, self.modalities, sources)
        if not scores:
            raise MethodError(
                "method 'univa': nothing scores valence and arousal; name method.va_lexicon, method.audio_va_model or "
                "method.vision_va_model, store the labels text_valence and text_arousal, or set "
                "method.va_of_labels=true, or method.contrast_weight=0"
            )
        memory = torch.full((len(clips), len(self.modalities), 2), float("nan"))
        for place, name in enumerate(self.modalities):
            if name in scores:
                points = torch.from_numpy(scores[name]).double()
                memory[:, place] = scaled(points, by_valence=config.variant == "released")
        self.va_memory = memory.to(self.va_memory.device)
        self._scored = tuple(name for name in self.modalities if name in scores)

    def finetune_loss(self, batch: Batch) -> Tensor:
        """Return the loss of the labels with their prior, and the contrast of each modality."""
        vectors = self._vectors(batch)
        outputs = self._outputs(vectors)
        weight = self.config.contrast_weight
        loss = (1.0 - weight) * self._label_loss(outputs, batch.labels)
        return loss + weight * self._contrast(vectors, batch) if weight else loss

    def predict(self, batch: Batch) -> Tensor:
        """Return a score for each clip and label, shape (clip, label), in [0, 1]; a label is said from .5 on."""
        return self._scores(self._outputs(self._vectors(batch)))

    def utterances(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the text encoder's states of each clip's own words, without special tokens.

        Returns:
            Shape (clip, step, text_width), and bool (clip, step), True for real words.
        """
        with torch.no_grad() if self.config.freeze_text_encoder else nullcontext():
            if batch.dialogues is not None:
                return batch.dialogues.utterances(self.encode_text(batch.dialogues.ids, batch.dialogues.mask))
            places = torch.arange(batch.text_mask.shape[1], device=batch.text_mask.device)
            inner = (places > 0) & (places < batch.text_mask.sum(dim=1, keepdim=True) - 1)
            return self.read_text(batch), inner

    def _vectors(self, batch: Batch) -> dict[str, tuple[Tensor, Tensor]]:
        """Return for each modality the pooled vector, shape (clip, width), and which clips have it, shape (clip,)."""
        vectors: dict[str, tuple[Tensor, Tensor]] = {}
        for name in self.modalities:
            steps, mask = self._steps(name, batch)
            states = self.encoders[name](steps, mask)
            mask = mask[:, : states.shape[1]]
            vectors[name] = (self.poolings[name](states, mask), mask.any(dim=1))
        return vectors

    def _steps(self, modality: str, batch: Batch) -> tuple[Tensor, Tensor]:
        if modality == "text":
            return self.utterances(batch)
        return self.normalisers[modality](batch.streams[modality]), batch.stream_masks[modality]

    def _outputs(self, vectors: Mapping[str, tuple[Tensor, Tensor]]) -> Tensor:
        fused = torch.cat([vector for vector, _ in vectors.values()], dim=1)
        if self.config.variant == "released":  # models.py:61-64 drops logits
            return self.dropout(self.head(fused)).log_softmax(dim=1)  # type: ignore[no-any-return]
        outputs: Tensor = self.head(self.dropout(fused))
        return outputs.log_softmax(dim=1) if self.config.head == "soft_target" else outputs

    def _scores(self, outputs: Tensor) -> Tensor:
        if self.config.variant == "released":
            return _above(outputs.exp(), self.config.threshold)
        if self.config.head == "sigmoid":
            return outputs.sigmoid()
        shares = outputs.exp()
        labels, none = shares[:, :-1], shares[:, -1:]
        # Said is what has at least half of the largest share, and more than "none" has.
        bound = torch.maximum(none, labels.max(dim=1, keepdim=True).values / 2)
        return labels / (labels + bound)

    def _label_loss(self, outputs: Tensor, labels: Tensor) -> Tensor:
        weight, labels = self.config.label_prior_weight, (labels > 0).to(outputs.dtype)
        if self.config.variant == "released":
            loss = released_label_loss(outputs, labels)
            return loss + weight * released_label_prior_loss(outputs, self.label_similarity) if weight else loss
        if self.config.head == "sigmoid":
            loss = F.binary_cross_entropy_with_logits(outputs, labels)
        else:
            loss = soft_label_loss(outputs, labels)
        return loss + weight * label_prior_loss(self._scores(outputs), self.label_similarity) if weight else loss

    def _contrast(self, vectors: Mapping[str, tuple[Tensor, Tensor]], batch: Batch) -> Tensor:
        """Return the weighted mean over the modalities that are scored; as released, their sum by the number of all."""
        config, points = self.config, self._points(batch)
        weights = {name: config.text_contrast_weight if name == "text" else 1.0 for name in vectors}
        total = batch.labels.new_zeros(())
        for place, (name, (vector, has)) in enumerate(vectors.items()):
            shape = {"temperature": config.temperature, "radius": config.va_radius}
            if config.variant == "released":
                loss = released_va_contrast(vector, points[:, place], **shape)
            else:
                loss = va_contrast(vector, points[:, place], mask=has, **shape)
            total = total + weights[name] * loss
        if config.variant == "released":
            return total / len(vectors)
        return total / sum(weights[name] for name in self._scored)

    def _points(self, batch: Batch) -> Tensor:
        """Return valence and arousal of the batch's clips, shape (clip, modality, 2); NaN where unknown."""
        if len(self.va_memory):
            return self.va_memory[batch.rows]
        # A method that has met no clips, which is made to be measured, knows the labels of the batch alone.
        points = scaled(points_of_labels(batch.labels, self.label_points))
        return points[:, None].expand(-1, len(self.modalities), -1)

    def _n_position(self, modality: str) -> int:
        limit = self.inputs.max_text_tokens if modality == "text" else self.inputs.max_frames(modality)
        return limit or 1

    def _add_label_space(self, *, is_trained: bool) -> None:
        """Add the labels' points and how similar they are, as far as the settings ask for them."""
        config, n_label = self.config, len(self.task.labels)
        points, similarity = torch.zeros((n_label, 2)), torch.zeros((n_label, n_label))
        if config.label_prior_weight or (config.contrast_weight and config.va_of_labels):
            known = emotion_points(self.task.labels, config.emotion_points)
            points, similarity = torch.from_numpy(known).float(), torch.from_numpy(label_similarity(known)).float()
        self.register_buffer("label_points", points, persistent=False)
        if is_trained and config.label_prior_weight:
            self.label_similarity = nn.Parameter(similarity)  # models.py:70
        else:
            self.register_buffer("label_similarity", similarity, persistent=False)


def _above(shares: Tensor, threshold: float) -> Tensor:
    """Return scores that rise with the shares and are .5 or more exactly where a share is above the threshold."""
    upper = _SAID_FROM + (1.0 - _SAID_FROM) * (shares - threshold) / (1.0 - threshold)
    just_below = torch.nextafter(torch.tensor(_SAID_FROM, dtype=shares.dtype), torch.tensor(0.0, dtype=shares.dtype))
    lower = (_SAID_FROM * shares / threshold).clamp(max=just_below.item()) if threshold else torch.zeros_like(shares)
    return torch.where(shares > threshold, upper, lower)
