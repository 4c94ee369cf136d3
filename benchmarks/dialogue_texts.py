"""Texts in dialogues with their emotions, as dataset files without streams: MELD, and MER23 as one that has none."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmfeat import ClipEntry, ClipFeatures, DatasetInfo, DatasetWriter, LabelInfo, Split

MELD = ("anger", "joy", "sadness", "neutral", "disgust", "fear", "surprise")  # the numbers of the label file
MER23 = ("neutral", "angry", "happy", "sad", "worried", "surprise")
_PARTS = {"train": Split.TRAIN, "val": Split.VALID, "test": Split.TEST}
_N_TOGETHER = 10  # clips of MER23 with neighbouring numbers, which come from different scenes


def write_meld(data: Path, path: Path, *, share: float = 1.0, seed: int = 0) -> Path:
    """Write MELD's utterances in their dialogues, with a yes-or-no label for each emotion.

    Args:
        data: the folder of real data.
        path: the file.
        share: of the dialogues of each part that are taken, drawn at random.
        seed: of the draw.
    """
    folder = data / "labels" / "meld"
    texts, emotions = _texts(folder), _emotions(folder / "label.npz")
    entries = []
    for name, emotion in emotions.items():
        dialogue, _, utterance = name.rpartition("_utt")
        part = _PARTS[name.partition("_")[0]]
        entries.append(_entry(name, dialogue, int(utterance), part, texts[name], MELD[int(emotion)], MELD))
    return _write(path, "meld", _drawn(entries, share, seed), MELD)


def write_mer23(data: Path, path: Path, *, share: float = 1.0, seed: int = 0) -> Path:
    """Write MER23's English texts; clips with neighbouring numbers stand in for dialogues, which they are not.

    The train part is that of the corpus but a fifth, which is the valid part; the test part is MER-MULTI and MER-NOISE.

    Args:
        data: the folder of real data.
        path: the file.
        share: of the stand-ins that are taken, drawn at random.
        seed: of the draw, and of the valid part.
    """
    folder = data / "labels" / "mer2023-dataset"
    texts, stored = _texts(folder), np.load(folder / "label-6way.npz", allow_pickle=True)
    rng = np.random.default_rng(seed)
    entries = []
    for corpus in ("train_corpus", "test1_corpus", "test2_corpus"):
        names = sorted(stored[corpus].item())
        groups = [names[first : first + _N_TOGETHER] for first in range(0, len(names), _N_TOGETHER)]
        for number, group in enumerate(groups):
            part = Split.TEST if corpus != "train_corpus" else Split.VALID if rng.random() < 0.2 else Split.TRAIN
            for place, name in enumerate(group):
                emotion = stored[corpus].item()[name]["emo"]
                entries.append(_entry(name, f"{corpus}-{number}", place, part, texts[name], emotion, MER23))
    return _write(path, "mer23", _drawn(entries, share, seed), MER23)


def _texts(folder: Path) -> dict[str, str]:
    with (folder / "transcription-engchi-polish.csv").open(newline="", encoding="utf-8") as handle:
        return {row["name"]: row["english"] for row in csv.DictReader(handle)}


def _emotions(path: Path) -> dict[str, str]:
    stored = np.load(path, allow_pickle=True)
    return {name: values["emo"] for corpus in stored.files for name, values in stored[corpus].item().items()}


def _entry(
    name: str, dialogue: str, position: int, part: Split, text: str, emotion: str, emotions: Sequence[str]
) -> ClipEntry:
    return ClipEntry(
        clip_id=name,
        recording_id=dialogue,
        position=position,
        splits={"default": part},
        text=text,
        labels={known: float(known == emotion) for known in emotions},
    )


def _drawn(entries: Sequence[ClipEntry], share: float, seed: int) -> list[ClipEntry]:
    dialogues = sorted({entry.recording_id for entry in entries})
    taken = set(np.random.default_rng(seed).permutation(dialogues)[: round(share * len(dialogues))].tolist())
    return [entry for entry in entries if entry.recording_id in taken]


def _write(path: Path, name: str, entries: Sequence[ClipEntry], emotions: Sequence[str]) -> Path:
    labels = [LabelInfo(name=emotion, problem="multilabel", value_range=(0.0, 1.0)) for emotion in emotions]
    info = DatasetInfo(name=name, language="en")
    with DatasetWriter(path, info=info, streams=[], labels=labels, schemes=["default"], overwrite=True) as writer:
        for entry in entries:
            writer.write(ClipFeatures(entry=entry, streams={}))
    return path
