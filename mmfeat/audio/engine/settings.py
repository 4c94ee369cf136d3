"""What is extracted, and whether the fast engine can do it. This module imports no compiler."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

FEATURES = ("log_f0", "zero_crossing_rate", "mfcc", "chroma_cqt", "logmel")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Features of one clip, and their parameters; those of features that are not asked for do not matter."""

    features: tuple[str, ...] = ("log_f0", "mfcc", "chroma_cqt")  # of FEATURES; columns come in this order
    hop_length: int = 512  # samples
    f0_min_hz: float = 50.0
    f0_max_hz: float = 600.0
    frame_length: int = 2048  # samples, of log-F0
    zero_crossing_frame_length: int = 2048  # samples
    n_fft: int = 2048  # samples, of MFCC and log-mel
    n_mels: int = 128
    n_mfcc: int = 20
    htk: bool = True  # mel scale; False: Slaney's
    tuning: float | None = None  # of chroma, in thirds of a semitone; None: estimated from the clip

    def __post_init__(self) -> None:
        """Refuse features that do not exist."""
        unknown = sorted(set(self.features) - set(FEATURES))
        if unknown:
            raise ValueError(f"unknown features {unknown}, expected some of {list(FEATURES)}")


def supports(sample_rate: float, settings: Settings) -> bool:
    """Return whether ``extract`` can do this; librosa is the way for everything else."""
    return reason_unsupported(sample_rate, settings) is None


def reason_unsupported(sample_rate: float, settings: Settings) -> str | None:
    """Return why ``extract`` cannot do this, as a sentence, or None if it can."""
    return next(_reasons(sample_rate, settings), None)


def _reasons(sample_rate: float, settings: Settings) -> Iterator[str]:
    """Yield all that stands against it."""
    if settings.hop_length < 1:
        yield f"the hop must be at least 1 sample, got {settings.hop_length}"
    if "log_f0" in settings.features:
        yield from _pitch_reasons(sample_rate, settings)
    if {"mfcc", "logmel"} & set(settings.features):
        yield from _mel_reasons(settings)
    if "chroma_cqt" in settings.features:
        yield from _chroma_reasons(sample_rate, settings)


def _pitch_reasons(sample_rate: float, settings: Settings) -> Iterator[str]:
    """Yield what stands against pYIN."""
    low_hz, high_hz = settings.f0_min_hz, settings.f0_max_hz
    if not 0.0 < low_hz < high_hz <= sample_rate / 2.0:
        yield f"expected 0 < f0_min_hz < f0_max_hz <= {sample_rate / 2.0} Hz, got {low_hz} and {high_hz}"
        return
    if not _is_power_of_two(settings.frame_length, at_least=32):
        yield f"frame_length must be a power of two of at least 32, got {settings.frame_length}"
    if sample_rate / low_hz >= settings.frame_length - 1:
        yield f"a period of {low_hz} Hz does not fit into a frame of {settings.frame_length} samples"
    reach = 10 * round(35.92 * 12 * settings.hop_length / sample_rate)  # bins that pitch may move from frame to frame
    n_bins = math.floor(120 * math.log2(high_hz / low_hz)) + 1
    if n_bins < max(reach + 1, 2):
        yield f"{low_hz} to {high_hz} Hz are {n_bins} pitch bins, fewer than the {reach + 1} that one hop may cross"


def _mel_reasons(settings: Settings) -> Iterator[str]:
    """Yield what stands against mel spectra."""
    if not _is_power_of_two(settings.n_fft, at_least=16):
        yield f"n_fft must be a power of two of at least 16, got {settings.n_fft}"
    if settings.n_mels % 2 or settings.n_mels < settings.n_mfcc:
        yield f"n_mels must be even and at least n_mfcc = {settings.n_mfcc}, got {settings.n_mels}"


def _chroma_reasons(sample_rate: float, settings: Settings) -> Iterator[str]:
    """Yield what stands against the constant-Q transform: seven octaves from C1, each at half the hop."""
    if settings.hop_length % 64:
        yield f"the hop of chroma must be a multiple of 64 samples, got {settings.hop_length}"
    top_hz = 4434.0  # 3 dB point of the highest filter at the highest tuning
    if sample_rate < 2.0 * top_hz:
        yield f"chroma needs frequencies up to {top_hz} Hz, half of {sample_rate} Hz is less"


def _is_power_of_two(n: int, *, at_least: int) -> bool:
    """Return whether ``n`` is one, and not too small."""
    return n >= at_least and n & (n - 1) == 0
