"""Power spectra of Hann-windowed frames, sixteen frames at once."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from mmfeat.audio.engine.fft import RealFftPlan, real_fft_plan, transform, unpack
from mmfeat.audio.engine.frames import copy_span, frames_to_lanes, group_span, lane_rows
from mmfeat.audio.engine.lanes import FloatArray, fused_multiply_add, store
from mmfeat.compile import kernel

_N_LANES = 16


class StftPlan(NamedTuple):
    """Window and transform of a short-time Fourier transform."""

    n_fft: int  # samples of a frame, and of its window
    hop_length: int  # samples
    window: FloatArray  # (n_fft,): periodic Hann
    fft: RealFftPlan


@lru_cache(maxsize=32)
def stft_plan(n_fft: int, hop_length: int) -> StftPlan:
    """Return the tables for frames of ``n_fft`` samples, a power of two of at least 16."""
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(n_fft) / n_fft)
    return StftPlan(n_fft, hop_length, window.astype(np.float32), real_fft_plan(n_fft))


class StftBuffers(NamedTuple):
    """Working memory, and the result for the current group."""

    span: FloatArray
    rows: FloatArray
    power: FloatArray  # (n_fft / 2 + 1 rows): |X|^2


@kernel
def stft_buffers(plan: StftPlan) -> StftBuffers:
    """Return working memory for ``power_spectra``."""
    span = group_span(plan.hop_length, plan.n_fft)
    return StftBuffers(span, lane_rows(plan.n_fft), lane_rows(plan.n_fft // 2 + 1))


@kernel
def power_spectra(samples: FloatArray, group: int, plan: StftPlan, buffers: StftBuffers) -> None:
    """Leave in ``buffers.power`` the power spectra of the sixteen frames of ``group``.

    Frame ``t`` is centred on sample ``t * hop_length``; zeros lie outside the clip.
    """
    copy_span(samples, group * _N_LANES * plan.hop_length - plan.n_fft // 2, buffers.span)
    frames_to_lanes(buffers.span, plan.hop_length, plan.window, buffers.rows)
    transform(buffers.rows, plan.fft)
    half = plan.n_fft // 2
    for k in range(half // 2 + 1):
        re, im, mirror_re, mirror_im = unpack(buffers.rows, plan.fft, k)
        store(buffers.power, k * _N_LANES, fused_multiply_add(re, re, im * im))
        store(buffers.power, (half - k) * _N_LANES, fused_multiply_add(mirror_re, mirror_re, mirror_im * mirror_im))
