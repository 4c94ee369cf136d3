"""Frames of digital silence with a few stray samples.

A single click has a flat spectrum and no correlation but with itself. All that a transform in float32 adds is rounding,
but pitch and tuning look for the largest among equals, so rounding would decide. Such frames, which recordings with a
gate or a fade are full of, are therefore recognized and computed as librosa does, to the same last digit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.fft

from mmfeat.audio.engine.frames import n_frames_of
from mmfeat.audio.engine.lanes import FloatArray
from mmfeat.compile import kernel

MAX_STRAY_SAMPLES = 8  # more of them have peaks of their own
_N_LANES = 16


@kernel
def sparse_lanes(samples: FloatArray, first: int, hop_length: int, frame_length: int) -> int:
    """Return sixteen bits: which of the frames from index ``first`` on are not silent, but nearly."""
    lanes = 0
    for lane in range(_N_LANES):
        n = n_stray_samples(samples, first + lane * hop_length, frame_length)
        lanes |= (1 << lane) if 0 < n <= MAX_STRAY_SAMPLES else 0
    return lanes


@kernel
def n_stray_samples(samples: FloatArray, start: int, frame_length: int) -> int:
    """Return how many samples of a frame are not 0, or a larger number than ``MAX_STRAY_SAMPLES``.

    The search ends there, so in a frame of sound it takes a few steps. It begins in the middle, where the sound is in
    the frames at both ends of the clip.
    """
    count = 0
    middle = min(max(start + frame_length // 2, 0), samples.size)
    for n in range(middle, min(start + frame_length, samples.size)):
        count += int(samples[n] != 0.0)
        if count > MAX_STRAY_SAMPLES:
            return count
    for n in range(middle - 1, max(start, 0) - 1, -1):
        count += int(samples[n] != 0.0)
        if count > MAX_STRAY_SAMPLES:
            return count
    return count


@kernel
def sparse_frames(samples: FloatArray, hop_length: int, frame_length: int) -> npt.NDArray[np.int64]:
    """Return the indices of all sparse frames of a clip."""
    n_frames = n_frames_of(samples.size, hop_length)
    found = np.empty(n_frames, np.int64)
    count = 0
    for frame in range(n_frames):
        found[count] = frame
        n = n_stray_samples(samples, frame * hop_length - frame_length // 2, frame_length)
        count += 0 < n <= MAX_STRAY_SAMPLES
    return found[:count]


def exact_magnitudes(clip: FloatArray, frames: npt.NDArray[np.int64], hop_length: int, n_fft: int) -> FloatArray:
    """Return the magnitude spectra of some frames as librosa computes them: in float64, then rounded.

    Args:
        clip: float32, shape (n_samples,).
        frames: their indices.
        hop_length: samples.
        n_fft: samples of the Hann window.

    Returns:
        float32, shape (n_groups, (n_fft / 2 + 1) * 16): rows of sixteen lanes, zeros in those that are not used.
    """
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(n_fft) / n_fft)
    cut = _cut(clip, frames, hop_length, n_fft)
    spectra = np.zeros((-(-frames.size // _N_LANES) * _N_LANES, n_fft // 2 + 1), np.complex64)
    spectra[: frames.size] = np.fft.rfft(cut * window, axis=1)
    grouped = np.abs(spectra).reshape(-1, _N_LANES, n_fft // 2 + 1)
    return np.ascontiguousarray(grouped.swapaxes(1, 2)).reshape(grouped.shape[0], -1)


class SparseFrames(NamedTuple):
    """The sparse frames of a clip."""

    frames: npt.NDArray[np.int64]  # (n,): their indices
    correlations: FloatArray  # (n, max_lag + 1): autocorrelation


def sparse_correlations(clip: FloatArray, *, hop_length: int, frame_length: int, max_lag: int) -> SparseFrames:
    """Return the sparse frames of a clip, and their autocorrelations by the transform that librosa takes.

    Args:
        clip: float32, shape (n_samples,).
        hop_length: samples.
        frame_length: samples.
        max_lag: samples.
    """
    frames = sparse_frames(clip, hop_length, frame_length)
    if not frames.size:
        return SparseFrames(frames, np.zeros((0, max_lag + 1), np.float32))
    spectra = scipy.fft.rfft(_cut(clip, frames, hop_length, frame_length).T, 2 * frame_length, axis=0)
    power = spectra.real**2 + spectra.imag**2
    correlations = scipy.fft.irfft(power, 2 * frame_length, axis=0)[: max_lag + 1].T
    return SparseFrames(frames, np.ascontiguousarray(correlations, np.float32))


def _cut(clip: FloatArray, frames: npt.NDArray[np.int64], hop_length: int, frame_length: int) -> FloatArray:
    """Return some frames, float32 of shape (n, frame_length)."""
    padded = np.pad(clip, frame_length // 2)
    return np.lib.stride_tricks.sliding_window_view(padded, frame_length)[frames * hop_length]
