import string

import pytest
from hypothesis import given, strategies as st

from mmfeat import InputError
from skesl import find_sentiment_words, load_lexicon

VADER = load_lexicon()


def words_in(text, lexicon=VADER):
    return [text[word.start : word.end] for word in find_sentiment_words(text, lexicon)]


def test_vader_has_7506_distinct_entries_rated_between_minus_4_and_4():
    # vaderSentiment 3.3.2, which constraints.txt pins; the copy that SKESL was released with has 7,502.
    assert len(VADER) == 7506
    assert all(-4 <= score <= 4 for score in VADER.values())
    assert max(VADER.values()) == 3.4
    assert min(VADER.values()) == -3.9


@pytest.mark.parametrize("phrase", ["fed up", "screwed up", "can't stand", "( '}{' )"])
def test_an_entry_of_several_words_is_found_as_one(phrase):
    assert words_in(f"i am {phrase} here") == [phrase]


def test_every_entry_is_found_in_its_own_text():
    missed = [entry for entry in VADER if words_in(entry) != [entry]]

    assert missed == []


@pytest.mark.parametrize("emoticon", [":)", ":(", ":D", "xD", "O_o", "(:", "<3", "(-:<"])
def test_emoticons_are_found_between_words(emoticon):
    assert words_in(f"so it went {emoticon} then") == [emoticon]


@pytest.mark.parametrize(("text", "expected"), [("good :)", ["good", ":)"]), (":( good", [":(", "good"])])
def test_an_emoticon_beside_a_word_is_an_entry_of_its_own(text, expected):
    assert words_in(text) == expected


@pytest.mark.parametrize("text", ["(", "a ( b", "()", "...", "", "   ", "hm (so) (", "\u2026 \u2014"])
def test_brackets_and_punctuation_alone_are_no_sentiment(text):
    assert words_in(text) == []


@pytest.mark.parametrize("text", ["GREAT", "Great!", '"great"', "(great)", "great...", "\u201cgreat\u201d"])
def test_case_and_punctuation_around_a_word_do_not_hide_it(text):
    (word,) = find_sentiment_words(text, VADER)

    assert text[word.start : word.end].lower() == "great"
    assert word.score == VADER["great"]


def test_words_come_from_left_to_right_with_every_repetition():
    assert words_in("bad film, good cast, bad end") == ["bad", "good", "bad"]


def test_part_of_a_word_is_no_match():
    assert words_in("goodness-free badminton", {"good": 1.9, "bad": -2.5}) == []


def test_the_longer_entry_wins_over_the_shorter():
    lexicon = {"not": -1.0, "not bad": 1.0, "not bad at": 2.0, "bad": -2.5}

    assert words_in("it is Not  bad, really", lexicon) == ["Not  bad"]
    assert words_in("not bad at all", lexicon) == ["not bad at"]


@given(st.text(alphabet=string.ascii_letters + " :)(D.,!'\n\t-\u00e9", max_size=60))
def test_found_words_stand_in_order_apart_and_without_white_space_at_their_ends(text):
    found = find_sentiment_words(text, {**VADER, "a b": 1.0, "d": -1.0})

    ends = [0, *(word.end for word in found)]
    assert all(end <= word.start < word.end <= len(text) for end, word in zip(ends, found, strict=False))
    assert all(text[word.start : word.end].strip() == text[word.start : word.end] for word in found)


def test_an_own_lexicon_keeps_spaces_and_ignores_further_columns(tmp_path):
    file = tmp_path / "own.txt"
    file.write_text("fed up\t-1.8\t0.4\t[1, 2]\n\nsüß\t2.5\n", encoding="utf-8")

    assert load_lexicon(file) == {"fed up": -1.8, "süß": 2.5}


def test_a_line_without_a_score_is_named_by_its_number(tmp_path):
    file = tmp_path / "own.txt"
    file.write_text("good\t1.9\nbad -2.5\n")

    with pytest.raises(InputError, match=r"own\.txt, line 2: expected WORD<tab>SCORE, got 'bad -2\.5'"):
        load_lexicon(file)


def test_a_lexicon_that_cannot_be_read_is_refused(tmp_path):
    latin = tmp_path / "latin.txt"
    latin.write_bytes("süß\t2.5\n".encode("latin-1"))

    with pytest.raises(InputError, match=r"latin\.txt: expected a lexicon in utf-8"):
        load_lexicon(latin)
    with pytest.raises(InputError, match=r"missing\.txt: expected a lexicon"):
        load_lexicon(tmp_path / "missing.txt")


def test_changing_the_loaded_lexicon_does_not_change_the_next():
    load_lexicon().clear()

    assert len(load_lexicon()) == 7506


CHINESE = {"好": 1.5, "好看": 2.5, "不好": -1.5, "失望": -2.5, "great": 3.1, ":)": 2.0}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("这部电影很好看", ["好看"]),
        ("这部电影不好\uff0c让人失望。", ["不好", "失望"]),
        ("好好看", ["好", "好看"]),
        ("很 好 看", ["好"]),
        ("演员great\uff0c剧情失望:)", ["great", "失望", ":)"]),
        ("\uff0c\uff08great\uff09\uff01", ["great"]),
        ("这部电影", []),
    ],
)
def test_in_a_script_without_spaces_the_longest_entry_is_taken_at_each_character(text, expected):
    assert words_in(text, CHINESE) == expected


def test_kana_and_rare_characters_are_read_without_spaces_too():
    assert words_in("とても楽しい", {"楽しい": 2.0}) == ["楽しい"]
    assert words_in("\U00020000\U00020001好", {"\U00020001好": 1.0}) == ["\U00020001好"]


def test_a_found_word_knows_its_entry():
    assert [word.entry for word in find_sentiment_words("GREAT but Fed  up", VADER)] == ["great", "fed up"]


@pytest.mark.parametrize("score", ["4.5", "-5", "nan", "inf"])
def test_a_score_beyond_the_scale_is_refused(tmp_path, score):
    file = tmp_path / "own.txt"
    file.write_text(f"fine\t{score}\n")

    with pytest.raises(InputError, match=r"own\.txt, line 1: expected a score in \[-4, 4\] for 'fine', got"):
        load_lexicon(file)
