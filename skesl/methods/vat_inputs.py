"""What VAT reads of a batch: frames and a spectrogram, normalised, and augmented while it is trained."""

from __future__ import annotations

from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor, nn

from skesl.augmentation import augmented_frames, augmented_spectrogram, augmented_waveform
from skesl.data import Batch
from skesl.errors import MethodError
from skesl.methods.vat_config import VatConfig
from skesl.normalise import FeatureNormaliser, ImageNormaliser

Values = tuple[Tensor, Tensor]  # values, and which of them are real


class VatInputs(nn.Module):
    """From a batch to frames and spectrogram.

    Args:
        config: settings of the method.
        normalisers: of the two streams; they belong to the method and have no weights here.

    Raises:
        MethodError: a stream is missing or of the wrong kind, or has too few bands.
    """

    def __init__(self, config: VatConfig, normalisers: Mapping[str, FeatureNormaliser]) -> None:
        super().__init__()
        self.config = config
        _check(config, normalisers)
        # In a tuple, so that the method's own modules are not registered a second time.
        self._normalisers = (normalisers[config.frame_stream], normalisers[config.audio_stream])

    @property
    def n_bands(self) -> int:
        """Mel bands of the spectrogram."""
        return self._normalisers[1].n_feature

    def forward(self, batch: Batch) -> tuple[Values, Values]:
        """Return the frames, float (clip, frame, 3, size, size), and the spectrogram, float (clip, frame, band)."""
        return self.frames(batch), self.spectrogram(batch)

    def frames(self, batch: Batch) -> Values:
        """Return normalised frames and which of them are real."""
        config, mask = self.config, batch.stream_masks[self.config.frame_stream]
        images = self._normalisers[0](batch.streams[config.frame_stream]).movedim(-1, 2)
        size = (config.frame_size, config.frame_size)
        if images.shape[-2:] != size:
            scaled = F.interpolate(images.flatten(0, 1), size, mode="bilinear", antialias=True)
            images = scaled.view(*images.shape[:3], *size)
        if self.training:
            images = augmented_frames(images, config.augmentation)
        real = mask[:, :, None, None, None]
        if config.frame_values == "change":
            n_real = mask.sum(dim=1).clamp(min=1)[:, None, None, None, None]
            images = images - (images * real).sum(dim=1, keepdim=True) / n_real
        return images * real, mask

    def spectrogram(self, batch: Batch) -> Values:
        """Return the normalised spectrogram and which of its frames are real."""
        config, mask = self.config, batch.stream_masks[self.config.audio_stream]
        decibels = batch.streams[config.audio_stream]
        if self.training:
            decibels = augmented_waveform(decibels, mask, config.augmentation)
        values = self._normalisers[1](decibels)
        if self.training:
            values = augmented_spectrogram(values, mask, config.augmentation)
        return values, mask


def _check(config: VatConfig, normalisers: Mapping[str, FeatureNormaliser]) -> None:
    frames, audio = config.frame_stream, config.audio_stream
    for name, holds_images in ((frames, True), (audio, False)):
        kind = "encoded images" if holds_images else "log-mel bands"
        if name not in normalisers or isinstance(normalisers[name], ImageNormaliser) is not holds_images:
            raise MethodError(
                f"method 'vat' needs the stream {name!r} with {kind}, the dataset has "
                f"{'another kind' if name in normalisers else 'none'}; build it with mmfeat build --frames "
                f"--preset logmel128, or name it with method.{'frame' if holds_images else 'audio'}_stream"
            )
    if normalisers[audio].n_feature < config.audio_patch:
        raise MethodError(
            f"method 'vat' needs at least audio_patch ({config.audio_patch}) bands in the stream {audio!r}, the "
            f"dataset has {normalisers[audio].n_feature}; build it with mmfeat build --preset logmel128"
        )
