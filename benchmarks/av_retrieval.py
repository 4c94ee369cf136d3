"""How often the video of a held-out clip finds its own sound, after VAT was pretrained on windows of GRID's others.

    MMFEAT_REAL_DATA=FOLDER python benchmarks/av_retrieval.py [--out FOLDER] [--epochs N] [--folds N] [--write]

GRID's clips are parted into four folds; each is held out once. ``vat-tiny`` is trained twice for each: with every
clip's own sound, and, as the control, with that of another clip. ``--write`` puts the table into RESULTS.md.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from report import conditions, publish
from scipy.stats import binomtest

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

IntArray = npt.NDArray[np.int64]

N_IMAGE, N_SOUND = 25, 100  # of a window of a second
STEP = 3  # images between two windows of a clip
N_FOLD = 4
SHIFT = 7  # the control hears the sound of the clip so many places behind
# Windows of the same clip are the negatives that no face and no light tells apart, only what moves when.
SETTINGS = {"exclude_same_recording": False}


ABOUT = (
    "`vat-tiny` pretrained on windows of a second of GRID's clips (one speaker, 3 s each, 25 images a second, 128 "
    "log-mel bands), then the videos of clips that were held out look for their sounds among those of all clips held "
    "out with them: the mean likeness of the windows that lie at the same place. Each of 46 clips is held out once, in "
    "four folds. The control was trained, and is asked, with the sound of another clip."
)
HEADER = [
    "| trained with | clips | own sound first (R@1) | among five (R@5) | own nearer than another (chance 0.5) |",
    "|---|---|---|---|---|",
]


@dataclass(frozen=True, kw_only=True)
class Found:
    """Which places the own sounds of held-out clips took among all held-out sounds, 0 the first: shape (clip,)."""

    places: IntArray

    @property
    def n(self) -> int:
        """Number of candidates."""
        return len(self.places)

    def first(self, n: int) -> int:
        """Return how many of the clips found their own sound among the first n."""
        return int((self.places < n).sum())

    @property
    def nearer(self) -> float:
        """Share of the pairs of an own and another sound of which the own one is nearer; chance is 0.5."""
        return 1.0 - float(self.places.mean()) / (self.n - 1)


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


def write_windows(source: Path, output: Path, *, shift: int = 0) -> Path:
    """Write windows of a second as clips of their recordings, with a split scheme for each fold of the recordings.

    Args:
        source: what ``build_grid`` made.
        output: the dataset to make.
        shift: the sound of each recording is that of the one so many places behind it: 0, its own.
    """
    with (
        DatasetReader(source) as reader,
        DatasetWriter(
            output,
            info=DatasetInfo(name="windows", language="en"),
            streams=[reader.info("audio"), reader.info("frames")],
            labels=[],
            schemes=[f"fold-{fold}" for fold in range(N_FOLD)],
        ) as writer,
    ):
        n_clip = reader.n_clip
        folds = np.random.default_rng(0).permutation(n_clip) % N_FOLD
        for index, name in enumerate(reader.clip_ids):
            images, sound = reader.read_frames("frames", index), reader.read("audio", (index + shift) % n_clip)
            parts = {f"fold-{fold}": Split.TEST if folds[index] == fold else Split.TRAIN for fold in range(N_FOLD)}
            last = min(images.n_frame - N_IMAGE, (sound.n_frame - N_SOUND) // 4)
            for place in range(0, last + 1, STEP):
                entry = ClipEntry(clip_id=f"{name}_{place}", recording_id=name, position=place, splits=parts)
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


def train(data: Path, run: Path, *, fold: int, n_epochs: int) -> Path:
    """Pretrain vat-tiny on the windows of the recordings that a fold leaves in."""
    settings = {**find_preset("vat", "vat-tiny").train["pretrain"], "n_epochs": n_epochs, "device": "cpu"}
    config = ExperimentConfig(
        method="vat",
        preset="vat-tiny",
        method_settings=SETTINGS,
        scheme=f"fold-{fold}",
        train=TrainConfig(**settings),
        options=RunOptions(log_steps=0, checkpoint_seconds=0),
        reuse_finished=True,
    )
    pretrain(data, run, config)
    return run


def retrieve(run: Path, data: Path, *, fold: int) -> Found:
    """Let the videos of held-out recordings find their sounds: the mean likeness of windows at the same place.

    All sentences of GRID have one rhythm: across places, a window would be found by where it lies in its recording.

    Args:
        run: a pretrained run.
        data: what ``write_windows`` made.
        fold: which recordings were held out.
    """
    method: Any = load_run(run).method
    video, audio = {}, {}
    with DatasetReader(data) as reader:
        members = reader.members(f"fold-{fold}", Split.TEST)
        names = sorted({reader.recording_ids[index] for index in members})
        for name in names:
            clips = _opened(reader, members[[reader.recording_ids[index] == name for index in members]], method)
            with torch.inference_mode():
                video[name], audio[name] = method.embed(clips.batch(np.arange(len(clips))))
    n_window = min(map(len, video.values()))
    seen_of, heard_of = (torch.stack([states[name][:n_window] for name in names]) for states in (video, audio))
    likeness = torch.einsum("iwd,jwd->ij", seen_of, heard_of)
    return Found(places=(likeness > likeness.diagonal()[:, None]).sum(dim=1).numpy())


def _opened(reader: DatasetReader, indices: IntArray, method: Any) -> ClipSet:
    return ClipSet(
        reader,
        indices,
        None,
        stage="finetune",
        streams=tuple(method.normalisers),
        labels=np.zeros((reader.n_clip, 1), dtype=np.float32),
        lexicon={},
        max_text_tokens=3,
        inputs=method.inputs,
    )


def row(name: str, found: Sequence[Found]) -> str:
    """Return what all folds found together, with the chance of each number and how likely it is by chance alone."""
    n_clip = sum(one.n for one in found)
    cells = []
    for n in (1, 5):
        n_right = sum(one.first(n) for one in found)
        chance = n * len(found) / n_clip
        p = binomtest(n_right, n_clip, chance, alternative="greater").pvalue
        cells.append(f"**{n_right / n_clip:.3f}** (chance {chance:.3f}, p {p:.1g})")
    nearer = np.average([one.nearer for one in found], weights=[one.n for one in found])
    return f"| {name} | {n_clip} | {' | '.join(cells)} | {nearer:.3f} |"


def main() -> int:
    """Build, pretrain and print one row for each of the two."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results") / "retrieval", help="folder of datasets and runs")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--folds", type=int, default=N_FOLD, help="of the four, how many are held out")
    parser.add_argument("--write", action="store_true", help="put the table into RESULTS.md")
    choices = parser.parse_args()
    data = os.environ.get("MMFEAT_REAL_DATA")
    if not data:
        print("av_retrieval: expected MMFEAT_REAL_DATA to name the folder of real clips, got nothing", file=sys.stderr)
        return 3
    torch.set_num_threads(1)
    measured = conditions(("mmfeat", "torch"))
    choices.out.mkdir(parents=True, exist_ok=True)
    built = choices.out / "grid.h5"
    if not built.exists():
        build_grid(Path(data), built)
    lines = [*HEADER]
    for name, shift in (("own sound", 0), ("sound of another clip (control)", SHIFT)):
        windows = choices.out / f"windows-{shift}.h5"
        if not windows.exists():
            write_windows(built, windows, shift=shift)
        found = []
        for fold in range(choices.folds):
            run = train(windows, choices.out / f"run-{shift}-{fold}", fold=fold, n_epochs=choices.epochs)
            found.append(retrieve(run, windows, fold=fold))
            print(name, fold, found[-1].places.tolist(), file=sys.stderr)
        lines.append(row(name, found))
    print("\n".join(lines))
    if choices.write:
        made_by = f"{choices.epochs} epochs. Made by `make bench-retrieval`: {measured}."
        publish("## Videos that find their sound", "bench-retrieval", ABOUT, lines, made_by)
    return 0


if __name__ == "__main__":
    sys.exit(main())
