from typing import get_args

import pytest
import torch

from mmfeat import ConfigError
from skesl.nn.recurrent import ReadOut, RecurrentConfig, RecurrentEncoder, SequenceReader

LENGTHS = (4, 7, 1, 7)
OF_EACH_CLIP = [read_out for read_out in get_args(ReadOut) if read_out != "gated_last_padded"]


def frames(*, n_padding=0, seed=0):
    """Return clips of several lengths with garbage behind their real frames, and the mask."""
    values = torch.randn((4, 7, 5), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    mask = torch.arange(7 + n_padding)[None] < torch.tensor(LENGTHS)[:, None]
    values = torch.cat([values, torch.zeros(4, n_padding, 5, dtype=torch.float64)], dim=1)
    return values.masked_fill(~mask[..., None], 50.0), mask


def encoder(read_out="attention", *, detach=False, **settings):
    torch.manual_seed(1)
    config = RecurrentConfig(n_hidden=6, n_output=3, **settings)
    return RecurrentEncoder(5, config, read_out=read_out, detach=detach).double().eval()


@pytest.mark.parametrize("n_layers", [1, 3])
@pytest.mark.parametrize("read_out", OF_EACH_CLIP)
def test_a_padded_batch_reads_as_each_clip_alone(read_out, n_layers):
    reading = encoder(read_out, n_layers=n_layers)
    values, mask = frames(n_padding=3)

    together = reading(values, mask)

    for clip, length in enumerate(LENGTHS):
        alone = reading(values[clip : clip + 1, :length], mask[clip : clip + 1, :length])
        torch.testing.assert_close(together[clip], alone[0], rtol=1e-12, atol=1e-12)


def test_in_the_released_read_out_a_clip_depends_on_the_longest_of_its_batch():
    reading = encoder("gated_last_padded")
    values, mask = frames()

    together = reading(values, mask)
    alone = reading(values[:1, :4], mask[:1, :4])

    assert torch.equal(together[0], reading.output.bias)
    assert torch.equal(together[2], reading.output.bias)
    assert not torch.allclose(together[1], reading.output.bias)
    assert not torch.allclose(alone[0], together[0])


@pytest.mark.parametrize("read_out", OF_EACH_CLIP)
def test_a_clip_without_frames_is_the_last_bias_and_has_a_finite_gradient(read_out):
    reading = encoder(read_out)
    values, mask = frames()
    mask = mask & torch.tensor([True, True, False, True])[:, None]

    read = reading(values, mask)
    read.square().sum().backward()

    if read_out not in ("first", "gated_first"):
        assert torch.equal(read[2], reading.output.bias)
    assert all(parameter.grad.isfinite().all() for parameter in reading.parameters())


@pytest.mark.parametrize("detach", [False, True])
def test_the_recurrent_layer_gets_a_gradient_unless_it_is_detached(detach):
    reading = encoder(detach=detach)

    reading(*frames()).square().sum().backward()

    of_layer = [parameter.grad is not None for parameter in reading.rnn.parameters()]
    assert len(of_layer) == 4
    assert set(of_layer) == {not detach}
    assert all(parameter.grad.abs().sum() > 0 for parameter in reading.output.parameters())


def test_linear_maps_are_counted_with_the_gates_of_the_lstm():
    reading = encoder()

    per_frame = 4 * 6 * (5 + 6) + 2 * 6
    assert reading.linear_macs(*frames()) == 4 * (7 * per_frame + 6 * 3)


def test_the_first_and_the_last_step_have_no_weights():
    assert [len(list(SequenceReader(6, read_out).parameters())) for read_out in get_args(ReadOut)] == [4, 0, 0, 4, 4, 4]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_layers": 0}, "n_layers must be at least 1, got 0"),
        ({"dropout": 1.0}, r"dropout must lie in \[0, 1\), got 1.0"),
        ({"learning_rate": -1.0}, "learning_rate must not be negative, got -1.0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        RecurrentConfig(**settings)
