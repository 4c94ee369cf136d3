import numpy as np
import pytest
from hypothesis import given, strategies as st

from mmfeat import ConfigError
from skesl.inputs import InputConfig
from skesl.lexicon import SentimentWord, find_sentiment_words, load_lexicon
from skesl.masking import MaskingConfig, SpecialTokens, TextMasker, mask_sentiment_word, plain_ids
from skesl.testing import tiny_text_encoder
from skesl.text import TokenisedText, tokenise

START, END, MASK = 1001, 1002, 1003
SPECIAL = SpecialTokens(start=START, end=END, mask=MASK)
ENCODER = tiny_text_encoder()
VADER = load_lexicon()


def masked(text, *, max_tokens=64, seed=0, lexicon=VADER):
    (tokenised,) = tokenise(ENCODER, [text])
    words = find_sentiment_words(text, lexicon)
    return mask_sentiment_word(tokenised, words, SPECIAL, max_tokens=max_tokens, rng=np.random.default_rng(seed))


def pieces(result):
    """Return the masked text as words, the mask as an underscore."""
    return [
        "_" if token == MASK else ENCODER.tokenizer.convert_ids_to_tokens(token)
        for token in result.ids
        if token not in (START, END)
    ]


@pytest.mark.parametrize("word", ["wonderful", "terrible", "good", "bad"])
def test_the_target_is_three_quarters_of_the_score(word):
    result = masked(f"it was {word}")

    assert result.target == 0.75 * VADER[word]
    assert pieces(result) == ["it", "was", "_"]
    assert result.position == 3


def test_all_targets_of_the_lexicon_lie_between_minus_2_925_and_2_55():
    targets = [masked(f"it was {entry}").target for entry in VADER]

    assert min(targets) == pytest.approx(-2.925)
    assert max(targets) == pytest.approx(2.55)


@pytest.mark.parametrize("text", ["good terrible a film", "terrible good a film"])
def test_the_strongest_word_is_hidden_whatever_its_sign_and_place(text):
    lexicon = {"good": 2.0, "terrible": -2.5}
    result = masked(text, lexicon=lexicon)

    assert result.target == 0.75 * -2.5
    assert "terrible" not in pieces(result)
    assert "good" in pieces(result)


def test_of_equally_strong_words_the_first_is_hidden():
    result = masked("a bad film was good", lexicon={"good": 2.0, "bad": -2.0})

    assert pieces(result) == ["a", "_", "film", "was", "good"]
    assert result.target == -1.5


def test_of_a_repeated_word_only_the_first_is_hidden():
    assert pieces(masked("good film good")) == ["_", "film", "good"]


def test_a_word_of_several_pieces_becomes_one_mask():
    result = masked("it was superb !")

    assert pieces(result) == ["it", "was", "_", "!"]
    assert result.target == 0.75 * VADER["superb"]


@pytest.mark.parametrize("entry", [":)", ":D", "fed up", "( '}{' )"])
def test_emoticons_and_phrases_become_one_mask(entry):
    result = masked(f"it was {entry} film")

    assert pieces(result) == ["it", "was", "_", "film"]
    assert result.target == 0.75 * VADER[entry]


def test_punctuation_around_the_hidden_word_stays():
    assert pieces(masked('it was "good"!')) == ["it", "was", '"', "_", '"', "!"]


def test_a_bracket_is_a_piece_like_any_other():
    assert pieces(masked("( a good film")) == ["(", "a", "_", "film"]
    assert masked("a ( film").target == 0.0


@pytest.mark.parametrize("text", ["", "   "])
def test_an_empty_text_becomes_a_lone_mask_with_target_0(text):
    result = masked(text)

    assert result.ids == (START, MASK, END)
    assert (result.position, result.target) == (1, 0.0)


def test_without_a_sentiment_word_one_random_piece_is_hidden_with_target_0():
    text = "it was a film take it"
    results = [masked(text, seed=seed) for seed in range(60)]

    assert {result.target for result in results} == {0.0}
    assert {result.position for result in results} == {1, 2, 3, 4, 5, 6}
    for result in results:
        expected = text.split()
        expected[result.position - 1] = "_"
        assert pieces(result) == expected


def test_the_random_piece_depends_on_the_generator_alone():
    assert masked("it was a film take it", seed=3) == masked("it was a film take it", seed=3)


@pytest.mark.parametrize("max_tokens", [3, 4, 5, 8, 21])
@pytest.mark.parametrize("position", [0, 1, 20, 44, 45])
def test_the_window_keeps_the_mask_and_is_full(max_tokens, position):
    text = TokenisedText(ids=tuple(range(46)), spans=tuple((2 * i, 2 * i + 1) for i in range(46)))
    word = SentimentWord(start=2 * position, end=2 * position + 1, score=2.0)

    result = mask_sentiment_word(text, [word], SPECIAL, max_tokens=max_tokens, rng=np.random.default_rng(0))

    assert len(result.ids) == max_tokens
    assert result.ids[result.position] == MASK
    inner = np.array(result.ids[1:-1])
    inner[result.position - 1] = position
    assert np.all(np.diff(inner) == 1)  # a gapless piece of the text around the word


def test_a_text_that_fits_is_not_cut():
    result = masked("it was a good film", max_tokens=7)

    assert pieces(result) == ["it", "was", "a", "_", "film"]


@st.composite
def texts_with_words(draw):
    """Return word pieces, some with gaps between them, and sentiment words anywhere in the text."""
    n_piece = draw(st.integers(0, 40))
    starts = np.cumsum([draw(st.integers(1, 3)) for _ in range(n_piece)]).tolist()
    text = TokenisedText(ids=tuple(range(n_piece)), spans=tuple((start, start + 1) for start in starts))
    n_character = (starts[-1] if starts else 0) + 2
    bounds = st.tuples(st.integers(0, n_character - 1), st.integers(1, 4), st.floats(-4, 4))
    words = [
        SentimentWord(start=start, end=start + length, score=score)
        for start, length, score in draw(st.lists(bounds, max_size=4))
    ]
    return text, words


@given(texts_with_words(), st.integers(3, 50), st.integers(0, 5))
def test_one_mask_stands_at_the_reported_place_between_the_special_tokens(material, max_tokens, seed):
    text, words = material

    result = mask_sentiment_word(text, words, SPECIAL, max_tokens=max_tokens, rng=np.random.default_rng(seed))

    assert result.ids.count(MASK) == 1
    assert result.ids[result.position] == MASK
    assert 3 <= len(result.ids) <= max_tokens
    assert (result.ids[0], result.ids[-1]) == (START, END)
    assert -3 <= result.target <= 3
    kept = [token for token in result.ids[1:-1] if token != MASK]
    assert kept == sorted(set(kept) & set(text.ids))


def test_unmasked_text_is_cut_at_the_right():
    (text,) = tokenise(ENCODER, ["it was a good film"])

    assert plain_ids(text, SPECIAL, max_tokens=64) == (START, *text.ids, END)
    assert plain_ids(text, SPECIAL, max_tokens=5) == (START, *text.ids[:3], END)


def test_all_occurrences_can_be_hidden_and_the_first_is_supervised():
    (text,) = tokenise(ENCODER, ["a bad film was good bad good GOOD :("])
    words = find_sentiment_words("a bad film was good bad good GOOD :(", {"good": 2.0, "bad": -1.0, ":(": -1.5})

    result = mask_sentiment_word(text, words, SPECIAL, max_tokens=64, rng=np.random.default_rng(0), hide_all=True)

    assert pieces(result) == ["a", "bad", "film", "was", "_", "bad", "_", "_", ":", "("]
    assert (result.position, result.target) == (5, 1.5)


def test_all_occurrences_of_a_word_of_several_pieces_are_hidden_with_one_mask_each():
    (text,) = tokenise(ENCODER, ["superb film superb"])
    words = find_sentiment_words("superb film superb", VADER)

    result = mask_sentiment_word(text, words, SPECIAL, max_tokens=64, rng=np.random.default_rng(0), hide_all=True)

    assert pieces(result) == ["_", "film", "_"]


def masker(*, max_tokens=39, lexicon=VADER, inputs=None, **settings):
    return TextMasker(ENCODER, lexicon, MaskingConfig(**settings), max_tokens=max_tokens, inputs=inputs)


def by(masking, text, seed=0):
    """Return the masked text as tokens without those around it, and the result."""
    (prepared,) = masking.prepare([text])
    result = masking.mask(prepared, np.random.default_rng(seed))
    return ENCODER.tokenizer.convert_ids_to_tokens(list(result.ids))[1:], result


RELEASED = {"matching": "word_piece", "hidden_occurrences": "all", "attend_as_unmasked": True}


def test_released_masking_hides_a_piece_wherever_it_stands_and_supervises_the_first():
    tokens, result = by(masker(**RELEASED), "it was good good terrible a terrible film")

    assert tokens[:-1] == ["it", "was", "good", "good", "[MASK]", "a", "[MASK]", "film"]
    assert (result.position, result.target) == (5, 0.75 * VADER["terrible"])


def test_released_masking_takes_the_first_of_equally_strong_pieces():
    _, result = by(masker(**RELEASED, lexicon={"bad": -2.0, "good": 2.0}), "it was good bad")

    assert (result.position, result.target) == (3, 1.5)


def test_released_masking_misses_a_word_that_the_tokenizer_splits_and_whole_words_do_not():
    _, released = by(masker(**RELEASED), "it was superb")
    _, whole = by(masker(), "it was superb")

    assert released.target == 0.0
    assert (whole.target, whole.position) == (0.75 * VADER["superb"], 3)


def test_a_piece_behind_a_released_mask_is_cut_again_as_a_word():
    tokens, _ = by(masker(**RELEASED, lexicon={"s": 2.0}), "sx")

    assert tokens[:-1] == ["[MASK]", "x"]  # and not ##x: the masked pieces went through text


@pytest.mark.parametrize("matching", [{}, RELEASED])
@pytest.mark.parametrize("text", ["", "  ", "(", "a ( film", "fed", "()"])
def test_empty_texts_and_brackets_do_not_crash(matching, text):
    _, result = by(masker(**matching), text)

    assert result.ids.count(ENCODER.tokenizer.mask_token_id) == 1
    assert result.target in (0.0, 0.75 * VADER.get(text, 0.0))


FAR = " ".join(["it"] * 45 + ["good"])  # the supervised piece is number 45 of 46


def test_the_released_window_moves_a_far_piece_to_position_21_under_the_mask_of_the_whole_text():
    _, result = by(masker(**RELEASED), FAR)

    assert result.position == 21
    assert result.ids[21] == ENCODER.tokenizer.mask_token_id
    assert len(result.ids) == 39  # 23 tokens, and padding that is attended


def test_with_its_own_mask_the_released_window_has_as_many_tokens_as_it_reads():
    _, result = by(masker(**{**RELEASED, "attend_as_unmasked": False}), FAR)

    assert (result.position, len(result.ids)) == (21, 23)


def test_our_window_is_full_and_holds_the_mask():
    tokens, result = by(masker(), FAR)

    assert len(result.ids) == 39
    assert result.ids[result.position] == ENCODER.tokenizer.mask_token_id
    assert tokens[:-1] == ["it"] * 36 + ["[MASK]"]


def test_a_released_random_piece_stands_among_the_first_37():
    positions = {by(masker(**RELEASED, lexicon={}), FAR, seed=seed)[1].position for seed in range(300)}

    assert positions == set(range(1, 38))


def test_a_whole_word_that_becomes_one_mask_can_leave_attended_padding_as_released():
    _, result = by(masker(attend_as_unmasked=True), "it was superb")

    assert len(result.ids) == 10  # [CLS] it was s ##u ##p ##e ##r ##b [SEP], before s … ##b became one mask
    assert result.ids[5:] == (ENCODER.tokenizer.pad_token_id,) * 5


def test_without_text_nothing_is_left_but_the_mask_and_its_target():
    _, result = by(masker(inputs=InputConfig(modalities=("audio",))), "it was good")

    special = ENCODER.tokenizer
    assert result.ids == (special.cls_token_id, special.mask_token_id, special.sep_token_id)
    assert (result.position, result.target) == (1, 0.75 * VADER["good"])


def test_masking_that_cannot_be_is_refused():
    with pytest.raises(ConfigError, match=r"max_neutral_fraction must lie in \[0, 1\], got 1\.5"):
        MaskingConfig(max_neutral_fraction=1.5)
    with pytest.raises(ConfigError, match='matching "word_piece" hides every occurrence'):
        MaskingConfig(matching="word_piece")
