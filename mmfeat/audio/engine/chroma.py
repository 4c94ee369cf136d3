"""Chroma: how loud each of the twelve pitch classes is, from a constant-Q transform of seven octaves."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mmfeat.audio.engine.cqt import BINS_PER_OCTAVE, N_OCTAVES, CqtPlan, cqt_plan
from mmfeat.audio.engine.decimate import decimate, octaves
from mmfeat.audio.engine.fft import transform, unpack
from mmfeat.audio.engine.frames import (
    as_clip,
    copy_span,
    frames_to_lanes,
    group_span,
    lane_rows,
    n_frames_of,
    n_groups_of,
)
from mmfeat.audio.engine.lanes import FloatArray, Lanes, fused_multiply_add, larger, load, splat, square_root, store
from mmfeat.audio.engine.mel import rows_to_frames
from mmfeat.audio.engine.tuning import estimate_tuning
from mmfeat.compile import kernel

N_CHROMA = 12
_BINS_PER_CLASS = BINS_PER_OCTAVE // N_CHROMA
_N_LANES = 16
_TINY = np.float32(np.finfo(np.float32).tiny)
FRAMES_PER_BLOCK = 16_384  # almost nine minutes at 16 kHz and a hop of 512
# Further than half of the longest filter (1.5 s at C1) and the six half-band filters of 385 taps before it reach.
_CONTEXT = 1 << 17  # samples


def chroma_cqt(samples: FloatArray, sample_rate: float, *, hop_length: int = 512, tuning: float | None) -> FloatArray:
    """Return the strength of the twelve pitch classes C, C#, … B in each frame.

    Args:
        samples: float32, shape (n_samples,), range [-1, 1].
        sample_rate: Hz, at least 8,868.
        hop_length: samples, a multiple of 64.
        tuning: deviation from A = 440 Hz in thirds of a semitone (the bins of the transform); None estimates it from
            the clip, which makes a frame depend on all others.

    Returns:
        float32, shape (1 + n_samples // hop_length, 12), range [0, 1]; the largest of each frame is 1, and a frame of
        digital silence is 0.

    Raises:
        ValueError: the clip is empty or has more than one dimension.

    Source: ``librosa.feature.chroma_cqt`` 0.11.
    """
    clip = as_clip(samples)
    if tuning is None:
        tuning = estimate_tuning(clip, sample_rate, bins_per_octave=BINS_PER_OCTAVE)
    return chroma_in_blocks(clip, hop_length, cqt_plan(sample_rate, hop_length, tuning))


def chroma_in_blocks(
    clip: FloatArray, hop_length: int, plan: CqtPlan, *, frames_per_block: int = FRAMES_PER_BLOCK
) -> FloatArray:
    """Return the chroma of a clip, computed block by block: the octaves of a long clip take as much memory as itself.

    A block begins a whole number of hops into the clip, so that every octave keeps the samples that it would have kept,
    and reaches ``_CONTEXT`` samples further on both sides than its frames.
    """
    n_frames = n_frames_of(clip.size, hop_length)
    n_context = -(-_CONTEXT // hop_length)
    blocks = []
    for first in range(0, n_frames, frames_per_block):
        end = min(first + frames_per_block, n_frames)
        begin = max(0, first - n_context)
        piece = clip[begin * hop_length : (end + n_context) * hop_length]
        blocks.append(_chroma(piece, hop_length, plan)[first - begin : end - begin])
    return np.concatenate(blocks) if len(blocks) > 1 else blocks[0]


def _chroma(clip: FloatArray, hop_length: int, plan: CqtPlan) -> FloatArray:
    """Return the chroma of one block."""
    start = decimate(clip, plan.early_factor) if plan.early_factor > 1 else clip
    n_frames = n_frames_of(clip.size, hop_length)
    classes = np.zeros((n_groups_of(n_frames), N_CHROMA * _N_LANES), np.float32)
    for octave, level in enumerate(octaves(start, N_OCTAVES)):
        _add_octave(level, plan.hop_length >> octave, plan, classes)
    return _normalize(classes, n_frames)


class OctaveBuffers(NamedTuple):
    """Working memory for one octave."""

    span: FloatArray
    rows: FloatArray
    real: FloatArray  # (n_fft / 2 + 1 rows)
    imaginary: FloatArray  # (n_fft / 2 + 1 rows)


@kernel
def _add_octave(samples: FloatArray, hop_length: int, plan: CqtPlan, classes: FloatArray) -> None:
    """Add the magnitudes in one octave to ``classes``, (n_groups, 12 * 16): rows of sixteen lanes."""
    n_spectrum = plan.n_fft // 2 + 1
    span = group_span(hop_length, plan.n_fft)
    buffers = OctaveBuffers(span, lane_rows(plan.n_fft), lane_rows(n_spectrum), lane_rows(n_spectrum))
    for group in range(classes.shape[0]):
        copy_span(samples, group * _N_LANES * hop_length - plan.n_fft // 2, span)
        frames_to_lanes(span, hop_length, plan.ones, buffers.rows)
        transform(buffers.rows, plan.fft)
        _unpack_octave(plan, buffers)
        _add_responses(plan, buffers, classes[group])


@kernel
def _unpack_octave(plan: CqtPlan, buffers: OctaveBuffers) -> None:
    """Write the spectra where filters need them: bins in the octave, and their mirror images, which come along."""
    half = plan.n_fft // 2
    first, end = plan.first_bin[0], plan.first_bin[-1] + plan.starts[-1] - plan.starts[-2]
    for k in range(min(first, half + 1 - end), half // 2 + 1):
        re, im, mirror_re, mirror_im = unpack(buffers.rows, plan.fft, k)
        store(buffers.real, k * _N_LANES, re)
        store(buffers.imaginary, k * _N_LANES, im)
        store(buffers.real, (half - k) * _N_LANES, mirror_re)
        store(buffers.imaginary, (half - k) * _N_LANES, mirror_im)


@kernel
def _add_responses(plan: CqtPlan, buffers: OctaveBuffers, classes: FloatArray) -> None:
    """Add the magnitude of each filter's response to its pitch class, the nearest semitone."""
    for k in range(BINS_PER_OCTAVE):
        at = (k + _BINS_PER_CLASS // 2) // _BINS_PER_CLASS % N_CHROMA * _N_LANES
        store(classes, at, load(classes, at) + _response(plan, buffers, k))


@kernel
def _response(plan: CqtPlan, buffers: OctaveBuffers, k: int) -> Lanes:
    """Return the magnitude of the product of filter ``k`` and the spectra."""
    re, im = splat(np.float32(0.0)), splat(np.float32(0.0))
    at = plan.first_bin[k] * _N_LANES
    for i in range(plan.starts[k], plan.starts[k + 1]):
        w_re, w_im = splat(plan.real[i]), splat(plan.imaginary[i])
        x_re, x_im = load(buffers.real, at), load(buffers.imaginary, at)
        re = fused_multiply_add(w_re, x_re, re) - w_im * x_im
        im = fused_multiply_add(w_re, x_im, fused_multiply_add(w_im, x_re, im))
        at += _N_LANES
    return square_root(fused_multiply_add(re, re, im * im))


@kernel
def _normalize(classes: FloatArray, n_frames: int) -> FloatArray:
    """Return the classes frame by frame, each frame divided by its largest."""
    result = np.empty((n_frames, N_CHROMA), np.float32)
    for group in range(classes.shape[0]):
        rows = classes[group]
        largest = load(rows, 0)
        for at in range(_N_LANES, rows.size, _N_LANES):
            largest = larger(largest, load(rows, at))
        largest = larger(largest, splat(_TINY))
        for at in range(0, rows.size, _N_LANES):
            store(rows, at, load(rows, at) / largest)
        rows_to_frames(rows, result[group * _N_LANES : (group + 1) * _N_LANES])
    return result
