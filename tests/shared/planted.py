"""Clips whose label stands in one modality, the same with that modality of other clips, and a plain training."""

import dataclasses

import numpy as np
import torch

from skesl import Batch, TrainConfig
from skesl.testing import STREAMS, chosen_clips, tiny_text_encoder

N_CLIP, N_TRAIN = 192, 128
IMAGE_SIZE = 16
WORDS = ("terrible", "bad", "ordinary", "good", "wonderful")


def planted(signal, *, seed=0):
    """Return clips whose label in [-2, 2] stands in text, audio, vision or frames; the other three are noise."""
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
    masks = {name: torch.arange(6)[None] < lengths[:, None] for name in STREAMS}
    noise = np.random.default_rng(seed + 1)
    brightness = labels if signal == "frames" else noise.integers(-2, 3, N_CLIP)
    images = noise.normal(128, 20, (N_CLIP, 2, IMAGE_SIZE, IMAGE_SIZE, 3)) + 40 * brightness.reshape(-1, 1, 1, 1, 1)
    streams["frames"] = torch.from_numpy(images.clip(0, 255).astype(np.uint8))
    masks["frames"] = torch.ones(N_CLIP, 2, dtype=torch.bool)
    return Batch(
        clip_ids=tuple(map(str, range(N_CLIP))),
        input_ids=torch.tensor(ids),
        text_mask=torch.ones(N_CLIP, 5, dtype=torch.bool),
        streams=streams,
        stream_masks=masks,
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


def held_out_answers(method, batch, *, n_epoch=8, learning_rate=3e-3):
    """Train on the first clips and return what the method says of the others, and their labels."""
    method.start_stage("finetune")
    rates = TrainConfig(learning_rate=learning_rate, text_encoder_learning_rate=learning_rate)
    optimiser = torch.optim.AdamW(method.parameter_groups(rates))
    for _ in range(n_epoch):
        method.train()
        for chosen in torch.randperm(N_TRAIN).split(16):
            optimiser.zero_grad()
            method(chosen_clips(batch, chosen.tolist()), "finetune").backward()
            optimiser.step()
    held_out = chosen_clips(batch, list(range(N_TRAIN, N_CLIP)))
    with torch.inference_mode():
        return method.eval().predict(held_out), held_out.labels
