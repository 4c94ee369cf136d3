"""Stacks of frames: published sizes, and nothing of the padding."""

import pytest
import torch

from mmfeat.errors import ConfigError
from skesl.nn.frames import FrameEncoder, StackConfig
from skesl.nn.pooling import AdditiveAttentionPooling

SMALL = StackConfig(width=12, n_heads=3, n_inner=24)


def n_parameter(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_a_layer_has_the_published_number_of_parameters():
    counts = [n_parameter(FrameEncoder(33, n_layers=n, max_frames=400, config=StackConfig())) for n in (1, 2)]
    assert counts[1] - counts[0] == 7_087_872
    assert counts[0] == 7_087_872 + 400 * 768 + 33 * 768 + 768


def test_without_layers_there_is_a_linear_map_alone():
    assert n_parameter(FrameEncoder(300, n_layers=0, max_frames=9, config=StackConfig())) == 231_168
    assert n_parameter(FrameEncoder(768, n_layers=0, max_frames=9, config=StackConfig())) == 590_592


def test_states_do_not_depend_on_padding_or_on_the_other_clips():
    torch.manual_seed(0)
    encoder = FrameEncoder(5, n_layers=2, max_frames=20, config=SMALL).eval()
    pooling = AdditiveAttentionPooling(12)
    frames, lengths = torch.randn(4, 9, 5), torch.tensor([9, 4, 1, 0])
    mask = torch.arange(9) < lengths[:, None]
    expected = pooling(encoder(frames, mask), mask)
    padded = torch.cat([frames.masked_fill(~mask.unsqueeze(-1), 77.0), torch.full((4, 5, 5), -9.0)], dim=1)
    wide = torch.cat([mask, torch.zeros(4, 5, dtype=torch.bool)], dim=1)
    assert torch.allclose(pooling(encoder(padded, wide), wide), expected, atol=1e-6)
    for clip, n in enumerate(lengths.tolist()):
        n_read = max(1, n)
        alone = encoder(frames[clip : clip + 1, :n_read], mask[clip : clip + 1, :n_read])
        assert torch.allclose(pooling(alone, mask[clip : clip + 1, :n_read])[0], expected[clip], atol=1e-6)
    assert not expected[3].any()


def test_a_clip_without_frames_leaves_no_trace_in_the_gradient():
    torch.manual_seed(0)
    encoder, pooling = FrameEncoder(5, n_layers=1, max_frames=20, config=SMALL), AdditiveAttentionPooling(12)
    frames = torch.randn(2, 3, 5, requires_grad=True)
    mask = torch.tensor([[True, True, False], [False, False, False]])
    pooling(encoder(frames, mask), mask).square().sum().backward()
    assert frames.grad.isfinite().all()
    assert not frames.grad[1].any()
    assert not frames.grad[0, 2].any()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in encoder.parameters())


def test_longer_sequences_are_read_up_to_the_last_position():
    encoder = FrameEncoder(5, n_layers=1, max_frames=4, config=SMALL).eval()
    frames = torch.randn(2, 9, 5)
    long = encoder(frames, torch.ones(2, 9, dtype=torch.bool))
    assert torch.equal(long, encoder(frames[:, :4], torch.ones(2, 4, dtype=torch.bool)))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"width": 10, "n_heads": 3}, r"width must be a multiple of n_heads \(3\), got 10"),
        ({"n_inner": 0}, "n_inner must be at least 1, got 0"),
        ({"dropout": 1.0}, r"dropout must lie in \[0, 1\), got 1.0"),
    ],
)
def test_wrong_shapes_are_refused(given, message):
    with pytest.raises(ConfigError, match=message):
        StackConfig(**given)
