import dataclasses
import json

import numpy as np
import pytest
import torch

from mmfeat import ConfigError, DatasetReader, InputError
from mmfeat.testing import write_example_dataset
from skesl import ClipSet, ExperimentConfig, MethodError, TrainConfig, collate, load_lexicon, pretrain
from skesl.mask_states import load_mask_states
from skesl.masking import MaskingConfig, TextMasker
from skesl.methods.skesl import Skesl
from skesl.methods.text_only import TextOnly
from skesl.testing import make_method, random_batch, tiny_text_encoder, write_tiny_text_encoder

ENCODER = tiny_text_encoder()
LEXICON = load_lexicon()
QUICK = TrainConfig(n_epochs=2, batch_size=4, learning_rate=1e-2, device="cpu", patience=0)
SMALL = {"n_layers": 2, "n_inner": 8}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = write_example_dataset(tmp_path_factory.mktemp("data") / "example.h5", n_clip=24)
    with DatasetReader(path) as reader:
        assert any("ordinary" in text for text in reader.texts)  # it is in no lexicon
    return path


def texts_of(reader):
    return dict(zip(reader.clip_ids, reader.texts, strict=True))


def stored(folder, texts, *, method=None, encoder=ENCODER, **key):
    method = method or make_method(Skesl)
    masker = TextMasker(encoder, LEXICON, MaskingConfig(), max_tokens=64)
    return load_mask_states(
        folder, texts, encoder, masker, method.eval().encode_text, key=key, device=torch.device("cpu")
    )


def test_the_loss_with_stored_states_is_the_loss_without(data, tmp_path):
    method = make_method(Skesl).eval()
    method.normalisers = torch.nn.ModuleDict()  # the example's columns are others than those of the tiny method
    for layer in method.fusion.layers:
        layer.attentions = torch.nn.ModuleDict()
    with DatasetReader(data) as reader:
        texts = texts_of(reader)
        clips = ClipSet(
            reader,
            np.arange(reader.n_clip),
            ENCODER,
            stage="pretrain",
            streams=(),
            labels=reader.labels("sentiment").values[:, None],
            lexicon=LEXICON,
            max_text_tokens=64,
        )
    for epoch in (1, 2):
        clips.set_epoch(epoch)
        batch = collate([clips[item] for item in range(len(clips))])
        method.mask_states = None
        expected = method.pretrain_loss(batch)
        states = stored(tmp_path, texts, method=method)
        method.use_mask_states(states)
        # clips without a sentiment word have none, and hide another word in each epoch
        assert set(states.rows) == {clip_id for clip_id, text in texts.items() if "ordinary" not in text}
        torch.testing.assert_close(
            method.pretrain_loss(batch), expected, rtol=1e-5, atol=1e-6
        )  # other batches, float32


def test_only_clips_without_stored_states_go_through_the_text_encoder(data, tmp_path, monkeypatch):
    method = make_method(Skesl).eval()
    with DatasetReader(data) as reader:
        texts = texts_of(reader)
    method.use_mask_states(stored(tmp_path, texts, method=method))
    seen = []
    encode = method.encode_text
    monkeypatch.setattr(method, "encode_text", lambda ids, mask: seen.append(len(ids)) or encode(ids, mask))
    batch = random_batch()
    for names, n_encoded in ((tuple(texts)[:4], None), (("a", "b", "c", "d"), 4)):
        method.pretrain_loss(dataclasses.replace(batch, clip_ids=names))
        if n_encoded is None:
            n_encoded = sum("ordinary" in texts[name] for name in names)
        assert sum(seen) == n_encoded
        seen.clear()


def test_states_are_stored_once_and_read_again(data, tmp_path, monkeypatch):
    with DatasetReader(data) as reader:
        texts = texts_of(reader)
    first = stored(tmp_path, texts)

    def never(*_arguments):
        raise AssertionError("computed again")

    method = make_method(Skesl)
    monkeypatch.setattr(method, "encode_text", never)
    again = stored(tmp_path, texts, method=method)

    assert torch.equal(first.states, again.states)
    assert dict(first.rows) == dict(again.rows)
    assert [path.suffix for path in tmp_path.iterdir()] == [".safetensors"]


def test_every_other_text_weight_tokenizer_and_setting_is_another_file(tmp_path):
    texts = {"a": "it was good"}
    heavier = tiny_text_encoder(seed=1)
    cased = tiny_text_encoder()
    cased.tokenizer.backend_tokenizer.normalizer = None
    for encoder, some, key in (
        (ENCODER, texts, {"content": "x"}),
        (ENCODER, {"a": "it was bad"}, {"content": "x"}),
        (ENCODER, {"b": "it was good"}, {"content": "x"}),
        (heavier, texts, {"content": "x"}),
        (cased, texts, {"content": "x"}),
        (ENCODER, texts, {"content": "y"}),
    ):
        stored(tmp_path, some, encoder=encoder, **key)

    assert len(list(tmp_path.iterdir())) == 6


def test_a_damaged_file_is_refused_with_what_to_do(tmp_path):
    stored(tmp_path, {"a": "it was good"})
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:20])

    with pytest.raises(InputError, match=r"expected the states of hidden words.*delete the file"):
        stored(tmp_path, {"a": "it was good"})


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "taken").write_text("")

    with pytest.raises(InputError, match="expected a folder for the states of hidden words"):
        stored(tmp_path / "taken", {"a": "it was good"})


@pytest.mark.parametrize(
    "settings", [{"freeze_text_encoder_in_pretraining": False}, {"frozen_text_encoder_dropout": True}]
)
def test_a_text_encoder_that_changes_cannot_be_stored(data, tmp_path, settings):
    encoder = str(write_tiny_text_encoder(tmp_path / "encoder"))
    config = ExperimentConfig(
        text_encoder=encoder, train=QUICK, method_settings={**SMALL, **settings}, mask_states=tmp_path / "states"
    )

    with pytest.raises(ConfigError, match="need a text encoder that is frozen and without dropout"):
        pretrain(data, tmp_path / "run", config)
    assert not (tmp_path / "states").exists()


def test_a_method_that_reads_no_hidden_words_refuses_their_states():
    with pytest.raises(MethodError, match="method 'text_only' does not pretrain with stored states"):
        make_method(TextOnly).use_mask_states(None)


def test_pretraining_with_stored_states_learns_the_same(data, tmp_path):
    encoder = str(write_tiny_text_encoder(tmp_path / "encoder"))
    losses = {}
    for name, folder in (("without", None), ("with", tmp_path / "states")):
        config = ExperimentConfig(text_encoder=encoder, train=QUICK, method_settings=SMALL, mask_states=folder)
        pretrain(data, tmp_path / name, config)
        losses[name] = (tmp_path / name / "metrics.jsonl").read_text()

    one, other = ([json.loads(line)["loss"] for line in losses[name].splitlines()] for name in ("without", "with"))
    assert one == pytest.approx(other, rel=1e-4)  # float32 in other batches, and then Adam's steps
