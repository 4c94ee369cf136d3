"""TAM-ULAG and Self-MM as they are meant to be: every weight learns, labels are generated and hold still."""

import dataclasses
import math
from types import SimpleNamespace

import pytest
import torch

from mmfeat import ConfigError, config_to_dict
from skesl import MethodError, TrainConfig, find_preset, method_config
from skesl.methods.self_mm import SelfMm
from skesl.methods.tam_ulag import TamUlag
from skesl.testing import check_method, make_method, random_batch

BOTH = [SelfMm, TamUlag]
HUMAN = {"sentiment_T": [0.5, math.nan, -1.0, 0.0], "sentiment_A": [math.nan] * 4, "sentiment_V": [1.0, 1.0, 1.0, -1.0]}


def made(method_type, *, seed=0, **settings):
    method = make_method(method_type, seed=seed, config=method_config(method_type.name, settings=settings))
    method.start_stage("finetune")
    return method


def with_memory(method, batch, *, moved=0.0):
    """Return the method after it met the clips of a batch, whose labels differ from the clips' own by ``moved``."""
    method.meet_clips(SimpleNamespace(labels=batch.labels.numpy()))
    method.memory.of_modalities.add_(moved)
    return method


@pytest.mark.parametrize(
    ("method_type", "settings"),
    [
        (SelfMm, {"label_update": "batch", "normalise_features": False}),
        (SelfMm, {"audio": {"n_layers": 2}, "vision": {"n_layers": 3, "dropout": 0.1}}),
        (TamUlag, {"cross": "none"}),
        (TamUlag, {"cross": "rank_one"}),
        (TamUlag, {"similarity": "dot", "label_update": "batch"}),
        (TamUlag, {"audio": {"n_layers": 2}}),
        (TamUlag, {"detach_recurrent": True}),
        (TamUlag, {"train_confidence": False}),
        (TamUlag, {"detach_labels": False}),
        (TamUlag, {"text_read_out": "gated_first", "frame_read_out": "gated_last"}),
        (TamUlag, {"unimodal_labels": "human"}),
        (TamUlag, {"inputs": {"modalities": ["text"]}}),
        (TamUlag, {"inputs": {"modalities": ["audio"]}}),
        (SelfMm, {"inputs": {"modalities": ["audio", "vision"]}}),
    ],
)
def test_every_choice_keeps_the_contract(method_type, settings):
    check_method(method_type, method_config(method_type.name, settings=settings))


@pytest.mark.parametrize("method_type", BOTH)
def test_every_parameter_learns_in_one_step(method_type):
    batch = random_batch(n_clip=5)  # an odd number: the signs of absolute errors cannot cancel in a bias
    method = with_memory(made(method_type), batch, moved=1.0).eval()

    method.finetune_loss(batch).backward()

    trained = {name: parameter for name, parameter in method.named_parameters() if parameter.requires_grad}
    idle = [name for name, parameter in trained.items() if not parameter.grad.abs().sum() > 0]
    # Attention does not see the bias of its keys, and a position beyond the longest text or a word not said is unused.
    assert [name for name in idle if not name.startswith("text_encoder.")] == []
    assert not {name for name in trained if name.startswith("text_encoder.")} <= set(idle)


@pytest.mark.parametrize("method_type", BOTH)
def test_in_the_first_epoch_the_modalities_weigh_nothing(method_type):
    batch = random_batch()
    method = with_memory(made(method_type), batch).eval()
    outputs, truth = method.read(batch), batch.labels[:, 0]

    loss = method.finetune_loss(batch)
    loss.backward()

    expected = (outputs.predictions["fusion"] - truth).abs().mean()
    expected = (
        expected
        + method.targets(
            outputs, dict.fromkeys(method.modalities, truth), truth, dict.fromkeys(method.modalities, 1.0)
        ).loss
    )
    torch.testing.assert_close(loss, expected)
    for name in method.modalities:
        assert method.heads[name].output.weight.grad.abs().sum() == 0


def test_a_modality_weighs_as_much_as_its_label_differs():
    batch = random_batch()
    method = with_memory(made(SelfMm), batch, moved=0.7).eval()
    said, truth = method.read(batch).predictions, batch.labels[:, 0]

    expected = (said["fusion"] - truth).abs().mean()
    for name in method.modalities:
        expected = expected + math.tanh(0.7) * (said[name] - truth - 0.7).abs().mean()
    torch.testing.assert_close(method.finetune_loss(batch), expected)


def test_a_target_is_the_mean_of_the_label_in_memory_and_the_one_by_similarity():
    batch = random_batch()
    method = made(TamUlag, distance_share=0.25).eval()
    outputs, truth = method.read(batch), batch.labels[:, 0]
    labels = {name: torch.full_like(truth, place) for place, name in enumerate(method.modalities)}

    targets = method.targets(outputs, labels, truth, dict.fromkeys(labels, torch.ones(4))).labels

    scores = method.similarity(outputs.features)
    for place, name in enumerate(method.modalities):
        similar = truth * (scores[name] / 2).tanh()
        torch.testing.assert_close(targets[name], 0.25 * place + 0.75 * similar)
        assert not targets[name].requires_grad


def test_labels_are_generated_from_features_that_generating_does_not_change():
    """The confidence heads' loss reaches experts and heads, and no weight that makes features."""
    batch = random_batch()
    method = with_memory(made(TamUlag), batch, moved=1.0).eval()
    outputs, truth = method.read(batch), batch.labels[:, 0]

    labels, _ = method._labels(batch, truth)
    method.targets(outputs, labels, truth, dict.fromkeys(labels, torch.ones(4))).loss.backward()

    reached = {name for name, parameter in method.named_parameters() if parameter.grad is not None}
    assert {name.partition(".")[0] for name in reached} == {"similarity"}


def test_the_confidence_heads_learn_what_the_memory_says():
    batch = random_batch(n_clip=16)
    method = with_memory(made(TamUlag, inputs={"modalities": ["audio", "vision"]}), batch)
    truth = batch.labels[:, 0]
    shares = torch.tensor([0.8, -0.5])
    method.memory.of_modalities.copy_(truth[:, None] * shares)
    optimiser = torch.optim.Adam(method.similarity.parameters(), lr=0.05)

    for _ in range(60):
        optimiser.zero_grad()
        method.finetune_loss(batch).backward()
        optimiser.step()

    with torch.inference_mode():
        scores = method.eval().similarity(method.read(batch).features)
    learned = [float((score / 2).tanh().median()) for score in scores.values()]
    assert learned == pytest.approx(shares.tolist(), abs=0.15)


def test_a_clip_without_a_modality_teaches_that_modality_s_head_nothing():
    batch = random_batch()
    batch.stream_masks["audio"][:] = False
    method = with_memory(made(TamUlag), batch, moved=1.0).eval()

    method.finetune_loss(batch).backward()

    assert all(parameter.grad.abs().sum() == 0 for parameter in method.heads["audio"].parameters())
    assert all(parameter.grad.abs().sum() > 0 for parameter in method.heads["vision"].parameters())


def test_a_clip_of_which_nothing_was_said_teaches_the_head_of_the_words_nothing():
    batch = random_batch()
    batch.text_mask[:, 2:] = False  # only the tokens at either end
    method = with_memory(made(TamUlag), batch, moved=1.0).eval()

    method.finetune_loss(batch).backward()

    assert all(parameter.grad.abs().sum() == 0 for parameter in method.heads["text"].parameters())
    assert method.generate_labels(batch)[:, 0].isnan().all()


@pytest.mark.parametrize("method_type", BOTH)
def test_labels_made_by_people_take_the_place_of_generated_ones(method_type):
    batch = dataclasses.replace(
        random_batch(), side_labels={name: torch.tensor(values) for name, values in HUMAN.items()}
    )
    method = with_memory(made(method_type, unimodal_labels="human"), batch).eval()
    outputs, truth = method.read(batch), batch.labels[:, 0]
    said = outputs.predictions

    loss = method.finetune_loss(batch)

    # text: clips 0, 2 and 3 have one; audio: none, and in the first epoch the rest weighs nothing
    by_people = {name: torch.tensor(HUMAN[f"sentiment_{letter}"]) for name, letter in (("text", "T"), ("vision", "V"))}
    expected = (said["fusion"] - truth).abs().mean()
    for name, labels in by_people.items():
        expected = expected + (said[name] - labels).abs().nan_to_num(0.0).mean()
    stored = {name: by_people.get(name, truth).where(by_people.get(name, truth).isfinite(), truth) for name in said}
    del stored["fusion"]
    expected = expected + method.targets(outputs, stored, truth, dict.fromkeys(stored, 1.0)).loss
    torch.testing.assert_close(loss, expected)


def test_human_labels_are_read_only_where_they_are_asked_for():
    config = method_config("self_mm")
    human = method_config("self_mm", settings={"unimodal_labels": "human", "inputs": {"modalities": ["text", "audio"]}})

    assert SelfMm.side_labels(config) == ()
    assert SelfMm.side_labels(human) == ("sentiment_T", "sentiment_A")


def test_labels_do_not_move_within_an_epoch():
    batch = random_batch()
    method = with_memory(made(TamUlag), batch, moved=0.3)
    before = method.memory.of_modalities.clone()

    method.train().finetune_loss(batch)

    assert torch.equal(method.memory.of_modalities, before)


def test_the_bound_is_the_largest_label_unless_it_was_chosen():
    batch = random_batch()

    assert float(with_memory(made(TamUlag), batch).centres.bound) == pytest.approx(float(batch.labels.abs().max()))
    assert float(with_memory(made(TamUlag, label_bound=2.5), batch).centres.bound) == 2.5
    with pytest.raises(ConfigError, match=r"method.label_bound: expected at least .*, got 0.1"):
        with_memory(made(TamUlag, label_bound=0.1), batch)


def test_several_processes_may_not_move_labels_after_each_batch(monkeypatch):
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)

    with pytest.raises(ConfigError, match=r"method.label_update: expected epoch where several processes train"):
        with_memory(made(SelfMm, label_update="batch"), random_batch())
    with_memory(made(SelfMm), random_batch())


def test_a_method_with_nothing_to_read_is_refused():
    config = method_config("tam_ulag", settings={"inputs": {"modalities": ["audio"]}})
    other = make_method(TamUlag)

    with pytest.raises(MethodError, match="method 'tam_ulag' has nothing to read"):
        TamUlag(config, text_encoder=other.text_encoder, text_width=16, normalisers={}, task=other.task)


def test_without_words_the_text_encoder_is_not_trained():
    method = made(TamUlag, inputs={"modalities": ["audio", "vision"]})

    assert not any(parameter.requires_grad for parameter in method.text_encoder.parameters())
    assert method.modalities == ("audio", "vision")


@pytest.mark.parametrize(
    ("preset", "rates", "decays"),
    [
        ("mosi", (5e-5, 1e-3, 1e-4, 1e-3), (1e-3, 1e-2, 1e-3, 1e-3)),
        ("mosei", (5e-5, 5e-3, 1e-4, 1e-3), (1e-3, 0.0, 0.0, 1e-2)),
        ("sims", (5e-5, 1e-5, 2e-4, 5e-4), (1e-3, 1e-2, 1e-2, 1e-3)),
    ],
)
def test_presets_have_the_published_rates_and_decays(preset, rates, decays):
    found = find_preset("tam_ulag", preset)
    method = make_method(TamUlag, config=found.config)
    method.start_stage("finetune")
    train = TrainConfig(**found.train["finetune"])

    groups = {group["name"]: group for group in method.parameter_groups(train)}

    names = ("text_encoder", "audio", "vision", "rest")
    assert tuple(groups[name]["lr"] for name in names) == rates
    assert tuple(groups[name]["weight_decay"] for name in names) == decays
    norms = groups.pop("text_encoder_norms")
    assert (norms["lr"], norms["weight_decay"]) == (5e-5, 0.0)
    assert (train.batch_size, train.n_accumulated, train.patience) == (32, 4, 8)
    assert train.optimiser == "adam"


@pytest.mark.parametrize("method_type", BOTH)
def test_groups_hold_every_trained_parameter_once_and_only_biases_and_norms_are_spared(method_type):
    method = made(method_type)

    groups = {group["name"]: group["params"] for group in method.parameter_groups(TrainConfig(weight_decay=0.1))}

    grouped = [id(parameter) for parameters in groups.values() for parameter in parameters]
    assert sorted(grouped) == sorted(id(p) for p in method.parameters() if p.requires_grad)
    spared = {id(parameter) for parameter in groups["text_encoder_norms"]}
    assert {
        name.rpartition(".")[2] if name.endswith("bias") else "LayerNorm.weight"
        for name, parameter in method.text_encoder.named_parameters()
        if id(parameter) in spared
    } == {"bias", "LayerNorm.weight"}


@pytest.mark.parametrize("method_type", BOTH)
@pytest.mark.parametrize("preset", ["mosi", "mosei", "sims"])
def test_a_preset_survives_its_way_through_the_run_s_settings(method_type, preset):
    found = find_preset(method_type.name, preset)

    assert method_config(method_type.name, inherited=config_to_dict(found.config)) == found.config
    TrainConfig(**found.train["finetune"])


def test_a_chosen_setting_wins_over_the_variant():
    config = method_config("tam_ulag", preset="mosi", settings={"variant": "released", "cross": "rank_one"})

    assert config.design.cross == "rank_one"
    assert config.design.text_read_out == "gated_first"
    assert config.audio.n_hidden == 32
    assert method_config("tam_ulag", preset="mosi").design.cross == "per_dimension"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"distance_share": 1.5}, r"distance_share must lie in \[0, 1\], got 1.5"),
        ({"n_expert": 0}, "n_expert must be at least 1, got 0"),
        ({"label_bound": 0.0}, "label_bound must be above 0, got 0.0"),
        ({"text_weight_decay": -1.0}, "text_weight_decay must not be negative, got -1.0"),
        ({"variant": "paper"}, "variant: expected one of 'corrected', 'released', got 'paper'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        method_config("tam_ulag", settings=settings)
