"""What the audio benchmark asks: the clips it is asked of, the two answers, and how far they lie apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import librosa
import numpy as np
import soundfile

from mmfeat import AUDIO_PRESETS, AudioFeatureConfig, Waveform, extract_audio, read_audio
from mmfeat.audio.config import ChromaConfig, PitchConfig
from mmfeat.types import BoolArray, Float32Array

DEFAULT = AUDIO_PRESETS["default"]
WIDE_RANGE = PitchConfig(f0_min_hz=65.0, f0_max_hz=2093.0)  # C2 to C7, the range of librosa's own example


@dataclass(frozen=True, kw_only=True)
class Clip:
    """One clip: a file, and its samples at the rate of most presets."""

    path: Path
    waveform: Waveform


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The features of one clip."""

    values: Float32Array  # (frame, column)
    names: tuple[str, ...]
    voiced: BoolArray | None = None


@dataclass(frozen=True, kw_only=True)
class Question:
    """One row of the table: the same features, by librosa and by mmfeat."""

    name: str
    by_librosa: Callable[[Clip], Answer]
    by_mmfeat: Callable[[Clip], Answer]
    short: bool = False  # asked of the first quarter of a second


def synthetic_clip(path: Path, *, seed: int, duration_s: float, sample_rate: int = 16_000) -> Clip:
    """Write and return something like speech: harmonic syllables, pauses, a noise floor of -60 dB."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(duration_s * sample_rate)) / sample_rate
    f0_hz = rng.uniform(90, 250) * 2.0 ** (0.3 * np.sin(2 * np.pi * rng.uniform(0.3, 0.9) * time_s))
    phase = 2 * np.pi * np.cumsum(f0_hz) / sample_rate
    voice = np.sum([np.sin(k * phase) / k for k in range(1, 20)], axis=0)
    loudness = np.clip(np.sin(2 * np.pi * rng.uniform(1.5, 4) * time_s + rng.uniform(0, 6)) + 0.3, 0, 1)
    samples = 0.1 * voice * loudness + 0.001 * rng.standard_normal(time_s.size)
    soundfile.write(path, samples.astype(np.float32), sample_rate, subtype="PCM_16")
    return read_clip(path)


def read_clip(path: Path, *, duration_s: float | None = None) -> Clip:
    """Return the beginning of a file, at 16 kHz."""
    return Clip(path=path, waveform=read_audio(path, DEFAULT.sample_rate, end_s=duration_s))


def beginning(clip: Clip, duration_s: float) -> Clip:
    """Return the first samples of a clip."""
    waveform = clip.waveform
    n_sample = round(duration_s * waveform.sample_rate)
    return replace(clip, waveform=replace(waveform, samples=waveform.samples[:n_sample]))


def questions() -> list[Question]:
    """Return the rows of the table, as far as one process answers them."""
    chroma = replace(DEFAULT, features=("chroma_cqt",))
    pitch = replace(DEFAULT, features=("log_f0",))
    return [
        _extraction("MFCC", replace(DEFAULT, features=("mfcc",))),
        _extraction("chroma_cqt, tuning 0", chroma),
        _extraction("chroma_cqt, tuning estimated", replace(chroma, chroma=ChromaConfig(tuning=None))),
        _extraction("pYIN 50-600 Hz", pitch),
        _extraction("pYIN 65-2093 Hz", replace(pitch, pitch=WIDE_RANGE)),
        _extraction("all 33, 50-600 Hz", DEFAULT),
        _extraction("all 33, 65-2093 Hz", replace(DEFAULT, pitch=WIDE_RANGE)),
        _extraction("128 log-mel bands", AUDIO_PRESETS["logmel128"]),
        Question(name="released recipe, from file", by_librosa=_released_recipe, by_mmfeat=_released_recipe_by_preset),
        replace(_extraction("all 33 of a 0.25 s clip", DEFAULT), short=True),
    ]


def _extraction(name: str, config: AudioFeatureConfig) -> Question:
    """Return the row of one configuration, both answers through the function that users call."""

    def by_librosa(clip: Clip) -> Answer:
        found = extract_audio(clip.waveform, config, engine="librosa")
        return Answer(values=found.values, names=found.names, voiced=found.voiced)

    def by_mmfeat(clip: Clip) -> Answer:
        found = extract_audio(clip.waveform, config)
        return Answer(values=found.values, names=found.names, voiced=found.voiced)

    return Question(name=name, by_librosa=by_librosa, by_mmfeat=by_mmfeat)


def _released_recipe(clip: Clip) -> Answer:
    """Return what the released scripts of SKESL and CH-SIMS compute, by their calls."""
    samples, sample_rate = librosa.load(clip.path)  # 22,050 Hz, as always there
    crossings = librosa.feature.zero_crossing_rate(samples, hop_length=512)
    cepstrum = librosa.feature.mfcc(y=samples, sr=sample_rate, hop_length=512, htk=True, n_mfcc=20)
    chroma = librosa.feature.chroma_cqt(y=samples, sr=sample_rate, hop_length=512)
    values = np.concatenate([crossings, cepstrum, chroma]).T
    return Answer(values=values.astype(np.float32), names=AUDIO_PRESETS["ch-sims-33"].feature_names)


def _released_recipe_by_preset(clip: Clip) -> Answer:
    """Return the same by mmfeat."""
    config = AUDIO_PRESETS["ch-sims-33"]
    found = extract_audio(read_audio(clip.path, config.sample_rate), config)
    return Answer(values=found.values, names=found.names)


def error(expected: Sequence[Answer], found: Sequence[Answer]) -> str:
    """Return how far the answers about all clips lie apart, in words; largest absolute differences."""
    parts = []
    if expected[0].voiced is not None:
        pairs = [(one.voiced, other.voiced) for one, other in zip(expected, found, strict=True)]
        voiced, found_voiced = (np.concatenate(flags) for flags in zip(*pairs, strict=True))
        parts.append(f"voicing {int(np.sum(voiced != found_voiced))} of {voiced.size:,} frames")
    for title, start in _COLUMNS.items():
        columns = [index for index, name in enumerate(expected[0].names) if name.startswith(start)]
        if columns:
            differences = (_difference(*pair, columns) for pair in zip(expected, found, strict=True))
            largest = max(differences)
            parts.append(f"{title} {largest:.0e}" if largest else f"{title} 0")
    return ", ".join(parts)


_COLUMNS = {
    "log-F0": "log_f0",
    "crossings": "zero_crossing_rate",
    "MFCC": "mfcc",
    "chroma": "chroma",
    "log-mel": "log_mel",
}


def _difference(expected: Answer, found: Answer, columns: Sequence[int]) -> float:
    """Return the largest difference; of log-F0 where both are voiced."""
    difference = np.abs(expected.values[:, columns] - found.values[:, columns])
    if expected.voiced is not None and found.voiced is not None and expected.names[columns[0]] == "log_f0":
        difference = difference[expected.voiced & found.voiced]
    return float(difference.max(initial=0.0))
