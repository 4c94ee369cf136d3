"""How often the video of a held-out window finds its own sound, after VAT was pretrained on GRID's windows.

    python benchmarks/av_retrieval.py DATA FOLDER [--epochs N]

Trains ``vat-tiny`` twice: with each clip's own sound, and with that of another clip. DATA is the folder of real clips;
FOLDER keeps datasets and runs. Fifty epochs take about an hour of one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmfeat import (
    AUDIO_PRESETS,
    BuildConfig,
    ClipEntry,
    ClipFeatures,
    DatasetInfo,
    DatasetReader,
    DatasetWriter,
    EncodedFrames,
    FrameConfig,
    FrameFeatures,
    Split,
    build_dataset,
)
from skesl import ClipSet, ExperimentConfig, RunOptions, TrainConfig, find_preset, load_run, pretrain

N_IMAGE, N_SOUND = 25, 100  # of a window of a second
N_TEST = 12  # recordings


@dataclass(frozen=True, kw_only=True)
class Found:
    """In how many trials, among how many candidates, how often the own one was first, or among the first five."""

    n: int
    n_trial: int
    first: float
    first_five: float

    def __str__(self) -> str:
        chance = f"chance {1 / self.n:.3f} and {5 / self.n:.3f}"
        return f"R@1 {self.first:.3f}, R@5 {self.first_five:.3f} of {self.n} in {self.n_trial} trials ({chance})"


def build_grid(data: Path, output: Path, *, n_jobs: int = 1) -> Path:
    """Extract face crops of 32 at 25 fps and 128 log-mel bands of every GRID clip."""
    entries = [
        ClipEntry(clip_id=video.stem, video=video, openface=data / "grid" / "openface" / f"{video.stem}.csv")
        for video in sorted((data / "grid" / "video").glob("*.mpg"))
    ]
    config = BuildConfig(
        audio=AUDIO_PRESETS["logmel128"],
        frames=FrameConfig(fps=25, size=32, crop="face", margin=1.0),
        streams=("audio", "frames"),
    )
    build_dataset(entries, output, config, n_jobs=n_jobs)
    return output


def write_windows(source: Path, output: Path, *, step: int, shift: int = 0) -> Path:
    """Write windows of a second as clips of their recordings; the recordings are parted, not the windows.

    Args:
        source: what ``build_grid`` made.
        output: the dataset to make.
        step: images between two windows of a recording.
        shift: the sound of each recording is that of the one so many places behind it: 0, its own.
    """
    with (
        DatasetReader(source) as reader,
        DatasetWriter(
            output,
            info=DatasetInfo(name="windows", language="en"),
            streams=[reader.info("audio"), reader.info("frames")],
            labels=[],
            schemes=["default"],
        ) as writer,
    ):
        n_clip = reader.n_clip
        tests = set(np.random.default_rng(0).permutation(n_clip)[:N_TEST].tolist())
        for index, name in enumerate(reader.clip_ids):
            images, sound = reader.read_frames("frames", index), reader.read("audio", (index + shift) % n_clip)
            part = Split.TEST if index in tests else Split.TRAIN
            last = min(images.n_frame - N_IMAGE, (sound.n_frame - N_SOUND) // 4)
            for place in range(0, last + 1, step):
                entry = ClipEntry(
                    clip_id=f"{name}_{place}", recording_id=name, position=place, splits={"default": part}
                )
                streams: dict[str, FrameFeatures | EncodedFrames] = {
                    "audio": heard(sound, 4 * place),
                    "frames": seen(images, place),
                }
                writer.write(ClipFeatures(entry=entry, streams=streams))
    return output


def heard(sound: FrameFeatures, first: int) -> FrameFeatures:
    """Return a window of sound."""
    rows = slice(first, first + N_SOUND)
    return FrameFeatures(
        values=sound.values[rows],
        times_s=sound.times_s[rows] - sound.times_s[first],
        names=sound.names,
        units=sound.units,
        valid=sound.valid[rows],
        hop_s=sound.hop_s,
    )


def seen(images: EncodedFrames, first: int) -> EncodedFrames:
    """Return a window of images."""
    rows = slice(first, first + N_IMAGE)
    return EncodedFrames(
        jpegs=images.jpegs[rows],
        times_s=images.times_s[rows] - images.times_s[first],
        valid=images.valid[rows],
        height=images.height,
        width=images.width,
    )


def train(data: Path, run: Path, *, n_epochs: int) -> Path:
    """Pretrain vat-tiny on the windows of the training recordings."""
    settings = {**find_preset("vat", "vat-tiny").train["pretrain"], "n_epochs": n_epochs, "device": "cpu"}
    config = ExperimentConfig(
        method="vat",
        preset="vat-tiny",
        train=TrainConfig(**settings),
        options=RunOptions(log_steps=0, checkpoint_seconds=0),
    )
    pretrain(data, run, config, overwrite=True)
    return run


def retrieve(run: Path, data: Path, *, places: Sequence[int] = (0, 24, 48)) -> Found:
    """Let the videos of held-out windows find their sounds among those at the same place of the other recordings.

    All sentences of GRID have one rhythm: across places, a window would be found by where it lies in its recording.

    Args:
        run: a pretrained run.
        data: what ``write_windows`` made.
        places: which windows of a recording; they hardly overlap.
    """
    method: Any = load_run(run).method
    with DatasetReader(data) as reader:
        members = reader.members("default", Split.TEST)
        chosen = [index for index in members if int(reader.clip_ids[index].rpartition("_")[2]) in places]
        clips = ClipSet(
            reader,
            np.asarray(chosen, dtype=np.int64),
            None,
            stage="finetune",
            streams=tuple(method.normalisers),
            labels=np.zeros((reader.n_clip, 1), dtype=np.float32),
            lexicon={},
            max_text_tokens=3,
            inputs=method.inputs,
        )
        with torch.inference_mode():
            video, audio = method.embed(clips.batch(np.arange(len(clips))))
    place = torch.tensor([int(name.rpartition("_")[2]) for name in clips.clip_ids])
    likeness = (video @ audio.T).masked_fill(place[:, None] != place, -2.0)
    n_nearer = (likeness > likeness.diagonal()[:, None]).sum(dim=1)
    shares = [(n_nearer < n).float().mean().item() for n in (1, 5)]
    n = len(clips) // len(places)
    return Found(n=n, n_trial=len(clips), first=shares[0], first_five=shares[1])


def main() -> None:
    """Build, pretrain and print one line for each of the two."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=50)
    choices = parser.parse_args()
    torch.set_num_threads(1)
    choices.folder.mkdir(parents=True, exist_ok=True)
    built = choices.folder / "grid.h5"
    if not built.exists():
        build_grid(choices.data, built)
    for name, shift in (("own sound", 0), ("sound of another clip", 7)):
        windows = write_windows(built, choices.folder / f"windows-{shift}.h5", step=3, shift=shift)
        run = train(windows, choices.folder / f"run-{shift}", n_epochs=choices.epochs)
        print(name, retrieve(run, windows), flush=True)


if __name__ == "__main__":
    main()
