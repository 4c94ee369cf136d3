"""The cumulative mean normalized difference function of YIN, sixteen frames at once.

With the frame ``y`` of ``W`` samples and its autocorrelation ``r(k) = sum of y[j] y[j + k]``:

    d(k)  = 2 (r(0) - r(k)) - sum of y[m]^2 over m < k
    d'(k) = d(k) / ((d(1) + … + d(k)) / k)

Source: de Cheveigne and Kawahara, "YIN, a fundamental frequency estimator for speech and music", JASA 111 (2002),
equations 6 to 8, in the form of librosa 0.11 (the frame is extended by zeros).

Only lags up to one period of the lowest pitch are needed, far fewer than the frame is long. So the frame is cut into
blocks of ``B`` samples, B at least the longest lag, and a product ``y[j] y[j + k]`` with j in one block reaches at most
into the next. With ``X_b`` the spectrum of block b extended by B zeros, whose circular correlations are exact up to lag
B:

    spectrum of r = sum over all blocks of |X_b|^2 + sum over all but the last of (-1)^f conj(X_b) X_{b+1}

((-1)^f moves block b + 1 behind block b). That is one short transform per block instead of two long ones per frame, and
where the hop divides B, consecutive frames even share their blocks.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mmfeat.audio.engine.fft import RealFftPlan, inverse_row, pack, real_fft_plan, transform, unpack
from mmfeat.audio.engine.frames import copy_span, frames_to_lanes, group_span, lane_rows
from mmfeat.audio.engine.lanes import FloatArray, Lanes, fused_multiply_add, load, splat, store
from mmfeat.audio.engine.sparse import SparseFrames
from mmfeat.compile import kernel

_N_LANES = 16
_ROW, _COMPLEX = 16, 32  # floats, as in ``fft``
_TINY = float(np.finfo(np.float64).tiny)  # keeps 0 / 0 of a silent frame at 0
_TINY_FLOAT32 = np.float32(np.finfo(np.float32).tiny)


class DifferencePlan(NamedTuple):
    """How frames are cut into blocks, and which lags are wanted."""

    hop_length: int  # samples
    frame_length: int  # samples
    min_period: int  # samples, first lag of the result
    max_period: int  # samples, last lag of the result
    block_length: int  # samples, a power of two of at least max_period
    n_blocks: int  # per frame
    is_shared: bool  # frames share their blocks: the hop divides the block
    block_stride: int  # lanes from a frame's block to its next one in a row of block spectra
    row_length: int  # lanes of a row of block spectra
    ones: FloatArray  # (block_length,), the window of a block
    fft: RealFftPlan  # of 2 * block_length points


def difference_plan(*, min_period: int, max_period: int, frame_length: int, hop_length: int) -> DifferencePlan:
    """Return the plan for frames whose length is a power of two of at least 32 and at least ``max_period``."""
    block_length = frame_length
    while block_length // 2 >= max(max_period, 16) and not (
        block_length % hop_length == 0 and block_length // 2 % hop_length
    ):
        block_length //= 2  # as short as possible, but not so short that frames no longer share blocks
    n_blocks = frame_length // block_length
    is_shared = block_length % hop_length == 0
    stride = block_length // hop_length if is_shared else _N_LANES
    n_columns = _N_LANES + (n_blocks - 1) * stride
    row_length = -(-n_columns // _N_LANES) * _N_LANES
    ones = np.ones(block_length, np.float32)
    fft = real_fft_plan(2 * block_length)
    return DifferencePlan(
        hop_length, frame_length, min_period, max_period, block_length, n_blocks, is_shared, stride, row_length, ones,
        fft
    )  # fmt: skip


class DifferenceRows(NamedTuple):
    """The function d' of sixteen frames; rows of sixteen lanes, one per lag from ``min_period`` to ``max_period``."""

    normalized: FloatArray  # d', in float32
    difference: FloatArray  # d
    total: FloatArray  # the sum of d from lag 1 to this one


@kernel
def difference_rows(plan: DifferencePlan) -> DifferenceRows:
    """Return room for the result of ``normalized_difference``."""
    n_lags = plan.max_period - plan.min_period + 1
    return DifferenceRows(lane_rows(n_lags), lane_rows(n_lags), lane_rows(n_lags))


@kernel
def exact_normalized_difference(rows: DifferenceRows, index: int, lag: int) -> float:
    """Return d' in float64, as librosa divides, at position ``index`` of the rows, where the lag is ``lag``.

    Around an isolated click d' is 1 but for the last digits of float32, and they decide where its troughs are.
    """
    return np.float64(rows.difference[index]) / (np.float64(rows.total[index]) / lag + _TINY)


class DifferenceBuffers(NamedTuple):
    """Working memory of one call; the block spectra are carried from group to group."""

    block_span: FloatArray  # samples under sixteen blocks
    frame_span: FloatArray  # samples under the beginnings of sixteen frames
    rows: FloatArray  # (2 * block_length rows), transforms happen here
    heads: FloatArray  # (rows), the beginnings of sixteen frames
    real: FloatArray  # (block_length + 1, row_length)
    imaginary: FloatArray  # (block_length + 1, row_length)


@kernel
def difference_buffers(plan: DifferencePlan) -> DifferenceBuffers:
    """Return working memory for ``normalized_difference``."""
    n_heads = (plan.max_period + _N_LANES - 1) // _N_LANES * _N_LANES
    n_spectra = (plan.block_length + 1) * plan.row_length // _N_LANES
    return DifferenceBuffers(
        group_span(plan.hop_length, plan.block_length),
        group_span(plan.hop_length, n_heads),
        lane_rows(2 * plan.block_length),
        lane_rows(n_heads),
        lane_rows(n_spectra),
        lane_rows(n_spectra),
    )


@kernel
def normalized_difference(
    samples: FloatArray,
    sparse: SparseFrames,
    group: int,
    plan: DifferencePlan,
    buffers: DifferenceBuffers,
    rows: DifferenceRows,
) -> None:
    """Write d' of the sixteen frames of ``group``; groups must come in order, because spectra are carried over.

    Args:
        samples: the clip, float32, shape (n_samples,).
        sparse: frames whose autocorrelation is known.
        group: index of the group; its frames are ``16 * group`` to ``16 * group + 15``.
        plan: of ``difference_plan``.
        buffers: of ``difference_buffers``.
        rows: receives the result; a silent frame gives zeros.
    """
    _update_block_spectra(samples, group, plan, buffers)
    _correlate_blocks(plan, buffers)
    _insert_sparse_frames(sparse, group, plan, buffers)
    copy_span(samples, first_sample(group, plan), buffers.frame_span)
    frames_to_lanes(buffers.frame_span, plan.hop_length, plan.ones[: buffers.heads.size // _N_LANES], buffers.heads)
    _normalize(plan, buffers, rows)


@kernel
def first_sample(group: int, plan: DifferencePlan) -> int:
    """Return where the first frame of a group begins; before the clip, for the first ones."""
    return group * _N_LANES * plan.hop_length - plan.frame_length // 2


@kernel
def _update_block_spectra(samples: FloatArray, group: int, plan: DifferencePlan, buffers: DifferenceBuffers) -> None:
    """Make the block spectra those of the frames of ``group``."""
    first = first_sample(group, plan)
    if not plan.is_shared:
        for block in range(plan.n_blocks):
            _block_spectra(samples, first + block * plan.block_length, block * _N_LANES, plan, buffers)
        return
    last = plan.row_length - _N_LANES
    if group > 0:
        _move_left(buffers.real)
        _move_left(buffers.imaginary)
    for column in range(last if group > 0 else 0, plan.row_length, _N_LANES):
        _block_spectra(samples, first + column * plan.hop_length, column, plan, buffers)


@kernel
def _move_left(spectra: FloatArray) -> None:
    """Drop the sixteen oldest columns: they end up behind the previous row, where the next spectra go."""
    for at in range(0, spectra.size - _N_LANES, _N_LANES):
        store(spectra, at, load(spectra, at + _N_LANES))


@kernel
def _block_spectra(
    samples: FloatArray, first: int, column: int, plan: DifferencePlan, buffers: DifferenceBuffers
) -> None:
    """Write the spectra of sixteen blocks, a hop apart, into the columns from ``column`` on."""
    copy_span(samples, first, buffers.block_span)
    frames_to_lanes(buffers.block_span, plan.hop_length, plan.ones, buffers.rows)
    buffers.rows[plan.block_length * _ROW :] = np.float32(0.0)
    transform(buffers.rows, plan.fft)
    for k in range(plan.block_length // 2 + 1):
        re, im, mirror_re, mirror_im = unpack(buffers.rows, plan.fft, k)
        here, there = k * plan.row_length + column, (plan.block_length - k) * plan.row_length + column
        store(buffers.real, here, re)
        store(buffers.imaginary, here, im)
        store(buffers.real, there, mirror_re)
        store(buffers.imaginary, there, mirror_im)


@kernel
def _correlate_blocks(plan: DifferencePlan, buffers: DifferenceBuffers) -> None:
    """Leave in ``rows`` the autocorrelation of sixteen frames, scaled, in the order that ``inverse_row`` tells."""
    n = plan.block_length
    for k in range(n // 2 + 1):
        re, im = _frame_spectrum(plan, buffers, k)
        mirror_re, mirror_im = _frame_spectrum(plan, buffers, n - k)
        pack(re, im, mirror_re, mirror_im, k, plan.fft, buffers.rows)
    transform(buffers.rows, plan.fft)


@kernel
def _frame_spectrum(plan: DifferencePlan, buffers: DifferenceBuffers, k: int) -> tuple[Lanes, Lanes]:
    """Return the spectrum of the autocorrelation at frequency ``k``, from the spectra of the blocks."""
    at = k * plan.row_length
    re, im = load(buffers.real, at), load(buffers.imaginary, at)
    sum_re = fused_multiply_add(re, re, im * im)
    sum_im = splat(np.float32(0.0))
    sign = splat(np.float32(1 - 2 * (k % 2)))
    for block in range(1, plan.n_blocks):
        next_re = load(buffers.real, at + block * plan.block_stride)
        next_im = load(buffers.imaginary, at + block * plan.block_stride)
        cross_re = fused_multiply_add(re, next_re, im * next_im)
        cross_im = re * next_im - im * next_re
        power = fused_multiply_add(next_re, next_re, next_im * next_im)
        sum_re = fused_multiply_add(sign, cross_re, sum_re + power)
        sum_im = fused_multiply_add(sign, cross_im, sum_im)
        re, im = next_re, next_im
    return sum_re, sum_im


@kernel
def _insert_sparse_frames(sparse: SparseFrames, group: int, plan: DifferencePlan, buffers: DifferenceBuffers) -> None:
    """Replace the autocorrelation of the group's sparse frames."""
    first, end = (
        np.searchsorted(sparse.frames, group * _N_LANES),
        np.searchsorted(sparse.frames, (group + 1) * _N_LANES),
    )
    for i in range(first, end):
        lane = sparse.frames[i] % _N_LANES
        for lag in range(plan.max_period + 1):
            buffers.rows[inverse_row(plan.fft, lag) + lane] = sparse.correlations[i, lag]


@kernel
def _normalize(plan: DifferencePlan, buffers: DifferenceBuffers, rows: DifferenceRows) -> None:
    """Write d' from the autocorrelation and the beginnings of the frames."""
    two = splat(np.float32(2.0))
    at_zero = load(buffers.rows, inverse_row(plan.fft, 0))
    energy = splat(np.float32(0.0))
    total = splat(np.float32(0.0))
    for lag in range(1, plan.max_period + 1):
        sample = load(buffers.heads, (lag - 1) * _ROW)
        energy = energy + sample * sample
        difference = two * (at_zero - load(buffers.rows, inverse_row(plan.fft, lag)))
        if lag > 1:  # librosa overwrites the energy before lag 1 by 0, which moves d' by up to 1e-3
            difference = difference - energy
        total = total + difference
        if lag >= plan.min_period:
            at = (lag - plan.min_period) * _ROW
            store(rows.difference, at, difference)
            store(rows.total, at, total)
            store(rows.normalized, at, difference * splat(np.float32(lag)) / (total + splat(_TINY_FLOAT32)))
