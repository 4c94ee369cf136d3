import math

import numpy as np
import pytest

from mmfeat import InputError
from skesl import sentiment_metrics
from skesl.metrics import CONVENTIONS

NAMES = [
    "mae", "corr", "acc2_has0", "f1_has0", "acc2_non0", "f1_non0", "acc2_mag", "f1_mag", "mae_mag", "corr_mag",
    "acc7_round", "acc7_bins", "acc5_round",
]  # fmt: skip


def test_every_metric_of_a_small_example_is_what_a_hand_computes():
    metrics = sentiment_metrics([2.0, -1.0, 0.0, 1.0, -3.0], [1.6, 0.0, -0.4, -0.2, -2.6])

    assert list(metrics) == NAMES
    expected = {
        "mae": (0.4 + 1.0 + 0.4 + 1.2 + 0.4) / 5,
        # means -0.2 and -0.32; covariance sum 10.48, variance sums 14.8 and 9.008
        "corr": (2.2 * 1.92 + -0.8 * 0.32 + 0.2 * -0.08 + 1.2 * 0.12 + -2.8 * -2.28)
        / math.sqrt((2.2**2 + 0.8**2 + 0.2**2 + 1.2**2 + 2.8**2) * (1.92**2 + 0.32**2 + 0.08**2 + 0.12**2 + 2.28**2)),
        # y >= 0: + - + + -; p >= 0: + + - - -
        "acc2_has0": 2 / 5,
        # positive: precision 1/2, recall 1/3, F1 0.4, weight 3; negative: precision 1/3, recall 1/2, F1 0.4, weight 2
        "f1_has0": 0.4,
        # without the zero: y + - + -; p > 0: + - - -
        "acc2_non0": 3 / 4,
        # positive: precision 1, recall 1/2, F1 2/3; negative: precision 2/3, recall 1, F1 4/5; two each
        "f1_non0": (2 / 3 + 4 / 5) / 2,
        # without the zero: y + - + -; p >= 0: + + - -
        "acc2_mag": 2 / 4,
        "f1_mag": 0.5,
        "mae_mag": (0.4 + 1.0 + 1.2 + 0.4) / 4,
        "corr_mag": (2.25 * 1.9 + -0.75 * 0.3 + 1.25 * 0.1 + -2.75 * -2.3)
        / math.sqrt((2.25**2 + 0.75**2 + 1.25**2 + 2.75**2) * (1.9**2 + 0.3**2 + 0.1**2 + 2.3**2)),
        # labels 2 -1 0 1 -3; predictions 2 0 0 0 -3
        "acc7_round": 3 / 5,
        # labels 2 -1 0 1 -3; predictions 2 0 -1 -1 -3
        "acc7_bins": 2 / 5,
        # labels 2 -1 0 1 -2; predictions 2 0 0 0 -2
        "acc5_round": 3 / 5,
    }
    assert metrics == pytest.approx(expected, rel=1e-12)  # float64


def weighted_f1(truth, said):
    """Return F1 of both classes, weighted by how often each is true."""
    total = 0.0
    for value in (True, False):
        hits = sum(t == value and s == value for t, s in zip(truth, said, strict=True))
        n_true, n_said = sum(t == value for t in truth), sum(s == value for s in said)
        total += n_true * (2 * hits / (n_true + n_said) if n_true + n_said else 0.0)
    return total / len(truth)


def pearson(y, p):
    my, mp = math.fsum(y) / len(y), math.fsum(p) / len(p)
    cov = math.fsum((a - my) * (b - mp) for a, b in zip(y, p, strict=True))
    vy, vp = math.fsum((a - my) ** 2 for a in y), math.fsum((b - mp) ** 2 for b in p)
    return cov / math.sqrt(vy * vp) if vy and vp else math.nan


def same(y, p, key):
    return sum(key(a) == key(b) for a, b in zip(y, p, strict=True)) / len(y)


def bin_of(value):
    if value == 0:
        return 0
    steps = next((bound for bound in (1, 2) if abs(value) <= bound), 3)
    return steps if value > 0 else -steps


def independent(y, p):
    """Return the same metrics in plain Python, clip by clip; Python's ``round`` is half to even."""
    pairs = [(a, b) for a, b in zip(y, p, strict=True) if a != 0]
    yn, pn = [a for a, _ in pairs], [b for _, b in pairs]
    signs = {
        "has0": ([a >= 0 for a in y], [b >= 0 for b in p]),
        "non0": ([a > 0 for a in yn], [b > 0 for b in pn]),
        "mag": ([a >= 0 for a in yn], [b >= 0 for b in pn]),
    }
    return {
        "mae": sum(abs(a - b) for a, b in zip(y, p, strict=True)) / len(y),
        "corr": pearson(y, p),
        **{f"acc2_{name}": same(t, s, bool) for name, (t, s) in signs.items()},
        **{f"f1_{name}": weighted_f1(t, s) for name, (t, s) in signs.items()},
        "mae_mag": sum(abs(a - b) for a, b in pairs) / len(pairs),
        "corr_mag": pearson(yn, pn),
        "acc7_round": same(y, p, lambda v: round(min(max(v, -3), 3))),
        "acc7_bins": same(y, p, bin_of),
        "acc5_round": same(y, p, lambda v: round(min(max(v, -2), 2))),
    }


@pytest.mark.parametrize("seed", range(200))
def test_metrics_agree_with_an_independent_implementation(seed):
    rng = np.random.default_rng(seed)
    n_clip = int(rng.integers(3, 40))
    # thirds as in MOSI's labels, or halves, where the rounding rules differ
    y = rng.integers(-9, 10, n_clip) / (3 if seed % 2 else 2)
    y[0] = 1.0  # at least one clip is not neutral
    p = y + rng.normal(size=n_clip) if seed % 3 else rng.integers(-8, 9, n_clip) / 2

    metrics = sentiment_metrics(y, p)

    # float64 sums of at most 40 numbers; r amplifies rounding a little
    assert metrics == pytest.approx(independent(y.tolist(), p.tolist()), rel=1e-9, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("label", [0.5, -0.5, 1.5, -1.5, 2.5, -2.5])
def test_halves_are_rounded_to_the_even_neighbour(label):
    even = {0.5: 0, 1.5: 2, 2.5: 2}[abs(label)] * np.sign(label)

    assert sentiment_metrics([label], [even])["acc7_round"] == 1
    assert sentiment_metrics([label], [even + np.sign(label)])["acc7_round"] == 0


@pytest.mark.parametrize(
    ("label", "prediction", "by_rounding", "by_bins"),
    [
        (0.4, 0.0, 1, 0),  # rounding calls it neutral, the bins do not
        (1.0, 0.6, 1, 1),
        (1.0, 0.4, 0, 1),
        (1.2, 1.0, 1, 0),
        (1.2, 1.8, 0, 1),
        (-0.1, 0.1, 1, 0),
        (3.0, 2.1, 0, 1),
        (3.0, 9.0, 1, 1),
    ],
)
def test_seven_classes_by_rounding_and_by_bins_differ_where_they_should(label, prediction, by_rounding, by_bins):
    metrics = sentiment_metrics([label], [prediction])

    assert metrics["acc7_round"] == by_rounding
    assert metrics["acc7_bins"] == by_bins


def test_neutral_clips_count_only_where_the_name_says_so():
    metrics = sentiment_metrics([0.0, 1.0], [-1.0, 1.0])

    assert metrics["acc2_has0"] == 0.5
    assert metrics["acc2_non0"] == metrics["acc2_mag"] == 1.0


def test_a_prediction_of_0_is_positive_for_has0_and_mag_but_not_for_non0():
    metrics = sentiment_metrics([1.0], [0.0])

    assert (metrics["acc2_has0"], metrics["acc2_mag"], metrics["acc2_non0"]) == (1, 1, 0)


@pytest.mark.parametrize(("labels", "predictions"), [([1, -1, 2], [0.5] * 3), ([1.0] * 3, [1, 2, 3]), ([1], [2])])
def test_the_correlation_of_a_constant_is_nan_and_everything_else_is_there(labels, predictions):
    metrics = sentiment_metrics(labels, predictions)

    assert math.isnan(metrics["corr"])
    assert math.isnan(metrics["corr_mag"])
    assert all(math.isfinite(value) for name, value in metrics.items() if not name.startswith("corr"))


def test_without_a_polar_clip_their_metrics_are_nan():
    metrics = sentiment_metrics([0.0, 0.0], [1.0, -1.0])

    undefined = {name for name, value in metrics.items() if math.isnan(value)}
    assert undefined == {"corr", "acc2_non0", "f1_non0", "acc2_mag", "f1_mag", "mae_mag", "corr_mag"}


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("side", ["labels", "predictions"])
def test_numbers_that_are_not_finite_are_refused(bad, side):
    values = {"labels": [1.0, 2.0], "predictions": [1.0, 2.0], side: [1.0, bad]}

    with pytest.raises(InputError, match="expected finite labels and predictions"):
        sentiment_metrics(**values)


@pytest.mark.parametrize(("labels", "predictions"), [([1, 2], [1]), ([], []), ([[1, 2]], [[1, 2]])])
def test_unequal_or_empty_columns_are_refused(labels, predictions):
    with pytest.raises(InputError, match="expected as many predictions as labels"):
        sentiment_metrics(labels, predictions)


def test_the_conventions_line_names_every_convention():
    assert all(word in CONVENTIONS for word in ("has0", "non0", "mag", "round", "bins", "weighted"))
