"""The loop that everybody writes: librosa on files, two joblib workers. Started by ``whole_process``.

python benchmarks/librosa_loop.py OUT.npz FILE.wav ...
"""

from __future__ import annotations

import sys

import joblib
import librosa
import numpy as np
import numpy.typing as npt

NAMES = ["log_f0", *(f"mfcc_{i}" for i in range(20)), *(f"chroma_{i}" for i in range(12))]


def features(path: str) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Return the 33 features of the default preset, shape (frame, 33), and which frames are voiced."""
    samples, sample_rate = librosa.load(path, sr=16_000)
    f0_hz, voiced, _ = librosa.pyin(samples, fmin=50.0, fmax=600.0, sr=sample_rate, hop_length=512)
    log_f0 = np.log(np.where(voiced, f0_hz, 1.0))
    cepstrum = librosa.feature.mfcc(y=samples, sr=sample_rate, n_mfcc=20, hop_length=512, htk=True)
    chroma = librosa.feature.chroma_cqt(y=samples, sr=sample_rate, hop_length=512, tuning=0.0)
    return np.concatenate([log_f0[None], cepstrum, chroma]).T.astype(np.float32), voiced


def main() -> None:
    """Extract, and store everything in one file."""
    out, *paths = sys.argv[1:]
    found = joblib.Parallel(n_jobs=2)(joblib.delayed(features)(path) for path in paths)
    values, voiced = zip(*found, strict=True)
    n_frame = [len(one) for one in values]
    np.savez(out, names=NAMES, n_frame=n_frame, values=np.concatenate(values), voiced=np.concatenate(voiced))


if __name__ == "__main__":
    main()
