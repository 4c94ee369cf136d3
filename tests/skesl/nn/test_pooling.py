import pytest
import torch
from hypothesis import given, strategies as st

from skesl.nn.pooling import AdditiveAttentionPooling, masked_mean


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
