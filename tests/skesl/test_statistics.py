import itertools
import math

import numpy as np
import pytest

from skesl.batches import group_numbers
from skesl.measures import AveragePrecision, Mean
from skesl.metrics import sentiment_measures
from skesl.statistics import bootstrap_intervals, compare_measures, mcnemar, smallest_p


def alone(n_clip):
    return np.arange(n_clip)


def test_clips_of_one_recording_share_a_number():
    assert group_numbers(["b", "a", "b", "c"]).tolist() == [1, 0, 1, 2]


def test_the_interval_of_a_mean_is_that_of_its_standard_error():
    values = np.random.default_rng(0).normal(size=400)

    low, high = bootstrap_intervals([{"m": Mean(values)}], alone(400), n_resample=20_000)["m"]

    error = values.std() / 20  # of the mean of 400; the bootstrap's own noise is below 3 % of it
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=0.05)
    assert (high + low) / 2 == pytest.approx(values.mean(), abs=0.1 * error)


def test_copies_within_a_recording_do_not_narrow_the_interval():
    values = np.random.default_rng(0).normal(size=50)
    one = bootstrap_intervals([{"m": Mean(values)}], alone(50))["m"]
    ten = bootstrap_intervals([{"m": Mean(np.repeat(values, 10))}], np.repeat(alone(50), 10))["m"]

    assert ten == pytest.approx(one, abs=1e-12)
    by_clip = bootstrap_intervals([{"m": Mean(np.repeat(values, 10))}], alone(500))["m"]
    assert by_clip[1] - by_clip[0] < 0.5 * (ten[1] - ten[0])


def test_intervals_come_from_the_seed():
    measures = [{"m": Mean(np.random.default_rng(1).normal(size=30))}]

    assert bootstrap_intervals(measures, alone(30), seed=4) == bootstrap_intervals(measures, alone(30), seed=4)
    assert bootstrap_intervals(measures, alone(30), seed=4) != bootstrap_intervals(measures, alone(30), seed=5)


def test_a_resample_by_hand_gives_the_same_interval():
    """The definition, clip by clip: draw recordings, take all their clips, compute, take percentiles."""
    rng = np.random.default_rng(2)
    groups = np.repeat(alone(8), 5)
    y, p = rng.normal(size=40), rng.normal(size=40)
    fast = bootstrap_intervals([sentiment_measures(y, p)], groups, n_resample=100, seed=7)

    drawn = np.random.default_rng(7).multinomial(8, np.full(8, 1 / 8), size=100)
    slow = [sentiment_measures(y[clips], p[clips]) for clips in (np.repeat(alone(40), row[groups]) for row in drawn)]
    for name, interval in fast.items():
        numbers = [measures[name].number() for measures in slow]
        assert interval == pytest.approx(np.quantile(numbers, [0.025, 0.975]), abs=1e-9), name


def test_one_recording_or_an_undefined_number_has_no_interval():
    values = np.array([1.0, 2.0, 3.0])

    assert np.isnan(bootstrap_intervals([{"m": Mean(values)}], np.zeros(3, dtype=int))["m"]).all()
    corr = bootstrap_intervals([sentiment_measures(values, np.ones(3))], alone(3))["corr"]
    assert np.isnan(corr).all()


def test_over_seeds_the_interval_is_that_of_the_mean():
    rng = np.random.default_rng(3)
    one, other = rng.normal(size=60), rng.normal(size=60)

    mean = bootstrap_intervals([{"m": Mean(one)}, {"m": Mean(other)}], alone(60))["m"]

    assert mean == pytest.approx(bootstrap_intervals([{"m": Mean((one + other) / 2)}], alone(60))["m"], abs=1e-12)


def test_all_swaps_of_few_recordings_give_the_exact_p():
    rng = np.random.default_rng(4)
    groups = np.array([0, 0, 1, 2, 2, 2, 3, 4, 5, 5])
    y, one, other = rng.normal(size=(3, 10))
    found = compare_measures([sentiment_measures(y, one)], [sentiment_measures(y, other)], groups)

    gains = {name: [] for name in found}
    for swapped in itertools.product([False, True], repeat=6):
        flips = np.array(swapped)[groups]
        first = sentiment_measures(y, np.where(flips, other, one))
        second = sentiment_measures(y, np.where(flips, one, other))
        for name in found:
            gains[name].append(abs(second[name].number() - first[name].number()))
    for name, difference in found.items():
        exact = sum(gain >= gains[name][0] - 1e-9 for gain in gains[name]) / 64
        assert difference.p == pytest.approx(exact), name


def test_a_model_beside_itself_differs_by_nothing():
    y, p = np.random.default_rng(5).normal(size=(2, 50))

    for difference in compare_measures([sentiment_measures(y, p)], [sentiment_measures(y, p)], alone(50)).values():
        assert difference.difference == 0.0
        assert difference.interval == (0.0, 0.0)
        assert difference.p == 1.0
        assert not difference.exceeds_noise


def test_a_difference_that_holds_in_every_clip_exceeds_the_noise():
    y = np.random.default_rng(6).normal(size=100)
    found = compare_measures([{"mae": Mean(np.abs(y))}], [{"mae": Mean(np.abs(y) - 0.5)}], alone(100))["mae"]

    assert found.difference == pytest.approx(-0.5)
    assert found.interval == pytest.approx((-0.5, -0.5))
    assert found.p == pytest.approx(1 / 2001)
    assert found.exceeds_noise


def test_few_recordings_cannot_exceed_the_noise():
    assert smallest_p(5) == 1 / 16
    assert smallest_p(300) == 1 / 2001
    y = np.ones(5)
    assert not compare_measures([{"m": Mean(y)}], [{"m": Mean(y + 1)}], alone(5))["m"].exceeds_noise


def test_average_precision_has_an_interval_but_no_permutation_test():
    rng = np.random.default_rng(7)
    truth = rng.random(60) < 0.4
    one, other = ({"ap": AveragePrecision(truth, truth * 0.5 + rng.random(60))} for _ in range(2))
    found = compare_measures([one], [other], alone(60))["ap"]

    assert found.interval[0] < found.difference < found.interval[1]
    assert math.isnan(found.p)
    assert found.interval[0] < 0 < found.interval[1]
    assert not found.exceeds_noise


@pytest.mark.parametrize(("n_clip", "exceeds"), [(5, False), (60, True)])
def test_without_a_permutation_test_the_interval_alone_decides_where_there_are_enough_recordings(n_clip, exceeds):
    truth = np.arange(n_clip) % 3 == 0
    bad, good = ({"ap": AveragePrecision(truth, sign * truth.astype(float))} for sign in (-1, 1))
    found = compare_measures([bad], [good], alone(n_clip))["ap"]

    assert found.second == 1.0
    assert math.isnan(found.p)
    assert found.interval[0] > 0
    assert (found.is_testable, found.exceeds_noise, found.to_dict()["exceeds_noise"]) == (exceeds, exceeds, exceeds)


@pytest.mark.parametrize(("only_first", "only_second"), [(0, 0), (1, 0), (3, 9), (10, 10)])
def test_mcnemar_is_the_sign_test_of_the_clips_on_which_they_differ(only_first, only_second):
    n = only_first + only_second
    first = np.array([True] * only_first + [False] * only_second + [True, False])
    second = np.array([False] * only_first + [True] * only_second + [True, False])

    found = mcnemar(first, second)

    tail = sum(math.comb(n, k) for k in range(min(only_first, only_second) + 1)) / 2**n
    assert (found.only_first, found.only_second) == (only_first, only_second)
    assert found.p == pytest.approx(min(1.0, 2 * tail))


def accuracy(rng, sure, noise, n_clip):
    """Return right or wrong of a model: shared difficulty of the clips, and the model's own noise."""
    return {"acc": Mean(sure + noise * rng.normal(size=n_clip) > 0)}


def test_two_seeds_of_one_model_do_not_differ_in_nine_of_ten_pairs():
    rng = np.random.default_rng(8)
    found = []
    for _ in range(100):
        groups = np.sort(rng.integers(0, 31, 686))  # MOSI's test part: 31 recordings, 686 clips
        groups = np.unique(groups, return_inverse=True)[1]
        sure = 1.0 + rng.normal(size=686) + 0.3 * rng.normal(size=31)[groups]
        pair = [[accuracy(rng, sure, 0.5, 686)] for _ in range(2)]
        found.append(compare_measures(*pair, groups, n_resample=500)["acc"].exceeds_noise)

    assert sum(found) <= 10


def test_three_points_on_the_size_of_mosei_are_found_in_nine_of_ten_pairs():
    rng = np.random.default_rng(9)
    groups = np.sort(rng.integers(0, 676, 4659))
    found = []
    for _ in range(100):
        sure = 1.0 + 0.9 * rng.normal(size=4659)
        first, second = ({"acc": Mean(sure + 0.4 * rng.normal(size=4659) + bonus > 0)} for bonus in (0.0, 0.14))
        result = compare_measures([first], [second], groups, n_resample=500)["acc"]
        found.append(result.exceeds_noise and result.difference > 0)
        assert result.difference == pytest.approx(0.03, abs=0.025)

    assert sum(found) >= 90
