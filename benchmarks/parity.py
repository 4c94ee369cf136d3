"""How equal the fast engine is to librosa on files.

    python benchmarks/parity.py PATH ... [--seconds S]

Every PATH is a sound file or a folder of them. One row per feature: how many frames (clips, for the tuning) were
compared, the largest difference, and what lies outside of the promised tolerance.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import numpy.typing as npt
import soundfile

from mmfeat.audio import engine

Array = npt.NDArray[Any]
HOP_LENGTH = 512
TOLERANCES = {"MFCC": 1e-3, "chroma": 1e-3, "tuning": 1e-9, "voicing": 0.0, "log-F0": 1e-3}


@dataclass
class Tally:
    """What was compared of one feature."""

    n_compared: int = 0
    n_outside: int = 0
    largest: float = 0.0
    files: list[str] = field(default_factory=list)

    def add(self, errors: Array, tolerance: float, file: str) -> None:
        """Count the errors of one clip."""
        outside = int(np.count_nonzero(errors > tolerance))
        self.n_compared += errors.size
        self.n_outside += outside
        self.largest = max(self.largest, float(errors.max(initial=0.0)))
        if outside:
            self.files.append(file)


def read_clips(paths: Sequence[Path], seconds: float) -> Iterator[tuple[str, Array, int]]:
    """Yield name, samples and sample rate of every readable sound file."""
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            try:
                samples, sample_rate = soundfile.read(file, dtype="float32", always_2d=True)
            except (soundfile.LibsndfileError, IsADirectoryError):
                continue
            mono = samples.mean(axis=1)[: int(seconds * sample_rate)]
            if mono.size and np.isfinite(mono).all():
                yield file.name, mono, sample_rate


def audible(samples: Array) -> npt.NDArray[np.bool_]:
    """Return which frames are not below 1e-4 of the loudest."""
    frames = librosa.util.frame(np.pad(samples, 1024), frame_length=2048, hop_length=HOP_LENGTH)
    levels = np.sqrt(np.mean(frames.astype(float) ** 2, axis=0))
    return np.asarray(levels >= 1e-4 * levels.max())


def spectral_errors(samples: Array, sample_rate: int) -> Iterator[tuple[str, Array]]:
    """Yield the errors of MFCC, tuning and chroma."""
    cepstrum = librosa.feature.mfcc(y=samples, sr=sample_rate, n_mfcc=20, htk=True).T
    yield "MFCC", np.abs(engine.mfcc(samples, sample_rate) - cepstrum).max(axis=1)
    tuning = librosa.estimate_tuning(y=samples, sr=sample_rate, bins_per_octave=36)
    yield "tuning", np.abs(np.array([engine.estimate_tuning(samples, sample_rate, bins_per_octave=36) - tuning]))
    if engine.supports(sample_rate, engine.Settings(features=("chroma_cqt",))):
        expected = librosa.feature.chroma_cqt(y=samples, sr=sample_rate, tuning=0.0).T
        chroma = engine.chroma_cqt(samples, sample_rate, tuning=0.0)
        yield "chroma", np.abs(chroma - expected[: len(chroma)]).max(axis=1)[audible(samples)]


def pitch_errors(samples: Array, sample_rate: int, low_hz: float, high_hz: float) -> Iterator[tuple[str, Array]]:
    """Yield the errors of voicing and of log-F0 where both are voiced."""
    if not engine.supports(sample_rate, engine.Settings(features=("log_f0",), f0_min_hz=low_hz, f0_max_hz=high_hz)):
        return
    expected_hz, expected, _ = librosa.pyin(samples, fmin=low_hz, fmax=high_hz, sr=sample_rate, hop_length=HOP_LENGTH)
    f0_hz, voiced, _ = engine.pyin(samples, sample_rate, f0_min_hz=low_hz, f0_max_hz=high_hz)
    both = voiced & expected
    yield "voicing", (voiced != expected).astype(float)
    yield "log-F0", np.abs(np.log(f0_hz[both]) / np.log(expected_hz[both]) - 1.0)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--seconds", type=float, default=20.0)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    tallies = {name: Tally() for name in TOLERANCES}
    for file, samples, sample_rate in read_clips(arguments.paths, arguments.seconds):
        for name, errors in (
            *spectral_errors(samples, sample_rate),
            *pitch_errors(samples, sample_rate, 50.0, 600.0),
            *pitch_errors(samples, sample_rate, 65.0, 2093.0),
        ):
            tallies[name].add(errors, TOLERANCES[name], file)
    print("| feature | compared | largest difference | outside of tolerance | in files |")
    print("|---|---|---|---|---|")
    for name, tally in tallies.items():
        print(f"| {name} | {tally.n_compared} | {tally.largest:.1e} | {tally.n_outside} | {', '.join(tally.files)} |")


if __name__ == "__main__":
    main()
