"""VAT: video-audio Transformer with momentum distillation, for MER2023 and MuSe-Mimic.

First among the entries to MER-SEMI (0.891), MER-MULTI (0.7005) and MER-NOISE (0.6846) of MER2023. Its code was never
released; this is what its README, its one figure and the abstracts of its two papers say, and where they are silent
what ALBEF does, whose structure they repeat.

Certain: frames and sound are read raw, text is not used; a contrastive loss aligns video and sound before they are
fused (VAC); in-batch negatives chosen by contrastive similarity feed a matching loss (VAM); a momentum model gives
pseudo-targets; the model is pretrained without labels and fine-tuned on labels, with a weighted blending of
supervision. Inferred: everything else, see ``VatConfig``. The figure's box "MLM" is a left-over of ALBEF, for README
lists three losses; a masked-spectrogram term stands for it where ``hidden_fraction`` is above 0.

Sources: ACM MM 2023, 10.1145/3581783.3612872 (Zong, Ding, Li, Zhou, Li, Zheng, Zhou); MRAC 2023,
10.1145/3607865.3613184; README and figures/pipeline.jpg of
dingchaoyue/Multimodal-Emotion-Recognition-Challenges; Li et al., "Align before Fuse", NeurIPS 2021.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from skesl.config import Stage, TrainConfig
from skesl.data import Batch, ClipSet
from skesl.gathering import gather_rows
from skesl.inputs import InputConfig
from skesl.losses import Candidates, contrastive_loss, hard_negatives, matching_loss, similarity
from skesl.methods.base import Method
from skesl.methods.vat_config import VAT_PRESETS, VatConfig
from skesl.methods.vat_heads import VatHeads
from skesl.methods.vat_inputs import VatInputs
from skesl.nn.audio_visual import AudioVisualEncoders, Encoded
from skesl.nn.contrast import FeatureQueue, Temperature
from skesl.nn.momentum import follow
from skesl.nn.pretrained import load_frame_weights, load_spectrogram_weights
from skesl.normalise import FeatureNormaliser
from skesl.task import Task


class Vat(Method):
    """Frames and sound, aligned and fused; see ``Method`` for the arguments.

    Raises:
        MethodError: the dataset lacks a stream that is read, the stream of sound has too few bands, or one of the two
            streams holds images where it should hold features or the reverse.
    """

    name = "vat"
    config_type = VatConfig
    stages = ("pretrain", "finetune")
    stream_names = ("frames", "audio")
    problems = ("mer23", "regressions", "regression", "class")
    needs_text_encoder = False
    transferred = ("encoders",)
    training_only = ("teacher", "queue", "n_seen")
    presets = VAT_PRESETS

    config: VatConfig
    teacher: nn.ModuleDict
    queue: FeatureQueue
    n_seen: Tensor

    def __init__(
        self,
        config: VatConfig,
        *,
        text_encoder: nn.Module,
        text_width: int,
        normalisers: Mapping[str, FeatureNormaliser],
        task: Task,
    ) -> None:
        super().__init__(config, text_encoder=text_encoder, text_width=text_width, normalisers=normalisers, task=task)
        self.read = VatInputs(config, normalisers)
        self.encoders = AudioVisualEncoders(config.shape(self.read.n_bands))
        self.temperature = Temperature(config.temperature)
        self.matching_head = nn.Linear(config.width, 2)
        self.patch_head = nn.Linear(config.width, config.audio_patch**2) if config.hidden_fraction > 0 else None
        self.heads = VatHeads(config, task)
        self._n_clip = 0

    @classmethod
    def used_streams(cls, config: VatConfig) -> tuple[str, ...]:
        """Return the names of the frames' and of the sound's stream."""
        return config.frame_stream, config.audio_stream

    @classmethod
    def usual_shapes(cls, config: VatConfig) -> Mapping[str, tuple[int, ...]]:
        """Return the shape of the frames and of the preset logmel128."""
        return {
            config.frame_stream: (config.n_frames, config.frame_size, config.frame_size, 3),
            config.audio_stream: (config.max_audio_frames, 128),
        }

    @property
    def inputs(self) -> InputConfig:
        """How much of a clip is read."""
        return self.config.inputs

    def read_pretrained(self) -> None:
        """Take the weights of a ViT and of an AST where the settings name them."""
        if self.config.video_weights is not None:
            load_frame_weights(self.encoders.video_encoder, Path(self.config.video_weights))
        if self.config.audio_weights is not None:
            load_spectrogram_weights(self.encoders.audio_encoder, Path(self.config.audio_weights))

    def start_stage(self, stage: Stage) -> None:
        """Prepare for a stage: the momentum model begins as a copy of what is trained, with an empty queue."""
        if stage in self.stages:
            self._make_memory(stage)
        super().start_stage(stage)

    def meet_clips(self, clips: ClipSet) -> None:
        """Make the queue no longer than there are clips; beyond that it would hold the same ones again."""
        self._n_clip = len(clips)
        if self.stage == "pretrain":
            with self.n_seen.device:
                self.queue = FeatureQueue(min(self.config.queue_size, len(clips)), self.config.n_projected)

    def on_step_end(self) -> None:
        """Let the momentum model follow, and keep the temperature in its range."""
        self.temperature.clamp()
        follow(self.teacher, self._followed(), self.config.momentum)

    def frozen_modules(self, stage: Stage) -> tuple[nn.Module, ...]:
        """Return the momentum model, and what has no part in the loss of the stage."""
        if stage == "pretrain":
            return self.teacher, self.heads
        encoders = self.encoders
        idle = (
            encoders.video_projection,
            encoders.audio_projection,
            encoders.audio_encoder.hidden,
            self.temperature,
            self.matching_head,
            self.patch_head,
        )
        return (self.teacher, *(module for module in idle if module is not None))

    def parameter_groups(self, config: TrainConfig) -> list[dict[str, Any]]:
        """Return the trained parameters; vectors and the temperature do not decay, as in ALBEF."""
        groups = []
        for group in super().parameter_groups(config):
            for decays in (True, False):
                parameters = [parameter for parameter in group["params"] if (parameter.ndim > 1) is decays]
                decay = {} if decays else {"weight_decay": 0.0}
                if parameters:
                    groups.append({**group, **decay, "params": parameters})
        return groups

    def pretrain_loss(self, batch: Batch) -> Tensor:
        """Return the sum of contrast and matching, and of the hidden patches where they are asked for; a scalar."""
        frames, sound = self.read(batch)
        video, audio = self.encoders.encode_video(*frames), self.encoders.encode_audio(*sound)
        video_features, audio_features = self.encoders.project_video(video), self.encoders.project_audio(audio)
        with torch.no_grad():
            teacher = self._teacher()
            momentum_video = teacher.project_video(teacher.encode_video(*frames))
            momentum_audio = teacher.project_audio(teacher.encode_audio(*sound))
        loss = contrastive_loss(
            video_features,
            audio_features,
            momentum_video,
            momentum_audio,
            self._candidates(momentum_video, momentum_audio, batch),
            temperature=self.temperature(),
            alpha=self._alpha(),
        )
        loss = loss + self._matching(video, audio, video_features, audio_features, batch)
        if self.patch_head is not None:
            loss = loss + self.config.hidden_weight * self._hidden_patches(self.patch_head, video, sound)
        self._count(batch)
        return loss

    def finetune_loss(self, batch: Batch) -> Tensor:
        """Return the loss of the labels, blended over the heads and with the momentum model's answers; a scalar."""
        frames, sound = self.read(batch)
        said = self.heads(self._states(self.encoders, frames, sound))
        with torch.no_grad():
            of_teacher = None
            if self.config.alpha > 0:
                of_teacher = self.teacher["heads"](self._states(self._teacher(), frames, sound))
        loss = self.heads.loss(said, batch.labels, of_teacher, alpha=self._alpha())
        self._count(batch)
        return loss

    def predict(self, batch: Batch) -> Tensor:
        """Return what the fused head says: shape (clip, task.n_column), probabilities of classes, then values."""
        frames, sound = self.read(batch)
        return self.heads.answer(self.heads(self._states(self.encoders, frames, sound))["fused"])

    def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the unit vectors by which sounds and videos find each other, each of shape (clip, n_projected)."""
        frames, sound = self.read(batch)
        encoders = self.encoders
        return (
            encoders.project_video(encoders.encode_video(*frames)),
            encoders.project_audio(encoders.encode_audio(*sound)),
        )

    def match(self, batch: Batch, other: Batch) -> Tensor:
        """Return the probability that the video of a clip and the sound of another belong together, shape (clip,).

        Args:
            batch: its frames are read.
            other: as many clips, whose sound is read.
        """
        frames, sound = self.read(batch)[0], self.read(other)[1]
        fused = self.encoders.fuse(self.encoders.encode_audio(*sound), self.encoders.encode_video(*frames))
        return self.matching_head(fused[:, 0]).softmax(dim=1)[:, 1]  # type: ignore[no-any-return]

    def _make_memory(self, stage: Stage) -> None:
        with self.temperature.value.device:
            teacher: dict[str, nn.Module] = {"encoders": AudioVisualEncoders(self.config.shape(self.read.n_bands))}
            if stage == "finetune":
                teacher["heads"] = VatHeads(self.config, self.task)
            self.teacher = nn.ModuleDict(teacher)
            size = self.config.queue_size if stage == "pretrain" else 0
            self.queue = FeatureQueue(size, self.config.n_projected)
            self.register_buffer("n_seen", torch.zeros((), dtype=torch.int64))
        self.teacher.load_state_dict(self._followed().state_dict())

    def _followed(self) -> nn.ModuleDict:
        """Return what the momentum model is a copy of."""
        return nn.ModuleDict({name: getattr(self, name) for name in self.teacher})

    def _teacher(self) -> AudioVisualEncoders:
        return cast("AudioVisualEncoders", self.teacher["encoders"])

    def _alpha(self) -> Tensor | float:
        """Return the momentum model's share, which rises to its full size over the first epochs."""
        n_rising = self.config.alpha_epochs * self._n_clip
        if not self.training or not n_rising:
            return self.config.alpha
        return self.config.alpha * (self.n_seen / n_rising).clamp(max=1)

    def _count(self, batch: Batch) -> None:
        if self.training:
            n_process = torch.distributed.get_world_size() if torch.distributed.is_initialized() else 1
            self.n_seen += n_process * len(batch)

    def _candidates(self, momentum_video: Tensor, momentum_audio: Tensor, batch: Batch) -> Candidates:
        """Return this step's clips of all processes and those of the queue; in training they then join the queue."""
        video, audio, rows, recordings = gather_rows(
            momentum_video.float(), momentum_audio.float(), batch.rows, batch.recordings
        )
        queue = self.queue
        # A process without a clip of its own in a batch repeats one of another process.
        repeats = (rows[:, None] == rows).triu(1).any(dim=0)
        excluded = self._same(batch, torch.cat([rows, queue.rows]), torch.cat([recordings, queue.recordings]))
        excluded = excluded | torch.cat([repeats, ~queue.is_filled()])
        own = (batch.rows[:, None] == rows).int().argmax(dim=1)
        excluded = excluded.scatter(1, own[:, None], value=False)
        candidates = Candidates(
            video=torch.cat([video, queue.video]),
            audio=torch.cat([audio, queue.audio]),
            own=own,
            excluded=excluded,
        )
        if self.training:
            given = (video, audio, rows, recordings)
            queue.put(*given if len(rows) == len(batch) else (tensor[~repeats] for tensor in given))
        return candidates

    def _same(self, batch: Batch, rows: Tensor, recordings: Tensor) -> Tensor:
        """Return which other clips are no negatives of a clip: bool, shape (clip, other clip)."""
        same = batch.rows[:, None] == rows
        if self.config.exclude_same_recording:
            same = same | (batch.recordings[:, None] == recordings)
        return same

    def _matching(self, video: Encoded, audio: Encoded, of_video: Tensor, of_audio: Tensor, batch: Batch) -> Tensor:
        """Return the loss of telling the clips' own pairs from pairs of two clips that resemble each other."""
        excluded = self._same(batch, batch.rows, batch.recordings)
        with torch.no_grad():
            logits = similarity(of_video, of_audio, excluded, temperature=self.temperature())
            other_audio, has_audio = hard_negatives(logits, excluded, draw=self.training)
            other_video, has_video = hard_negatives(logits.T, excluded, draw=self.training)
        own = torch.arange(len(batch), device=excluded.device)
        fused = self.encoders.fuse(
            audio.rows(torch.cat([own, other_audio, own])), video.rows(torch.cat([own, own, other_video]))
        )
        counts = torch.cat([torch.ones_like(has_audio), has_audio, has_video])
        return matching_loss(self.matching_head(fused[:, 0]), len(own), counts)

    def _hidden_patches(self, head: nn.Module, video: Encoded, sound: tuple[Tensor, Tensor]) -> Tensor:
        """Return the mean squared error of the hidden patches of the spectrogram, from the fused states."""
        encoder = self.encoders.audio_encoder
        is_real = encoder.real_patches(sound[1])
        chance = torch.rand(is_real.shape, device=is_real.device)
        if not self.training:
            chance = torch.linspace(0, 1, is_real.shape[1], device=is_real.device).expand_as(chance)
        hidden = is_real & (chance < self.config.hidden_fraction)
        fused = self.encoders.fuse(self.encoders.encode_audio(*sound, hidden), video)
        errors = (head(fused[:, 1:]) - encoder.cut(*sound)).square().mean(dim=2)
        return cast("Tensor", (errors * hidden).sum() / hidden.sum().clamp(min=1))

    def _states(
        self, encoders: AudioVisualEncoders, frames: tuple[Tensor, Tensor], sound: tuple[Tensor, Tensor]
    ) -> dict[str, Tensor]:
        """Return the CLS states that the heads read: fused, of the frames and of the sound, each (clip, width)."""
        video, audio = encoders.encode_video(*frames), encoders.encode_audio(*sound)
        fused = encoders.fuse(audio, video)
        return {"fused": fused[:, 0], "video": video.states[:, 0], "audio": audio.states[:, 0]}
