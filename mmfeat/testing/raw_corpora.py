"""Raw trees in miniature of the corpora with one file for each clip: CMU-MOSI, CH-SIMS, MER2023, MuSe-Mimic.

Layouts and ids are the real ones, the content is invented. With ``faults`` each holds what goes wrong in practice; the
docstrings say what, and at which clip.
"""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mmfeat.corpora.facts import published_split
from mmfeat.corpora.mer23 import EMOTIONS
from mmfeat.testing.material import WORDS
from mmfeat.testing.raw_tree import RawTree
from mmfeat.types import Split

_LABELS = (-2.0, 1.5, 0.0, 2.5, -1.0, 3.0, -3.0, 0.5)


def make_raw_mosi(
    root: Path,
    *,
    n_clip: int = 3,
    sound: bool = True,
    video: bool = False,
    openface: bool = False,
    faults: bool = False,
) -> Path:
    """Write CMU-MOSI's raw tree with two recordings of the train part and one of each other part.

    Faults: ``03bSnISJMiM_2`` has no sound, ``_3`` is labelled 7.5 and its sound ends in ``.WAV``; ``_1`` stands twice
    among the labels; the transcripts speak of a clip ``_99`` that nothing else knows; hidden files and ``__MACOSX``.

    Args:
        root: the folder to make.
        n_clip: clips of each recording, the first ones of the published split.
        sound: write the sound of the clips.
        video: write videos of the clips.
        openface: write OpenFace files, into the folder ``openface`` of the root.
        faults: plant faults.

    Returns:
        The root.
    """
    tree = RawTree(root)
    rows: list[list[object]] = []
    for recording, part in first_recordings("mosi", n_train=2, n_clip=n_clip):
        lines = []
        for clip in range(1, n_clip + 1):
            label = _LABELS[len(rows) % len(_LABELS)]
            text = f"IT WAS {WORDS[(label > 0) - (label < 0)].upper()} TAKE {clip}"
            rows.append([recording, clip, text, label, "", part.name.lower(), 0])
            lines.append(f"{clip}_DELIM_{text}")
            if sound:
                tree.sound(f"Audio/WAV_16000/Segmented/{recording}_{clip}.wav")
            if video:
                tree.video(f"Video/Segmented/{recording}_{clip}.mp4")
            if openface:
                tree.openface(f"openface/{recording}_{clip}.csv")
        tree.text(f"Transcript/Segmented/{recording}.annotprocessed", *lines)
    if faults:
        _spoil_mosi(tree, rows, sound=sound)
    tree.table("MOSI-label.csv", ["video_id", "clip_id", "text", "label", "annotation", "mode", "label_by"], rows)
    return root


def _spoil_mosi(tree: RawTree, rows: list[list[object]], *, sound: bool) -> None:
    first = rows[0][0]
    rows[2][3] = 7.5
    rows.append(rows[0])
    transcript = tree.root / f"Transcript/Segmented/{first}.annotprocessed"
    transcript.write_text(f"{transcript.read_text()}99_DELIM_NOBODY SAID THIS\n")
    tree.litter("Transcript/Segmented", f"{first}.annotprocessed")
    if sound:
        tree.remove(f"Audio/WAV_16000/Segmented/{first}_2.wav")
        tree.rename(f"Audio/WAV_16000/Segmented/{first}_3.wav", f"{first}_3.WAV")
        tree.litter("Audio/WAV_16000/Segmented", f"{first}_1.wav")


def make_raw_sims(
    root: Path, *, version: int = 1, n_clip: int = 2, openface: bool = False, faults: bool = False
) -> Path:
    """Write the raw tree of CH-SIMS, or of its second version: two recordings of the train part, one of each other.

    Faults: the first clip's video is missing; the table has lost the zeros of the clips' numbers, as table programs
    do; the second clip stands twice in it and its file ends in ``.MP4``; the third is labelled 1.7 for sound; a video
    ``unknown/0001`` has no row; hidden files and ``__MACOSX``.

    Returns:
        The root.
    """
    tree = RawTree(root)
    name = {1: "sims", 2: "simsv2"}[version]
    wanted = first_recordings(name, n_train=2, n_clip=n_clip)
    rows: list[list[object]] = []
    for recording, part in wanted:
        for clip in _clips_of(name, recording, part)[:n_clip]:
            label = round(_LABELS[len(rows) % len(_LABELS)] / 3, 1)
            text = f"第{clip}句"
            labels = [label, -label, label, 0.2]
            rows.append([recording, clip, text, *labels, "", part.name.lower()])
            tree.sound(f"Raw/{recording}/{clip}.wav")
            tree.rename(f"Raw/{recording}/{clip}.wav", f"{clip}.mp4")  # a decoder looks at the content
            if openface:
                tree.openface(f"openface/{recording}/{clip}.csv")
    if faults:
        first, second = (f"Raw/{row[0]}/{row[1]}.mp4" for row in rows[:2])
        tree.remove(first)
        tree.rename(second, f"{rows[1][1]}.MP4")
        rows[2][5] = 1.7
        rows.append(rows[1])
        rows = [[row[0], int(str(row[1])), *row[2:]] for row in rows]
        tree.sound("Raw/unknown/0001.wav")
        tree.litter(f"Raw/{rows[0][0]}", "0001.mp4")
    header = ["video_id", "clip_id", "text", "label", "label_T", "label_A", "label_V", "annotation", "mode"]
    tree.table({1: "label.csv", 2: "meta.csv"}[version], header, rows)
    return root


def make_raw_mer23(root: Path, *, n_clip: int = 10, sound: bool = True, faults: bool = False) -> Path:
    """Write MER2023's raw tree: ``n_clip`` clips of Train&Val, two of each test set, two of MER-SEMI without labels.

    MER-SEMI has the placeholder -10 as valence. Faults: ``sample_00000001`` has no sound; ``sample_00000002`` has the
    valence 7 and an emotion that nobody knows; ``sample_00000003`` stands in the train set and in test1, and its sound
    ends in ``.WAV``; ``sample_99999999`` has a transcript and nothing else; hidden files and ``__MACOSX``.

    Returns:
        The root.
    """
    tree = RawTree(root)
    sets: dict[str, dict[str, dict[str, object]]] = {}
    names = {"train": [f"sample_{number:08d}" for number in range(n_clip)]}
    names |= {f"test{one}": [f"sample_{10 * one:06d}{number:02d}" for number in (1, 2)] for one in (1, 2)}
    names["test3"] = ["samplenew_00000001", "samplenew_00000002"]
    for part, clips in names.items():
        sets[f"{part}_corpus"] = {
            name: {"emo": EMOTIONS[index % len(EMOTIONS)], "val": -10 if part == "test3" else index % 5 - 2.5}
            for index, name in enumerate(clips)
        }
    unlabelled = ["samplenew_00000003", "samplenew_00000004"]
    if sound:
        for part, clips in {**names, "test3": names["test3"] + unlabelled}.items():
            for name in clips:
                tree.sound(f"{part}/{name}.wav")
    rows = [[name, f"第{index}句"] for index, name in enumerate(name for clips in names.values() for name in clips)]
    if faults:
        train = sets["train_corpus"]
        train["sample_00000002"] = {"emo": "bored", "val": 7.0}
        sets["test1_corpus"]["sample_00000003"] = {"emo": "sad", "val": 0.0}
        rows.append(["sample_99999999", "没有"])
        if sound:
            tree.remove("train/sample_00000001.wav")
            tree.rename("train/sample_00000003.wav", "sample_00000003.WAV")
            tree.litter("train", "sample_00000001.wav")
    write_object_npz(root / "label-6way.npz", sets)
    tree.table("transcription.csv", ["name", "sentence"], rows)
    return root


def make_raw_mimic(root: Path, *, n_clip: int = 6, sound: bool = False, faults: bool = False) -> Path:
    """Write the folder ``c1_muse_mimic``: two sets of features, times in milliseconds, ids in quotes.

    Parts go round through train, train, devel and test; clips of the test part have no labels. Faults: ``[1]`` has no
    file of the set ``egemaps``; ``[0]`` stands twice among the labels; ``[2]`` has the approval 1.4; ``[nobody]`` has
    features alone; ``[4]`` has a file whose suffix is ``.CSV``; hidden files and ``__MACOSX``.

    Returns:
        The root.
    """
    tree = RawTree(root)
    parts = ("train", "train", "devel", "test")
    ids = [f"[{number}]" for number in range(n_clip)]
    for index, name in enumerate(ids):
        for features, width in (("egemaps", 3), ("vit", 2)):
            header = ["timestamp", "segment_id", *(f"{features}_{column}" for column in range(width))]
            rows = [[500 * step, f'"{name}"', *[index + step / 10] * width] for step in range(1, 4)]
            tree.table(f"features/{features}/{name}.csv", header, rows)
        if sound:
            tree.sound(f"raw/{name}.wav")
    labels = [
        [f'"{name}"', *(round((index + shift) % 5 / 4, 2) for shift in range(3))]
        for index, name in enumerate(ids)
        if parts[index % 4] != "test"
    ]
    if faults:
        labels.append(labels[0])
        labels[2][1] = 1.4
        tree.remove("features/egemaps/[1].csv")
        tree.rename("features/egemaps/[4].csv", "[4].CSV")
        tree.table("features/vit/[nobody].csv", ["timestamp", "segment_id", "vit_0", "vit_1"], [[500, "x", 0.1, 0.2]])
        tree.litter("features/vit", "[0].csv")
    tree.table("labels.csv", ["filename", "Approval_", "Disappointment_", "Uncertainty_"], labels)
    partition = [[f'"{name}"', parts[index % 4]] for index, name in enumerate(ids)]
    tree.table("partition.csv", ["Id", "Partition"], partition)
    return root


def write_object_npz(path: Path, objects: Mapping[str, object]) -> Path:
    """Write an npz file of single objects, as ``numpy.savez`` does with dicts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, item in objects.items():
            array = np.empty((), dtype=object)
            array[()] = item
            buffer = io.BytesIO()
            np.save(buffer, array, allow_pickle=True)
            archive.writestr(f"{name}.npy", buffer.getvalue())
    return path


def first_recordings(name: str, *, n_train: int, n_clip: int) -> list[tuple[str, Split]]:
    """Return the first recordings of each part of a published split that have ``n_clip`` clips in it."""
    wanted = {Split.TRAIN: n_train, Split.VALID: 1, Split.TEST: 1}
    counts = Counter((clip_id.rpartition("_")[0], part) for clip_id, part in published_split(name).items())
    by_part = {part: [pair for pair, count in counts.items() if pair[1] == part and count >= n_clip] for part in wanted}
    return [pair for part, count in wanted.items() for pair in by_part[part][:count]]


def _clips_of(name: str, recording: str, part: Split) -> list[str]:
    """Return the clips of a recording in one part of a published split."""
    published = published_split(name)
    wanted = f"{recording}_"
    ids = [clip_id for clip_id, own in published.items() if clip_id.startswith(wanted) and own == part]
    return [clip_id.removeprefix(wanted) for clip_id in ids if clip_id.removeprefix(wanted).isdigit()]
