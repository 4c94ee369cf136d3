import copy
import dataclasses

import pytest
import torch
from transformers import BertConfig, BertModel

from mmfeat import ConfigError
from skesl import FeatureNormaliser, MethodError, TrainConfig
from skesl.methods.skesl import Skesl, SkeslConfig
from skesl.methods.text_only import TextOnly, TextOnlyConfig
from skesl.task import Task
from skesl.testing import make_method, random_batch

N_AUDIO, N_VISION = 33, 709
BASE = BertConfig(vocab_size=30_522)
LARGE = BertConfig(
    vocab_size=30_522, hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096
)


def published(bert, **settings):
    """Return SKESL at its published size, without memory for its weights."""
    with torch.device("meta"):
        encoder = BertModel(bert)
        normalisers = {
            "audio": FeatureNormaliser(map(str, range(N_AUDIO))),
            "vision": FeatureNormaliser(map(str, range(N_VISION))),
        }
        return Skesl(
            SkeslConfig(**settings),
            text_encoder=encoder,
            text_width=bert.hidden_size,
            normalisers=normalisers,
            task=Task(),
        )


def n_parameter(module, *, trained_only=False):
    return sum(p.numel() for p in module.parameters() if p.requires_grad or not trained_only)


# Table 10 of the paper prints 111.4 M and 337.9 M; only one layer's weights, used four times, give these counts.
@pytest.mark.parametrize(
    ("bert", "share_layers", "expected"),
    [
        (BASE, True, 111_445_453),
        (LARGE, True, 337_893_837),
        (BASE, False, 116_743_729),
        (LARGE, False, 345_361_713),
    ],
    ids=["base tied", "large tied", "base untied", "large untied"],
)
def test_the_published_size_has_the_published_number_of_parameters(bert, share_layers, expected):
    assert n_parameter(published(bert, share_layers=share_layers)) == expected


@pytest.mark.parametrize(("bert", "expected"), [(BASE, 1_963_213), (LARGE, 2_751_949)], ids=["base", "large"])
def test_pretraining_trains_fusion_and_head_alone(bert, expected):
    method = published(bert)
    method.start_stage("pretrain")

    assert n_parameter(method, trained_only=True) == expected
    assert n_parameter(method.fusion) + n_parameter(method.head) == expected


def test_fine_tuning_trains_everything_but_the_pooler_that_nothing_reads():
    method = published(BASE)
    method.start_stage("finetune")

    untrained = {name for name, parameter in method.named_parameters() if not parameter.requires_grad}
    assert untrained == {"text_encoder.pooler.dense.weight", "text_encoder.pooler.dense.bias"}


def test_the_text_encoder_has_its_own_learning_rate_in_fine_tuning():
    method = make_method(Skesl)
    method.start_stage("finetune")
    groups = method.parameter_groups(TrainConfig(learning_rate=1e-3, text_encoder_learning_rate=1e-5))

    of_text = {id(parameter) for parameter in method.text_encoder.parameters()}
    assert [group["lr"] for group in groups] == [1e-5, 1e-3]
    assert all(id(parameter) in of_text for parameter in groups[0]["params"])
    assert not any(id(parameter) in of_text for parameter in groups[1]["params"])
    n_grouped = sum(parameter.numel() for group in groups for parameter in group["params"])
    assert n_grouped == n_parameter(method, trained_only=True)


def test_a_frozen_text_encoder_is_in_no_group():
    method = make_method(Skesl)
    method.start_stage("pretrain")

    assert [group["lr"] for group in method.parameter_groups(TrainConfig(learning_rate=1e-3))] == [1e-3]


def test_the_pretraining_loss_reads_only_the_row_of_the_mask(monkeypatch):
    method, batch = make_method(Skesl).eval(), random_batch()
    states = method.read_text(batch).detach()
    rows = torch.arange(len(batch))
    elsewhere = torch.full_like(states, 1e3)
    elsewhere[rows, batch.mask_positions] = states[rows, batch.mask_positions]
    expected = method.pretrain_loss(batch)

    monkeypatch.setattr(method, "encode_text", lambda _ids, _mask: elsewhere)
    assert torch.equal(method.pretrain_loss(batch), expected)
    elsewhere[0, batch.mask_positions[0]] += 1.0
    assert not torch.equal(method.pretrain_loss(batch), expected)


@torch.no_grad()
def test_the_pretraining_loss_is_the_mean_absolute_error_at_the_masks():
    method, batch = make_method(Skesl).eval(), random_batch()
    states = method.fuse(method.read_text(batch), batch)
    errors = [
        abs(float(method.head(states[clip, position])) - float(batch.labels[clip]))
        for clip, position in enumerate(batch.mask_positions.tolist())
    ]

    # float32 sums in another order
    assert float(method.pretrain_loss(batch)) == pytest.approx(sum(errors) / len(errors), rel=1e-5)


def test_the_fine_tuning_loss_is_the_mean_absolute_error_of_the_prediction():
    method, batch = make_method(Skesl).eval(), random_batch()
    states = method.fuse(method.read_text(batch), batch)
    pooled = [states[clip, : int(mask.sum())].mean(dim=0) for clip, mask in enumerate(batch.text_mask)]

    expected = method.head(torch.stack(pooled))
    torch.testing.assert_close(method.predict(batch), expected, rtol=1e-5, atol=1e-6)  # float32, order of sums
    assert torch.equal(method.finetune_loss(batch), (method.predict(batch) - batch.labels).abs().mean())


def test_the_pretraining_loss_does_not_depend_on_padding():
    method = make_method(Skesl).eval()

    padded = method.pretrain_loss(random_batch(n_padding=5))
    torch.testing.assert_close(padded, method.pretrain_loss(random_batch()), rtol=1e-5, atol=1e-6)  # float32


def pretrained_for(method, n_step):
    """Train for some steps the way the trainer does, with dropout."""
    method.start_stage("pretrain")
    optimiser = torch.optim.AdamW(method.parameter_groups(TrainConfig(learning_rate=1e-2)), weight_decay=0.1)
    for step in range(n_step):
        method.train()
        optimiser.zero_grad()
        method(random_batch(seed=step), "pretrain").backward()
        optimiser.step()
    return method


def test_pretraining_leaves_a_frozen_text_encoder_bit_identical():
    method = make_method(Skesl)
    before = copy.deepcopy(method.state_dict())
    after = pretrained_for(method, 3).state_dict()

    of_text = [name for name in before if name.startswith("text_encoder.")]
    assert of_text
    assert all(torch.equal(before[name], after[name]) for name in of_text)
    assert not torch.equal(before["head.output.weight"], after["head.output.weight"])


def test_a_frozen_text_encoder_stays_in_evaluation_mode_and_wakes_up_for_fine_tuning():
    method = make_method(Skesl)
    method.start_stage("pretrain")
    method.train()
    assert not any(module.training for module in method.text_encoder.modules())
    assert method.fusion.training

    method.start_stage("finetune")
    method.train()
    assert all(module.training for module in method.text_encoder.modules())


def test_the_paper_s_end_to_end_pretraining_can_be_chosen():
    method = make_method(Skesl)
    method.config = dataclasses.replace(method.config, freeze_text_encoder_in_pretraining=False)
    before = copy.deepcopy(method.text_encoder.state_dict())
    after = pretrained_for(method, 1).text_encoder.state_dict()

    name = "encoder.layer.0.output.dense.weight"
    assert not torch.equal(before[name], after[name])


@pytest.mark.parametrize("stream", ["audio", "vision"])
def test_each_stream_reaches_prediction_and_pretraining(stream):
    method, batch = make_method(Skesl).eval(), random_batch()
    changed = dataclasses.replace(batch, streams={**batch.streams, stream: -batch.streams[stream]})

    assert not torch.allclose(method.predict(changed), method.predict(batch), atol=1e-4)
    assert not torch.isclose(method.pretrain_loss(changed), method.pretrain_loss(batch), atol=1e-5)


def test_the_text_baseline_hears_and_sees_nothing():
    method, batch = make_method(TextOnly).eval(), random_batch()
    changed = dataclasses.replace(batch, streams={name: -frames for name, frames in batch.streams.items()})

    assert torch.equal(method.predict(changed), method.predict(batch))


def test_a_dataset_without_voice_and_face_is_refused():
    encoder = make_method(TextOnly).text_encoder

    with pytest.raises(MethodError, match="needs a stream named audio or vision, the dataset has none"):
        Skesl(SkeslConfig(), text_encoder=encoder, text_width=16, normalisers={}, task=Task())


@pytest.mark.parametrize("config_type", [SkeslConfig, TextOnlyConfig])
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dropout": 1.0}, r"dropout must lie in \[0, 1\), got 1\.0"),
        ({"dropout": -0.1}, r"dropout must lie in \[0, 1\), got -0\.1"),
        ({"n_head_hidden": 0}, "n_head_hidden must be at least 1, got 0"),
    ],
)
def test_settings_out_of_range_are_refused(config_type, settings, message):
    with pytest.raises(ConfigError, match=message):
        config_type(**settings)


@pytest.mark.parametrize("name", ["n_layers", "n_inner"])
def test_skesl_needs_at_least_one_layer_and_one_inner_unit(name):
    with pytest.raises(ConfigError, match=f"{name} must be at least 1, got 0"):
        SkeslConfig(**{name: 0})


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_mixed_precision_gives_nearly_the_same_loss_and_finite_gradients(stage):
    batch = random_batch()
    batch.stream_masks["vision"][0] = False  # a clip without a face: its logits are the lowest number
    method = make_method(Skesl)
    method.start_stage(stage)
    expected = method.eval()(batch, stage)

    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = method(batch, stage)
    loss.backward()

    assert float(loss.detach()) == pytest.approx(float(expected.detach()), rel=0.05)  # bfloat16 has three digits
    trained = [parameter for parameter in method.parameters() if parameter.requires_grad]
    assert all(parameter.grad.isfinite().all() for parameter in trained)
