"""Encoders of frames and of spectrograms: patches as tokens, a CLS token, self-attention.

Certain of VAT (its README and ``figures/pipeline.jpg``): 12 layers of self-attention and feed-forward over image
patches and 6 over the sound, each with a CLS token. Inferred: the shape of ViT-B/16, eight frames whose patches stand
side by side with a temporal position (AcFormer, by the same author, reads 8 frames of 224), and log-mel patches of
16 x 16 with stride 10 as in the Audio Spectrogram Transformer.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skesl.nn.transformer import SelfAttentionStack, StackConfig


class FrameEncoder(nn.Module):
    """A ViT over the patches of several frames at once.

    Every frame's patches get ViT's spatial positions and the frame's temporal one. Temporal positions begin as zeros,
    so that on a single frame this is ViT.

    Args:
        width: of the tokens.
        size: rows and columns of a frame in pixels.
        patch_size: rows and columns of a patch.
        n_frames: most frames of a clip.
        stack: the layers.
    """

    def __init__(self, width: int, *, size: int, patch_size: int, n_frames: int, stack: StackConfig) -> None:
        super().__init__()
        self.patch_size = patch_size
        n_patch = (size // patch_size) ** 2
        self.patches = nn.Linear(3 * patch_size**2, width)
        self.cls = nn.Parameter(torch.empty(1, 1, width))
        self.positions = nn.Parameter(torch.empty(1, 1 + n_patch, width))
        self.temporal_positions = nn.Parameter(torch.zeros(1, n_frames, 1, width))
        self.stack = SelfAttentionStack(width, stack)
        for parameter in (self.cls, self.positions):
            nn.init.normal_(parameter, std=0.02)

    def forward(self, frames: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the states of CLS and of all patches, and which of them are real.

        Args:
            frames: float, shape (clip, frame, 3, size, size), at most ``n_frames`` frames.
            mask: bool, shape (clip, frame), True for real frames.

        Returns:
            Shape (clip, 1 + frame * patch, width), and bool, shape (clip, 1 + frame * patch); CLS is always real.
        """
        size, n_frame = self.patch_size, mask.shape[1]
        cut = frames.unfold(3, size, size).unfold(4, size, size)  # (clip, frame, colour, row, column, *patch)
        patches = self.patches(cut.permute(0, 1, 3, 4, 2, 5, 6).flatten(4).flatten(2, 3))
        patches = patches + self.positions[:, None, 1:] + self.temporal_positions[:, :n_frame]
        patches = patches.flatten(1, 2)
        is_real = mask.repeat_interleave(patches.shape[1] // n_frame, dim=1)
        tokens, is_real = _with_cls(self.cls + self.positions[:, :1], patches, is_real)
        return self.stack(tokens, is_real), is_real


class SpectrogramEncoder(nn.Module):
    """A Transformer over overlapping patches of a log-mel spectrogram.

    Args:
        width: of the tokens.
        n_bands: mel bands.
        n_frames: most frames of a clip; what lies behind is not read.
        patch_size: bands and frames of a patch.
        stride: between patches.
        stack: the layers.
        hides_patches: make the token that stands for a hidden patch.
    """

    def __init__(
        self,
        width: int,
        *,
        n_bands: int,
        n_frames: int,
        patch_size: int,
        stride: int,
        stack: StackConfig,
        hides_patches: bool = False,
    ) -> None:
        super().__init__()
        self.patch_size, self.stride = patch_size, stride
        self.n_high = (n_bands - patch_size) // stride + 1
        self.n_wide = (n_frames - patch_size) // stride + 1
        self.patches = nn.Linear(patch_size**2, width)
        self.cls = nn.Parameter(torch.empty(1, 1, width))
        self.positions = nn.Parameter(torch.empty(1, 1 + self.n_high * self.n_wide, width))
        self.stack = SelfAttentionStack(width, stack)
        self.hidden = nn.Embedding(1, width) if hides_patches else None
        for parameter in (self.cls, self.positions):
            nn.init.normal_(parameter, std=0.02)

    def forward(self, spectrogram: Tensor, mask: Tensor, hidden: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the states of CLS and of all patches, and which of them are real.

        Patches stand band by band, and in time order within a band, as in the Audio Spectrogram Transformer. A patch is
        real where a frame of it is that no patch before it covers; frames behind the end of a clip count as 0.

        Args:
            spectrogram: shape (clip, frame, band), normalised.
            mask: bool, shape (clip, frame), True for real frames, which stand in front.
            hidden: bool, shape (clip, patch): patches whose content is replaced by one learned token.

        Returns:
            Shape (clip, 1 + patch, width), and bool, shape (clip, 1 + patch); CLS is always real.
        """
        patches = self.patches(self.cut(spectrogram, mask))
        if hidden is not None and self.hidden is not None:
            patches = torch.where(hidden[:, :, None], self.hidden.weight.to(patches.dtype), patches)
        n_wide = patches.shape[1] // self.n_high
        of_patches = self.positions[:, 1:].view(1, self.n_high, self.n_wide, -1)[:, :, :n_wide]
        tokens, is_real = _with_cls(
            self.cls + self.positions[:, :1], patches + of_patches.flatten(1, 2), self.real_patches(mask)
        )
        return self.stack(tokens, is_real), is_real

    def cut(self, spectrogram: Tensor, mask: Tensor) -> Tensor:
        """Return the patches of a spectrogram with 0 behind its end, shape (clip, patch, band * frame of a patch)."""
        size, stride = self.patch_size, self.stride
        n_frame = size + (self.n_wide_of(mask.shape[1]) - 1) * stride
        spectrogram = spectrogram.masked_fill(~mask[:, :, None], 0.0)[:, :n_frame]
        spectrogram = F.pad(spectrogram, (0, 0, 0, n_frame - spectrogram.shape[1])).transpose(1, 2)
        return spectrogram.unfold(1, size, stride).unfold(2, size, stride).flatten(3).flatten(1, 2)

    def real_patches(self, mask: Tensor) -> Tensor:
        """Return which patches are real: bool, shape (clip, patch)."""
        n_wide = self.n_wide_of(mask.shape[1])
        n_frame = mask.sum(dim=1, keepdim=True)
        n_real = 1 + ((n_frame - self.patch_size).clamp(min=0) + self.stride - 1) // self.stride
        is_real = (torch.arange(n_wide, device=mask.device) < n_real) & (n_frame > 0)
        return is_real.repeat(1, self.n_high)

    def n_wide_of(self, n_frame: int) -> int:
        """Return how many patches stand side by side over so many frames."""
        return min(self.n_wide, 1 + -(-max(0, n_frame - self.patch_size) // self.stride))


def _with_cls(cls: Tensor, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return tokens with CLS in front of them, and the mask."""
    n_clip = len(tokens)
    return (
        torch.cat([cls.expand(n_clip, -1, -1).to(tokens.dtype), tokens], dim=1),
        torch.cat([torch.ones_like(mask[:, :1]).expand(n_clip, 1), mask], dim=1),
    )
