"""The two ways to the same values: projections absorbed by the queries, or keys and values computed once."""

import math

import pytest
import torch
from plain_fusion import plain_attention

from skesl.nn.attention import CrossmodalAttention, prepare_frames

N_TEXT, N_OTHER, N_INNER = 24, 7, 256


class Attention(CrossmodalAttention):
    """Attention in which the test says which way is taken."""

    absorbs = True

    def _absorbing_is_less_work(self, n_frame, *, n_query, n_use):
        return self.absorbs

    def answer(self, text, other, mask, **options):
        frames = prepare_frames(other, mask, **options)
        return self(text, self.open(frames, n_query=text.shape[1]))


def randomise(module):
    """Draw all weights; layer norms too, whose start values 1 and 0 would hide them."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(std=0.3, generator=generator)
    return module


@pytest.fixture(params=[True, False], ids=["absorbed", "projected"])
def attention(request):
    module = randomise(Attention(N_TEXT, N_OTHER, N_INNER).double())
    module.absorbs = request.param
    return module


def inputs(*, n_clip=3, n_token=5, n_frame=6, seed=1):
    generator = torch.Generator().manual_seed(seed)
    text = torch.randn((n_clip, n_token, N_TEXT), generator=generator, dtype=torch.float64)
    other = torch.randn((n_clip, n_frame, N_OTHER), generator=generator, dtype=torch.float64) * 3 + 1
    mask = torch.arange(n_frame)[None, :] < torch.tensor([6, 4, 1])[:n_clip, None]
    return text, other, mask


@torch.no_grad()
def by_hand(module, text, other):
    """Return softmax(q k^T / sqrt(256)) v W_o of one clip, token by token and frame by frame."""

    def norm(x, layer):
        centred = x - x.mean()
        return centred / math.sqrt(float((centred**2).mean()) + 1e-5) * layer.weight + layer.bias

    def linear(x, layer):
        return layer.weight @ x + layer.bias

    frames = [norm(frame, module.other_norm) for frame in other]
    keys, values = [linear(f, module.key) for f in frames], [linear(f, module.value) for f in frames]
    rows = []
    for token in text:
        query = linear(norm(token, module.text_norm), module.query)
        weights = [math.exp(float(query @ key) / math.sqrt(256)) for key in keys]
        mixed = sum(weight * value for weight, value in zip(weights, values, strict=True)) / sum(weights)
        rows.append(linear(mixed, module.output))
    return torch.stack(rows)


def test_attention_is_softmax_of_scaled_products_by_hand(attention):
    text, other, mask = inputs()
    answer = attention.answer(text, other, mask)

    for clip, n_frame in enumerate([6, 4, 1]):
        expected = by_hand(attention, text[clip], other[clip, :n_frame])
        # float64 sums of 256 terms of order 1
        torch.testing.assert_close(answer[clip], expected, rtol=1e-10, atol=1e-10)


def test_a_zero_output_projection_leaves_the_text_unchanged(attention):
    torch.nn.init.zeros_(attention.output.weight)
    torch.nn.init.zeros_(attention.output.bias)
    text, other, mask = inputs()

    assert torch.equal(text + attention.answer(text, other, mask), text)


def test_a_clip_without_frames_contributes_exactly_zero(attention):
    text, other, mask = inputs()
    mask[1] = False

    answer = attention.answer(text, other, mask)

    assert torch.equal(answer[1], torch.zeros_like(answer[1]))
    assert answer[0].abs().min() > 0


def test_a_clip_without_frames_leaves_every_gradient_finite_and_gets_none(attention):
    text, other, mask = inputs()
    mask[1] = False
    text.requires_grad_()
    other.requires_grad_()

    attention.answer(text, other, mask).square().sum().backward()

    gradients = [text.grad, other.grad, *(parameter.grad for parameter in attention.parameters())]
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert torch.equal(text.grad[1], torch.zeros_like(text.grad[1]))
    assert torch.equal(other.grad[1], torch.zeros_like(other.grad[1]))
    assert text.grad[0].abs().max() > 0


@pytest.mark.parametrize("garbage", [0.0, -1e3, 1e6])
def test_the_content_of_padding_changes_nothing(attention, garbage):
    text, other, mask = inputs()

    refilled = attention.answer(text, other.masked_fill(~mask[:, :, None], garbage), mask)

    # weights of padding are exactly 0; only the order of sums may differ
    torch.testing.assert_close(refilled, attention.answer(text, other, mask), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("n_padding", [1, 50])
def test_the_amount_of_padding_changes_nothing(attention, n_padding):
    text, other, mask = inputs()
    longer = torch.cat([other, torch.full((3, n_padding, N_OTHER), 9.0, dtype=torch.float64)], dim=1)
    longer_mask = torch.cat([mask, torch.zeros((3, n_padding), dtype=torch.bool)], dim=1)

    padded = attention.answer(text, longer, longer_mask)

    torch.testing.assert_close(padded, attention.answer(text, other, mask), rtol=1e-12, atol=1e-12)  # as above


def test_padding_gets_no_gradient(attention):
    text, other, mask = inputs()
    other.requires_grad_()

    attention.answer(text, other, mask).square().sum().backward()

    assert torch.equal(other.grad[~mask], torch.zeros_like(other.grad[~mask]))
    assert (other.grad[mask].abs().amax(dim=-1) > 0)[:6].all()


def test_the_order_of_frames_changes_nothing(attention):
    text, other, _ = inputs()
    everything = torch.ones((3, 6), dtype=torch.bool)

    turned = attention.answer(text, other.flip(1), everything)

    torch.testing.assert_close(
        turned, attention.answer(text, other, everything), rtol=1e-12, atol=1e-12
    )  # order of sums


@pytest.mark.parametrize("n_padded", [None, 6, 50])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("output_projection", [True, False])
@pytest.mark.parametrize("absorbs", [True, False])
def test_outputs_and_gradients_are_those_of_the_plain_equations(n_padded, bias, output_projection, absorbs):
    n_inner = N_INNER if output_projection else N_TEXT
    module = Attention(N_TEXT, N_OTHER, n_inner, bias=bias, output_projection=output_projection).double()
    module = randomise(module)
    module.absorbs = absorbs
    text, other, mask = inputs()
    text.requires_grad_()
    other = other * mask[..., None]
    plain_mask, padded = mask, other
    if n_padded is not None:
        plain_mask, padded = None, torch.nn.functional.pad(other, (0, 0, 0, n_padded - 6))

    results = []
    for answer in (
        lambda: module.answer(text, other, mask, n_padded=n_padded),
        lambda: plain_attention(module, text, padded, plain_mask),
    ):
        module.zero_grad()
        text.grad = None
        values = answer()
        (values * torch.linspace(-1, 1, values.numel(), dtype=values.dtype).view_as(values)).sum().backward()
        results.append((values, text.grad, {name: weight.grad for name, weight in module.named_parameters()}))

    (found, found_text, found_weights), (expected, expected_text, expected_weights) = results
    # float64 throughout; sums of some hundred terms in another order
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(found_text, expected_text, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(found_weights, expected_weights, rtol=1e-9, atol=1e-8)


def test_the_bias_of_the_keys_has_the_gradient_0():
    module = randomise(Attention(N_TEXT, N_OTHER, N_INNER).double())

    module.answer(*inputs()).square().sum().backward()

    assert torch.equal(module.key.bias.grad, torch.zeros_like(module.key.bias))


@pytest.mark.parametrize(
    ("n_other", "n_frame", "n_query", "absorbs"),
    [(33, 400, 1, True), (33, 400, 39, True), (709, 55, 1, True), (709, 55, 15, False), (709, 55, 39, False)],
)
def test_the_way_with_less_work_is_taken(n_other, n_frame, n_query, absorbs):
    module = CrossmodalAttention(768, n_other, 256)
    frames = prepare_frames(torch.zeros(1, n_frame, n_other), torch.ones(1, n_frame, dtype=torch.bool))

    assert module.open(frames, n_query=n_query, n_use=4).projected is not absorbs


def test_attended_padding_gives_a_clip_without_frames_an_answer(attention):
    text, other, mask = inputs()
    mask[1] = False

    answer = attention.answer(text, other * mask[..., None], mask, n_padded=50)

    value = torch.nn.functional.linear(attention.other_norm.bias, attention.value.weight, attention.value.bias)
    expected = attention.output(value)  # all frames are alike
    torch.testing.assert_close(answer[1], expected.expand(5, -1), rtol=1e-12, atol=1e-12)
