import pytest
import torch
from hypothesis import given, settings, strategies as st

from skesl.nn.pooling import (
    AdditiveAttentionPooling,
    TemporalAttention,
    TemporalGates,
    last_padded_step,
    last_step,
    masked_mean,
)


@settings(deadline=None)  # the first example may have to wait for torch
@given(st.lists(st.integers(1, 6), min_size=1, max_size=4))
def test_the_mean_is_that_of_the_real_steps(lengths):
    generator = torch.Generator().manual_seed(0)
    states = torch.randn((len(lengths), 6, 3), generator=generator, dtype=torch.float64)
    mask = torch.arange(6)[None, :] < torch.tensor(lengths)[:, None]

    pooled = masked_mean(states, mask)

    expected = torch.stack([states[clip, :length].mean(dim=0) for clip, length in enumerate(lengths)])
    torch.testing.assert_close(pooled, expected, rtol=1e-12, atol=1e-12)  # float64, order of sums


def test_real_steps_may_stand_anywhere():
    states = torch.tensor([[[1.0], [100.0], [3.0]]])

    assert masked_mean(states, torch.tensor([[True, False, True]])).tolist() == [[2.0]]


def test_a_clip_without_steps_is_0_with_a_finite_gradient():
    states = torch.ones((2, 3, 2), requires_grad=True)

    pooled = masked_mean(states, torch.tensor([[False] * 3, [True] * 3]))
    pooled.sum().backward()

    assert pooled.tolist() == [[0.0, 0.0], [1.0, 1.0]]
    assert states.grad[0].abs().sum() == 0
    # a third each
    torch.testing.assert_close(states.grad[1], torch.full((3, 2), 1 / 3))


def test_the_type_of_the_states_is_kept():
    assert masked_mean(torch.ones((1, 2, 2), dtype=torch.bfloat16), torch.ones((1, 2), dtype=torch.bool)).dtype == (
        torch.bfloat16
    )


def ragged(lengths, *, width=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    states = torch.randn((len(lengths), 6, width), generator=generator, dtype=torch.float64)
    return states, torch.arange(6)[None, :] < torch.tensor(lengths)[:, None]


def test_the_last_step_is_that_of_each_clip_alone():
    states, mask = ragged([2, 6, 0])

    assert torch.equal(last_step(states, mask), torch.stack([states[0, 1], states[1, 5], torch.zeros(3)]))


def test_the_last_padded_step_is_zero_for_all_but_the_longest_clips():
    states, mask = ragged([2, 5, 4, 5])

    read = last_padded_step(states, mask)

    assert read[[0, 2]].abs().max() == 0
    assert torch.equal(read[[1, 3]], states[[1, 3], 4])


@settings(deadline=None)  # the first example may have to wait for torch
@given(st.lists(st.integers(1, 6), min_size=1, max_size=4))
def test_attention_weights_are_positive_and_sum_to_1_over_real_steps(lengths):
    states, mask = ragged(lengths)
    attention = TemporalAttention(3).double()

    weights = attention.weights(states, mask)

    assert (weights[mask] > 0).all()
    assert weights[~mask].abs().sum() == 0
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(len(lengths), dtype=torch.float64))


def test_attention_is_the_softmax_of_the_product_of_two_gates():
    states, mask = ragged([2, 6])
    attention = TemporalAttention(3).double()

    pooled = attention(states, mask)

    for clip, length in enumerate((2, 6)):
        steps = states[clip, :length]
        scores = (steps @ attention.alpha.weight[0] + attention.alpha.bias).tanh() * (
            steps @ attention.beta.weight[0] + attention.beta.bias
        )
        shares = scores.exp() / scores.exp().sum()
        torch.testing.assert_close(pooled[clip], (shares[:, None] * steps).sum(dim=0))


def test_attention_of_a_clip_without_steps_is_0_and_every_parameter_has_a_gradient():
    states, mask = ragged([0, 5])
    attention = TemporalAttention(3).double()

    pooled = attention(states, mask)
    pooled.square().sum().backward()

    assert pooled[0].abs().sum() == 0
    assert all(parameter.grad.abs().sum() > 0 for parameter in attention.parameters())


def test_gates_are_tanh_times_tanhshrink():
    states, _ = ragged([6])
    gates = TemporalGates(3).double()

    gated = gates(states)

    alpha = states @ gates.alpha.weight[0] + gates.alpha.bias
    beta = states @ gates.beta.weight[0] + gates.beta.bias
    torch.testing.assert_close(gated, states * (alpha.tanh() * (beta - beta.tanh()))[..., None])


def test_released_gates_let_little_through_at_first():
    """TAM-ULAG's released code: text is weakened 15 to 100 times before anything is learned."""
    torch.manual_seed(0)
    states = torch.randn(64, 1, 768)

    share = TemporalGates(768)(states).norm() / states.norm()

    assert 0.005 < share < 0.2


def test_additive_attention_has_the_published_number_of_parameters():
    pooling = AdditiveAttentionPooling(768)
    assert sum(parameter.numel() for parameter in pooling.parameters()) == 1_182_721


def test_additive_attention_is_the_formula():
    torch.manual_seed(0)
    pooling = AdditiveAttentionPooling(4).double()
    states = torch.randn(1, 3, 4, dtype=torch.float64)
    query = pooling.of_query.weight @ pooling.query + pooling.of_query.bias
    scores = [
        float(pooling.score.weight[0] @ torch.tanh(pooling.of_step.weight @ step + pooling.of_step.bias + query))
        for step in states[0]
    ]
    shares = torch.tensor(scores, dtype=torch.float64).softmax(0)
    found = pooling(states, torch.ones(1, 3, dtype=torch.bool))[0]
    assert torch.allclose(found, shares @ states[0], atol=1e-12)


def test_attention_weights_sum_to_one_over_the_real_steps():
    torch.manual_seed(0)
    pooling, mask = AdditiveAttentionPooling(4), torch.tensor([[True, True, False], [False, False, False]])
    states = torch.randn(2, 3, 4)
    states[:, 2] = float("inf")
    weights = pooling.weights(torch.randn(2, 3, 4), mask)
    assert weights.sum(1).tolist() == pytest.approx([1.0, 0.0])
    assert (weights >= 0).all()
    assert not weights[0, 2]
    assert pooling(states, mask).isfinite().all()
    assert not pooling(states, mask)[1].any()
