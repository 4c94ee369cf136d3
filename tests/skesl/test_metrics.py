import math

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    hamming_loss,
    jaccard_score,
    mean_absolute_error,
    recall_score,
)

from mmfeat import InputError
from skesl import class_metrics, multilabel_metrics, sentiment_metrics, sims_metrics
from skesl.metrics import (
    CONVENTIONS,
    METRIC_NAMES,
    mer23_measures,
    numbers,
    several_regressions,
    smaller_is_better,
)

NAMES = [
    "mae", "corr", "acc2_has0", "f1_has0", "acc2_non0", "f1_non0", "f1_non0_swapped", "acc2_mag", "f1_mag", "mae_mag",
    "corr_mag", "acc7_round", "acc7_bins", "acc5_round",
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
        # the same two F1, weighted by what was said: one positive, three negative
        "f1_non0_swapped": (2 / 3 * 1 + 4 / 5 * 3) / 4,
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
        "mae": math.fsum(abs(a - b) for a, b in zip(y, p, strict=True)) / len(y),
        "corr": pearson(y, p),
        **{f"acc2_{name}": same(t, s, bool) for name, (t, s) in signs.items()},
        **{f"f1_{name}": weighted_f1(t, s) for name, (t, s) in signs.items()},
        "f1_non0_swapped": weighted_f1(*reversed(signs["non0"])),
        "mae_mag": math.fsum(abs(a - b) for a, b in pairs) / len(pairs),
        "corr_mag": pearson(yn, pn),
        "acc7_round": same(y, p, lambda v: round(min(max(v, -3), 3))),
        "acc7_bins": same(y, p, bin_of),
        "acc5_round": same(y, p, lambda v: round(min(max(v, -2), 2))),
    }


def independent_sims(y, p):
    """Return CH-SIMS' metrics in plain Python."""
    y, p = ([min(max(v, -1.0), 1.0) for v in column] for column in (y, p))

    def bin_in(value, edges):
        return sum(value > edge for edge in edges)

    return {
        "sims_acc2": same(y, p, lambda v: bin_in(v, [0])),
        "sims_acc3": same(y, p, lambda v: bin_in(v, [-0.1, 0.1])),
        "sims_acc5": same(y, p, lambda v: bin_in(v, [-0.7, -0.1, 0.1, 0.7])),
        "sims_f1": weighted_f1([v > 0 for v in y], [v > 0 for v in p]),
        "sims_mae": math.fsum(abs(a - b) for a, b in zip(y, p, strict=True)) / len(y),
        "sims_corr": pearson(y, p),
    }


def random_case(seed):
    """Return labels and predictions: thirds as in MOSI's labels, or halves, where the rounding rules differ."""
    rng = np.random.default_rng(seed)
    n_clip = int(rng.integers(3, 40))
    y = rng.integers(-9, 10, n_clip) / (3 if seed % 2 else 2)
    y[0] = 1.0  # at least one clip is not neutral
    return y, y + rng.normal(size=n_clip) if seed % 3 else rng.integers(-8, 9, n_clip) / 2


@pytest.mark.parametrize("first", range(0, 1000, 125))
def test_a_thousand_random_cases_agree_with_an_independent_implementation(first):
    n_swapped = 0
    for seed in range(first, first + 125):
        y, p = random_case(seed)
        metrics = sentiment_metrics(y, p)

        assert metrics == pytest.approx(independent(y.tolist(), p.tolist()), rel=0, abs=1e-12, nan_ok=True)
        n_swapped += abs(metrics["f1_non0_swapped"] - metrics["f1_non0"]) > 1e-12
    assert 12 < n_swapped < 125  # they differ where as many are said positive as not are true


def test_random_cases_of_sims_agree_with_an_independent_implementation():
    for seed in range(200):
        y, p = random_case(seed)
        y, p = np.round(y / 3, 1), p / 2.5  # tenths: labels that lie on the edges of the bins

        expected = independent_sims(y.tolist(), p.tolist())
        assert sims_metrics(y, p) == pytest.approx(expected, rel=0, abs=1e-12, nan_ok=True)


def independent_multilabel(y, p):
    """Return the metrics of yes-or-no labels in plain Python, clip by clip."""
    rows = [(set(np.flatnonzero(a)), {i for i, s in enumerate(b) if s >= 0.5}) for a, b in zip(y, p, strict=True)]
    labels = range(len(y[0]))
    counts = {
        label: (
            sum(label in a and label in b for a, b in rows),
            sum(label in a for a, _ in rows) + sum(label in b for _, b in rows),
        )
        for label in labels
    }
    f1s = [2 * hits / both if both else 0.0 for hits, both in counts.values()]
    n_hits, n_both = (sum(pair[index] for pair in counts.values()) for index in (0, 1))
    return {
        "ml_acc": math.fsum(len(a & b) / len(a | b) if a | b else 1.0 for a, b in rows) / len(rows),
        "ml_acc_empty0": math.fsum(len(a & b) / len(a | b) if a | b else 0.0 for a, b in rows) / len(rows),
        "hamming_loss": sum(len(a ^ b) for a, b in rows) / (len(rows) * len(labels)),
        "micro_f1": 2 * n_hits / n_both if n_both else 0.0,
        "macro_f1": math.fsum(f1s) / len(f1s),
        **{f"f1_{label}": f1s[label] for label in labels},
    }


def test_random_cases_of_labels_agree_with_an_independent_implementation_and_with_sklearn():
    for seed in range(60):
        rng = np.random.default_rng(seed)
        y = rng.random((int(rng.integers(2, 30)), 4)) < 0.3
        p = np.round(rng.random(y.shape), 1)  # tenths: scores of 0.5, and equal scores
        metrics = multilabel_metrics(y, p)

        expected = independent_multilabel(y.tolist(), p.tolist())
        assert {name: metrics[name] for name in expected} == pytest.approx(expected, rel=0, abs=1e-12)
        said = p >= 0.5
        assert metrics["ml_acc_empty0"] == pytest.approx(
            jaccard_score(y, said, average="samples", zero_division=0.0), abs=1e-12
        )
        assert metrics["ml_acc"] == pytest.approx(
            jaccard_score(y, said, average="samples", zero_division=1.0), abs=1e-12
        )
        assert metrics["hamming_loss"] == pytest.approx(hamming_loss(y, said), abs=1e-12)


def test_a_clip_of_which_nothing_is_true_and_nothing_said_counts_by_convention():
    metrics = multilabel_metrics([[0, 0], [1, 1]], [[0.0, 0.4], [0.9, 0.5]])

    assert metrics["ml_acc"] == 1.0
    assert metrics["ml_acc_empty0"] == 0.5
    assert metrics["micro_f1"] == metrics["macro_f1"] == metrics["ap_0"] == 1.0


def test_the_precision_of_a_ranking_is_what_a_hand_computes():
    metrics = multilabel_metrics([[1], [0], [1], [0]], [[0.9], [0.8], [0.7], [0.1]], ["happy"])

    assert metrics["ap_happy"] == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert metrics["f1_happy"] == pytest.approx(2 * 2 / (2 + 3))
    assert math.isnan(multilabel_metrics([[0]], [[0.3]])["ap_0"])


def test_classes_are_measured_as_sklearn_does():
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 4, 60), rng.integers(0, 5, 60)

    metrics = class_metrics(y, p)

    assert metrics == pytest.approx(
        {
            "class_acc": accuracy_score(y, p),
            "class_recall": recall_score(y, p, average="macro", labels=np.unique(y)),
            "class_f1_weighted": f1_score(y, p, average="weighted"),
            "class_f1_macro": f1_score(y, p, average="macro"),
        },
        abs=1e-12,
    )


def test_mer23_weighs_f1_against_the_error_of_valence():
    # classes: neutral right once of two, said 1 time: F1 2/3, weight 2; angry right, said twice: F1 2/3, weight 1
    metrics = numbers(mer23_measures([0, 0, 1], [0, 1, 1], [1.0, -2.0, 0.0], [1.0, 0.0, 1.0]))

    assert metrics == pytest.approx({"mer23_f1": 2 / 3, "mer23_mse": 5 / 3, "mer23_combined": 2 / 3 - 0.25 * 5 / 3})


def test_placeholders_of_mer23_are_refused():
    with pytest.raises(InputError, match=r"got the placeholder -10 for 2 clip\(s\)"):
        mer23_measures([0, 0, 1], [0, 1, 1], [-10.0, -10.0, 0.0], [1.0, 0.0, 1.0])


def test_mimic_is_the_mean_of_three_correlations():
    rng = np.random.default_rng(1)
    y, p = rng.random((20, 3)), rng.random((20, 3))
    rs = [pearson(y[:, column].tolist(), p[:, column].tolist()) for column in range(3)]

    metrics = numbers(several_regressions(y, p, ["Approval_", "Disappointment_", "Uncertainty_"]))

    assert metrics["mimic_pearson"] == pytest.approx(sum(rs) / 3, abs=1e-12)
    assert metrics["corr_Uncertainty_"] == pytest.approx(rs[2], abs=1e-12)
    assert metrics["mae_Approval_"] == pytest.approx(np.abs(y[:, 0] - p[:, 0]).mean())
    assert "mimic_pearson" not in several_regressions(y, p, ["valence", "arousal", "dominance"])


@pytest.mark.parametrize("seed", range(20))
def test_metrics_agree_with_sklearn_and_scipy(seed):
    y, p = random_case(seed)
    polar = y != 0

    metrics = sentiment_metrics(y, p)

    assert metrics["mae"] == pytest.approx(mean_absolute_error(y, p), abs=1e-12)
    assert metrics["acc2_non0"] == accuracy_score(y[polar] > 0, p[polar] > 0)
    assert metrics["f1_mag"] == f1_score(y[polar] >= 0, p[polar] >= 0, average="weighted", zero_division=0)
    assert metrics["acc7_round"] == accuracy_score(np.round(y.clip(-3, 3)), np.round(p.clip(-3, 3)))
    assert metrics["corr"] == pytest.approx(np.corrcoef(y, p)[0, 1], abs=1e-12)


@pytest.mark.parametrize(
    ("value", "two", "three", "five"),
    [(0.0, 0, 1, 2), (0.1, 1, 1, 2), (-0.1, 0, 0, 1), (0.7, 1, 2, 3), (-0.7, 0, 0, 0), (0.8, 1, 2, 4), (-5.0, 0, 0, 0)],
)
def test_the_edges_of_the_bins_of_sims_belong_to_the_bin_below(value, two, three, five):
    inside = {"two": (-0.5, 0.5), "three": (-0.5, 0.0, 0.5), "five": (-0.9, -0.5, 0.0, 0.5, 0.9)}

    assert [sims_metrics([v], [value])["sims_acc2"] for v in inside["two"]].index(1) == two
    assert [sims_metrics([v], [value])["sims_acc3"] for v in inside["three"]].index(1) == three
    assert [sims_metrics([v], [value])["sims_acc5"] for v in inside["five"]].index(1) == five


def test_smaller_is_better_of_errors_only():
    small = {name for name in METRIC_NAMES if smaller_is_better(name)}

    assert small == {"mae", "mae_mag", "sims_mae", "hamming_loss", "mer23_mse"}
    assert smaller_is_better("mae_Approval")
    assert not smaller_is_better("corr_Approval")


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
    assert undefined == {
        "corr", "acc2_non0", "f1_non0", "f1_non0_swapped", "acc2_mag", "f1_mag", "mae_mag", "corr_mag"
    }  # fmt: skip


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
    assert all(word in CONVENTIONS["regression"] for word in ("has0", "non0", "mag", "round", "bins", "weighted"))
