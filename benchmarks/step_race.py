"""Whole training steps of SKESL, released way and ours: the rows of the table.

Both have the shape of bert-base, 400 and 55 frames and the same clips. The released way pads every text to 39 tokens,
applies every map to every row and steps with Adam; ours puts texts of like length into one batch.
"""

from __future__ import annotations

import copy
import csv
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from plain_fusion import plain_fusion
from report import raced, ratio
from torch import Tensor
from transformers import AutoModel

from skesl.config import Stage, TrainConfig
from skesl.data import Batch
from skesl.lexicon import load_lexicon
from skesl.mask_states import MaskStates
from skesl.masking import MaskingConfig, TextMasker
from skesl.methods.skesl import Skesl
from skesl.methods.skesl_config import SkeslConfig
from skesl.nn.pooling import masked_mean
from skesl.normalise import FeatureNormaliser
from skesl.task import Task
from skesl.text import load_text_encoder, text_encoder_config

N_TOKEN = 39
N_FRAME = {"audio": 400, "vision": 55}
N_FEATURE = {"audio": 33, "vision": 709}
N_BATCH = 4


@dataclass(frozen=True, kw_only=True)
class Clips:
    """Texts as they are masked and as they are, whether a sentiment word is hidden, frames and labels."""

    masked: Sequence[tuple[int, ...]]
    plain: Sequence[tuple[int, ...]]
    positions: Sequence[int]
    has_word: Sequence[bool]
    streams: dict[str, Tensor]
    labels: Tensor


def step_rows(n_clip: int, n_round: int) -> Iterator[str]:
    """Yield the rows of the table."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    clips = _clips(n_clip)
    method = _method()
    cached = copy.deepcopy(method)
    cached.use_mask_states(_states(cached, clips))
    whole_lengths = np.mean([len(ids) for ids in clips.plain])
    share = f"{whole_lengths:.1f} tokens a clip"
    drawn = f"{1 - np.mean(clips.has_word):.0%} of the clips drawn anew"
    for name, stage, ours in (
        (f"whole step, fine-tuning ({share})", "finetune", method),
        (f"whole step, pretraining, frozen text encoder ({share})", "pretrain", method),
        (f"the same with stored states of the hidden words ({drawn})", "pretrain", cached),
    ):
        yield _race(name, stage, method, ours, clips, n_clip, n_round)  # type: ignore[arg-type]


def _race(name: str, stage: Stage, released: Skesl, ours: Skesl, clips: Clips, n_clip: int, n_round: int) -> str:
    n = len(clips.plain)
    lengths = [len(ids) for ids in (clips.masked if stage == "pretrain" else clips.plain)]
    padded = [_batch(clips, items, stage, n_token=N_TOKEN) for items in np.arange(n).reshape(-1, n_clip)]
    bucketed = [_batch(clips, items, stage) for items in np.argsort(lengths, kind="stable").reshape(-1, n_clip)]
    expected = _by_clip(padded, lambda batch: _released_prediction(released.eval(), batch, stage))
    found = _by_clip(bucketed, lambda batch: _our_prediction(ours.eval(), batch, stage))
    error = max(abs(expected[clip] - found[clip]) for clip in expected) / max(map(abs, expected.values()))
    released_steps = _steps(
        released, padded, stage, lambda method, batch: _released_loss(method, batch, stage), fused=False
    )
    our_steps = _steps(ours, bucketed, stage, lambda method, batch: method(batch, stage), fused=True)
    pairs = list(zip(released_steps, our_steps, strict=True))
    raced(pairs[:1], 1)  # the optimisers make their state
    times_s = raced(pairs, n_round) / len(pairs)
    released_ms, ours_ms = 1e3 * np.median(times_s[..., 0], axis=0)
    ratios = " | ".join(map(ratio, (times_s[:, 0] / times_s[:, 1]).T))
    return f"| {name} | {released_ms:,.0f} ms | {ours_ms:,.0f} ms | {ratios} | predictions {error:.0e} |"


def _steps(
    method: Skesl, batches: Sequence[Batch], stage: Stage, loss: Callable[[Skesl, Batch], Tensor], *, fused: bool
) -> list[Callable[[], None]]:
    """Return, for each batch, what takes one step on it; with weights of its own."""
    method = copy.deepcopy(method)
    method.start_stage(stage)
    method.train()
    groups = method.parameter_groups(TrainConfig())
    optimiser = torch.optim.AdamW(groups, weight_decay=0.0, fused=True) if fused else torch.optim.Adam(groups)

    def step(batch: Batch) -> None:
        optimiser.zero_grad()
        loss(method, batch).backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    return [partial(step, batch) for batch in batches]


def _released_prediction(method: Skesl, batch: Batch, stage: Stage) -> Tensor:
    """Return what is predicted, every row through every map; the mean leaves padding out, to be comparable."""
    masks = dict.fromkeys(batch.streams)
    states = plain_fusion(method.fusion, method.read_text(batch), batch.streams, masks)
    if stage == "pretrain":
        return method.head(states[torch.arange(len(batch)), batch.mask_positions])  # type: ignore[no-any-return]
    return method.head(masked_mean(states, batch.text_mask))  # type: ignore[no-any-return]


def _released_loss(method: Skesl, batch: Batch, stage: Stage) -> Tensor:
    return (_released_prediction(method, batch, stage) - batch.labels).abs().mean()


def _our_prediction(method: Skesl, batch: Batch, stage: Stage) -> Tensor:
    return method.predict(batch) if stage == "finetune" else method.predict_hidden_words(batch)


def _by_clip(batches: Sequence[Batch], predict: Callable[[Batch], Tensor]) -> dict[str, float]:
    with torch.inference_mode():
        pairs = ((batch.clip_ids, predict(batch).tolist()) for batch in batches)
        return {name: value for names, values in pairs for name, (value,) in zip(names, values, strict=True)}


def _method() -> Skesl:
    shape = text_encoder_config("bert-base")
    normalisers = {name: FeatureNormaliser(map(str, range(n))) for name, n in N_FEATURE.items()}
    config = SkeslConfig(normalise_features=False)
    return Skesl(
        config, text_encoder=AutoModel.from_config(shape), text_width=768, normalisers=normalisers, task=Task()
    )


def _states(method: Skesl, clips: Clips) -> MaskStates:
    """Return the states of the hidden words, as a run stores them before its first step."""
    rows = [row for row, has_word in enumerate(clips.has_word) if has_word]
    batch = _batch(clips, np.array(rows), "pretrain")
    with torch.inference_mode():
        states = method.eval().read_text(batch)[torch.arange(len(rows)), batch.mask_positions].clone()
    return MaskStates(states=states, rows={str(row): place for place, row in enumerate(rows)})


def _batch(clips: Clips, items: np.ndarray, stage: Stage, *, n_token: int | None = None) -> Batch:
    """Return a batch padded to its longest text, or to ``n_token``."""
    texts = clips.masked if stage == "pretrain" else clips.plain
    chosen = [texts[item] for item in items]
    lengths = torch.tensor([len(ids) for ids in chosen])
    width = n_token or int(lengths.max())
    input_ids = torch.tensor([[*ids, *[0] * (width - len(ids))] for ids in chosen])
    return Batch(
        clip_ids=tuple(str(item) for item in items),
        input_ids=input_ids,
        text_mask=torch.arange(width)[None] < lengths[:, None],
        streams={name: values[items] for name, values in clips.streams.items()},
        stream_masks={name: torch.ones(len(items), n_frame, dtype=torch.bool) for name, n_frame in N_FRAME.items()},
        labels=clips.labels[items],
        mask_positions=torch.tensor([clips.positions[item] for item in items]),
        rows=torch.from_numpy(items),
        recordings=torch.from_numpy(items),
    )


def _clips(n_clip: int) -> Clips:
    """Return the clips of some batches, evenly chosen from those of an epoch with texts of like length in a batch."""
    encoder = load_text_encoder("minilm-l6")  # its tokenizer is BERT's
    masker = TextMasker(encoder, load_lexicon(), MaskingConfig(), max_tokens=N_TOKEN)
    spoken = masker.prepare(_texts())
    by_length = np.argsort([len(text.pieces.ids) for text in spoken], kind="stable")
    batches = by_length[: len(spoken) // n_clip * n_clip].reshape(-1, n_clip)
    evenly = (np.arange(N_BATCH) * 2 + 1) * len(batches) // (2 * N_BATCH)
    chosen = [spoken[index] for index in np.random.default_rng(0).permutation(batches[evenly].ravel())]
    masked = [masker.mask(text, np.random.default_rng(row)) for row, text in enumerate(chosen)]
    return Clips(
        masked=[text.ids for text in masked],
        plain=[masker.plain(text) for text in chosen],
        positions=[text.position for text in masked],
        has_word=[bool(text.words) for text in chosen],
        streams={name: torch.randn(len(chosen), N_FRAME[name], n_feature) for name, n_feature in N_FEATURE.items()},
        labels=torch.randn((len(chosen), 1)),
    )


def _texts() -> list[str]:
    """Return texts of MOSI, or such with lengths and sentiment words like theirs."""
    if folder := os.environ.get("MMFEAT_REAL_DATA"):
        with (Path(folder) / "mosi" / "MOSI-label.csv").open(encoding="utf-8") as file:
            return [row["text"].lower() for row in csv.DictReader(file)]
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.lognormal(2.3, 0.6, 2_000), 1, 60).astype(int)
    words = np.array(["good", "terrible", *["film"] * 14])
    return [" ".join(rng.choice(words, length)) for length in lengths]
