import itertools

import numpy as np
import pytest

from mmfeat.data_report.moments import Moments


def moments_of(values, wanted, edges):
    """Return the moments of the rows between the edges, block by block."""
    found = Moments.nothing(values.shape[1])
    for start, stop in itertools.pairwise(edges):
        found = found.merged(Moments.of(values[start:stop], wanted[start:stop]))
    return found


@pytest.mark.parametrize("seed", range(20))
def test_blocks_of_any_size_give_the_moments_of_the_whole(seed):
    rng = np.random.default_rng(seed)
    n_row = int(rng.integers(1, 200))
    values = rng.normal(rng.uniform(-1e3, 1e3, 5), rng.uniform(1e-3, 1e3, 5), size=(n_row, 5)).astype(np.float32)
    wanted = rng.random(values.shape) < 0.8
    wanted[:, 4] = False
    edges = np.unique([0, n_row, *rng.integers(0, n_row + 1, 6)])

    found = moments_of(values, wanted, edges)

    for column in range(5):
        own = values[wanted[:, column], column].astype(np.float64)
        assert found.count[column] == own.size
        if own.size:
            assert found.mean[column] == pytest.approx(own.mean(), rel=1e-12)
            assert found.sd[column] == pytest.approx(own.std(), rel=1e-9, abs=1e-9)
            assert (found.low[column], found.high[column]) == (own.min(), own.max())
        else:
            assert np.isnan(found.mean[column])
            assert np.isnan(found.sd[column])


def test_a_small_spread_far_from_zero_is_not_lost():
    values = (1e6 + np.array([0, 1, 2, 3] * 1_000)).astype(np.float32)[:, None]
    found = moments_of(values, np.ones_like(values, dtype=bool), range(0, 4_001, 400))

    assert found.sd[0] == pytest.approx(np.sqrt(1.25), rel=1e-12)


def test_what_is_not_finite_is_counted_and_touches_nothing_else():
    values = np.array([[1, np.nan], [np.inf, 2], [3, -np.inf], [np.nan, 4]], dtype=np.float32)
    wanted = np.array([[1, 1], [1, 1], [1, 1], [0, 1]], dtype=bool)
    found = Moments.of(values, wanted)

    assert found.n_not_finite.tolist() == [1, 2]
    assert found.count.tolist() == [2, 2]
    assert found.mean.tolist() == [2, 3]
    assert found.high.tolist() == [3, 4]


def test_a_column_is_constant_over_all_blocks_only():
    values = np.array([[1, 1], [1, 1], [1, 2]], dtype=np.float32)
    wanted = np.ones_like(values, dtype=bool)

    assert moments_of(values, wanted, [0, 2]).is_constant.tolist() == [True, True]
    assert moments_of(values, wanted, [0, 2, 3]).is_constant.tolist() == [True, False]
    assert Moments.nothing(2).is_constant.tolist() == [False, False]
