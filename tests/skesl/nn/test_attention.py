import math

import pytest
import torch

from skesl.nn.attention import CrossmodalAttention

N_TEXT, N_OTHER, N_INNER = 24, 7, 256


@pytest.fixture
def attention():
    torch.manual_seed(0)
    module = CrossmodalAttention(N_TEXT, N_OTHER, N_INNER).double()
    for parameter in module.parameters():  # layer norms too: their start values 1 and 0 would hide them
        torch.nn.init.normal_(parameter, std=0.3)
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
    answer = attention(text, other, mask)

    for clip, n_frame in enumerate([6, 4, 1]):
        expected = by_hand(attention, text[clip], other[clip, :n_frame])
        # float64 sums of 256 terms of order 1
        torch.testing.assert_close(answer[clip], expected, rtol=1e-10, atol=1e-10)


def test_a_zero_output_projection_leaves_the_text_unchanged(attention):
    torch.nn.init.zeros_(attention.output.weight)
    torch.nn.init.zeros_(attention.output.bias)
    text, other, mask = inputs()

    assert torch.equal(text + attention(text, other, mask), text)


def test_a_clip_without_frames_contributes_exactly_zero(attention):
    text, other, mask = inputs()
    mask[1] = False

    answer = attention(text, other, mask)

    assert torch.equal(answer[1], torch.zeros_like(answer[1]))
    assert answer[0].abs().min() > 0


def test_a_clip_without_frames_leaves_every_gradient_finite_and_gets_none(attention):
    text, other, mask = inputs()
    mask[1] = False
    text.requires_grad_()
    other.requires_grad_()

    attention(text, other, mask).square().sum().backward()

    gradients = [text.grad, other.grad, *(parameter.grad for parameter in attention.parameters())]
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert torch.equal(text.grad[1], torch.zeros_like(text.grad[1]))
    assert torch.equal(other.grad[1], torch.zeros_like(other.grad[1]))
    assert text.grad[0].abs().max() > 0


@pytest.mark.parametrize("garbage", [0.0, -1e3, 1e6])
def test_the_content_of_padding_changes_nothing(attention, garbage):
    text, other, mask = inputs()

    refilled = attention(text, other.masked_fill(~mask[:, :, None], garbage), mask)

    # weights of padding are exactly 0; only the order of sums may differ
    torch.testing.assert_close(refilled, attention(text, other, mask), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("n_padding", [1, 50])
def test_the_amount_of_padding_changes_nothing(attention, n_padding):
    text, other, mask = inputs()
    longer = torch.cat([other, torch.full((3, n_padding, N_OTHER), 9.0, dtype=torch.float64)], dim=1)
    longer_mask = torch.cat([mask, torch.zeros((3, n_padding), dtype=torch.bool)], dim=1)

    padded = attention(text, longer, longer_mask)

    torch.testing.assert_close(padded, attention(text, other, mask), rtol=1e-12, atol=1e-12)  # as above


def test_padding_gets_no_gradient(attention):
    text, other, mask = inputs()
    other.requires_grad_()

    attention(text, other, mask).square().sum().backward()

    assert torch.equal(other.grad[~mask], torch.zeros_like(other.grad[~mask]))
    assert (other.grad[mask].abs().amax(dim=-1) > 0)[:6].all()


def test_the_order_of_frames_changes_nothing(attention):
    text, other, _ = inputs()
    everything = torch.ones((3, 6), dtype=torch.bool)

    turned = attention(text, other.flip(1), everything)

    torch.testing.assert_close(turned, attention(text, other, everything), rtol=1e-12, atol=1e-12)  # order of sums
