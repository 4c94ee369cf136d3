"""What a method can learn from: the label is a function of one modality, and of nothing else.

A model whose branch is dead learns no more from that modality than from a shuffled one.
"""

import dataclasses

import numpy as np
import pytest
import torch

from skesl import Batch, FeatureNormaliser, TrainConfig, find_method
from skesl.methods.skesl import Skesl
from skesl.methods.text_only import TextOnly
from skesl.task import Task
from skesl.testing import STREAMS, chosen_clips, tiny_text_encoder

N_CLIP, N_TRAIN = 192, 128
WORDS = ("terrible", "bad", "ordinary", "good", "wonderful")


def planted(signal, *, seed=0):
    """Return clips whose label in [-2, 2] stands in one modality; the others are noise."""
    rng = np.random.default_rng(seed)
    encoder = tiny_text_encoder()
    labels = rng.integers(-2, 3, N_CLIP)
    levels = {name: labels if name == signal else rng.integers(-2, 3, N_CLIP) for name in ("text", *STREAMS)}
    ids = [
        encoder.tokenizer.convert_tokens_to_ids(["[CLS]", "it", "was", WORDS[level + 2], "[SEP]"])
        for level in levels["text"]
    ]
    streams = {}
    for name, n_feature in STREAMS.items():
        values = rng.normal(size=(N_CLIP, 6, n_feature)).astype(np.float32) * 0.3
        values[:, :, 0] += levels[name][:, None]
        streams[name] = torch.from_numpy(values)
    lengths = torch.from_numpy(rng.integers(3, 7, N_CLIP))
    return Batch(
        clip_ids=tuple(map(str, range(N_CLIP))),
        input_ids=torch.tensor(ids),
        text_mask=torch.ones(N_CLIP, 5, dtype=torch.bool),
        streams=streams,
        stream_masks={name: torch.arange(6)[None] < lengths[:, None] for name in STREAMS},
        labels=torch.from_numpy(labels.astype(np.float32)[:, None]),
        mask_positions=torch.full((N_CLIP,), 3),
        rows=torch.arange(N_CLIP),
        recordings=torch.arange(N_CLIP),
    )


def shuffled(batch, modality):
    """Return the clips with one modality of other clips."""
    order = torch.from_numpy(np.random.default_rng(9).permutation(N_CLIP))
    if modality == "text":
        return dataclasses.replace(batch, input_ids=batch.input_ids[order])
    return dataclasses.replace(
        batch,
        streams={**batch.streams, modality: batch.streams[modality][order]},
        stream_masks={**batch.stream_masks, modality: batch.stream_masks[modality][order]},
    )


def held_out_error(method_type, batch, *, n_epoch=8):
    """Train on the first clips with default settings and return the mean absolute error on the others."""
    torch.manual_seed(0)
    encoder = tiny_text_encoder()
    config = method_type.config_type()
    normalisers = {name: FeatureNormaliser(map(str, range(STREAMS[name]))) for name in method_type.used_streams(config)}
    method = method_type(config, text_encoder=encoder.model, text_width=16, normalisers=normalisers, task=Task())
    method.start_stage("finetune")
    rates = TrainConfig(learning_rate=3e-3, text_encoder_learning_rate=3e-3)
    optimiser = torch.optim.AdamW(method.parameter_groups(rates))
    for _ in range(n_epoch):
        method.train()
        for chosen in torch.randperm(N_TRAIN).split(16):
            optimiser.zero_grad()
            method(chosen_clips(batch, chosen.tolist()), "finetune").backward()
            optimiser.step()
    held_out = chosen_clips(batch, list(range(N_TRAIN, N_CLIP)))
    with torch.inference_mode():
        return float((method.eval().predict(held_out) - held_out.labels).abs().mean())


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
