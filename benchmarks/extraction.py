"""Audio features: the fast engine against librosa, speed and error in the same row.

    python benchmarks/extraction.py [--clips N] [--seconds S] [FILE.wav ...]

Both run in this process, in turn, on one thread; times are CPU time, the median over the clips. Without files the clips
are made: syllables of harmonics with vibrato over a noise floor, 16 kHz.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"  # before numpy is imported

import argparse  # noqa: E402
import time  # noqa: E402
import warnings  # noqa: E402
from collections.abc import Callable, Sequence  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import librosa  # noqa: E402
import numpy as np  # noqa: E402
import numpy.typing as npt  # noqa: E402
import soundfile  # noqa: E402

from mmfeat.audio import engine  # noqa: E402

Clip = tuple[npt.NDArray[np.float32], int]
Result = Any
RANGES_HZ = {"50-600 Hz": (50.0, 600.0), "65-2093 Hz": (65.0, 2093.0)}


@dataclass(frozen=True, kw_only=True)
class Question:
    """One row of the table."""

    name: str
    reference: Callable[[npt.NDArray[np.float32], int], Result]
    fast: Callable[[npt.NDArray[np.float32], int], Result]
    error: Callable[[Result, Result], float]
    error_name: str


def synthetic_clip(seed: int, duration_s: float) -> Clip:
    """Return something like speech: harmonic syllables, pauses, a noise floor of -60 dB."""
    sample_rate = 16000
    rng = np.random.default_rng(seed)
    time_s = np.arange(int(duration_s * sample_rate)) / sample_rate
    f0_hz = rng.uniform(90, 250) * 2.0 ** (0.3 * np.sin(2 * np.pi * rng.uniform(0.3, 0.9) * time_s))
    phase = 2 * np.pi * np.cumsum(f0_hz) / sample_rate
    voice = sum(np.sin(k * phase) / k for k in range(1, 20))
    loudness = np.clip(np.sin(2 * np.pi * rng.uniform(1.5, 4) * time_s + rng.uniform(0, 6)) + 0.3, 0, 1)
    samples = 0.1 * voice * loudness + 0.001 * rng.standard_normal(time_s.size)
    return samples.astype(np.float32), sample_rate


def read_clip(path: Path, duration_s: float) -> Clip:
    """Return the beginning of a file, mono."""
    samples, sample_rate = soundfile.read(path, dtype="float32", always_2d=True)
    return samples.mean(axis=1)[: int(duration_s * sample_rate)], sample_rate


def largest_difference(expected: Result, found: Result) -> float:
    """Return the largest absolute difference of two arrays or numbers."""
    return float(np.max(np.abs(np.asarray(expected) - np.asarray(found))))


def voicing_errors(expected: Result, found: Result) -> float:
    """Return the share of frames whose voicing differs, or whose f0 does by more than 1e-3."""
    expected_hz, expected_voiced, _ = expected
    f0_hz, voiced, _ = found
    with np.errstate(invalid="ignore"):
        wrong_pitch = voiced & expected_voiced & (np.abs(f0_hz / expected_hz - 1.0) > 1e-3)
    return float(np.mean((voiced != expected_voiced) | wrong_pitch))


def librosa_chroma(samples: npt.NDArray[np.float32], sample_rate: int) -> Result:
    """Return librosa's chroma on the common frame grid."""
    return librosa.feature.chroma_cqt(y=samples, sr=sample_rate).T[: 1 + samples.size // 512]


def pitch_question(label: str) -> Question:
    """Return the row of pYIN in one range."""
    low_hz, high_hz = RANGES_HZ[label]
    return Question(
        name=f"pYIN {label}",
        reference=lambda y, sr: librosa.pyin(y, fmin=low_hz, fmax=high_hz, sr=sr, hop_length=512),
        fast=lambda y, sr: engine.pyin(y, sr, f0_min_hz=low_hz, f0_max_hz=high_hz),
        error=voicing_errors,
        error_name="share of wrong frames",
    )


def all_features_question(label: str) -> Question:
    """Return the row of all 33 features with one range of pitch."""
    low_hz, high_hz = RANGES_HZ[label]
    settings = engine.Settings(f0_min_hz=low_hz, f0_max_hz=high_hz)

    def reference(y: npt.NDArray[np.float32], sr: int) -> Result:
        f0_hz, voiced, _ = librosa.pyin(y, fmin=low_hz, fmax=high_hz, sr=sr, hop_length=512)
        log_f0 = np.where(voiced, np.log(np.where(voiced, f0_hz, 1.0)), 0.0)
        cepstrum = librosa.feature.mfcc(y=y, sr=sr, n_mfcc=20, htk=True).T
        return np.concatenate([log_f0[:, None], cepstrum, librosa_chroma(y, sr)], axis=1)

    def fast(y: npt.NDArray[np.float32], sr: int) -> Result:
        found = engine.extract(y, sr, settings)
        return np.concatenate([found[name] for name in settings.features], axis=1)

    return Question(
        name=f"all 33, {label}",
        reference=reference,
        fast=fast,
        error=largest_difference,
        error_name="largest difference",
    )


def questions() -> list[Question]:
    """Return the rows of the table."""
    return [
        Question(
            name="MFCC",
            reference=lambda y, sr: librosa.feature.mfcc(y=y, sr=sr, n_mfcc=20, htk=True).T,
            fast=lambda y, sr: engine.mfcc(y, sr),
            error=largest_difference,
            error_name="largest difference",
        ),
        Question(
            name="log-mel 128, hop 160",
            reference=lambda y, sr: (
                librosa.power_to_db(
                    librosa.feature.melspectrogram(y=y, sr=sr, n_fft=1024, hop_length=160, n_mels=128)
                ).T
            ),
            fast=lambda y, sr: engine.logmel(y, sr, n_fft=1024, hop_length=160, n_mels=128),
            error=largest_difference,
            error_name="largest difference, dB",
        ),
        Question(
            name="tuning",
            reference=lambda y, sr: librosa.estimate_tuning(y=y, sr=sr, bins_per_octave=36),
            fast=lambda y, sr: engine.estimate_tuning(y, sr, bins_per_octave=36),
            error=largest_difference,
            error_name="largest difference",
        ),
        Question(
            name="chroma, tuning estimated",
            reference=librosa_chroma,
            fast=lambda y, sr: engine.chroma_cqt(y, sr, tuning=None),
            error=largest_difference,
            error_name="largest difference",
        ),
        *[pitch_question(label) for label in RANGES_HZ],
        *[all_features_question(label) for label in RANGES_HZ],
    ]


def cpu_time_s(function: Callable[..., Result], clip: Clip, n_repeats: int) -> tuple[float, Result]:
    """Return the median CPU time of a call, and its result."""
    times_s = []
    for _ in range(n_repeats):
        start_s = time.process_time()
        result = function(*clip)
        times_s.append(time.process_time() - start_s)
    return float(np.median(times_s)), result


def measure(question: Question, clips: Sequence[Clip]) -> str:
    """Return one row of the table."""
    rows = []
    for clip in clips:
        fast_s, found = cpu_time_s(question.fast, clip, 7)
        reference_s, expected = cpu_time_s(question.reference, clip, 1)
        rows.append((reference_s, fast_s, reference_s / fast_s, question.error(expected, found)))
    reference_s, fast_s, ratio, _ = np.median(rows, axis=0)
    worst = max(error for *_, error in rows)
    return (
        f"| {question.name} | {1e3 * reference_s:.1f} | {1e3 * fast_s:.2f} | {ratio:.0f}x "
        f"| {worst:.1e} {question.error_name} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--clips", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=8.0)
    arguments = parser.parse_args()
    if arguments.files:
        clips = [read_clip(path, arguments.seconds) for path in arguments.files]
    else:
        clips = [synthetic_clip(seed, arguments.seconds) for seed in range(arguments.clips)]
    warnings.simplefilter("ignore")
    engine.compile_kernels()
    print("| feature | librosa, ms | fast, ms | ratio | error |")
    print("|---|---|---|---|---|")
    for question in questions():
        question.fast(*clips[0]), question.reference(*clips[0])  # tables and librosa's own kernels
        print(measure(question, clips), flush=True)


if __name__ == "__main__":
    main()
