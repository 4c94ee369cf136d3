"""Sixteen overlapping frames of a signal, laid side by side for the lane kernels.

Frame ``t`` of every feature is centred on sample ``t * hop_length``; outside the clip the signal is zero. There are
``1 + n_samples // hop_length`` frames. A group is sixteen consecutive frames, one per lane; in the last group the lanes
beyond the last frame are computed and not used.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mmfeat.audio.engine.lanes import FloatArray, Lanes, interleave_high, interleave_low, load, splat, store
from mmfeat.compile import kernel

N_LANES = 16
_ALIGNMENT = 64  # bytes: a cache line, which a vector should not straddle
_FLOAT_SIZE = 4  # bytes


def as_clip(samples: FloatArray) -> FloatArray:
    """Return ``samples`` as the kernels take them: float32, contiguous, writeable (numba compiles twice otherwise).

    Raises:
        ValueError: the clip is empty or has more than one dimension.
    """
    clip = np.require(samples, np.float32, ["C", "A", "W"])
    if clip.ndim != 1 or clip.size == 0:
        raise ValueError(f"expected a clip of one dimension with at least one sample, got shape {clip.shape}")
    return clip


@kernel
def n_frames_of(n_samples: int, hop_length: int) -> int:
    """Return the length of the common frame grid."""
    return 1 + n_samples // hop_length


@kernel
def n_groups_of(n_frames: int) -> int:
    """Return how many groups of sixteen hold ``n_frames`` frames."""
    return (n_frames + N_LANES - 1) // N_LANES


@kernel
def lane_rows(n_rows: int) -> FloatArray:
    """Return an uninitialized array for ``n_rows`` rows of sixteen lanes that starts on a cache line."""
    slack = _ALIGNMENT // _FLOAT_SIZE
    array = np.empty(n_rows * N_LANES + slack, np.float32)
    first = (-array.ctypes.data % _ALIGNMENT) // _FLOAT_SIZE
    return array[first : first + n_rows * N_LANES]


@kernel
def group_span(hop_length: int, frame_length: int) -> FloatArray:
    """Return an uninitialized array for the samples that sixteen consecutive frames of ``frame_length`` cover."""
    n = (N_LANES - 1) * hop_length + frame_length
    return lane_rows((n + N_LANES - 1) // N_LANES)[:n]


@kernel
def copy_span(samples: FloatArray, first: int, span: FloatArray) -> None:
    """Fill ``span`` with the samples from index ``first`` on, which may be negative; zeros lie outside the clip."""
    n_before = min(max(-first, 0), span.size)
    n_inside = max(min(span.size, samples.size - first) - n_before, 0)
    span[:n_before] = np.float32(0.0)
    span[n_before : n_before + n_inside] = samples[first + n_before : first + n_before + n_inside]
    span[n_before + n_inside :] = np.float32(0.0)


@kernel
def frames_to_lanes(span: FloatArray, hop_length: int, window: FloatArray, rows: FloatArray) -> None:
    """Write sixteen windowed frames into ``rows``, sample by sample.

    Args:
        span: samples of the group; frame ``lane`` starts at ``lane * hop_length``.
        hop_length: samples between frames.
        window: one factor per sample of the frame; its length, a multiple of 16, is the frame's.
        rows: receives sample ``n`` of frame ``lane`` at ``n * 16 + lane``.
    """
    for n in range(0, window.size, N_LANES):
        _transpose_tile(span, n, hop_length, load(window, n), rows)


@kernel
def _transpose_tile(span: FloatArray, n: int, hop_length: int, factors: Lanes, rows: FloatArray) -> None:
    """Write samples ``n`` to ``n + 15`` of the sixteen frames.

    A 16 x 16 matrix is transposed by four perfect shuffles: each interleaves row i with row i + 8, and turns the number
    row * 16 + column left by one bit.
    """
    a = (
        load(span, n) * factors,
        load(span, n + hop_length) * factors,
        load(span, n + 2 * hop_length) * factors,
        load(span, n + 3 * hop_length) * factors,
        load(span, n + 4 * hop_length) * factors,
        load(span, n + 5 * hop_length) * factors,
        load(span, n + 6 * hop_length) * factors,
        load(span, n + 7 * hop_length) * factors,
        load(span, n + 8 * hop_length) * factors,
        load(span, n + 9 * hop_length) * factors,
        load(span, n + 10 * hop_length) * factors,
        load(span, n + 11 * hop_length) * factors,
        load(span, n + 12 * hop_length) * factors,
        load(span, n + 13 * hop_length) * factors,
        load(span, n + 14 * hop_length) * factors,
        load(span, n + 15 * hop_length) * factors,
    )
    transposed = _shuffle(_shuffle(_shuffle(_shuffle(a))))
    for row in range(N_LANES):
        store(rows, (n + row) * N_LANES, transposed[row])


@kernel
def _shuffle(a: tuple[Lanes, ...]) -> tuple[Lanes, ...]:
    """Return the rows interleaved in pairs: 0 with 8, 1 with 9, and so on."""
    return (
        interleave_low(a[0], a[8]),
        interleave_high(a[0], a[8]),
        interleave_low(a[1], a[9]),
        interleave_high(a[1], a[9]),
        interleave_low(a[2], a[10]),
        interleave_high(a[2], a[10]),
        interleave_low(a[3], a[11]),
        interleave_high(a[3], a[11]),
        interleave_low(a[4], a[12]),
        interleave_high(a[4], a[12]),
        interleave_low(a[5], a[13]),
        interleave_high(a[5], a[13]),
        interleave_low(a[6], a[14]),
        interleave_high(a[6], a[14]),
        interleave_low(a[7], a[15]),
        interleave_high(a[7], a[15]),
    )


@kernel
def transpose_rows(rows: FloatArray, at: npt.NDArray[np.int64], result: FloatArray, stride: int) -> None:
    """Write sixteen rows as sixteen runs of sixteen samples.

    Args:
        rows: rows of sixteen lanes.
        at: int64, shape (16,): where the rows begin that hold the samples.
        result: receives the run of ``lane`` at ``lane * stride``.
        stride: samples between runs.
    """
    a = (
        load(rows, at[0]),
        load(rows, at[1]),
        load(rows, at[2]),
        load(rows, at[3]),
        load(rows, at[4]),
        load(rows, at[5]),
        load(rows, at[6]),
        load(rows, at[7]),
        load(rows, at[8]),
        load(rows, at[9]),
        load(rows, at[10]),
        load(rows, at[11]),
        load(rows, at[12]),
        load(rows, at[13]),
        load(rows, at[14]),
        load(rows, at[15]),
    )
    transposed = _shuffle(_shuffle(_shuffle(_shuffle(a))))
    for lane in range(N_LANES):
        store(result, lane * stride, transposed[lane])


@kernel
def remove_means(rows: FloatArray) -> Lanes:
    """Subtract from each frame its mean; return the means."""
    total = load(rows, 0)
    for at in range(N_LANES, rows.size, N_LANES):
        total = total + load(rows, at)
    mean = total * splat(np.float32(N_LANES / rows.size))
    for at in range(0, rows.size, N_LANES):
        store(rows, at, load(rows, at) - mean)
    return mean
