import copy

import pytest
import torch
from plain_fusion import plain_fusion, plain_layer

from mmfeat import ConfigError
from skesl.nn.attention import prepare_frames
from skesl.nn.fusion import CrossmodalEncoder, FusionConfig, FusionLayer

N_TEXT, N_FEATURES = 12, {"audio": 5, "vision": 7}


def encoder(*, n_features=N_FEATURES, seed=0, n_padded=None, **settings):
    torch.manual_seed(seed)
    config = FusionConfig(**{"n_inner": 8, **settings})
    return CrossmodalEncoder(N_TEXT, n_features, config, n_padded=n_padded).double().eval()


def inputs(seed=1):
    generator = torch.Generator().manual_seed(seed)
    text = torch.randn((3, 4, N_TEXT), generator=generator, dtype=torch.float64)
    streams = {
        name: torch.randn((3, 6, n_feature), generator=generator, dtype=torch.float64)
        for name, n_feature in N_FEATURES.items()
    }
    masks = {name: torch.arange(6)[None, :] < torch.tensor([6, 4, 1])[:, None] for name in N_FEATURES}
    return text, streams, masks


def untied_clone(tied):
    """Return an encoder whose four layers are copies of the shared one."""
    clone = encoder(n_layers=4, share_layers=False)
    for layer in clone.layers:
        layer.load_state_dict(tied.layers[0].state_dict())
    return clone


def test_shared_layers_are_stored_once():
    tied, untied, single = encoder(), encoder(share_layers=False), encoder(n_layers=1)

    assert set(tied.state_dict()) == set(single.state_dict())
    assert len(untied.state_dict()) == 4 * len(tied.state_dict())
    assert sum(p.numel() for p in untied.parameters()) == 4 * sum(p.numel() for p in tied.parameters())


def test_shared_layers_compute_what_equal_layers_compute():
    tied = encoder()

    # float64; keys and values are computed once for all uses where that is less work
    torch.testing.assert_close(tied(*inputs()), untied_clone(tied)(*inputs()), rtol=1e-10, atol=1e-10)


def test_the_gradient_of_the_shared_layer_is_the_sum_over_its_uses():
    tied = encoder()
    untied = untied_clone(tied)

    for module in (tied, untied):
        module(*inputs()).square().sum().backward()

    for name, shared in tied.layers[0].named_parameters():
        parts = [layer.get_parameter(name).grad for layer in untied.layers]
        # float64, four summands; key.bias has no gradient but rounding, for softmax ignores a constant
        torch.testing.assert_close(shared.grad, sum(parts), rtol=1e-9, atol=1e-9)
        if not name.endswith("key.bias"):
            assert not torch.allclose(parts[0], parts[3], rtol=1e-3)


@pytest.mark.parametrize("share_layers", [True, False])
@pytest.mark.parametrize("n_layers", [1, 2, 4])
def test_n_layers_is_how_often_a_layer_is_applied(n_layers, share_layers):
    module = encoder(n_layers=n_layers, share_layers=share_layers)
    text, streams, masks = inputs()

    expected = text
    for use in range(n_layers):
        expected = plain_layer(module.layers[0 if share_layers else use], expected, streams, masks)

    torch.testing.assert_close(module(text, streams, masks), expected, rtol=1e-10, atol=1e-10)  # float64
    assert module.n_repeat * len(module.layers) == n_layers


def test_a_layer_adds_its_attentions_to_the_raw_text_and_then_one_linear_map():
    torch.manual_seed(0)
    layer = FusionLayer(N_TEXT, N_FEATURES, FusionConfig(n_inner=8)).double().eval()
    text, streams, masks = inputs()

    opened = {
        name: attention.open(prepare_frames(streams[name], masks[name]), n_query=4)
        for name, attention in layer.attentions.items()
    }
    answers = [layer.attentions[name](text, opened[name]) for name in N_FEATURES]
    fused = text + answers[0] + answers[1]
    centred = fused - fused.mean(dim=-1, keepdim=True)
    normed = centred / (centred.square().mean(dim=-1, keepdim=True) + 1e-5).sqrt()
    expected = fused + normed @ layer.feed_forward.weight.T + layer.feed_forward.bias

    torch.testing.assert_close(layer(text, opened), expected, rtol=1e-12, atol=1e-12)  # float64


def test_without_attention_outputs_and_linear_map_the_text_passes_unchanged():
    module = encoder()
    for layer in module.layers:
        for linear in (layer.feed_forward, *(attention.output for attention in layer.attentions.values())):
            torch.nn.init.zeros_(linear.weight)
            torch.nn.init.zeros_(linear.bias)
    text, streams, masks = inputs()

    assert torch.equal(module(text, streams, masks), text)


@pytest.mark.parametrize("missing", ["audio", "vision"])
def test_a_clip_without_one_stream_is_fused_with_the_other_alone(missing):
    module = encoder()
    text, streams, masks = inputs()
    masks[missing] = torch.zeros_like(masks[missing])
    other = next(name for name in N_FEATURES if name != missing)
    alone = encoder(n_features={other: N_FEATURES[other]})
    weights = {name: weight for name, weight in module.state_dict().items() if f".{missing}." not in name}
    alone.load_state_dict(weights)

    assert torch.equal(module(text, streams, masks), alone(text, streams, masks))


def test_text_padding_does_not_reach_other_tokens():
    module = encoder()
    text, streams, masks = inputs()
    changed = text.clone()
    changed[:, -1] = 100.0

    # float64; blocked matrix products may sum in another order
    torch.testing.assert_close(
        module(changed, streams, masks)[:, :-1], module(text, streams, masks)[:, :-1], rtol=1e-12, atol=1e-12
    )


def test_dropout_acts_in_training_and_not_in_evaluation():
    module = encoder()
    training = copy.deepcopy(module).train()

    assert torch.equal(module(*inputs()), module(*inputs()))
    assert not torch.equal(training(*inputs()), training(*inputs()))


VARIANTS = {
    "default": {},
    "untied": {"share_layers": False},
    "normed residual": {"residual": "normed"},
    "Transformer": {"feed_forward": "transformer"},
    "paper": {
        "share_layers": False,
        "n_inner": None,
        "output_projection": False,
        "attention_bias": False,
        "residual": "normed",
        "feed_forward": "transformer",
    },
}


@pytest.mark.parametrize("n_padded", [None, {"audio": 40, "vision": 6}], ids=["masked", "attended"])
@pytest.mark.parametrize("settings", VARIANTS.values(), ids=VARIANTS)
def test_every_variant_has_outputs_and_gradients_of_the_plain_equations(settings, n_padded):
    module = encoder(n_padded=n_padded, **settings)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    text, streams, masks = inputs()

    results = []
    for fuse in (module, lambda *batch: plain_fusion(module, *batch)):
        module.zero_grad()
        values = fuse(text, streams, masks)
        values.tanh().sum().backward()
        results.append((values, {name: weight.grad for name, weight in module.named_parameters()}))

    # float64: 1e-6 and 1e-5 are asked for, and hold in float32 as well; here only the order of sums differs
    torch.testing.assert_close(results[0][0], results[1][0], rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(results[0][1], results[1][1], rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("n_padded", [None, {"audio": 400, "vision": 55}], ids=["masked", "attended"])
@pytest.mark.parametrize("n_token", [1, 15])
def test_in_float32_at_the_published_width_outputs_agree_to_1e_6_and_gradients_to_1e_5(n_token, n_padded):
    torch.manual_seed(0)
    widths = {"audio": 33, "vision": 709}
    module = CrossmodalEncoder(768, widths, FusionConfig(dropout=0.0), n_padded=n_padded)
    text = torch.randn(2, n_token, 768)
    streams = {"audio": torch.randn(2, 180, 33), "vision": torch.randn(2, 55, 709)}
    masks = {
        name: torch.arange(values.shape[1])[None] < torch.tensor([[50], [180]]) for name, values in streams.items()
    }

    results = []
    for fuse in (module, lambda *batch: plain_fusion(module, *batch)):
        module.zero_grad()
        values = fuse(text, streams, masks)
        values.mean(dim=(1, 2)).square().sum().backward()
        results.append((values, {name: weight.grad for name, weight in module.named_parameters()}))

    scale = results[1][0].abs().max()
    assert (results[0][0] - results[1][0]).abs().max() / scale < 1e-6
    largest = max(gradient.abs().max() for gradient in results[1][1].values())
    for name, gradient in results[1][1].items():
        assert (results[0][1][name] - gradient).abs().max() / largest < 1e-5, name


def test_rows_of_the_text_may_be_given_alone():
    module = encoder()
    text, streams, masks = inputs()

    alone = module(text[:, 2:3], streams, masks)

    torch.testing.assert_close(alone, module(text, streams, masks)[:, 2:3], rtol=1e-10, atol=1e-10)


def test_attended_padding_changes_the_answer_and_its_amount_does():
    text, streams, masks = inputs()
    answers = [
        encoder(n_padded=n_padded)(text, streams, masks)
        for n_padded in (None, {"audio": 6, "vision": 6}, {"audio": 60, "vision": 60})
    ]

    assert not torch.allclose(answers[0][1:], answers[1][1:], atol=1e-3)
    assert not torch.allclose(answers[1], answers[2], atol=1e-3)
    torch.testing.assert_close(answers[0][0], answers[1][0], rtol=1e-12, atol=1e-12)  # clip 0 has all 6 frames


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_layers": 0}, "n_layers must be at least 1, got 0"),
        ({"output_projection": False}, 'without output_projection n_inner must be "none".*got 256'),
    ],
)
def test_shapes_that_cannot_be_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        FusionConfig(**settings)
