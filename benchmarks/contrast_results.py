"""What contrast by valence and arousal changes on RAVDESS: voice and face, no text, each actor held out once.

UniVA is trained with and without the term, see ``results.py``. The models of valence and arousal are fitted on the
actors that are trained on, from their emotions.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from real_data import ACTORS, build_ravdess
from scipy.stats import t as student

from mmfeat import (
    ClipEntry,
    ClipFeatures,
    DatasetInfo,
    DatasetReader,
    DatasetWriter,
    Float64Array,
    LabelInfo,
    Split,
)
from skesl import ExperimentConfig, TrainConfig, finetune, fit_va, predict_run
from skesl.metrics import multilabel_measures
from skesl.testing import write_tiny_text_encoder

EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
METRICS = ("micro_f1", "macro_f1", "ml_acc")
SMALL = {"width": 64, "n_heads": 4, "n_inner": 128, "n_audio_layers": 1, "n_vision_layers": 1}
INPUTS = {"modalities": ["audio", "vision"], "max_audio_frames": 256, "max_vision_frames": 160}
WEIGHT = 0.2  # of the contrast, the default
ENCODER = "encoder"  # no text is read; the one that every run brings along may as well be small
TRAIN = TrainConfig(
    n_epochs=10,
    batch_size=16,
    learning_rate=1e-3,
    schedule="linear",
    warmup_fraction=0.1,
    patience=0,
    selection_metric="micro_f1",
    device="cpu",
)


def write_ravdess(data: Path, folder: Path) -> Path:
    """Build RAVDESS with action units, and write it again with a yes-or-no label for each emotion."""
    built = build_ravdess(data, folder)
    with (data / "ravdess" / "clips.csv").open(newline="") as handle:
        emotions = {row["clip_id"]: row["emotion"] for row in csv.DictReader(handle)}
    path = folder / "emotions.h5"
    labels = [LabelInfo(name=name, problem="multilabel", value_range=(0.0, 1.0)) for name in EMOTIONS]
    with DatasetReader(built) as reader:
        schemes, info = reader.scheme_names, DatasetInfo(name="ravdess", language="en")
        streams = [reader.info(name) for name in ("audio", "vision")]
        with DatasetWriter(path, info=info, streams=streams, labels=labels, schemes=schemes, overwrite=True) as writer:
            for index, clip_id in enumerate(reader.clip_ids):
                entry = ClipEntry(
                    clip_id=clip_id,
                    recording_id=reader.recording_ids[index],
                    splits={scheme: Split(int(reader.parts(scheme)[index])) for scheme in schemes},
                    text=reader.texts[index],
                    labels={name: float(emotions[clip_id] == name) for name in EMOTIONS},
                )
                frames = {name: reader.read(name, index) for name in ("audio", "vision")}
                writer.write(ClipFeatures(entry=entry, streams=frames))
    return path


def contrast_rows(data: Path, folder: Path, seeds: Sequence[int]) -> Iterator[str]:
    """Yield a row for each metric: without the term, with it, and what it adds.

    Args:
        data: the folder of real clips.
        folder: where the dataset, the models and the runs lie; what is there is taken as it is.
        seeds: of the runs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "emotions.h5"
    if not path.exists():
        write_ravdess(data, folder)
    if not (folder / ENCODER).exists():
        write_tiny_text_encoder(folder / ENCODER)
    without, with_term = (
        np.array([_by_actor(path, folder, seed, name=name, weight=weight) for seed in seeds])
        for name, weight in (("without", 0.0), ("with", WEIGHT))
    )
    for place, metric in enumerate(METRICS):
        before, after = without[..., place], with_term[..., place]
        gain = gain_over_actors((after - before).mean(axis=0))
        yield f"| {metric} | {_cell(before)} | {_cell(after)} | {gain} |"


def gain_over_actors(by_actor: Float64Array) -> str:
    """Return the mean over the actors with its 95 % interval by Student's t, an actor being one draw."""
    half = float(student.ppf(0.975, by_actor.size - 1) * by_actor.std(ddof=1) / np.sqrt(by_actor.size))
    mean = float(by_actor.mean())
    return f"{mean:+.3f} ({mean - half:+.3f} to {mean + half:+.3f})"


def _cell(numbers: Float64Array) -> str:
    """Return the mean of numbers, shape (seed, actor), with its deviation over the seeds."""
    means = numbers.mean(axis=1)
    return f"**{means.mean():.3f}**" + (f" ± {means.std(ddof=1):.3f}" if len(means) > 1 else "")


def _by_actor(path: Path, folder: Path, seed: int, *, name: str, weight: float) -> list[list[float]]:
    """Return the metrics of each actor by the run that has not met that actor, shape (actor, metric)."""
    found = []
    for actor in ACTORS:
        term: Mapping[str, object] = {"contrast_weight": weight}
        if weight:
            term = {**term, **_va_models(path, folder, actor)}
        run = folder / f"{name}-{WEIGHT:g}" / f"{actor}-{seed}"
        config = ExperimentConfig(
            method="univa",
            text_encoder=str(folder / ENCODER),
            train=replace(TRAIN, seed=seed),
            labels=EMOTIONS,
            scheme=f"actor-{actor}",
            method_settings={**SMALL, "inputs": INPUTS, "label_prior_weight": 0.0, **term},
            reuse_finished=True,
        )
        print(finetune(path, run, config).summary(), file=sys.stderr)
        said = predict_run(run, path, part=Split.TEST, device="cpu")
        measures = multilabel_measures(said.labels, said.scores, EMOTIONS)
        found.append([measures[metric].number() for metric in METRICS])
    return found


def _va_models(data: Path, folder: Path, actor: int) -> dict[str, str]:
    models = {f"{stream}_va_model": folder / f"va-{stream}-{actor}" for stream in ("audio", "vision")}
    for (_, path), stream in zip(models.items(), ("audio", "vision"), strict=True):
        if not path.exists():
            report = fit_va(data, path, stream=stream, labels=EMOTIONS, scheme=f"actor-{actor}")
            print(report.summary(), file=sys.stderr)
    return {name: str(path) for name, path in models.items()}
