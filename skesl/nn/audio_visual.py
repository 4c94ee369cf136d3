"""VAT's three encoders: of frames, of sound, and of both, in which the sound asks and the frames answer.

Certain (README, ``figures/pipeline.jpg``): unimodal encoders whose CLS states are aligned before fusion; a multimodal
encoder of six layers on the audio stream, with self-attention, attention to the image tokens and feed-forward. The
figure's labels "ITM", "MLM" and "Image-Text Contrastive" are left from ALBEF. Inferred: every width and the projection
to 256 numbers of unit length (ALBEF's).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from skesl.nn.transformer import CrossAttentionStack, StackConfig
from skesl.nn.vit import FrameEncoder, SpectrogramEncoder


@dataclass(frozen=True, kw_only=True, eq=False)
class Encoded:
    """States of one modality: shape (clip, token, width), CLS in front, and which tokens are real."""

    states: Tensor
    mask: Tensor

    def rows(self, chosen: Tensor) -> Encoded:
        """Return the states of some clips."""
        return Encoded(states=self.states[chosen], mask=self.mask[chosen])


@dataclass(frozen=True, kw_only=True)
class AudioVisualShape:
    """Sizes of the three encoders; see ``VatConfig``."""

    width: int
    n_projected: int
    frame_size: int
    frame_patch: int
    n_frames: int
    n_bands: int
    n_audio_frames: int
    audio_patch: int
    audio_stride: int
    video: StackConfig
    audio: StackConfig
    fusion: StackConfig
    hides_patches: bool = False


class AudioVisualEncoders(nn.ModuleDict):
    """The three encoders and the projections of the two CLS states; a dict, so that each counts as a part by itself."""

    def __init__(self, shape: AudioVisualShape) -> None:
        super().__init__()
        self.video_encoder = FrameEncoder(
            shape.width,
            size=shape.frame_size,
            patch_size=shape.frame_patch,
            n_frames=shape.n_frames,
            stack=shape.video,
        )
        self.audio_encoder = SpectrogramEncoder(
            shape.width,
            n_bands=shape.n_bands,
            n_frames=shape.n_audio_frames,
            patch_size=shape.audio_patch,
            stride=shape.audio_stride,
            stack=shape.audio,
            hides_patches=shape.hides_patches,
        )
        self.fusion = CrossAttentionStack(shape.width, shape.fusion)
        self.video_projection = nn.Linear(shape.width, shape.n_projected)
        self.audio_projection = nn.Linear(shape.width, shape.n_projected)

    def encode_video(self, frames: Tensor, mask: Tensor) -> Encoded:
        """Return the states of frames; see ``FrameEncoder``."""
        states, is_real = self.video_encoder(frames, mask)
        return Encoded(states=states, mask=is_real)

    def encode_audio(self, spectrogram: Tensor, mask: Tensor, hidden: Tensor | None = None) -> Encoded:
        """Return the states of a spectrogram; see ``SpectrogramEncoder``."""
        states, is_real = self.audio_encoder(spectrogram, mask, hidden)
        return Encoded(states=states, mask=is_real)

    def project_video(self, video: Encoded) -> Tensor:
        """Return unit vectors of the frames' CLS states, shape (clip, n_projected)."""
        return F.normalize(self.video_projection(video.states[:, 0]), dim=1)

    def project_audio(self, audio: Encoded) -> Tensor:
        """Return unit vectors of the sounds' CLS states, shape (clip, n_projected)."""
        return F.normalize(self.audio_projection(audio.states[:, 0]), dim=1)

    def fuse(self, audio: Encoded, video: Encoded) -> Tensor:
        """Return the sound's states after it has read the frames, shape (clip, token, width); the first is CLS."""
        return self.fusion(audio.states, audio.mask, video.states, video.mask)  # type: ignore[no-any-return]
