"""Trough probabilities against the formula, threshold by threshold."""

import numpy as np
import pytest
import scipy.stats

from mmfeat.audio.engine.candidates import threshold_prior, trough_buffers, trough_probabilities


def by_definition(depths):
    """Return the probability of each trough, summed over all thresholds."""
    thresholds = np.linspace(0.0, 1.0, 101)
    weights = np.diff(scipy.stats.beta.cdf(thresholds, 2.0, 18.0))
    result = np.zeros(len(depths))
    for threshold, weight in zip(thresholds[1:], weights, strict=True):
        seen = np.flatnonzero(depths < threshold)
        if seen.size:
            shares = np.exp(-2.0 * np.arange(seen.size))
            result[seen] += weight * shares / shares.sum()
        else:
            result[np.argmin(depths)] += 0.01 * weight
    return result


@pytest.mark.parametrize(
    "depths",
    [[0.005], [-1e-6, 0.3], [0.5, 0.2, 0.2, 0.05], [0.1, 0.01, 0.0099999], [1.2, 1.1], [0.31, 0.07, 0.9, 0.06, 1.5]],
)
def test_probabilities_are_those_of_the_definition(depths):
    depths = np.array(depths)
    probabilities = np.empty(depths.size)
    trough_probabilities(depths, threshold_prior(8), trough_buffers(depths.size), probabilities)
    assert probabilities == pytest.approx(by_definition(depths), abs=1e-14)


def test_probabilities_of_many_troughs_are_those_of_the_definition():
    rng = np.random.default_rng(0)
    for _ in range(50):
        depths = rng.uniform(0.0, 1.3, rng.integers(1, 40))
        probabilities = np.empty(depths.size)
        trough_probabilities(depths, threshold_prior(40), trough_buffers(depths.size), probabilities)
        assert probabilities == pytest.approx(by_definition(depths), abs=1e-14)
