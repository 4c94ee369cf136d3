"""Settings of VAT and its presets.

No code of VAT was ever released (dingchaoyue/Multimodal-Emotion-Recognition-Challenges has a README and a figure), and
its two papers (ACM MM 2023, 10.1145/3581783.3612872; MRAC 2023, 10.1145/3607865.3613184) are known here by their
abstracts. Certain: three encoders of 12, 6 and 6 layers; contrast before fusion, matching with hard negatives chosen by
contrastive similarity, momentum distillation; fine-tuning on labels; a weighted blending of supervision; augmentation
of images, waveforms and spectrograms. Inferred, from ALBEF (salesforce/ALBEF) and AcFormer (dingchaoyue/AcFormer), by
whose structure README and figure go: every number below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from mmfeat.errors import ConfigError
from skesl.augmentation import AugmentationConfig
from skesl.inputs import ImageInputConfig
from skesl.methods.base import Preset
from skesl.nn.audio_visual import AudioVisualShape
from skesl.nn.contrast import COLDEST, WARMEST
from skesl.nn.transformer import StackConfig


@dataclass(frozen=True, kw_only=True)
class VideoStackConfig(StackConfig):
    """Layers over the frames: ViT-B's."""

    n_layers: int = 12  # the figure's


@dataclass(frozen=True, kw_only=True)
class FusionStackConfig(StackConfig):
    """Layers in which the sound asks and the frames answer."""

    dropout: float = 0.1  # BERT's, as in ALBEF


@dataclass(frozen=True, kw_only=True)
class VatConfig:
    """Settings of VAT."""

    width: int = 768
    n_projected: int = 256  # ALBEF's; AcFormer has 128
    frame_stream: str = "frames"  # encoded images
    frame_size: int = 224  # pixels; frames that are stored in another size are scaled
    frame_patch: int = 16
    n_frames: int = 8  # AcFormer's; of a clip with more, so many are read, evenly
    frame_values: Literal["colour", "change"] = "colour"  # change: what a clip's frames have in common is taken away
    audio_stream: str = "audio"  # log-mel bands: built with the audio preset logmel128
    max_audio_frames: int = 1024  # 10.24 s, AST's; what lies behind is not read
    audio_patch: int = 16
    audio_stride: int = 10  # AST's; 16: patches that do not overlap
    video: VideoStackConfig = field(default_factory=VideoStackConfig)
    audio: StackConfig = field(default_factory=StackConfig)
    fusion: FusionStackConfig = field(default_factory=FusionStackConfig)
    video_weights: str | None = None  # folder with a transformers ViT to begin with
    audio_weights: str | None = None  # folder with a transformers AST, whose first layers are taken

    temperature: float = 0.07  # to begin with; it is learned
    queue_size: int = 65_536  # clips of earlier steps; never more than there are clips to learn from
    momentum: float = 0.995
    alpha: float = 0.4  # share of the momentum model in the targets
    alpha_epochs: float = 1.0  # over which it rises from 0
    exclude_same_recording: bool = True  # other clips of a recording are no negatives
    hidden_fraction: float = 0.0  # of the spectrogram's patches; above 0 the fused states have to predict them
    hidden_weight: float = 1.0  # of that loss

    valence_weight: float = 1.0  # of MER23's valence beside the emotion
    regression_loss: Literal["mse", "pearson"] = "mse"
    regression_output: Literal["linear", "sigmoid"] = "linear"  # sigmoid: labels from 0 to 1
    fused_weight: float = 1.0  # blending of supervision: the head on the fused states, which predicts
    video_weight: float = 0.0  # a head on the frames alone
    audio_weight: float = 0.0  # a head on the sound alone
    head_dropout: float = 0.1
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)

    def __post_init__(self) -> None:
        faults = [
            *self._faults_of_sizes(),
            *(f"{name} must lie in [0, 1], got {value}" for name, value in self._shares() if not 0 <= value <= 1),
            *(f"{name} must not be negative, got {value}" for name, value in self._weights() if value < 0),
        ]
        if not self.fused_weight > 0:
            faults.append(f"fused_weight must be above 0, for the fused head predicts; got {self.fused_weight}")
        if not COLDEST <= self.temperature <= WARMEST:
            faults.append(f"temperature must lie in [{COLDEST}, {WARMEST}], got {self.temperature}")
        if self.frame_values == "change" and self.augmentation.brightness:
            faults.append(
                "augmentation.brightness must be 0 where frame_values is change, which takes it away again; "
                f"got {self.augmentation.brightness}"
            )
        if not 0.0 <= self.head_dropout < 1.0:
            faults.append(f"head_dropout must lie in [0, 1), got {self.head_dropout}")
        if faults:
            raise ConfigError("; ".join(faults))

    @property
    def inputs(self) -> ImageInputConfig:
        """How much of a clip is read."""
        return ImageInputConfig(
            modalities=("audio", "vision"), max_audio_frames=self.max_audio_frames, max_images=self.n_frames
        )

    def shape(self, n_bands: int) -> AudioVisualShape:
        """Return the sizes of the encoders for spectrograms of so many bands."""
        return AudioVisualShape(
            width=self.width,
            n_projected=self.n_projected,
            frame_size=self.frame_size,
            frame_patch=self.frame_patch,
            n_frames=self.n_frames,
            n_bands=n_bands,
            n_audio_frames=self.max_audio_frames,
            audio_patch=self.audio_patch,
            audio_stride=self.audio_stride,
            video=self.video,
            audio=self.audio,
            fusion=self.fusion,
            hides_patches=self.hidden_fraction > 0,
        )

    def _faults_of_sizes(self) -> list[str]:
        sizes = ("width", "n_projected", "frame_size", "frame_patch", "n_frames", "audio_patch", "audio_stride")
        faults = [f"{name} must be at least 1, got {getattr(self, name)}" for name in sizes if getattr(self, name) < 1]
        if self.queue_size < 0:
            faults.append(f"queue_size must not be negative, got {self.queue_size}")
        if self.max_audio_frames < self.audio_patch:
            faults.append(f"max_audio_frames must be at least audio_patch ({self.audio_patch})")
        if not faults and self.frame_size % self.frame_patch:
            faults.append(f"frame_size must be a multiple of frame_patch ({self.frame_patch}), got {self.frame_size}")
        for name in ("video", "audio", "fusion"):
            n_heads = getattr(self, name).n_heads
            if not faults and self.width % n_heads:
                faults.append(f"width must be a multiple of {name}.n_heads ({n_heads}), got {self.width}")
        if self.frame_stream == self.audio_stream:
            faults.append(f"frame_stream and audio_stream must differ, got {self.frame_stream!r} for both")
        return faults

    def _shares(self) -> list[tuple[str, float]]:
        return [(name, getattr(self, name)) for name in ("momentum", "alpha", "hidden_fraction")]

    def _weights(self) -> list[tuple[str, float]]:
        names = ("alpha_epochs", "hidden_weight", "valence_weight", "fused_weight", "video_weight", "audio_weight")
        return [(name, getattr(self, name)) for name in names]


# ALBEF, configs/Pretrain.yaml and Retrieval_*.yaml: AdamW 1e-4 with decay 0.02, a cosine to 1e-5 after a warm-up, 30
# epochs of 64 clips on each GPU; fine-tuning 2e-5, 5 epochs.
_PRETRAIN: Mapping[str, Any] = {
    "n_epochs": 30,
    "batch_size": 64,
    "learning_rate": 1e-4,
    "weight_decay": 0.02,
    "schedule": "cosine",
    "final_rate_fraction": 0.1,
    "warmup_fraction": 1 / 30,
    "patience": 0,
}
_FINETUNE: Mapping[str, Any] = {
    **_PRETRAIN,
    "n_epochs": 5,
    "batch_size": 32,
    "learning_rate": 2e-5,
    "warmup_fraction": 0.2,
}
_TRAIN: Mapping[Any, Mapping[str, Any]] = {"pretrain": _PRETRAIN, "finetune": _FINETUNE}
_AUGMENTED = AugmentationConfig(
    crop_scale=0.5,
    flip=0.5,
    brightness=0.2,
    contrast=0.2,
    gain_db=6.0,
    noise_snr_db=10.0,
    time_mask=96,
    frequency_mask=24,
)
_FULL = VatConfig(augmentation=_AUGMENTED)
_TINY = VatConfig(
    width=64,
    n_projected=64,
    frame_size=32,
    frame_patch=32,
    n_frames=25,
    frame_values="change",
    max_audio_frames=112,
    audio_stride=16,
    video=VideoStackConfig(n_layers=2, n_heads=4, n_inner=128),
    audio=StackConfig(n_layers=2, n_heads=4, n_inner=128),
    fusion=FusionStackConfig(n_layers=1, n_heads=4, n_inner=128, dropout=0.0),
    queue_size=256,
    augmentation=AugmentationConfig(crop_scale=0.8, flip=0.5, gain_db=3.0),
)

VAT_PRESETS: Mapping[str, Preset] = {
    "vat": Preset(config=VatConfig(), train=_TRAIN),
    "vat-tiny": Preset(
        config=_TINY,
        train={
            "pretrain": {**_PRETRAIN, "batch_size": 48, "learning_rate": 1e-3},
            "finetune": {**_FINETUNE, "n_epochs": 20, "learning_rate": 3e-4},
        },
    ),
    "mer23": Preset(config=replace(_FULL, video_weight=0.5, audio_weight=0.5), train=_TRAIN),
    "muse-mimic": Preset(
        config=replace(_FULL, video_weight=0.5, audio_weight=0.5, regression_output="sigmoid"), train=_TRAIN
    ),
}
