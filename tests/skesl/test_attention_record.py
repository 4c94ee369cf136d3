from typing import ClassVar

import numpy as np
import pytest
import torch

from skesl.attention_record import attention_over_frames
from skesl.methods import Method, find_method
from skesl.testing import make_method, random_batch


class Attends(Method):
    """Attends to frames by their first feature; the softmax is called in one of the ways that torch has."""

    name = "attends"
    config_type = dict
    stages = ("finetune",)
    stream_names = ("audio", "vision")
    softmax: ClassVar = staticmethod(torch.softmax)

    def predict(self, batch):
        found = 0.0
        for name, values in batch.streams.items():
            scores = values[:, None, :, 0].masked_fill(~batch.stream_masks[name][:, None, :], -1e9)
            weights = type(self).softmax(scores.expand(-1, batch.input_ids.shape[1], -1), dim=-1)
            found = found + (weights @ values).sum(dim=(1, 2))
        return found


@pytest.mark.parametrize(
    "softmax", [torch.softmax, torch.nn.functional.softmax, torch.Tensor.softmax], ids=["torch", "functional", "tensor"]
)
def test_the_weights_are_those_of_the_softmax_over_the_real_frames(softmax):
    batch = random_batch(n_clip=1, n_padding=3)
    kind = type("Kind", (Attends,), {"softmax": staticmethod(softmax)})

    attention = attention_over_frames(make_method(kind).eval(), batch)

    for name, values in batch.streams.items():
        scores = values[0, batch.stream_masks[name][0], 0].double().numpy()
        expected = np.exp(scores) / np.exp(scores).sum()
        np.testing.assert_allclose(attention[name], expected, rtol=1e-5)


@pytest.mark.parametrize("preset", list(find_method("skesl").presets.values()), ids=list(find_method("skesl").presets))
def test_skesl_attends_to_both_streams(preset):
    batch = random_batch(n_clip=1)

    attention = attention_over_frames(make_method(find_method("skesl"), config=preset.config).eval(), batch)
    assert set(attention) == {"audio", "vision"}
    for name, weights in attention.items():
        assert weights.shape == (int(batch.stream_masks[name].sum()),)
        assert weights.sum() == pytest.approx(1.0)
        assert (weights > 0).all()


def test_text_alone_attends_to_no_stream():
    assert attention_over_frames(make_method(find_method("text_only")).eval(), random_batch(n_clip=1)) == {}


def test_a_stream_without_frames_is_attended_by_nobody():
    batch = random_batch(n_clip=1)
    batch.stream_masks["audio"][:] = False

    assert set(attention_over_frames(make_method(find_method("skesl")).eval(), batch)) == {"vision"}
