"""What contrast by valence and arousal changes on RAVDESS: voice and face, no text, each actor held out once.

``python benchmarks/contrast_results.py DATA OUT`` trains UniVA with and without the term, over seeds, and prints the
difference. The models of valence and arousal are fitted on the actors that are trained on, from their emotions.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from real_data import ACTORS, build_ravdess

from mmfeat import ClipEntry, ClipFeatures, DatasetInfo, DatasetReader, DatasetWriter, LabelInfo, Split
from skesl import ExperimentConfig, TrainConfig, finetune, fit_va, predict_run
from skesl.metrics import multilabel_measures
from skesl.statistics import Difference, compare_measures
from skesl.testing import write_tiny_text_encoder

EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
METRICS = ("micro_f1", "macro_f1", "ml_acc")
SMALL = {"width": 64, "n_heads": 4, "n_inner": 128, "n_audio_layers": 1, "n_vision_layers": 1}
INPUTS = {"modalities": ["audio", "vision"], "max_audio_frames": 256, "max_vision_frames": 160}
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


@dataclass
class HeldOut:
    """Predictions of all held-out actors, for each seed."""

    truth: list[np.ndarray] = field(default_factory=list)
    actors: list[np.ndarray] = field(default_factory=list)
    scores: dict[str, list[list[np.ndarray]]] = field(default_factory=lambda: {"without": [], "with": []})

    def differences(self) -> dict[str, Difference]:
        """Return what the term adds to each metric, with the interval over clips."""
        truth = np.concatenate(self.truth)
        without, with_term = (
            [multilabel_measures(truth, np.concatenate(of_seed), EMOTIONS) for of_seed in self.scores[name]]
            for name in ("without", "with")
        )
        found = compare_measures(without, with_term, np.arange(len(truth)))
        return {name: found[name] for name in METRICS}


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


def held_out(data: Path, folder: Path, *, n_seed: int, weight: float) -> HeldOut:
    """Train with and without the term, with each actor held out once and each seed."""
    result = HeldOut()
    # No text is read; the encoder that every run brings along may as well be small.
    encoder = folder / "encoder"
    if not encoder.exists():
        write_tiny_text_encoder(encoder)
    for seed in range(n_seed):
        for name in result.scores:
            result.scores[name].append([])
        for actor in ACTORS:
            models = _va_models(data, folder, actor)
            for name, term in (("without", {"contrast_weight": 0.0}), ("with", {"contrast_weight": weight, **models})):
                run = folder / f"{name}-{weight:g}" / f"{actor}-{seed}"
                config = ExperimentConfig(
                    method="univa",
                    text_encoder=str(encoder),
                    train=replace(TRAIN, seed=seed),
                    labels=EMOTIONS,
                    scheme=f"actor-{actor}",
                    method_settings={**SMALL, "inputs": INPUTS, "label_prior_weight": 0.0, **term},
                    reuse_finished=True,
                )
                print(finetune(data, run, config).summary(), flush=True)
                predictions = predict_run(run, data, part=Split.TEST, device="cpu")
                result.scores[name][-1].append(predictions.scores)
            if seed == 0:
                result.truth.append(predictions.labels)
                result.actors.append(np.full(len(predictions.labels), actor))
        print(_table(result), flush=True)
    return result


def _va_models(data: Path, folder: Path, actor: int) -> dict[str, str]:
    models = {f"{stream}_va_model": folder / f"va-{stream}-{actor}" for stream in ("audio", "vision")}
    for (_, path), stream in zip(models.items(), ("audio", "vision"), strict=True):
        if not path.exists():
            print(fit_va(data, path, stream=stream, labels=EMOTIONS, scheme=f"actor-{actor}").summary(), flush=True)
    return {name: str(path) for name, path in models.items()}


def _table(result: HeldOut) -> str:
    rows = [
        f"{name:>9}{one.first:>9.3f}{one.second:>9.3f}{one.second - one.first:>+9.3f}"
        f"  [{one.interval[0]:+.3f}, {one.interval[1]:+.3f}]  p {one.p:.3f}"
        for name, one in result.differences().items()
    ]
    return "\n".join([f"{'metric':>9}{'without':>9}{'with':>9}{'gain':>9}  95 % interval over clips", *rows])


def main() -> None:
    """Print the difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--weight", type=float, default=0.2, help="of the contrast")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    path = options.out / "emotions.h5"
    if not path.exists():
        write_ravdess(options.data, options.out)
    held_out(path, options.out, n_seed=options.seeds, weight=options.weight)


if __name__ == "__main__":
    main()
