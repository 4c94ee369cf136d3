"""Points of emotions by the names that corpora give them."""

import numpy as np
import pytest

from mmfeat.errors import ConfigError
from skesl.emotion_points import EMOTION_POINTS, emotion_points, label_similarity


@pytest.mark.parametrize("name", ["happy", "Happy", "joy", "emotion_happiness", "emotion.happy", "HAPPINESS"])
def test_an_emotion_is_known_by_several_names(name):
    assert emotion_points([name]).tolist() == [list(EMOTION_POINTS["happy"])]


def test_own_points_win():
    points = emotion_points(["worried", "anger"], ["worried=0.2,0.7"])
    assert points.tolist() == [[0.2, 0.7], [0.167, 0.865]]


def test_unknown_emotions_are_told_all_at_once():
    with pytest.raises(ConfigError, match=r"no valence and arousal known for 'x', 'z_y'; known: happy, .*NAME=V"):
        emotion_points(["x", "sad", "z_y"])


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("x=0.5", "expected NAME=VALENCE,AROUSAL, got 'x=0.5'"),
        ("x", "expected NAME=VALENCE,AROUSAL, got 'x'"),
        ("x=0.5,1.5", r"expected valence and arousal in \[0, 1\], got 'x=0.5,1.5'"),
    ],
)
def test_a_point_is_two_numbers_between_0_and_1(entry, message):
    with pytest.raises(ConfigError, match=message):
        emotion_points(["x"], [entry])


def test_similarity_is_defined_for_one_emotion_and_for_one_in_the_middle():
    assert label_similarity(emotion_points(["sad"])) == pytest.approx(np.ones((1, 1)))
    middle = label_similarity(np.array([[0.0, 0.0], [0.5, 0.5], [1.0, 1.0]]))
    assert middle == pytest.approx(np.array([[1, 0, -1], [0, 0, 0], [-1, 0, 1]]))
