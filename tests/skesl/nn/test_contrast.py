import pytest
import torch
from torch import nn

from skesl.nn.contrast import FeatureQueue, Temperature
from skesl.nn.momentum import follow


def test_a_copy_follows_constant_weights_geometrically():
    torch.manual_seed(0)
    network, copy = nn.Linear(3, 2), nn.Linear(3, 2)
    began = copy.weight.detach().clone()

    for _ in range(7):
        follow(copy, network, 0.9)

    expected = 0.9**7 * began + (1 - 0.9**7) * network.weight
    assert torch.allclose(copy.weight, expected, atol=1e-6)


def test_the_copy_takes_buffers_as_they_are():
    network, copy = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    network.running_mean += 3.0

    follow(copy, network, 0.9)

    assert copy.running_mean.tolist() == [3.0, 3.0]


def put(queue, first, n_clip):
    rows = torch.arange(first, first + n_clip)
    features = rows[:, None].float().expand(-1, 2)
    queue.put(features, -features, rows, rows // 2)


@pytest.mark.parametrize("sizes", [[3, 3, 1, 2, 3, 3], [7], [5, 5, 5], [1] * 12, [16]])
def test_the_queue_holds_the_last_clips_whatever_the_batches(sizes):
    queue = FeatureQueue(5, 2)
    total = 0
    for n_clip in sizes:
        put(queue, total, n_clip)
        total += n_clip

    kept = sorted(queue.rows.tolist())
    assert kept == list(range(max(0, total - 5), total))
    assert torch.equal(queue.video[:, 0], queue.rows.float())
    assert torch.equal(queue.audio, -queue.video)
    assert torch.equal(queue.recordings, queue.rows // 2)


def test_places_that_were_never_filled_are_known():
    queue = FeatureQueue(5, 2)
    put(queue, 0, 2)

    assert queue.is_filled().tolist() == [True, True, False, False, False]


def test_a_queue_of_no_size_keeps_nothing():
    queue = FeatureQueue(0, 2)
    put(queue, 0, 3)

    assert len(queue.video) == 0


@pytest.mark.parametrize(("value", "expected"), [(-1.0, 0.001), (0.0, 0.001), (0.07, 0.07), (0.5, 0.5), (3.0, 0.5)])
def test_the_temperature_stays_in_its_range(value, expected):
    temperature = Temperature(0.07)
    with torch.no_grad():
        temperature.value.fill_(value)

    temperature.clamp()

    assert temperature().item() == pytest.approx(expected)
    assert temperature().requires_grad
