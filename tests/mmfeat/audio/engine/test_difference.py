"""The difference function against its definition."""

import numpy as np
import pytest

from mmfeat.audio.engine.difference import (
    difference_buffers,
    difference_plan,
    difference_rows,
    normalized_difference,
)
from mmfeat.audio.engine.sparse import sparse_correlations


def by_definition(frame, min_period, max_period):
    """Return d' of one frame in float64."""
    extended = np.concatenate([frame, np.zeros(max_period)]).astype(float)
    n = frame.size
    lags = np.arange(1, max_period + 1)
    energy = np.array([np.sum(extended[:lag] ** 2) if lag > 1 else 0.0 for lag in lags])
    correlation = np.array([extended[:n] @ extended[lag : lag + n] for lag in lags])
    difference = 2.0 * (extended @ extended - correlation) - energy
    return (difference / (np.cumsum(difference) / lags))[min_period - 1 :]


@pytest.mark.parametrize(
    ("hop_length", "frame_length"), [(512, 2048), (256, 2048), (160, 2048), (64, 1024), (400, 512)]
)
def test_frames_cut_into_blocks_have_the_difference_function_of_the_definition(signal, hop_length, frame_length):
    samples = signal("syllables", 16000)
    plan = difference_plan(min_period=26, max_period=320, frame_length=frame_length, hop_length=hop_length)
    buffers, rows = difference_buffers(plan), difference_rows(plan)
    sparse = sparse_correlations(samples, hop_length=hop_length, frame_length=frame_length, max_lag=320)
    padded = np.pad(samples, (frame_length // 2, 40 * hop_length + frame_length))
    for group in range(3):  # spectra are carried from group to group
        normalized_difference(samples, sparse, group, plan, buffers, rows)
        result = rows.normalized.reshape(-1, 16)
        for lane in range(16):
            start = (16 * group + lane) * hop_length
            expected = by_definition(padded[start : start + frame_length], 26, 320)
            assert result[:, lane] == pytest.approx(expected, abs=1e-4)  # float32: 1e-6, more where d is nearly 0


def test_a_silent_frame_beside_a_loud_one_is_zero():
    samples = np.zeros(16 * 2048, np.float32)
    samples[:2048] = np.random.default_rng(0).standard_normal(2048)
    plan = difference_plan(min_period=26, max_period=320, frame_length=2048, hop_length=512)
    rows = difference_rows(plan)
    sparse = sparse_correlations(samples, hop_length=512, frame_length=2048, max_lag=320)
    normalized_difference(samples, sparse, 0, plan, difference_buffers(plan), rows)
    assert rows.normalized.reshape(-1, 16)[:, 0].any()
    assert not rows.normalized.reshape(-1, 16)[:, 8:].any()
