"""Emotions of texts, each in its dialogue and each alone: UniVA without streams, over seeds.

``python benchmarks/dialogue_results.py DATA OUT --corpus meld`` trains and prints the comparison.
The text encoder is frozen, so that its states are computed once for all epochs and seeds.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import dialogue_texts
import torch
from torch import Tensor

from skesl import Batch, Comparison, ExperimentConfig, TrainConfig, compare, finetune
from skesl.methods.univa import Univa

METRIC = "micro_f1"
TRAIN = TrainConfig(
    n_epochs=5,
    batch_size=32,
    learning_rate=1e-3,
    schedule="linear",
    warmup_fraction=0.1,
    patience=0,
    selection_metric=METRIC,
    recording_batches=True,
    device="cpu",
)
HEAD = {"width": 384, "n_heads": 6, "freeze_text_encoder": True, "contrast_weight": 0.0, "label_prior_weight": 0.0}
INPUTS = {
    "alone": {"modalities": ["text"], "max_text_tokens": 512},
    "dialogue": {"modalities": ["text"], "max_text_tokens": 512, "max_dialogue_tokens": 512},
}


def context_gain(data: Path, labels: Sequence[str], runs: Path, *, n_seed: int = 3) -> Comparison:
    """Train on the same texts alone and in their dialogues, with each seed, and compare the test parts."""
    for name, inputs in INPUTS.items():
        with states_once():
            for seed in range(n_seed):
                config = ExperimentConfig(
                    method="univa",
                    text_encoder="minilm-l6",
                    train=TrainConfig(**{**vars(TRAIN), "seed": seed}),
                    labels=tuple(labels),
                    method_settings={**HEAD, "inputs": inputs},
                    reuse_finished=True,
                )
                print(finetune(data, runs / name / str(seed), config).summary(), flush=True)
    return compare(runs / "alone", runs / "dialogue", data, metric=METRIC, device="cpu")


@contextmanager
def states_once() -> Iterator[None]:
    """Keep the frozen encoder's states of each clip's own words."""
    kept: dict[str, Tensor] = {}
    encode = Univa.utterances

    def remembered(method: Univa, batch: Batch) -> tuple[Tensor, Tensor]:
        if any(clip_id not in kept for clip_id in batch.clip_ids):
            states, mask = encode(method, batch)
            kept.update({name: s[m].clone() for name, s, m in zip(batch.clip_ids, states, mask, strict=True)})
        states = torch.nn.utils.rnn.pad_sequence([kept[name] for name in batch.clip_ids], batch_first=True)
        lengths = torch.tensor([len(kept[name]) for name in batch.clip_ids])
        return states, torch.arange(states.shape[1]) < lengths[:, None]

    Univa.utterances = remembered  # type: ignore[assignment,method-assign]
    try:
        yield
    finally:
        Univa.utterances = encode  # type: ignore[method-assign]


def main() -> None:
    """Print the comparison on one corpus."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--corpus", choices=["meld", "mer23"], required=True)
    parser.add_argument("--share", type=float, default=1.0, help="of MELD's dialogues")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    path = options.out / f"{options.corpus}-{options.share:g}.h5"
    if options.corpus == "meld":
        dialogue_texts.write_meld(options.data, path, share=options.share)
    else:
        dialogue_texts.write_mer23(options.data, path)
    names = dialogue_texts.MELD if options.corpus == "meld" else dialogue_texts.MER23
    print(context_gain(path, names, path.with_suffix(""), n_seed=options.seeds).to_text())


if __name__ == "__main__":
    main()
