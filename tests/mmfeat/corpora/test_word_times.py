"""Word times of a recording go to the clips whose texts they are."""

import numpy as np

from mmfeat.corpora.word_times import words_of_clips


def times(n_word, step_s=0.5):
    starts = np.arange(n_word) * step_s
    return np.stack([starts, starts + 0.4], axis=1)


def test_words_follow_the_texts_in_order():
    tokens = ["sp", "it", "was", "good", "sp", "it", "was", "bad"]
    first, second = words_of_clips(["It was GOOD.", "it, was bad"], tokens, times(8))
    assert first.tokens == ("it", "was", "good")
    assert second.intervals_s[:, 0].tolist() == [2.5, 3.0, 3.5]


def test_a_word_that_the_sequence_spells_otherwise_is_left_out():
    (words,) = words_of_clips(["it was realy good"], ["it", "was", "really", "good"], times(4))
    assert words.tokens == ("it", "was", "good")


def test_a_clip_of_which_fewer_than_half_the_words_are_found_has_none():
    first, second = words_of_clips(["one two three four", "five six"], ["one", "five", "six"], times(3))
    assert first is None
    assert second.tokens == ("five", "six")


def test_a_word_far_from_the_rest_belongs_to_another_place():
    intervals = np.asarray([[1.0, 1.2], [30.0, 30.2], [30.3, 30.5], [30.6, 31.0]])
    (words,) = words_of_clips(["it was really good"], ["it", "was", "really", "good"], intervals)
    assert words.tokens == ("was", "really", "good")


def test_without_a_word_there_is_nothing():
    assert words_of_clips(["", "well"], ["sp"], times(1)) == [None, None]
