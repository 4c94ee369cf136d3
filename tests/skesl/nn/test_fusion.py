import copy

import pytest
import torch

from skesl.nn.fusion import CrossmodalEncoder, FusionLayer

N_TEXT, N_FEATURES = 12, {"audio": 5, "vision": 7}


def encoder(*, n_layers=4, share_layers=True, n_features=N_FEATURES, seed=0):
    torch.manual_seed(seed)
    module = CrossmodalEncoder(N_TEXT, n_features, n_layers=n_layers, share_layers=share_layers, n_inner=8, dropout=0.5)
    return module.double().eval()


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

    assert torch.equal(tied(*inputs()), untied_clone(tied)(*inputs()))


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
        expected = module.layers[0 if share_layers else use](expected, streams, masks)

    assert torch.equal(module(text, streams, masks), expected)
    assert module.n_repeat * len(module.layers) == n_layers


def test_a_layer_adds_its_attentions_to_the_raw_text_and_then_one_linear_map():
    torch.manual_seed(0)
    layer = FusionLayer(N_TEXT, N_FEATURES, n_inner=8, dropout=0.5).double().eval()
    text, streams, masks = inputs()

    answers = [layer.attentions[name](text, streams[name], masks[name]) for name in N_FEATURES]
    fused = text + answers[0] + answers[1]
    centred = fused - fused.mean(dim=-1, keepdim=True)
    normed = centred / (centred.square().mean(dim=-1, keepdim=True) + 1e-5).sqrt()
    expected = fused + normed @ layer.linear.weight.T + layer.linear.bias

    torch.testing.assert_close(layer(text, streams, masks), expected, rtol=1e-12, atol=1e-12)  # float64


def test_without_attention_outputs_and_linear_map_the_text_passes_unchanged():
    module = encoder()
    for layer in module.layers:
        for linear in (layer.linear, *(attention.output for attention in layer.attentions.values())):
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
