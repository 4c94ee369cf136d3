"""UniVA: published sizes, the published loss, heads that say none and all, dialogues that are encoded once."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn
from transformers import AutoModel, BertConfig, RobertaConfig

from mmfeat.errors import ConfigError
from skesl import FeatureNormaliser, MethodError, find_preset
from skesl.context import DialogueText, dialogue_batch
from skesl.emotion_points import emotion_points, label_similarity
from skesl.inputs import DialogueInputConfig
from skesl.methods.univa import Univa
from skesl.methods.univa_config import UnivaConfig
from skesl.task import Task
from skesl.testing import STREAMS, chosen_clips, make_method, random_batch
from skesl.va_losses import released_label_loss, released_label_prior_loss, released_va_contrast, va_contrast

SMALL = {"width": 12, "n_heads": 3, "n_inner": 24, "n_audio_layers": 1, "n_vision_layers": 1}
MOSEI = Task.example("multilabel")
M3ED = Task(problem="multilabel", labels=("happy", "surprise", "sad", "disgust", "anger", "fear", "neutral"))


def small(task=MOSEI, **settings):
    return make_method(Univa, config=UnivaConfig(**{**SMALL, **settings}), task=task)


def batch_of(task=MOSEI, **options):
    return random_batch(task=task, **options)


def n_parameter(module):
    return sum(parameter.numel() for parameter in module.parameters())


def published(preset, encoder_config, width, task):
    """Return the method of a preset without memory for its weights; streams of 74 and 35 features."""
    with torch.device("meta"):
        encoder = AutoModel.from_config(encoder_config) if encoder_config is not None else nn.Module()
        normalisers = {name: FeatureNormaliser(map(str, range(n))) for name, n in (("audio", 74), ("vision", 35))}
    config = find_preset("univa", preset).config
    method = Univa(config, text_encoder=encoder, text_width=width, normalisers=normalisers, task=task)
    method.start_stage("finetune")
    return method


ROBERTA = RobertaConfig(vocab_size=50_265, max_position_embeddings=514, type_vocab_size=1)
CHINESE = BertConfig(vocab_size=21_128)


@pytest.mark.parametrize(
    ("preset", "encoder", "width", "task", "n_encoder", "layers", "n_text"),
    [
        ("mosei_roberta", ROBERTA, 768, MOSEI, 124_645_632, (0, 5, 3), 590_592),
        ("m3ed_roberta", CHINESE, 768, M3ED, 102_267_648, (0, 5, 3), 590_592),
        ("mosei_glove", None, 300, MOSEI, 0, (7, 3, 5), 231_168 + 514 * 768),
        ("m3ed_glove", None, 300, M3ED, 0, (3, 5, 3), 231_168 + 514 * 768),
    ],
)
@pytest.mark.slow
def test_blocks_have_the_published_sizes(preset, encoder, width, task, n_encoder, layers, n_text):
    method = published(preset, encoder, width, task)
    n_label = len(task.labels)
    assert n_parameter(method.text_encoder) == n_encoder
    assert n_parameter(method.head) == 2304 * n_label + n_label
    own = {"text": n_text, "audio": 512 * 768 + 74 * 768 + 768, "vision": 512 * 768 + 35 * 768 + 768}
    for n_layer, (name, rest) in zip(layers, own.items(), strict=True):
        assert n_parameter(method.encoders[name]) == n_layer * 7_087_872 + rest
        assert n_parameter(method.poolings[name]) == 1_182_721
    n_prior = 0 if preset == "mosei_glove" else n_label**2
    assert sum(p.numel() for name, p in method.named_parameters() if name == "label_similarity") == n_prior
    if encoder is not None:
        assert not any(parameter.requires_grad for parameter in method.text_encoder.pooler.parameters())


def test_the_presets_have_the_published_values():
    values = {
        name: (preset.config.temperature, preset.config.contrast_weight, *preset.config.n_layers.values())
        for name, preset in Univa.presets.items()
        if name != "univa"
    }
    assert values == {
        "mosei_roberta": (0.7, 0.45, 0, 5, 3),
        "mosei_glove": (0.4, 0.2, 7, 3, 5),
        "m3ed_roberta": (0.4, 0.2, 0, 5, 3),
        "m3ed_glove": (0.4, 0.1, 3, 5, 3),
    }
    asked = {name: preset.train.get("finetune", {}) for name, preset in Univa.presets.items()}
    assert [asked[name]["n_epochs"] for name in values] == [5, 15, 10, 15]
    assert [asked[name]["batch_size"] for name in values] == [48, 32, 88, 32]
    assert [asked[name]["learning_rate"] for name in values] == [5e-5, 7e-5, 5e-5, 5e-5]


def test_modalities_that_nothing_scores_do_not_thin_the_contrast(monkeypatch):
    batch = batch_of(n_clip=6)
    points = torch.full((6, 3, 2), float("nan"))
    points[:, 0] = torch.randn(6, 2) * 0.05
    method = small(contrast_weight=0.5, label_prior_weight=0.0, dropout=0.0).eval()
    monkeypatch.setattr("skesl.methods.univa.score_clips", lambda *_: {"text": points[:, 0].numpy()})
    method.meet_clips(range(6))
    method.va_memory = points
    vector, has = method._vectors(batch)["text"]

    expected = va_contrast(vector, points[:, 0], mask=has, temperature=0.4, radius=0.5)
    assert method._contrast(method._vectors(batch), batch).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("task", [MOSEI, M3ED])
def test_the_released_loss_is_put_together_as_published(task):
    settings = {"variant": "released", "dropout": 0.0, "label_prior_weight": 1.0, "va_radius": 0.1}
    method = small(task, **settings, contrast_weight=0.45, temperature=0.7, text_contrast_weight=3.0).double().eval()
    batch = batch_of(task, n_clip=6)
    batch = dataclasses.replace(batch, streams={name: value.double() for name, value in batch.streams.items()})
    points = torch.randn(6, 3, 2, dtype=torch.float64) * 0.05
    method.va_memory = points
    vectors = [vector for vector, _ in method._vectors(batch).values()]
    log_shares = method.head(torch.cat(vectors, dim=1)).log_softmax(dim=1)
    similarity = torch.from_numpy(label_similarity(emotion_points(task.labels)))
    label = released_label_loss(log_shares, batch.labels) + released_label_prior_loss(log_shares, similarity)
    text, audio, vision = (
        released_va_contrast(vector, points[:, place], temperature=0.7, radius=0.1)
        for place, vector in enumerate(vectors)
    )
    expected = 0.55 * label + 0.45 * (3 * text + audio + vision) / 3
    assert method.finetune_loss(batch).item() == pytest.approx(expected.item(), rel=1e-6)  # a float32 matrix


def test_the_released_variant_drops_logits_and_the_default_does_not():
    batch = batch_of()
    for variant, is_dropped in (("released", True), ("default", False)):
        method = small(variant=variant, dropout=0.5).train()
        torch.manual_seed(0)
        outputs = torch.cat([method._outputs(method._vectors(batch)).detach() for _ in range(20)])
        logits = outputs if variant == "default" else outputs - outputs.log_softmax(1).logsumexp(1, keepdim=True)
        # a dropped logit is 0 before the softmax: several labels of a clip then have equal shares
        equal = [(row[:, None] == row).sum() > len(row) for row in logits]
        assert any(equal) is is_dropped


@pytest.mark.parametrize("threshold", [0.0, 0.18, 0.5])
def test_released_scores_say_what_lies_above_the_threshold_and_nothing_else(threshold):
    method = small(variant="released", threshold=threshold)
    shares = torch.tensor([[0.0, 0.17, 0.18, 0.1801, 0.5, 0.9, 1.0]])
    scores = method._scores(shares.log())
    assert ((scores >= 0.5) == (shares.log().exp() > threshold)).all()
    assert (scores.diff() >= 0).all()
    assert 0 <= scores.min() <= scores.max() <= 1


@pytest.mark.parametrize("head", ["sigmoid", "soft_target"])
def test_the_default_heads_can_say_none_some_and_all(head):
    labels = torch.tensor([[0.0] * 7, [1.0] + [0.0] * 6, [1.0, 1.0] + [0.0] * 5, [1.0] * 7])
    method = small(M3ED, head=head, contrast_weight=0.0, label_prior_weight=0.0)
    outputs = nn.Parameter(torch.zeros(4, 7 + (head == "soft_target")))
    optimiser = torch.optim.Adam([outputs], lr=0.3)
    for _ in range(120):
        logits = outputs.log_softmax(dim=1) if head == "soft_target" else outputs
        optimiser.zero_grad()
        method._label_loss(logits, labels).backward()
        optimiser.step()
    logits = outputs.log_softmax(dim=1) if head == "soft_target" else outputs
    assert torch.equal((method._scores(logits) >= 0.5).float(), labels)


def test_the_released_targets_cannot_say_all_seven():
    method = small(M3ED, variant="released")
    assert not (method._scores(torch.ones(1, 7).log_softmax(1)) >= 0.5).any()
    assert not (method._scores(torch.zeros(1, 7).log_softmax(1)) >= 0.5).any()


def in_dialogues(batch, dialogues):
    """Return a batch whose clips stand in dialogues: for each clip the ids of all utterances and which is its own."""
    texts = []
    for utterances, own in dialogues:
        ids = [2, *(token for utterance in utterances for token in (*utterance, 3))]
        first = 1 + sum(len(utterance) + 1 for utterance in utterances[:own])
        texts.append(DialogueText(ids=np.array(ids), first=first, n_token=len(utterances[own])))
    return dataclasses.replace(batch, dialogues=dialogue_batch(texts))


ONE = [[5, 6, 7], [8], [9, 10]]
OTHER = [[11, 12], [13, 14, 15, 16]]
PLACES = [(ONE, 0), (OTHER, 1), (ONE, 2), (ONE, 1)]


class Counting(nn.Module):
    """Counts the sequences that an encoder reads."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder, self.config, self.n_read = encoder, encoder.config, 0

    def forward(self, **inputs):
        self.n_read += len(inputs["input_ids"])
        return self.encoder(**inputs)


def test_a_dialogue_is_encoded_once_for_all_its_clips_and_they_are_predicted_as_alone():
    method = small().eval()
    method.text_encoder = counting = Counting(method.text_encoder)
    batch = batch_of()
    together = method.predict(in_dialogues(batch, PLACES))
    assert counting.n_read == 2
    alone = torch.cat(
        [method.predict(in_dialogues(chosen_clips(batch, [row]), [place])) for row, place in enumerate(PLACES)]
    )
    assert counting.n_read == 2 + 4
    assert torch.allclose(together, alone, atol=1e-6)


def test_a_clip_is_told_by_its_own_words_and_by_those_around_them():
    method = small().eval()
    batch = batch_of(n_clip=1)
    said = [
        method.predict(in_dialogues(batch, [place]))
        for place in ((ONE, 0), (ONE, 1), ([ONE[0], [17], ONE[2]], 0), ([ONE[0]], 0))
    ]
    for row, one in enumerate(said):
        assert not any(torch.allclose(one, other, atol=1e-6) for other in said[:row])


def test_a_lone_utterance_reads_as_a_text_without_its_special_tokens():
    method = small().eval()
    batch = batch_of(n_clip=1)
    ids = torch.tensor([[2, 5, 6, 7, 3]])
    plain = dataclasses.replace(batch, input_ids=ids, text_mask=torch.ones_like(ids, dtype=torch.bool))
    assert torch.allclose(method.predict(plain), method.predict(in_dialogues(batch, [([[5, 6, 7]], 0)])), atol=1e-6)


def test_a_clip_without_words_or_frames_has_a_prediction_and_a_loss():
    method = small()
    batch = in_dialogues(batch_of(), [([[5], []], 1)] * 4)
    batch = dataclasses.replace(
        batch, stream_masks={name: torch.zeros_like(m) for name, m in batch.stream_masks.items()}
    )
    assert method.finetune_loss(batch).isfinite()
    assert method.eval().predict(batch).isfinite().all()


def test_a_frozen_text_encoder_does_not_move():
    method = small(freeze_text_encoder=True)
    method.start_stage("finetune")
    before = {name: value.clone() for name, value in method.text_encoder.state_dict().items()}
    optimiser = torch.optim.SGD(method.parameters(), lr=0.5)
    method.train()(batch_of(), "finetune").backward()
    optimiser.step()
    assert not method.text_encoder.training
    for name, value in method.text_encoder.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize("modalities", [("audio",), ("text", "vision"), ("audio", "vision")])
def test_modalities_may_be_left_out(modalities):
    inputs = DialogueInputConfig(modalities=modalities, max_audio_frames=64, max_vision_frames=64)
    method = small(inputs=inputs).eval()
    batch = batch_of()
    other = dataclasses.replace(
        batch,
        input_ids=batch.input_ids if "text" in modalities else batch.input_ids.flip(0),
        streams={name: value if name in modalities else value + 9 for name, value in batch.streams.items()},
    )
    assert method.head.in_features == 12 * len(modalities)
    assert torch.equal(method.predict(batch), method.predict(other))
    assert set(method.normalisers) == set(modalities) & set(STREAMS)


def test_nothing_to_read_is_refused():
    config = UnivaConfig(**SMALL, inputs=DialogueInputConfig(modalities=("audio",), max_audio_frames=9))
    with pytest.raises(MethodError, match="'univa' has nothing to read"):
        Univa(config, text_encoder=nn.Module(), text_width=0, normalisers={}, task=MOSEI)


def test_a_label_without_a_point_is_told_and_may_be_given_one():
    task = Task(problem="multilabel", labels=("happy", "bored"))
    with pytest.raises(ConfigError, match="no valence and arousal known for 'bored'"):
        small(task)
    assert small(task, emotion_points=("bored=0.3,0.1",)).label_points[1].tolist() == pytest.approx([0.3, 0.1])
    assert not small(task, label_prior_weight=0.0, va_of_labels=False).label_points.any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"variant": "released", "head": "soft_target"}, "the released variant has a head of its own"),
        ({"temperature": 0.0}, "temperature must be more than 0, got 0.0"),
        ({"contrast_weight": 1.0}, r"contrast_weight must lie in \[0, 1\), got 1.0"),
        ({"n_audio_layers": -1}, "n_audio_layers must not be negative, got -1"),
        ({"n_text_layers": 1}, "n_text_layers needs inputs.max_text_tokens"),
        ({"inputs": DialogueInputConfig()}, "inputs.max_audio_frames: expected a number"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        UnivaConfig(**settings)


def test_multiplications_are_those_of_the_linear_maps():
    encoder = small().encoders["audio"]
    frames, mask = torch.zeros(2, 7, 5), torch.ones(2, 7, dtype=torch.bool)
    assert encoder.linear_macs(frames, mask) == 14 * (5 * 12 + 4 * 12 * 12 + 2 * 12 * 24)
