"""The whole line on real clips: GRID and RAVDESS to dataset files, pretraining, fine-tuning, held-out actors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from real_data import ACTORS

from mmfeat import Split
from skesl import ExperimentConfig, TrainConfig, finetune, predict_run, pretrain, sentiment_metrics

TRAIN = TrainConfig(
    n_epochs=6, batch_size=16, learning_rate=5e-4, text_encoder_learning_rate=2e-5, patience=0, device="cpu"
)


@dataclass(frozen=True)
class ActorResult:
    """Pearson's r of the predicted valence on the clips of one actor who was not trained on."""

    actor: int
    skesl: float
    text_only: float


def leave_one_actor_out(ravdess: Path, pretrained: Path, runs: Path) -> list[ActorResult]:
    """Train SKESL from a pretrained run, and the text-only baseline, with each actor held out once."""
    return [
        ActorResult(
            actor=actor,
            skesl=_held_out_r(ravdess, runs / f"skesl-{actor}", actor, from_run=pretrained),
            text_only=_held_out_r(ravdess, runs / f"text-{actor}", actor, from_run=None),
        )
        for actor in ACTORS
    ]


def _held_out_r(ravdess: Path, run: Path, actor: int, *, from_run: Path | None) -> float:
    config = ExperimentConfig(
        method="skesl" if from_run else "text_only",
        text_encoder=None if from_run else "minilm-l6",
        from_run=from_run,
        train=TRAIN,
        scheme=f"actor-{actor}",
    )
    finetune(ravdess, run, config)
    predictions = predict_run(run, ravdess, part=Split.TEST, device="cpu")
    # A predictor that says one number for everybody is worth r = 0.
    return float(np.nan_to_num(sentiment_metrics(predictions.labels[:, 0], predictions.answers[:, 0])["corr"]))


def pretrain_on(grid: Path, run: Path) -> None:
    """Pretrain SKESL on unlabelled clips."""
    train = TrainConfig(n_epochs=3, batch_size=16, learning_rate=5e-4, device="cpu")
    pretrain(grid, run, ExperimentConfig(text_encoder="minilm-l6", train=train))


def table(results: list[ActorResult]) -> str:
    """Return the results as a table with the mean."""
    rows = [f"{result.actor:>8}{result.skesl:>10.3f}{result.text_only:>12.3f}" for result in results]
    skesl, text_only = (np.mean([getattr(result, name) for result in results]) for name in ("skesl", "text_only"))
    head = "RAVDESS valence, Pearson's r on the actor who was left out"
    return "\n".join(
        [
            head,
            f"{'actor':>8}{'skesl':>10}{'text_only':>12}",
            *rows,
            f"{'mean':>8}{skesl:>10.3f}{text_only:>12.3f}",
        ]
    )
