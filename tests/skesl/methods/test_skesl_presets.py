"""Every preset, from a dataset file to the loss, against the equations written out by hand in float64."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from mmfeat import ConfigError, DatasetReader, config_to_dict
from mmfeat.testing import write_example_dataset
from skesl import ClipSet, FeatureNormaliser, TrainConfig, collate, find_preset, load_lexicon, method_config
from skesl.methods.skesl import Skesl
from skesl.task import Task
from skesl.testing import tiny_text_encoder

PRESETS = ("skesl", "released", "paper")
LEXICON = load_lexicon()
CLIPS = np.array([0, 1, 3, 4, 6])  # clip 1 has no face; the last frame of each other clip has none


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    with DatasetReader(write_example_dataset(tmp_path_factory.mktemp("data") / "example.h5", n_clip=8)) as reader:
        yield reader


@pytest.fixture(scope="module")
def encoder():
    encoder = tiny_text_encoder()
    encoder.model.double().eval()
    return encoder


def made(preset, encoder, reader):
    """Return the method of a preset in float64 with statistics of the data, and with weights that hide nothing."""
    config = method_config("skesl", preset=preset, settings={} if preset == "paper" else {"n_inner": 8})
    normalisers = {}
    for name in ("audio", "vision"):
        normalisers[name] = FeatureNormaliser(reader.info(name).feature_names)
        normalisers[name].fit(reader, name, CLIPS)
    method = Skesl(
        config, text_encoder=encoder.model, text_width=encoder.width, normalisers=normalisers, task=Task()
    ).double()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weight in (*method.fusion.parameters(), *method.head.parameters()):
            weight.normal_(std=0.25, generator=generator)
    return method.eval()


def batch_of(method, encoder, reader, stage, indices):
    clips = ClipSet(
        reader,
        indices,
        encoder,
        stage=stage,
        streams=("audio", "vision"),
        labels=reader.labels("sentiment").values[:, None],
        lexicon=LEXICON,
        max_text_tokens=128,
        inputs=method.inputs,
        masking=method.masking,
    )
    batch = collate([clips[item] for item in range(len(clips))])
    return dataclasses.replace(batch, streams={name: values.double() for name, values in batch.streams.items()})


class ByHand:
    """SKESL's equations for one clip at a time: no batch, no mask, no padding but the one that is asked for."""

    def __init__(self, method, encoder, reader, preset):
        self.weights = {name: weight.detach() for name, weight in method.state_dict().items()}
        self.encoder, self.reader, self.preset = encoder, reader, preset
        self.released, self.paper = preset == "released", preset == "paper"

    def linear(self, x, name):
        product = x @ self.weights[f"{name}.weight"].T
        return product + self.weights[f"{name}.bias"] if f"{name}.bias" in self.weights else product

    def norm(self, x, name):
        centred = x - x.mean(-1, keepdim=True)
        scaled = centred / torch.sqrt((centred**2).mean(-1, keepdim=True) + 1e-5)
        return scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def frames(self, stream, index):
        """Return what is attended to, shape (frame, feature)."""
        features = self.reader.read(stream, int(index))
        values = torch.from_numpy(features.values).double()
        if self.released:  # every stored frame, filled up with zeros
            length = {"audio": 400, "vision": 55}[stream]
            return torch.cat([values, torch.zeros(length - len(values), values.shape[1], dtype=torch.float64)])
        values = values[torch.from_numpy(features.valid)]
        if self.paper or not len(values):
            return values
        mean, scale = (self.weights[f"normalisers.{stream}.{name}"] for name in ("mean", "scale"))
        normed = ((values - mean) * scale).clamp(-10, 10)
        if stream == "audio":  # log-F0 of an unvoiced frame
            normed[values[:, 0] == 0, 0] = 0
        return normed

    def attention(self, x, frames, name):
        if not len(frames):
            return torch.zeros_like(x)
        query = self.linear(self.norm(x, f"{name}.text_norm"), f"{name}.query")
        key = self.linear(self.norm(frames, f"{name}.other_norm"), f"{name}.key")
        value = self.linear(self.norm(frames, f"{name}.other_norm"), f"{name}.value")
        logits = query @ key.T / math.sqrt(key.shape[1])
        weights = torch.exp(logits - logits.max(-1, keepdim=True).values)
        mixed = weights @ value / weights.sum(-1, keepdim=True)
        return mixed if self.paper else self.linear(mixed, f"{name}.output")

    def fuse(self, x, index):
        for use in range(4):
            layer = f"fusion.layers.{use if self.paper else 0}"
            y = self.norm(x, f"{layer}.residual_norm") if self.paper else x
            for stream in ("audio", "vision"):
                y = y + self.attention(x, self.frames(stream, index), f"{layer}.attentions.{stream}")
            normed = self.norm(y, f"{layer}.norm")
            if self.paper:
                hidden = self.linear(normed, f"{layer}.feed_forward.0").clamp(min=0)
                x = y + self.linear(hidden, f"{layer}.feed_forward.3")
            else:
                x = y + self.linear(normed, f"{layer}.feed_forward")
        return x

    def head(self, x):
        return self.linear(self.linear(x, "head.hidden").clamp(min=0), "head.output").squeeze(-1)

    def states(self, ids, n_attended):
        mask = (torch.arange(len(ids)) < n_attended).long()
        return self.encoder.model(torch.tensor([ids]), attention_mask=mask[None]).last_hidden_state[0]

    def ids(self, pieces):
        return self.encoder.tokenizer.convert_tokens_to_ids(["[CLS]", *pieces, "[SEP]"])

    def label(self, index):
        """Return the fine-tuning prediction."""
        pieces = self.encoder.tokenizer.tokenize(self.reader.texts[index])
        ids = self.ids(pieces)
        if self.released:
            padded = ids + [0] * (39 - len(ids))
            return self.head(self.fuse(self.states(padded, len(ids)), index).mean(0))
        return self.head(self.fuse(self.states(ids, len(ids)), index).mean(0))

    def hidden_word(self, index):
        """Return prediction and target of the hidden word, which the example's texts have third."""
        text = self.reader.texts[index]
        word = text.split()[2].strip(",")
        pieces = self.encoder.tokenizer.tokenize(text)
        assert pieces[2] == word
        masked = self.ids(["[MASK]" if piece == word else piece for piece in pieces])
        states = self.states(masked, len(masked))
        return self.head(self.fuse(states, index)[3]), 0.75 * LEXICON[word]


@torch.no_grad()
@pytest.mark.parametrize("preset", PRESETS)
def test_the_fine_tuning_loss_is_that_of_the_equations(preset, encoder, reader):
    method = made(preset, encoder, reader)
    by_hand = ByHand(method, encoder, reader, preset)
    labels = reader.labels("sentiment").values

    expected = np.mean([abs(float(by_hand.label(index)) - labels[index]) for index in CLIPS])

    # labels and statistics are float32; everything is computed in float64
    loss = method.finetune_loss(batch_of(method, encoder, reader, "finetune", CLIPS))
    assert float(loss) == pytest.approx(expected, rel=1e-6)


@torch.no_grad()
@pytest.mark.parametrize("preset", PRESETS)
def test_the_pretraining_loss_is_that_of_the_equations(preset, encoder, reader):
    spoken = np.array([index for index in CLIPS if reader.texts[index].split()[2].strip(",") in LEXICON])
    assert len(spoken) >= 3
    method = made(preset, encoder, reader)
    by_hand = ByHand(method, encoder, reader, preset)

    pairs = [by_hand.hidden_word(index) for index in spoken]

    expected = np.mean([abs(float(prediction) - target) for prediction, target in pairs])
    loss = method.pretrain_loss(batch_of(method, encoder, reader, "pretrain", spoken))
    assert float(loss) == pytest.approx(expected, rel=1e-6)


@torch.no_grad()
def test_the_three_presets_compute_three_different_things(encoder, reader):
    losses = set()
    for preset in PRESETS:
        method = made(preset, encoder, reader)
        losses.add(round(float(method.finetune_loss(batch_of(method, encoder, reader, "finetune", CLIPS))), 6))

    assert len(losses) == 3


def test_what_each_preset_freezes_and_at_which_rates_it_learns(encoder, reader):
    rates = TrainConfig(learning_rate=1e-4, text_encoder_learning_rate=5e-6)
    groups = {}
    for preset in PRESETS:
        method = made(preset, encoder, reader)
        for stage in ("pretrain", "finetune"):
            method.start_stage(stage)
            method.train()
            found = {group["name"]: group["lr"] for group in method.parameter_groups(rates)}
            groups[preset, stage] = (found, method.text_encoder.training)

    head_only = {"rest": 1e-4}
    two = {"text_encoder": 5e-6, "rest": 1e-4}
    assert groups == {
        ("skesl", "pretrain"): (head_only, False),
        ("skesl", "finetune"): (two, True),
        ("released", "pretrain"): (head_only, True),  # frozen, but with dropout
        ("released", "finetune"): ({"text_encoder": 5e-6, "fusion": 5e-6, "rest": 1e-4}, True),
        ("paper", "pretrain"): (two, True),
        ("paper", "finetune"): (two, True),
    }


def test_a_preset_s_groups_hold_every_trained_parameter_once(encoder, reader):
    method = made("released", encoder, reader)
    method.start_stage("finetune")

    grouped = [id(parameter) for group in method.parameter_groups(TrainConfig()) for parameter in group["params"]]
    trained = [id(parameter) for parameter in method.parameters() if parameter.requires_grad]
    assert sorted(grouped) == sorted(trained)


def test_attended_padding_needs_the_length_that_is_padded_to():
    with pytest.raises(ConfigError, match=r"attend_to_padding needs inputs\.max_vision_frames"):
        method_config("skesl", settings={"attend_to_padding": True, "inputs": {"max_audio_frames": 400}})
    with pytest.raises(ConfigError, match=r"pool_padding needs inputs\.max_text_tokens"):
        method_config("skesl", settings={"pool_padding": True})


def test_single_settings_win_over_the_preset_and_the_preset_over_the_run_before():
    config = method_config(
        "skesl", preset="released", settings={"inputs": {"max_text_tokens": 60}}, inherited={"n_layers": 1}
    )

    assert config.inputs.max_text_tokens == 60
    assert config.inputs.max_audio_frames == 400
    assert config.n_layers == 4
    assert method_config("skesl", inherited={"n_layers": 1}).n_layers == 1


def test_an_unknown_preset_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="method 'skesl' has no preset 'papers'; known: skesl, released, paper"):
        find_preset("skesl", "papers")
    with pytest.raises(ConfigError, match="method 'text_only' has no preset 'released'; known: none"):
        find_preset("text_only", "released")


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_survives_its_way_through_the_run_s_settings(preset):
    config = find_preset("skesl", preset).config

    assert method_config("skesl", inherited=config_to_dict(config)) == config
    for train in find_preset("skesl", preset).train.values():
        TrainConfig(**train)


def test_in_released_mode_padding_moves_the_prediction_and_otherwise_it_does_not(encoder, reader):
    for preset, moves in (("released", True), ("skesl", False)):
        method = made(preset, encoder, reader)
        batch = batch_of(method, encoder, reader, "finetune", CLIPS)
        before = method.predict(batch)
        method.fusion.n_padded = {name: 2 * n_frame for name, n_frame in method.fusion.n_padded.items()}

        assert torch.allclose(method.predict(batch), before, atol=1e-6) is not moves
