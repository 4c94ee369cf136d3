"""Groups stay whole, sizes come near what was asked for, and the seed alone decides."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies

from mmfeat.dataset.partition import deal, strata_of
from mmfeat.errors import InputError

SHARES = (0.7, 0.1, 0.2)


@settings(deadline=None)
@given(
    sizes=strategies.lists(strategies.integers(1, 9), min_size=3, max_size=40),
    shares=strategies.lists(strategies.floats(0.05, 1.0), min_size=1, max_size=3),
    seed=strategies.integers(0, 5),
)
def test_groups_stay_whole_and_no_part_is_empty(sizes, shares, seed):
    groups = [f"g{index}" for index, size in enumerate(sizes) for _ in range(size)]
    parts = deal(groups, shares, seed=seed)
    assert all(len({part for name, part in zip(groups, parts, strict=True) if name == group}) == 1 for group in groups)
    assert set(parts.tolist()) == set(range(len(shares)))


@settings(deadline=None)
@given(n_clip=strategies.integers(10, 200), seed=strategies.integers(0, 5))
def test_single_clips_are_dealt_out_to_the_nearest_numbers(n_clip, seed):
    parts = deal([str(index) for index in range(n_clip)], SHARES, seed=seed)
    sizes = np.bincount(parts, minlength=3)
    assert (np.abs(sizes - np.array(SHARES) * n_clip) <= 1.0).all()


def test_the_same_seed_gives_the_same_and_another_one_another():
    groups = [f"g{index}" for index, size in enumerate(range(1, 30)) for _ in range(size)]
    first, again, other = (deal(groups, SHARES, seed=seed) for seed in (0, 0, 1))
    assert first.tolist() == again.tolist() != other.tolist()


def test_the_order_of_the_clips_changes_nothing():
    groups = [f"g{index % 17}" for index in range(300)]
    order = np.random.default_rng(0).permutation(300)
    shuffled = deal([groups[index] for index in order], SHARES, seed=3)
    assert deal(groups, SHARES, seed=3)[order].tolist() == shuffled.tolist()


def test_each_part_has_its_share_of_each_stratum():
    rng = np.random.default_rng(0)
    strata = rng.choice(4, p=[0.55, 0.25, 0.15, 0.05], size=1000)
    groups = [f"g{index // 4}" for index in range(1000)]
    parts = deal(groups, SHARES, seed=0, strata=strata)
    for part, share in enumerate(SHARES):
        got = np.bincount(strata[parts == part], minlength=4)
        assert got == pytest.approx(np.bincount(strata) * share, abs=2.5)  # groups of four cannot be cut


def test_strata_of_one_clip_each_still_fill_every_part():
    parts = deal([str(index) for index in range(100)], SHARES, seed=0, strata=np.arange(100))
    assert np.bincount(parts).tolist() == [70, 10, 20]


def test_a_part_with_no_share_stays_empty():
    parts = deal([str(index) for index in range(10)], (0.8, 0.0, 0.2), seed=0)
    assert np.bincount(parts, minlength=3).tolist() == [8, 0, 2]


def test_one_group_larger_than_all_others_leaves_no_part_empty():
    groups = ["big"] * 1000 + ["a", "b"]
    assert set(deal(groups, SHARES, seed=0).tolist()) == {0, 1, 2}


def test_fewer_groups_than_parts_are_refused():
    with pytest.raises(InputError, match="expected at least 3 speakers for 3 parts, got 2"):
        deal(["a", "b", "a"], SHARES, seed=0, unit="speaker")


def test_strata_are_values_or_fifths_and_absent_labels_their_own():
    present = np.array([True, True, True, False])
    classes = strata_of(np.array([2.0, 0.0, 2.0, 0.0], dtype=np.float32), present, "class")
    assert classes[0] == classes[2]
    assert len(set(classes.tolist())) == 3
    values = np.arange(100, dtype=np.float32)
    fifths = strata_of(values, np.ones(100, dtype=bool), "regression")
    assert np.unique(fifths, return_counts=True)[1].tolist() == [20] * 5
    assert (np.diff(fifths) >= 0).all()
    multilabel = strata_of(np.array([[1, 0], [0, 1], [1, 0]], dtype=np.float32), np.ones(3, dtype=bool), "multilabel")
    assert multilabel[0] == multilabel[2] != multilabel[1]
    assert len(set(strata_of(np.zeros(3, dtype=np.float32), np.zeros(3, dtype=bool), "regression"))) == 1
