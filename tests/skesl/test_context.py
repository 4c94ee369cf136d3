"""Dialogues in one sequence: it always fits, and the mask finds every utterance again."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from tokenizers.processors import RobertaProcessing, TemplateProcessing

from mmfeat.errors import ConfigError
from skesl.context import dialogue_batch
from skesl.dialogue_length import fitted, stretches
from skesl.dialogue_table import DialogueTable
from skesl.testing import tiny_text_encoder
from skesl.text import tokenise

WORDS = ["it", "was", "terrible", "ordinary", "wonderful", "take", "a", "film", "good", "bad"]


def encoder_with(separators):
    """Return the tiny encoder with the special tokens of BERT or of RoBERTa, for sequences of 512 tokens."""
    encoder = tiny_text_encoder()
    tokenizer = encoder.tokenizer
    start, end = (("[CLS]", tokenizer.cls_token_id), ("[SEP]", tokenizer.sep_token_id))
    tokenizer.backend_tokenizer.post_processor = (
        RobertaProcessing(end, start)
        if separators == 2
        else TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[start, end]
        )
    )
    encoder.model.config.max_position_embeddings = 512
    return encoder


ENCODERS = {n: encoder_with(n) for n in (1, 2)}


def table(texts, dialogues=None, *, separators=1, max_tokens=512, **settings_of_table):
    numbers = np.zeros(len(texts), dtype=np.int64) if dialogues is None else np.asarray(dialogues)
    return DialogueTable.build(
        texts,
        numbers,
        np.arange(len(texts)),
        ENCODERS[separators],
        max_tokens=max_tokens,
        **settings_of_table,
    )


def own_tokens(batch):
    """Return the tokens that the mask of each clip marks."""
    return [batch.ids[row][mask].tolist() for row, mask in zip(batch.rows, batch.utterance_mask, strict=True)]


def pieces(texts):
    return [list(text.ids) for text in tokenise(ENCODERS[1], texts)]


def popped_one_by_one(lengths, limit):
    """Return lengths after the published rule: the last token of the longest utterance goes, again and again."""
    lengths = list(lengths)
    while sum(lengths) > limit:
        longest = sorted(enumerate(lengths), key=lambda pair: pair[1], reverse=True)[0][0]
        lengths[longest] -= 1
    return lengths


@pytest.mark.parametrize(
    ("separators", "expected"),
    [(1, "[CLS] it was [SEP] good [SEP] film [SEP]"), (2, "[CLS] it was [SEP] [SEP] good [SEP] [SEP] film [SEP]")],
)
def test_a_dialogue_has_the_separators_of_its_encoder(separators, expected):
    batch = table(["it was", "good", "film"], separators=separators).batch(np.array([1]))
    tokenizer = ENCODERS[separators].tokenizer
    assert tokenizer.convert_ids_to_tokens(batch.ids[0].tolist()) == expected.split()


@pytest.mark.parametrize("separators", [1, 2])
def test_two_texts_stand_as_the_tokenizer_would_put_them(separators):
    batch = table(["it was good", "bad film"], separators=separators).batch(np.array([0, 1]))
    assert batch.ids.tolist() == [ENCODERS[separators].tokenizer("it was good", "bad film")["input_ids"]]
    assert batch.rows.tolist() == [0, 0]


@pytest.mark.parametrize("separators", [1, 2])
@pytest.mark.parametrize("texts", [["good film"], ["it was", "a good film", "", "bad"], [""]])
def test_the_mask_marks_exactly_the_utterance(separators, texts):
    whole = table(texts, separators=separators)
    assert own_tokens(whole.batch(np.arange(len(texts)))) == pieces(texts)
    assert own_tokens(dialogue_batch([whole.text(item) for item in range(len(texts))])) == pieces(texts)


def test_utterances_come_in_the_order_of_their_positions_whatever_the_order_of_the_rows():
    numbers = np.array([1, 0, 1, 0])
    mixed = DialogueTable.build(
        ["film", "was", "good", "it"], numbers, np.array([1, 7, 0, 3]), ENCODERS[1], max_tokens=512
    )
    words = [ENCODERS[1].tokenizer.convert_ids_to_tokens(mixed.text(row).ids.tolist())[1:4:2] for row in (0, 1)]
    assert words == [["good", "film"], ["it", "was"]]
    assert own_tokens(mixed.batch(np.arange(4))) == pieces(["film", "was", "good", "it"])


dialogues_of_lengths = st.lists(st.integers(0, 90), min_size=1, max_size=40)


@settings(max_examples=150, deadline=None)
@given(
    lengths=st.lists(dialogues_of_lengths, min_size=1, max_size=4),
    separators=st.sampled_from([1, 2]),
    limit=st.sampled_from([8, 40, 512]),
    least=st.integers(1, 4),
)
def test_no_mixture_of_utterances_exceeds_the_limit_and_every_mask_finds_its_utterance(
    lengths, separators, limit, least
):
    texts = [" ".join(WORDS[place % 10] for place in range(n)) for one in lengths for n in one]
    numbers = np.repeat(np.arange(len(lengths)), [len(one) for one in lengths])
    whole = table(texts, numbers, separators=separators, max_tokens=limit, min_utterance_tokens=least)
    batch = whole.batch(np.arange(len(texts)))
    assert batch.mask.sum(1).max() <= limit
    for own, text in zip(own_tokens(batch), pieces(texts), strict=True):
        assert own == text[: len(own)]  # nothing of another utterance, no special token
        assert len(own) >= min(least, len(text))
    assert not batch.ids[~batch.mask].any()


def test_many_utterances_of_one_word_fit():
    whole = table(["good"] * 700, separators=2)
    batch = whole.batch(np.arange(700))
    assert batch.mask.sum(1).max() <= 512
    assert len(batch.ids) == 5  # 170 utterances with two separators each, and no stretch nearly empty
    assert [len(own) for own in own_tokens(batch)] == [1] * 700
    assert np.bincount(batch.rows).tolist() == [140] * 5


@settings(max_examples=200, deadline=None)
@given(lengths=st.lists(st.integers(0, 60), min_size=1, max_size=12), limit=st.integers(14, 200))
def test_the_longest_utterance_loses_its_last_token_first(lengths, limit):
    n_pieces = np.asarray(lengths, dtype=np.int64)
    kept = fitted(n_pieces, np.zeros(len(lengths), dtype=np.int64), limit + 2 + len(lengths) - 1, 1)
    assert kept.tolist() == popped_one_by_one(lengths, limit)


def test_dialogues_are_cut_each_on_its_own():
    n_pieces = np.array([9, 3, 30, 30, 2, 50])
    together = fitted(n_pieces, np.array([0, 0, 1, 1, 1, 2]), 24, 1)
    apart = [fitted(part, np.zeros(len(part), dtype=np.int64), 24, 1) for part in np.split(n_pieces, [2, 5])]
    assert together.tolist() == np.concatenate(apart).tolist() == [9, 3, 9, 9, 2, 22]


def test_an_utterance_reads_the_same_whatever_is_read_with_it():
    texts = ["it was good"] * 30
    whole = table(texts, max_tokens=40)
    alone = [whole.batch(np.array([item])) for item in range(30)]
    together = whole.batch(np.arange(30))
    for item, batch in enumerate(alone):
        n = int(batch.mask.sum())
        assert together.ids[together.rows[item], :n].tolist() == batch.ids[0].tolist()
        assert int(together.firsts[item]) == int(batch.firsts[0])


def test_a_limit_below_one_token_is_refused():
    with pytest.raises(ConfigError, match=r"room for 2 token\(s\) of an utterance and two special ones, got a limit"):
        stretches(np.zeros(3, dtype=np.int64), 3, 1, 2)


def test_states_of_an_utterance_are_those_of_its_tokens():
    batch = table(["it was", "", "a good film"], separators=2).batch(np.array([2, 0, 1]))
    states = torch.randn(1, batch.ids.shape[1], 3)
    found, mask = batch.utterances(states)
    assert mask.sum(1).tolist() == [3, 2, 0]
    for clip in range(3):
        assert torch.equal(found[clip][mask[clip]], states[0][batch.utterance_mask[clip]])
    assert not found[~mask].any()


def test_the_table_counts_its_bytes_and_moves_to_a_device():
    whole = table(["it was", "good"])
    arrays = [value for value in vars(whole).values() if isinstance(value, np.ndarray)]
    assert whole.n_byte == sum(array.nbytes for array in arrays)
    moved = whole.batch(np.array([0])).to("cpu")
    assert {field.name for field in dataclasses.fields(moved)} == {"ids", "mask", "rows", "firsts", "n_tokens"}
