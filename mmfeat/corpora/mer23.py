"""MER2023 (published elsewhere as CHEAVD 2.0): Chinese clips with six emotions and valence, and 73,148 without labels.

Three sources say what is labelled: ``train-label.csv`` (Train&Val), ``label-6way.npz`` (all four sets), and the folders
``train``, ``test1``, ``test2``, ``test3``. Its placeholders, valence -10, are no labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mmfeat.convert.object_npz import load_object_npz
from mmfeat.corpora.corpus import Corpus, Piece, RawCorpus, RawSources
from mmfeat.corpora.found import Differences
from mmfeat.corpora.raw_tree import MediaFiles, check_root, files_below, first_inside
from mmfeat.corpora.tables import DOUBLED, number
from mmfeat.csv_table import read_rows
from mmfeat.dataset import DatasetInfo, LabelInfo
from mmfeat.errors import InputError
from mmfeat.types import ClipEntry, Split

EMOTIONS = ("neutral", "angry", "happy", "sad", "worried", "surprise")
VALENCE = (-5.0, 5.0)
N_FOLD = 5
_PLACEHOLDER = -10.0
_SETS = {"train": "train", "test1": "mer-multi", "test2": "mer-noise", "test3": "mer-semi"}
_TEXT_COLUMNS = ("sentence", "chinese", "english")


def read(root: Path, sources: RawSources) -> RawCorpus:
    """Return the labelled clips of all sets, then those of the folders that have no label.

    Schemes: ``mer-multi``, ``mer-noise`` and ``mer-semi`` train on Train&Val and test on one set; ``fold-0`` to
    ``fold-4`` deal Train&Val out, one fifth to validate on, as the challenge has no official validation part.

    Raises:
        InputError: there is no table of labels, or a file cannot be read.
    """
    check_root(root)
    found = Differences()
    set_of, labels = _labels(root, sources, found)
    media = MediaFiles(root)
    unlabelled = sorted(name for name in _in_set_folders(root) if name not in set_of)
    texts = _texts(root, found)
    folds = _folds([name for name, part in set_of.items() if part == "train"])
    names = [*set_of, *unlabelled]
    entries = [
        _entry(name, set_of.get(name), labels.get(name, {}), texts.get(name, ""), folds, media, sources, found)
        for name in names
    ]
    for name in sorted(set(texts) - set(names)):
        found.add("transcript without clip", name)
    notes = (f"{len(unlabelled)} clips of MER-SEMI have no label",) if unlabelled else ()
    return RawCorpus(entries=entries, differences=found, notes=notes)


def _labels(root: Path, sources: RawSources, found: Differences) -> tuple[dict[str, str], dict[str, dict[str, float]]]:
    """Return the set and the labels of each clip that a source of labels names."""
    table = sources.labels or first_inside(root, ["label-6way.npz"], ["train-label.csv"])
    if table is None:
        raise InputError(
            f"{root}: expected label-6way.npz or train-label.csv, found neither; put it there or give --labels"
        )
    return _from_npz(table, found) if table.suffix.lower() == ".npz" else _from_csv(table, found)


def _from_npz(path: Path, found: Differences) -> tuple[dict[str, str], dict[str, dict[str, float]]]:
    set_of: dict[str, str] = {}
    labels: dict[str, dict[str, float]] = {}
    content = load_object_npz(path)
    for key in _SETS:
        corpus = content.get(f"{key}_corpus", {})
        if not isinstance(corpus, Mapping):
            raise InputError(f"{path}: {key}_corpus: expected a dict of clips, got {type(corpus).__name__}")
        for name, label in corpus.items():
            if str(name) in set_of:
                found.add(DOUBLED, str(name), f"in {set_of[str(name)]} and {key}")
                continue
            set_of[str(name)] = key
            labels[str(name)] = _label(str(name), str(label["emo"]), str(label["val"]), found)
    if not set_of:
        raise InputError(f"{path}: expected train_corpus, test1_corpus, …; got {', '.join(content) or 'nothing'}")
    return set_of, labels


def _from_csv(path: Path, found: Differences) -> tuple[dict[str, str], dict[str, dict[str, float]]]:
    labels: dict[str, dict[str, float]] = {}
    for line, row in read_rows(path, "table of labels", ["name", "discrete", "valence"]):
        if row["name"] in labels:
            found.add(DOUBLED, row["name"], f"{path.name}, line {line}")
            continue
        labels[row["name"]] = _label(row["name"], row["discrete"], row["valence"], found)
    return dict.fromkeys(labels, "train"), labels


def _label(name: str, emotion: str, valence: str, found: Differences) -> dict[str, float]:
    """Return the labels that are none of the placeholders."""
    labels = {}
    if emotion in EMOTIONS:
        labels["emotion"] = float(EMOTIONS.index(emotion))
    elif emotion:
        found.add("unknown emotion", name, f"expected {', '.join(EMOTIONS)}, got {emotion!r}")
    if _is_placeholder(valence):
        return labels
    value = number(valence, VALENCE, name, "valence", found)
    return labels if value is None else {**labels, "valence": value}


def _is_placeholder(valence: str) -> bool:
    try:
        return float(valence) == _PLACEHOLDER
    except ValueError:
        return False


def _in_set_folders(root: Path) -> set[str]:
    """Return the names of the clips in the folders of the sets; a part of them has no label."""
    folders = [first_inside(root, [name], ["dataset-release", name]) for name in _SETS]
    suffixes = {".avi", ".mp4", ".mkv", ".wav"}
    return {path.stem for folder in folders if folder is not None for path in files_below(folder, suffixes)}


def _texts(root: Path, found: Differences) -> dict[str, str]:
    """Return the transcript of each clip, in Chinese."""
    path = first_inside(root, ["transcription.csv"], ["transcription-engchi-polish.csv"])
    texts: dict[str, str] = {}
    if path is None:
        return texts
    for line, row in read_rows(path, "table of transcripts", ["name"]):
        if row["name"] in texts:
            found.add("transcript stands twice", row["name"], f"{path.name}, line {line}")
            continue
        texts[row["name"]] = next((row[column] for column in _TEXT_COLUMNS if column in row), "")
    return texts


def _folds(names: Sequence[str]) -> dict[str, int]:
    """Return the fold of each clip of Train&Val: dealt out in a random order that is always the same."""
    order = np.random.default_rng(0).permutation(sorted(names))
    return {str(name): index % N_FOLD for index, name in enumerate(order)}


def _entry(
    name: str,
    part: str | None,
    labels: Mapping[str, float],
    text: str,
    folds: Mapping[str, int],
    media: MediaFiles,
    sources: RawSources,
    found: Differences,
) -> ClipEntry:
    audio, video = next(iter(media.sound(name)), None), next(iter(media.video(name)), None)
    if media and audio is None and video is None:
        found.add("clip without file", name)
        video = media.folder / f"{name}.avi" if media.folder else None
    return ClipEntry(
        clip_id=name,
        splits=_splits(name, part, folds),
        audio=audio,
        video=video,
        openface=sources.openface.find(name) if sources.openface else None,
        text=text,
        labels=labels,
    )


def _splits(name: str, part: str | None, folds: Mapping[str, int]) -> dict[str, Split]:
    tests = {scheme: Split.NONE for key, scheme in _SETS.items() if key != "train"}
    if part == "train":
        dealt = {f"fold-{fold}": Split.VALID if folds[name] == fold else Split.TRAIN for fold in range(N_FOLD)}
        return {**dict.fromkeys(tests, Split.TRAIN), **dealt}
    return {**tests, **({_SETS[part]: Split.TEST} if part else {})}


MER23 = Corpus(
    name="mer23",
    info=DatasetInfo(
        name="MER2023",
        language="zh",
        license="MER2023 end user licence agreement: academic research, no redistribution",
        citation="Lian et al., MER 2023: multi-label learning, modality robustness, and semi-supervised learning, "
        "ACM MM 2023",
    ),
    labels=(
        LabelInfo(name="emotion", problem="class", class_names=EMOTIONS, source="train-label.csv, label-6way.npz"),
        LabelInfo(
            name="valence",
            value_range=VALENCE,
            convention="mean of 4 of 6 annotators; MER-SEMI has none",
            source="train-label.csv, label-6way.npz",
        ),
    ),
    read=read,
    expected={
        "mer-multi": {Split.TRAIN: 3_373, Split.TEST: 411},
        "mer-noise": {Split.TRAIN: 3_373, Split.TEST: 412},
        "mer-semi": {Split.TRAIN: 3_373, Split.TEST: 834},
    },
    licence_at="https://github.com/zeroQiaoba/MER2023-Baseline",
    pieces=(
        Piece("labels of all sets", ("label-6way.npz", "train-label.csv"), needed=True),
        Piece("transcripts", ("transcription.csv", "transcription-engchi-polish.csv")),
        Piece("Train&Val", ("train", "dataset-release/train", "video", "audio")),
        Piece("MER-MULTI", ("test1", "dataset-release/test1")),
        Piece("MER-NOISE", ("test2", "dataset-release/test2")),
        Piece("MER-SEMI", ("test3", "dataset-release/test3")),
    ),
)
