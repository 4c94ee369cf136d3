"""Word errors, by examples that are counted by hand, and by the laws of a distance."""

import math

import pytest
from hypothesis import given, strategies

from mmfeat import word_errors

TEXTS = strategies.lists(strategies.sampled_from("abc"), max_size=7).map(" ".join)


@pytest.mark.parametrize(
    ("reference", "hypothesis", "substituted", "deleted", "inserted"),
    [
        ("the cat sat", "the cat sat", 0, 0, 0),
        ("the cat sat", "the bat sat", 1, 0, 0),
        ("the cat sat", "the sat", 0, 1, 0),
        ("the cat sat", "the black cat sat", 0, 0, 1),
        ("the cat sat", "", 0, 3, 0),
        ("", "the cat", 0, 0, 2),
        ("the cat sat down", "a cat down there now", 3, 0, 1),
        ("Don\u2019t STOP!", "don't, stop", 0, 0, 0),
        ("rock 'n' roll", "rock n roll", 0, 0, 0),
        ("Straße 5", "strasse 5.", 0, 0, 0),
    ],
)
def test_errors_are_those_counted_by_hand(reference, hypothesis, substituted, deleted, inserted):
    errors = word_errors([reference], [hypothesis])
    assert (errors.n_substituted, errors.n_deleted, errors.n_inserted) == (substituted, deleted, inserted)


def test_the_rate_is_over_all_words_of_all_texts():
    errors = word_errors(["a b c d", "e"], ["a b c d", "f"])
    assert (errors.n_word, errors.rate) == (5, 0.2)
    assert math.isnan(word_errors([], []).rate)
    with pytest.raises(ValueError, match="zip"):
        word_errors(["a"], [])


def distance(one, other):
    errors = word_errors([one], [other])
    assert errors.n_word - errors.n_deleted + errors.n_inserted == len(other.split())
    return errors.n_substituted + errors.n_deleted + errors.n_inserted


@given(TEXTS, TEXTS, TEXTS)
def test_the_errors_are_a_distance(one, other, third):
    assert distance(one, one) == 0
    assert distance(one, other) == distance(other, one)
    assert distance(one, third) <= distance(one, other) + distance(other, third)
    assert distance(one, other) >= abs(len(one.split()) - len(other.split()))
