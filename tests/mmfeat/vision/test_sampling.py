"""Which frames are taken: laws of the rule, over regular and irregular times."""

import numpy as np
import pytest

from mmfeat.vision.sampling import centres, regular


def irregular(n_frame, seed):
    steps_s = np.random.default_rng(seed).choice([0.001, 0.02, 0.04, 0.5, 3.0], size=n_frame)
    return np.cumsum(steps_s) - steps_s[0], float(steps_s.sum() - steps_s[0] + 0.04)


def test_the_frames_of_eight_parts_are_those_shown_at_their_centres():
    times_s = np.arange(80) / 25
    assert centres(times_s, 3.2, 8).tolist() == [5, 15, 25, 35, 45, 55, 65, 75]


def test_one_frame_is_the_middle_one():
    assert centres(np.arange(75) / 25, 3.0, 1).tolist() == [37]


@pytest.mark.parametrize("start_s", [0.0, 0.852, 1e6])
def test_where_the_video_starts_changes_nothing(start_s):
    times_s = np.arange(75) / 25
    assert centres(start_s + times_s, start_s + 3.0, 8).tolist() == centres(times_s, 3.0, 8).tolist()
    assert regular(start_s + times_s, start_s + 3.0, 3.0).tolist() == regular(times_s, 3.0, 3.0).tolist()


@pytest.mark.parametrize("n_frame", [1, 2, 5, 8])
def test_a_video_with_no_more_frames_than_wanted_gives_each_once(n_frame):
    times_s, end_s = irregular(n_frame, seed=n_frame)
    assert centres(times_s, end_s, 8).tolist() == list(range(n_frame))


@pytest.mark.parametrize("seed", range(20))
def test_exactly_as_many_distinct_frames_in_order_as_wanted(seed):
    times_s, end_s = irregular(40, seed)
    for n_wanted in (1, 7, 8, 39, 40):
        taken = centres(times_s, end_s, n_wanted)
        assert taken.size == n_wanted
        assert (np.diff(taken) > 0).all()
        assert taken[0] >= 0
        assert taken[-1] < 40


def test_a_long_still_picture_is_taken_once_and_its_neighbours_stand_in():
    times_s = np.array([0.0, 0.1, 0.2, 9.9])
    assert centres(times_s, 10.0, 3).tolist() == [1, 2, 3]


@pytest.mark.parametrize(("fps", "expected"), [(1.0, [0, 25, 50]), (5.0, [*range(0, 75, 5)]), (25.0, [*range(75)])])
def test_a_rate_takes_a_frame_at_each_multiple(fps, expected):
    assert regular(np.arange(75) / 25, 3.0, fps).tolist() == expected


def test_a_rate_above_that_of_the_video_gives_every_frame_once():
    times_s, end_s = irregular(30, seed=1)
    assert regular(times_s, end_s, 1000.0).tolist() == list(range(30))


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("fps", [0.1, 0.7, 2.0, 30.0])
def test_a_rate_takes_the_nearest_frame_of_each_multiple_and_no_other(seed, fps):
    times_s, end_s = irregular(60, seed)
    moments_s = np.arange(0.0, end_s - 1e-9, 1 / fps)
    distances = np.abs(times_s[:, None] - moments_s)
    nearest = {int(frame) for frame in distances.argmin(axis=0)}
    ties = {int(frame) for frame in np.flatnonzero((distances <= distances.min(axis=0) + 1e-9).any(axis=1))}
    assert nearest <= ties
    assert set(regular(times_s, end_s, fps).tolist()) <= ties
    assert len(regular(times_s, end_s, fps)) == len(nearest)


def test_a_single_frame_is_taken():
    assert regular(np.array([0.4]), 0.4, 5.0).tolist() == centres(np.array([0.4]), 0.4, 8).tolist() == [0]


def test_an_absurd_duration_costs_no_memory():
    assert regular(np.array([0.0, 1e12]), 1e12, 1000.0).tolist() == [0, 1]
