"""Changes of frames and sounds while a method is trained: of images, of the waveform and of the spectrogram.

Certain of VAT (abstract of ACM MM 2023, 10.1145/3581783.3612872): augmentation on these three levels. Inferred: which
ones. Datasets hold log-mel bands and no waveforms; what is done to a waveform here is what has an exact or expected
counterpart in them: its gain adds to every band, and the powers of white noise, which are equal in the bands of
librosa's area-normalised filters, add to theirs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from mmfeat.errors import ConfigError

_SNR_RANGE_DB = 20.0  # above the lowest signal-to-noise ratio


@dataclass(frozen=True, kw_only=True)
class AugmentationConfig:
    """How much is changed at most, anew for each clip of each batch; nothing by default."""

    crop_scale: float = 1.0  # least part of a frame's area that a square crop keeps; the same crop in all its frames
    flip: float = 0.0  # probability of a mirrored clip
    brightness: float = 0.0  # most that is added or taken, in halves of the range
    contrast: float = 0.0  # most by which values are stretched or shrunk around their middle, as a fraction
    gain_db: float = 0.0  # most by which the waveform is louder or softer
    noise_snr_db: float | None = (
        None  # lowest ratio of the clip's power to white noise; up to 20 dB more; none: no noise
    )
    time_mask: int = 0  # most frames in a row of the spectrogram that are taken away
    frequency_mask: int = 0  # most neighbouring bands that are taken away

    def __post_init__(self) -> None:
        faults = []
        if not 0 < self.crop_scale <= 1:
            faults.append(f"crop_scale must lie in (0, 1], got {self.crop_scale}")
        if not 0 <= self.flip <= 1:
            faults.append(f"flip must lie in [0, 1], got {self.flip}")
        for name in ("brightness", "contrast", "gain_db", "time_mask", "frequency_mask"):
            if getattr(self, name) < 0:
                faults.append(f"{name} must not be negative, got {getattr(self, name)}")
        if faults:
            raise ConfigError("; ".join(faults))


def augmented_frames(frames: Tensor, config: AugmentationConfig) -> Tensor:
    """Return frames that were cropped, mirrored, and made brighter or darker; one change for all frames of a clip.

    Args:
        frames: float, shape (clip, frame, 3, row, column), normalised around 0.
        config: how much.
    """
    if config.crop_scale < 1 or config.flip > 0:
        frames = _cropped(frames, config)
    if config.contrast:
        frames = frames * (1 + config.contrast * _between(frames))
    if config.brightness:
        frames = frames + config.brightness * _between(frames)
    return frames


def augmented_waveform(decibels: Tensor, mask: Tensor, config: AugmentationConfig) -> Tensor:
    """Return log-mel bands as of a waveform that is louder or softer, and has white noise.

    Args:
        decibels: shape (clip, frame, band), power in dB.
        mask: bool, shape (clip, frame), True for real frames.
        config: how much.
    """
    if config.noise_snr_db is not None:
        power = 10 ** (decibels / 10)
        mean = (power.mean(dim=2) * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
        snr_db = config.noise_snr_db + _SNR_RANGE_DB * torch.rand(len(decibels), device=decibels.device)
        noise = (mean * 10 ** (-snr_db / 10))[:, None, None]
        decibels = 10 * (power + noise).clamp(min=1e-10).log10()
    if config.gain_db:
        decibels = decibels + config.gain_db * _between(decibels)
    return decibels


def augmented_spectrogram(values: Tensor, mask: Tensor, config: AugmentationConfig) -> Tensor:
    """Return a normalised spectrogram in which some frames and some bands are 0, their mean.

    Args:
        values: shape (clip, frame, band), normalised.
        mask: bool, shape (clip, frame), True for real frames, which stand in front; no more than half of them are hit.
        config: how much.

    Source: Park et al., "SpecAugment", Interspeech 2019.
    """
    n_clip, _, n_band = values.shape
    if config.time_mask:
        n_frame = mask.sum(dim=1)
        hit = _span(mask.shape[1], n_frame, (n_frame // 2).clamp(max=config.time_mask))
        values = values.masked_fill(hit[:, :, None], 0.0)
    if config.frequency_mask:
        n_bands = torch.full((n_clip,), n_band, device=values.device)
        hit = _span(n_band, n_bands, n_bands.clamp(max=config.frequency_mask))
        values = values.masked_fill(hit[:, None, :], 0.0)
    return values


def _between(like: Tensor) -> Tensor:
    """Return a number from -1 to 1 for each clip, shape (clip, 1, …)."""
    return 2 * torch.rand((len(like), *[1] * (like.ndim - 1)), device=like.device, dtype=like.dtype) - 1


def _cropped(frames: Tensor, config: AugmentationConfig) -> Tensor:
    """Return a square part of each clip's frames in their size, mirrored or not."""
    n_clip, n_frame, n_channel, *size = frames.shape
    device, dtype = frames.device, frames.dtype
    area = 1 - (1 - config.crop_scale) * torch.rand(n_clip, device=device, dtype=dtype)
    side = area.sqrt()
    mirrored = 1 - 2 * (torch.rand(n_clip, device=device) < config.flip).to(dtype)
    across, down = ((1 - side) * (2 * torch.rand(n_clip, device=device, dtype=dtype) - 1) for _ in range(2))
    zero = torch.zeros_like(side)
    theta = torch.stack(
        [torch.stack([side * mirrored, zero, across], dim=1), torch.stack([zero, side, down], dim=1)], dim=1
    )
    grid = F.affine_grid(theta, [n_clip, n_frame * n_channel, *size], align_corners=False)
    cut = F.grid_sample(frames.flatten(1, 2), grid, padding_mode="border", align_corners=False)
    return cut.view(frames.shape)


def _span(n_place: int, n_real: Tensor, longest: Tensor) -> Tensor:
    """Return for each clip a run of places, 0 to ``longest`` of them, within its real ones: bool, (clip, place)."""
    length = (torch.rand(len(n_real), device=n_real.device) * (longest + 1)).long()
    start = (torch.rand(len(n_real), device=n_real.device) * (n_real - length + 1)).long()
    places = torch.arange(n_place, device=n_real.device)
    return (places >= start[:, None]) & (places < (start + length)[:, None])
