"""How often a signal changes its sign."""

from __future__ import annotations

import numpy as np

from mmfeat.audio.engine.frames import as_clip, n_frames_of
from mmfeat.audio.engine.lanes import FloatArray
from mmfeat.compile import kernel

_THRESHOLD = 1e-10  # samples of at most this magnitude count as zero, and zero as positive


def zero_crossing_rate(samples: FloatArray, *, frame_length: int = 2048, hop_length: int = 512) -> FloatArray:
    """Return the share of samples of each frame at which the sign changes.

    Args:
        samples: float32, shape (n_samples,), range [-1, 1].
        frame_length: samples.
        hop_length: samples.

    Returns:
        float32, shape (1 + n_samples // hop_length,), range [0, 1). The clip is extended by its first and last sample.

    Raises:
        ValueError: the clip is empty or has more than one dimension.

    Source: ``librosa.feature.zero_crossing_rate`` 0.11.
    """
    return _rates(as_clip(samples), frame_length, hop_length)


@kernel
def _rates(samples: FloatArray, frame_length: int, hop_length: int) -> FloatArray:
    """Return the rate of each frame, as the difference of two counts from the beginning of the clip."""
    n_before = _crossings_before(samples)
    rates = np.empty(n_frames_of(samples.size, hop_length), np.float32)
    for frame in range(rates.size):
        start = frame * hop_length - frame_length // 2
        first = min(max(start + 1, 0), samples.size)
        end = min(max(start + frame_length, 0), samples.size)
        rates[frame] = (n_before[end] - n_before[first]) / frame_length
    return rates


@kernel
def _crossings_before(samples: FloatArray) -> np.ndarray:
    """Return for each n how many of the first n samples have another sign than the sample before."""
    counts = np.empty(samples.size + 1, np.int32)
    counts[0] = 0
    count = 0
    was_negative = samples[0] < -_THRESHOLD
    for n in range(samples.size):
        is_negative = samples[n] < -_THRESHOLD
        count += is_negative != was_negative
        counts[n + 1] = count
        was_negative = is_negative
    return counts
