"""A clip at half its rate, again and again: the input of the octaves of the constant-Q transform.

The filter is that of soxr at its quality "HQ", and it must be this one: the sparse basis of the transform is not quite
blind to what lies beyond its octave, so that any other low-pass filter, however good, changes chroma by up to 0.09. It
is measured once, as the response of soxr to an impulse: symmetric, 385 samples long.

Filtering and halving is done on spectra (overlap-save, Crochiere and Rabiner, "Multirate Digital Signal Processing",
1983, chapter 7): sixteen segments at a time are transformed, and with the spectrum X of ``n`` samples and the real
response H of the filter, the spectrum of every other sample is

    Y[k] = (X[k] H[k] + conj(X[n/2 - k]) H[n/2 - k]) / 2,  0 <= k <= n/4

The mean of a segment goes around the transforms, so that a quiet signal on a constant does not drown in its rounding.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import soxr

from mmfeat.audio.engine.fft import RealFftPlan, inverse_row, pack, real_fft_plan, transform, unpack
from mmfeat.audio.engine.frames import (
    copy_span,
    frames_to_lanes,
    group_span,
    lane_rows,
    n_groups_of,
    remove_means,
    transpose_rows,
)
from mmfeat.audio.engine.lanes import FloatArray, Lanes, fused_multiply_add, load, splat, store
from mmfeat.compile import kernel

_N_LANES = 16
_REACH = 192  # samples: half the length of the filter
_LONG, _SHORT = 2048, 1024  # samples of a segment


class DecimationPlan(NamedTuple):
    """Filter and transforms for segments of one length."""

    n_segment: int  # samples
    n_valid: int  # samples of a segment that the ends of the filter leave valid, and distance of segments
    ones: FloatArray  # (n_segment,)
    response: FloatArray  # (n_segment / 2 + 1,): of the filter, scaled to keep the energy
    forward: RealFftPlan
    backward: RealFftPlan


@lru_cache(maxsize=4)
def decimation_plan(n_segment: int) -> DecimationPlan:
    """Return the plan for segments of ``n_segment`` samples, a power of two of at least 512."""
    circular = np.zeros(n_segment)
    circular[np.arange(-_REACH, _REACH + 1)] = _impulse_response()
    response = 0.5 * np.sqrt(2.0) * np.fft.rfft(circular).real
    return DecimationPlan(
        n_segment,
        (n_segment - 2 * _REACH) // 32 * 32,
        np.ones(n_segment, np.float32),
        response.astype(np.float32),
        real_fft_plan(n_segment),
        real_fft_plan(n_segment // 2),
    )


def _impulse_response() -> npt.NDArray[np.float64]:
    """Return the filter at offsets from -192 to 192; an even impulse shows the even ones, an odd impulse the others."""
    length, middle = 4096, 2048
    response = np.zeros(2 * _REACH + 1)
    for parity in range(2):
        impulse = np.zeros(length)
        impulse[middle + parity] = 1.0
        offsets = np.arange(0, length, 2) - middle - parity
        near = np.abs(offsets) <= _REACH
        response[offsets[near] + _REACH] = soxr.resample(impulse, 2, 1, quality="HQ")[near]
    return response


def halve(samples: FloatArray) -> FloatArray:
    """Return the clip at half its rate, scaled to the same energy: float32, shape (ceil(n_samples / 2),).

    Equal to ``decimate(samples, 2)`` but for the rounding, at twice the speed.
    """
    n_segment = _LONG if samples.size > _N_LANES * _SHORT // 2 else _SHORT  # sixteen short ones do for a short clip
    return _halve(samples, decimation_plan(n_segment))


@kernel
def _halve(samples: FloatArray, plan: DecimationPlan) -> FloatArray:
    """Return the clip at half its rate, sixteen segments at a time."""
    n_out = (samples.size + 1) // 2
    n_groups = n_groups_of((2 * n_out + plan.n_valid - 1) // plan.n_valid)
    result = np.empty(n_groups * _N_LANES * plan.n_valid // 2, np.float32)
    span = group_span(plan.n_valid, plan.n_segment)
    rows = lane_rows(plan.n_segment)
    halved = lane_rows(plan.n_segment)
    for group in range(n_groups):
        first = group * _N_LANES * plan.n_valid
        copy_span(samples, first - _REACH, span)
        frames_to_lanes(span, plan.n_valid, plan.ones, rows)
        means = remove_means(rows)
        transform(rows, plan.forward)
        _filter_and_fold(rows, plan, halved)
        _pack_spectra(halved, plan, rows)
        transform(rows, plan.backward)
        _add_means(means, plan, rows)
        _write_segments(rows, plan, result[first // 2 :])
    return result[:n_out]


@kernel
def _add_means(means: Lanes, plan: DecimationPlan, rows: FloatArray) -> None:
    """Put the means back, scaled as everything else."""
    level = means * splat(np.float32(np.sqrt(2.0)))
    for at in range(0, plan.n_segment // 2 * _N_LANES, _N_LANES):
        store(rows, at, load(rows, at) + level)


@kernel
def _filter_and_fold(rows: FloatArray, plan: DecimationPlan, halved: FloatArray) -> None:
    """Write Y: rows of real and imaginary parts in turn."""
    half = plan.n_segment // 2
    for k in range(half // 2 + 1):
        re, im, mirror_re, mirror_im = unpack(rows, plan.forward, k)
        here, there = splat(plan.response[k]), splat(plan.response[half - k])
        store(halved, 2 * k * _N_LANES, fused_multiply_add(re, here, mirror_re * there))
        store(halved, (2 * k + 1) * _N_LANES, im * here - mirror_im * there)


@kernel
def _pack_spectra(halved: FloatArray, plan: DecimationPlan, rows: FloatArray) -> None:
    """Write what the transform turns into the segments at half the rate."""
    n = plan.n_segment // 4
    for k in range(n // 2 + 1):
        at, mirror = 2 * k * _N_LANES, 2 * (n - k) * _N_LANES
        re, im = load(halved, at), load(halved, at + _N_LANES)
        mirror_re, mirror_im = load(halved, mirror), load(halved, mirror + _N_LANES)
        pack(re, im, mirror_re, mirror_im, k, plan.backward, rows)


@kernel
def _write_segments(rows: FloatArray, plan: DecimationPlan, result: FloatArray) -> None:
    """Write the valid samples of sixteen segments one after the other."""
    n = plan.n_valid // 2
    at = np.empty(_N_LANES, np.int64)
    for first in range(0, n, _N_LANES):
        for i in range(_N_LANES):
            at[i] = inverse_row(plan.backward, first + i + _REACH // 2)
        transpose_rows(rows, at, result[first:], n)


def octaves(samples: FloatArray, n_octaves: int) -> list[FloatArray]:
    """Return the clip at its rate, at half of it, at a quarter, …: ``n_octaves`` arrays."""
    levels = [samples]
    while len(levels) < n_octaves:
        levels.append(halve(levels[-1]))
    return levels


def decimate(samples: FloatArray, factor: int) -> FloatArray:
    """Return the clip at ``1 / factor`` of its rate by soxr itself, scaled to the same energy.

    Args:
        samples: float32, shape (n_samples,).
        factor: a power of two.

    Returns:
        float32, shape (ceil(n_samples / factor),).

    Source: ``librosa.resample(..., res_type="soxr_hq", scale=True)`` 0.11.
    """
    n = -(-samples.size // factor)
    resampled = soxr.resample(samples, factor, 1, quality="HQ")[:n]
    resampled *= np.float32(np.sqrt(factor))
    return resampled if resampled.size == n else np.pad(resampled, (0, n - resampled.size))
