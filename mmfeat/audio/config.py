"""Settings of the audio features, and the named presets.

Frame ``t`` is centred on sample ``t * hop_length``, so a clip has ``1 + n_samples // hop_length`` frames.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from mmfeat.errors import ConfigError

Feature = Literal["log_f0", "zero_crossing_rate", "mfcc", "chroma_cqt", "log_mel"]


@dataclass(frozen=True, kw_only=True)
class PitchConfig:
    """Search range and window of log-F0 by pYIN (Mauch and Dixon, ICASSP 2014)."""

    f0_min_hz: float = 50.0  # Hz; below the deepest speaking voices
    f0_max_hz: float = 600.0  # Hz; above children's and excited voices
    frame_length: int = 2048  # samples; at least two periods of f0_min_hz
    store_probability: bool = False  # a second column, voicing_probability

    def __post_init__(self) -> None:
        if not 0 < self.f0_min_hz < self.f0_max_hz:
            raise ConfigError(f"expected 0 < f0_min_hz < f0_max_hz, got {self.f0_min_hz} Hz and {self.f0_max_hz} Hz")
        _check_window("frame_length", self.frame_length)


@dataclass(frozen=True, kw_only=True)
class ZeroCrossingConfig:
    """Rate of sign changes, which the released scripts of SKESL and CH-SIMS store under the name of F0."""

    frame_length: int = 2048  # samples

    def __post_init__(self) -> None:
        _check_window("frame_length", self.frame_length)


@dataclass(frozen=True, kw_only=True)
class MfccConfig:
    """Mel-frequency cepstral coefficients."""

    n_mfcc: int = 20
    n_mels: int = 128
    n_fft: int = 2048  # samples
    htk: bool = True  # HTK mel scale, as the field's released scripts; False is Slaney's

    def __post_init__(self) -> None:
        if not 1 <= self.n_mfcc <= self.n_mels:
            raise ConfigError(f"expected 1 <= n_mfcc <= n_mels, got {self.n_mfcc} and {self.n_mels}")
        _check_window("n_fft", self.n_fft)


@dataclass(frozen=True, kw_only=True)
class ChromaConfig:
    """Constant-Q chroma, 12 pitch classes from C1 over 7 octaves."""

    # Speech has no concert pitch; estimating it per clip would shift the chroma bins of each clip differently.
    tuning: float | None = 0.0  # fractions of a bin of 36 per octave; "none" estimates it for each clip

    def __post_init__(self) -> None:
        if self.tuning is not None and not -0.5 <= self.tuning < 0.5:
            raise ConfigError(f"tuning must lie in [-0.5, 0.5), got {self.tuning}")


@dataclass(frozen=True, kw_only=True)
class LogMelConfig:
    """Power of mel bands in dB."""

    n_mels: int = 128
    n_fft: int = 1024  # samples; at 16 kHz the narrowest of 128 bands still holds a spectral line
    htk: bool = False

    def __post_init__(self) -> None:
        if self.n_mels < 1:
            raise ConfigError(f"n_mels must be at least 1, got {self.n_mels}")
        _check_window("n_fft", self.n_fft)


@dataclass(frozen=True, kw_only=True)
class AudioFeatureConfig:
    """Which audio features are extracted, and how; sections of features that are not asked for do not matter."""

    sample_rate: int = 16_000  # Hz; other rates are resampled with soxr HQ
    hop_length: int = 512  # samples
    features: tuple[Feature, ...] = ("log_f0", "mfcc", "chroma_cqt")  # columns stand in this order
    pitch: PitchConfig = field(default_factory=PitchConfig)
    zero_crossings: ZeroCrossingConfig = field(default_factory=ZeroCrossingConfig)
    mfcc: MfccConfig = field(default_factory=MfccConfig)
    chroma: ChromaConfig = field(default_factory=ChromaConfig)
    log_mel: LogMelConfig = field(default_factory=LogMelConfig)

    def __post_init__(self) -> None:
        if self.hop_length < 1:
            raise ConfigError(f"hop_length must be at least 1 sample, got {self.hop_length}")
        if self.sample_rate < 1_000:
            raise ConfigError(f"sample_rate must be at least 1000 Hz, got {self.sample_rate}")
        if not self.features or len(set(self.features)) < len(self.features):
            raise ConfigError(f"features: expected one or more different names, got {list(self.features)}")
        if "log_f0" in self.features:
            self._check_pitch()
        if "chroma_cqt" in self.features:
            self._check_chroma()

    @property
    def hop_s(self) -> float:
        """Step between frames in seconds."""
        return self.hop_length / self.sample_rate

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(name for feature in self.features for name in self._columns(feature))

    @property
    def feature_units(self) -> tuple[str, ...]:
        """Units of the columns, in order."""
        return tuple(_unit(name) for name in self.feature_names)

    def _columns(self, feature: Feature) -> tuple[str, ...]:
        if feature == "log_f0":
            return ("log_f0", "voicing_probability") if self.pitch.store_probability else ("log_f0",)
        if feature == "mfcc":
            return tuple(f"mfcc_{i}" for i in range(self.mfcc.n_mfcc))
        if feature == "chroma_cqt":
            return tuple(f"chroma_{name}" for name in _PITCH_CLASSES)
        if feature == "log_mel":
            return tuple(f"log_mel_{i}" for i in range(self.log_mel.n_mels))
        return ("zero_crossing_rate",)

    def _check_pitch(self) -> None:
        pitch = self.pitch
        if pitch.f0_min_hz * pitch.frame_length < 2 * self.sample_rate:
            raise ConfigError(
                f"pitch: a window of {pitch.frame_length} samples at {self.sample_rate} Hz holds less than "
                f"two periods of {pitch.f0_min_hz} Hz; raise frame_length or f0_min_hz"
            )
        # pYIN lets pitch move by 35.92 octaves a second; librosa wants the range to be as wide as one step.
        n_reach = 10 * round(35.92 * 12 * self.hop_length / self.sample_rate) + 1
        n_bin = int(120 * math.log2(pitch.f0_max_hz / pitch.f0_min_hz)) + 1
        if n_bin < n_reach:
            raise ConfigError(
                f"pitch: {pitch.f0_min_hz} to {pitch.f0_max_hz} Hz are {n_bin} bins, but pitch may move by {n_reach} "
                f"in one hop of {self.hop_length} samples; widen the range or shorten hop_length"
            )
        if pitch.f0_max_hz > self.sample_rate / 2:
            raise ConfigError(f"pitch.f0_max_hz must lie below {self.sample_rate / 2} Hz, got {pitch.f0_max_hz}")

    def _check_chroma(self) -> None:
        if self.hop_length % 64:
            raise ConfigError(
                f"hop_length must be a multiple of 64 for chroma (7 octaves halve the rate 6 times), "
                f"got {self.hop_length}"
            )
        # The CQT's top octave starts at C7 and its filters reach past C8 = 4186 Hz.
        if self.sample_rate < 11_025:
            raise ConfigError(
                f"sample_rate must be at least 11025 Hz for seven octaves of chroma, got {self.sample_rate}"
            )


_PITCH_CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_UNITS = {"log_f0": "ln(Hz)", "mfcc": "dB", "log_mel": "dB"}  # every other column is a ratio


def _unit(column: str) -> str:
    return _UNITS.get(column if column in _UNITS else column.rpartition("_")[0], "1")


def _check_window(name: str, n_sample: int) -> None:
    if n_sample < 16:
        raise ConfigError(f"{name} must be at least 16 samples, got {n_sample}")


AUDIO_PRESETS: dict[str, AudioFeatureConfig] = {
    "default": AudioFeatureConfig(),
    # SKESL's 33 features (ACL 2023 Findings, section 4.1) at the released scripts' rate and hop,
    # with the log-F0 that the paper names instead of the zero-crossing rate that the scripts compute.
    "skesl-33": AudioFeatureConfig(sample_rate=22_050),
    # What the scripts of SKESL and CH-SIMS compute: no F0, and a tuning estimated for each clip.
    "ch-sims-33": AudioFeatureConfig(
        sample_rate=22_050,
        features=("zero_crossing_rate", "mfcc", "chroma_cqt"),
        chroma=ChromaConfig(tuning=None),
    ),
    # Spectrograms for VAT: 128 bands every 10 ms.
    "logmel128": AudioFeatureConfig(hop_length=160, features=("log_mel",)),
}
