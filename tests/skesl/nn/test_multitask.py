import pytest
import torch

from mmfeat import ConfigError
from skesl.nn.heads import HeadConfig
from skesl.nn.multitask import MultitaskHeads
from skesl.nn.pairs import PairInteractions, rank_one_pairs

WIDTHS = {"text": 6, "audio": 2, "vision": 3}
HEADS = {
    "fusion": HeadConfig(n_hidden=5),
    "text": HeadConfig(n_hidden=4),
    "audio": HeadConfig(n_hidden=3),
    "vision": HeadConfig(n_hidden=2),
}


def vectors(n_clip=3):
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn((n_clip, n), generator=generator, dtype=torch.float64) for name, n in WIDTHS.items()}


def heads(cross, widths=WIDTHS):
    torch.manual_seed(0)
    return MultitaskHeads(widths, HEADS, cross=cross, n_common=4).double().eval()


@pytest.mark.parametrize("n_clip", [1, 3])
def test_a_cross_term_of_the_released_code_is_one_vector_scaled_by_the_sum_of_the_other(n_clip):
    states = vectors(n_clip)
    t, a, v = states.values()

    terms = rank_one_pairs(states)

    # What its tiled matrices come to (models/multiTask/SELF_MM.py:108): (1 x A) @ (A x T)
    tiled = [a[clip : clip + 1] @ t[clip].repeat(a.shape[1], 1) for clip in range(n_clip)]
    torch.testing.assert_close(terms[0], torch.cat(tiled))
    total = {name: values.sum(dim=1, keepdim=True) for name, values in zip("tav", (t, a, v), strict=True)}
    expected = [t * total["a"], a * total["t"], t * total["v"], v * total["t"], a * total["v"], v * total["a"]]
    for term, one in zip(terms, expected, strict=True):
        torch.testing.assert_close(term, one)


def test_interactions_are_products_of_equal_dimensions_in_a_common_space():
    states = vectors()
    torch.manual_seed(0)
    interactions = PairInteractions(WIDTHS, n_common=4, n_output=5, dropout=0.0).double()

    added = interactions(states)

    mapped = {name: states[name] @ interactions.maps[name].weight.T + interactions.maps[name].bias for name in WIDTHS}
    pairs = [("text", "audio"), ("text", "vision"), ("audio", "vision")]
    blocks = interactions.output.weight.split(4, dim=1)
    expected = sum((mapped[one] * mapped[other]) @ block.T for (one, other), block in zip(pairs, blocks, strict=True))
    torch.testing.assert_close(added, expected)


def test_an_interaction_says_what_a_sum_cannot():
    """The sign of a product is not in either factor: a purely additive fusion has no derivative by both."""
    fused = heads("per_dimension")
    states = {name: values.requires_grad_() for name, values in vectors(1).items()}
    hidden = fused["interactions"](states).sum()

    (by_text,) = torch.autograd.grad(hidden, states["text"], create_graph=True)
    (mixed,) = torch.autograd.grad(by_text.sum(), states["audio"])

    assert mixed.abs().min() > 0


@pytest.mark.parametrize("cross", ["none", "rank_one", "per_dimension"])
def test_heads_are_three_layers_each(cross):
    states, network = vectors(), heads(cross)

    outputs = network(states)

    text = network["text"]
    hidden = (states["text"] @ text.hidden.weight.T + text.hidden.bias).relu()
    middle = (hidden @ text.middle.weight.T + text.middle.bias).relu()
    torch.testing.assert_close(outputs.features["text"], hidden)
    torch.testing.assert_close(outputs.predictions["text"], (middle @ text.output.weight.T + text.output.bias)[:, 0])
    assert list(outputs.features) == ["fusion", "text", "audio", "vision"]
    assert {name: values.shape[1] for name, values in outputs.features.items()} == network.feature_widths
    n_input = {"none": 11, "rank_one": 33, "per_dimension": 11}[cross]
    assert network["fusion"].hidden.in_features == n_input


@pytest.mark.parametrize("cross", ["none", "rank_one", "per_dimension"])
def test_one_modality_alone_has_no_pairs(cross):
    network = heads(cross, {"text": 6})

    outputs = network({"text": vectors()["text"]})

    assert network["fusion"].hidden.in_features == 6
    assert list(outputs.predictions) == ["fusion", "text"]
    assert "interactions" not in network


def test_a_head_without_width_is_refused():
    with pytest.raises(ConfigError, match="n_hidden must be at least 1, got 0"):
        HeadConfig(n_hidden=0)
    with pytest.raises(ConfigError, match=r"dropout must lie in \[0, 1\), got -0.1"):
        HeadConfig(dropout=-0.1)
