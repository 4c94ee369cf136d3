import torch
from hypothesis import given, strategies as st

from skesl.nn.pooling import masked_mean


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
