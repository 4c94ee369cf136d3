"""What a method can learn from: the label is a function of one modality, and of nothing else.

A model whose branch is dead learns no more from that modality than from a shuffled one.
"""

import dataclasses

import pytest
import torch
from planted import IMAGE_SIZE, held_out_answers, planted, shuffled

from skesl import FeatureNormaliser, find_method
from skesl.methods.skesl import Skesl
from skesl.methods.text_only import TextOnly
from skesl.methods.univa import Univa
from skesl.methods.univa_config import UnivaConfig
from skesl.methods.vat import Vat
from skesl.methods.vat_config import VAT_PRESETS
from skesl.task import Task
from skesl.testing import STREAMS, make_method, tiny_text_encoder


def held_out_error(method_type, batch):
    """Train with default settings and return the mean absolute error on clips that were held out."""
    torch.manual_seed(0)
    encoder = tiny_text_encoder()
    config = method_type.config_type()
    normalisers = {name: FeatureNormaliser(map(str, range(STREAMS[name]))) for name in method_type.used_streams(config)}
    method = method_type(config, text_encoder=encoder.model, text_width=16, normalisers=normalisers, task=Task())
    answers, labels = held_out_answers(method, batch)
    return float((answers - labels).abs().mean())


@pytest.mark.parametrize("modality", ["text", "audio", "vision"])
def test_the_default_model_learns_from_each_modality_and_not_from_a_shuffled_one(modality):
    batch = planted(modality)

    error, control = held_out_error(Skesl, batch), held_out_error(Skesl, shuffled(batch, modality))

    # the median of five equal labels misses by 1.2
    assert error < 0.8
    assert control > 1.0
    assert error < control - 0.4


@pytest.mark.parametrize(("modality", "learns"), [("text", True), ("audio", False)])
def test_the_text_baseline_learns_from_the_text_alone(modality, learns):
    error = held_out_error(find_method(TextOnly.name), planted(modality))

    assert (error < 0.8) is learns


@pytest.mark.parametrize("modality", ["text", "audio", "vision"])
def test_univa_learns_emotions_from_each_modality_and_not_from_a_shuffled_one(modality):
    config = UnivaConfig(width=12, n_heads=3, n_inner=24, n_audio_layers=1, n_vision_layers=1)
    batch = planted(modality)
    emotions = torch.cat([batch.labels > 0, batch.labels < 0], dim=1).float()
    batch = dataclasses.replace(batch, labels=emotions)

    wrong = []
    for clips in (batch, shuffled(batch, modality)):
        method = make_method(Univa, config=config, task=Task(problem="multilabel", labels=("happy", "sad")))
        answers, labels = held_out_answers(method, clips)
        wrong.append(float(((answers >= 0.5) != (labels > 0)).float().mean()))

    # "neither" is right in 0.6 of the cells
    assert wrong[0] < 0.15
    assert wrong[1] > 0.3


@pytest.mark.parametrize("modality", ["frames", "audio"])
def test_vat_learns_from_images_and_from_sound_and_not_from_shuffled_ones(modality):
    tiny = VAT_PRESETS["vat-tiny"].config
    small = {"n_layers": 1, "n_heads": 2, "n_inner": 32}
    config = dataclasses.replace(
        tiny,
        width=16,
        n_projected=8,
        n_frames=2,
        frame_size=IMAGE_SIZE,
        frame_patch=8,
        frame_values="colour",
        max_audio_frames=8,
        audio_patch=2,
        audio_stride=2,
        alpha=0.0,
        augmentation=type(tiny.augmentation)(),
        **{name: dataclasses.replace(getattr(tiny, name), **small) for name in ("video", "audio", "fusion")},
    )
    batch = planted(modality)

    errors = []
    for clips in (batch, shuffled(batch, modality)):
        answers, labels = held_out_answers(make_method(Vat, config=config), clips, n_epoch=15)
        errors.append(float((answers - labels).abs().mean()))

    assert errors[0] < 0.6
    assert errors[1] > 1.0
