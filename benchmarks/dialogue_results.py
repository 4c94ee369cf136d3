"""Emotions of texts, each in its dialogue and each alone: UniVA without streams, with a text encoder that is trained.

See ``results.py``, which puts the rows into RESULTS.md.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from dialogue_texts import MELD, MER23, write_meld, write_mer23

from skesl import Comparison, ExperimentConfig, TrainConfig, compare, finetune

METRIC = "micro_f1"
TRAIN = TrainConfig(
    n_epochs=3,
    batch_size=32,
    learning_rate=5e-4,
    text_encoder_learning_rate=5e-5,
    schedule="linear",
    warmup_fraction=0.1,
    patience=0,
    selection_metric=METRIC,
    device="cpu",
)
HEAD = {"width": 384, "n_heads": 6, "contrast_weight": 0.0, "label_prior_weight": 0.0}
INPUTS = {
    "alone": {"modalities": ["text"], "max_text_tokens": 512},
    "dialogue": {"modalities": ["text"], "max_text_tokens": 512, "max_dialogue_tokens": 512},
}
TRAINS = {  # with as little padding as can be
    "alone": replace(TRAIN, length_buckets=True),
    "dialogue": replace(TRAIN, recording_batches=True),
}
MELD_SHARE, MER23_SHARE = 0.25, 0.4  # of their dialogues
CORPORA: Mapping[str, tuple[Callable[[Path, Path], Path], Sequence[str]]] = {
    "MELD": (partial(write_meld, share=MELD_SHARE), MELD),
    "MER23": (partial(write_mer23, share=MER23_SHARE), MER23),
}


def dialogue_rows(data: Path, folder: Path, seeds: Sequence[int]) -> Iterator[str]:
    """Yield a row for each corpus: texts alone, texts in their dialogues, and the difference.

    Args:
        data: the folder of real data.
        folder: where the datasets and the runs lie; what is there is taken as it is.
        seeds: of the runs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, (write, labels) in CORPORA.items():
        path = folder / f"{name.lower()}.h5"
        if not path.exists():
            write(data, path)
        comparison = context_gain(path, labels, path.with_suffix(""), seeds)
        found = comparison.differences[METRIC]
        low, high = found.interval
        yield (
            f"| {name} | {comparison.n_labelled:,} of {comparison.n_recording:,} dialogues | {found.first:.3f} "
            f"| {found.second:.3f} | {found.difference:+.3f} ({low:+.3f} to {high:+.3f}) | {found.p:.3f} |"
        )


def context_gain(data: Path, labels: Sequence[str], runs: Path, seeds: Sequence[int]) -> Comparison:
    """Train on the same texts alone and in their dialogues, with each seed, and compare the test parts."""
    for name, inputs in INPUTS.items():
        for seed in seeds:
            config = ExperimentConfig(
                method="univa",
                text_encoder="minilm-l6",
                train=replace(TRAINS[name], seed=seed),
                labels=tuple(labels),
                method_settings={**HEAD, "inputs": inputs},
                reuse_finished=True,
            )
            print(finetune(data, runs / name / f"seed-{seed}", config).summary(), file=sys.stderr)
    return compare(runs / "alone", runs / "dialogue", data, metric=METRIC, device="cpu")
