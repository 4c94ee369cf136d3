"""The whole line on real clips: GRID and RAVDESS to dataset files, pretraining, fine-tuning, held-out actors."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmfeat import BuildReport, Split, build_dataset, read_manifest, resolve_build_config
from skesl import ExperimentConfig, TrainConfig, finetune, predict_run, pretrain, sentiment_metrics

ACTORS = (1, 2, 3, 4, 5)
TRAIN = TrainConfig(
    n_epochs=6, batch_size=16, learning_rate=5e-4, text_encoder_learning_rate=2e-5, patience=0, device="cpu"
)


@dataclass(frozen=True)
class ActorResult:
    """Pearson's r of the predicted valence on the clips of one actor who was not trained on."""

    actor: int
    skesl: float
    text_only: float


def grid_manifest(data: Path, folder: Path) -> Path:
    """Write a manifest of the GRID clips; the texts come from the word alignments."""
    rows = []
    for video in sorted((data / "grid" / "video").glob("*.mpg")):
        alignment = (data / "grid" / "align" / f"{video.stem}.align").read_text().split()[2::3]
        rows.append(
            {
                "clip_id": video.stem,
                "recording_id": video.stem,
                "video": video.resolve(),
                "openface": (data / "grid" / "openface" / f"{video.stem}.csv").resolve(),
                "text": " ".join(word for word in alignment if word not in ("sil", "sp")),
            }
        )
    return write_rows(folder / "grid.csv", rows)


def ravdess_manifest(data: Path, folder: Path) -> Path:
    """Write a manifest of the RAVDESS clips with one leave-one-actor-out scheme for each actor.

    In scheme ``actor-k`` actor k is the test part, the next actor validation, the other three training.
    """
    root = (data / "ravdess").resolve()
    rows = []
    with (root / "clips.csv").open(newline="") as handle:
        for clip in csv.DictReader(handle):
            actor = int(clip["actor"])
            parts = {f"split:actor-{k}": _part(actor, k) for k in ACTORS}
            rows.append(
                {
                    "clip_id": clip["clip_id"],
                    "recording_id": f"actor-{actor}",
                    "speaker_id": f"actor-{actor}",
                    "audio": root / "audio" / f"{clip['clip_id']}.flac",
                    "openface": root / "openface_au" / f"{clip['clip_id']}.csv",
                    "text": clip["text"],
                    "label:valence": clip["valence"],
                    **parts,
                }
            )
    return write_rows(folder / "ravdess.csv", rows)


def _part(actor: int, held_out: int) -> str:
    if actor == held_out:
        return "test"
    return "valid" if actor == held_out % len(ACTORS) + 1 else "train"


def write_rows(path: Path, rows: list[dict[str, object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def build_au(manifest: Path, output: Path, *overrides: str) -> BuildReport:
    """Build a dataset file with the 33 audio features and the 35 action units."""
    config = resolve_build_config(overrides=['openface.groups=["au"]', *overrides])
    return build_dataset(read_manifest(manifest), output, config, n_jobs=2, overwrite=True)


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
    return float(np.nan_to_num(sentiment_metrics(predictions.labels, predictions.values)["corr"]))


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
