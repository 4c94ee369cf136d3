"""Settings of the audio features, and the named presets.

Frame ``t`` is centred on sample ``t * hop_length``, so a clip has ``1 + n_samples // hop_length`` frames.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mmfeat.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class PitchConfig:
    """Search range and window of log-F0 by pYIN (Mauch and Dixon, ICASSP 2014)."""

    f0_min_hz: float = 50.0  # Hz; below the deepest speaking voices
    f0_max_hz: float = 600.0  # Hz; above children's and excited voices
    frame_length: int = 2048  # samples; at least two periods of f0_min_hz

    def __post_init__(self) -> None:
        if not 0 < self.f0_min_hz < self.f0_max_hz:
            raise ConfigError(f"expected 0 < f0_min_hz < f0_max_hz, got {self.f0_min_hz} Hz and {self.f0_max_hz} Hz")
        if self.frame_length < 16:
            raise ConfigError(f"frame_length must be at least 16 samples, got {self.frame_length}")


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
        if self.n_fft < 16:
            raise ConfigError(f"n_fft must be at least 16 samples, got {self.n_fft}")


@dataclass(frozen=True, kw_only=True)
class ChromaConfig:
    """Constant-Q chroma, 12 pitch classes from C1 over 7 octaves."""

    # Speech has no concert pitch; estimating it per clip would shift the chroma bins of each clip differently.
    tuning: float | None = 0.0  # fractions of a bin of 36 per octave; "none" estimates it for each clip

    def __post_init__(self) -> None:
        if self.tuning is not None and not -0.5 <= self.tuning < 0.5:
            raise ConfigError(f"tuning must lie in [-0.5, 0.5), got {self.tuning}")


@dataclass(frozen=True, kw_only=True)
class AudioFeatureConfig:
    """The 33 audio features: log-F0 (1), MFCC (20) and CQT chroma (12)."""

    sample_rate: int = 16_000  # Hz; other rates are resampled with soxr HQ
    hop_length: int = 512  # samples
    pitch: PitchConfig = field(default_factory=PitchConfig)
    mfcc: MfccConfig = field(default_factory=MfccConfig)
    chroma: ChromaConfig = field(default_factory=ChromaConfig)

    def __post_init__(self) -> None:
        if self.hop_length < 64 or self.hop_length % 64:
            raise ConfigError(
                f"hop_length must be a multiple of 64 (7 octaves of chroma halve the rate 6 times), "
                f"got {self.hop_length}"
            )
        # The CQT's top octave starts at C7 and its filters reach past C8 = 4186 Hz.
        if self.sample_rate < 11_025:
            raise ConfigError(
                f"sample_rate must be at least 11025 Hz for seven octaves of chroma, got {self.sample_rate}"
            )
        if self.pitch.f0_min_hz * self.pitch.frame_length < 2 * self.sample_rate:
            raise ConfigError(
                f"pitch: a window of {self.pitch.frame_length} samples at {self.sample_rate} Hz holds less than "
                f"two periods of {self.pitch.f0_min_hz} Hz; raise frame_length or f0_min_hz"
            )
        if self.pitch.f0_max_hz > self.sample_rate / 2:
            raise ConfigError(f"pitch.f0_max_hz must lie below {self.sample_rate / 2} Hz, got {self.pitch.f0_max_hz}")

    @property
    def hop_s(self) -> float:
        """Step between frames in seconds."""
        return self.hop_length / self.sample_rate

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        mfcc = tuple(f"mfcc_{i}" for i in range(self.mfcc.n_mfcc))
        chroma = tuple(f"chroma_{name}" for name in _PITCH_CLASSES)
        return ("log_f0", *mfcc, *chroma)

    @property
    def feature_units(self) -> tuple[str, ...]:
        """Units of the columns, in order: ln(Hz), dB (of a DCT of dB values) and 1 (relative energy)."""
        return ("ln(Hz)", *["dB"] * self.mfcc.n_mfcc, *["1"] * len(_PITCH_CLASSES))


_PITCH_CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")

AUDIO_PRESETS: dict[str, AudioFeatureConfig] = {
    "default": AudioFeatureConfig(),
    # SKESL's 33 features (ACL 2023 Findings, section 4.1) at the released scripts' rate and hop,
    # with the log-F0 that the paper names instead of the zero-crossing rate that the scripts compute.
    "skesl-33": AudioFeatureConfig(sample_rate=22_050),
}
