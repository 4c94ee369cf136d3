"""How the words of a text are spoken: numbers, compounds, signs, unknown words."""

import pytest

from mmfeat.transcripts.spelling import number_words, phones_of, spoken_words

KNOWN = (
    "the it's 'em rock roll and percent two hundred twenty one first face book n b c don't well known cafe four fourth"
)
DICTIONARY = dict.fromkeys(KNOWN.split(), "AH") | {"cat": "K AE T", "dog": "D AO G"}


def spoken(token, *, english=True):
    return spoken_words(token, DICTIONARY.get, english=english)


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("The", ["the"]),
        ("(cat),", ["cat"]),
        ("-", []),
        ("...", []),
        ("It\u2019s", ["it's"]),
        ("'em", ["'em"]),
        ("'cat'", ["cat"]),
        ("well-known", ["well", "known"]),
        ("rock&roll", ["rock", "and", "roll"]),
        ("21%", ["twenty", "one", "percent"]),
        ("1st", ["first"]),
        ("104th", ["one", "hundred", "fourth"]),
        ("20th", ["twentieth"]),
        ("007", ["zero", "zero", "seven"]),
        ("1234567", ["one", "two", "three", "four", "five", "six", "seven"]),
        ("facebook", ["face", "book"]),
        ("NBC", ["n", "b", "c"]),
        ("Café", ["cafe"]),
        ("zyzzyva", ["zyzzyva"]),
        ("你好", ["你好"]),
    ],
)
def test_a_token_is_spoken_with_words_of_the_dictionary(token, words):
    assert spoken(token) == words


def test_other_languages_lose_only_case_and_punctuation():
    assert spoken("«Straße»,", english=False) == ["straße"]
    assert spoken("facebook", english=False) == ["facebook"]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "zero"),
        (13, "thirteen"),
        (40, "forty"),
        (99, "ninety nine"),
        (100, "one hundred"),
        (1999, "one thousand nine hundred ninety nine"),
        (120_005, "one hundred twenty thousand five"),
    ],
)
def test_numbers_are_english(number, words):
    assert " ".join(number_words(number)) == words


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("shobe", "SH AA B"),
        ("knight", "N AY T"),
        ("yappers", "Y AE P ER S"),
        ("cat's", "K AE T S"),
        ("dog's", "D AO G Z"),
        ("你好", None),
        ("straße", None),
    ],
)
def test_unknown_words_are_pronounced_by_their_letters(word, phones):
    assert phones_of(word, DICTIONARY.get) == phones
