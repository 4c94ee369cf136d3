"""The data of UniVA in miniature: pickles for each part and modality, and the tables beside them."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mmfeat.testing.raw_tree import RawTree

_EMOTIONS = {
    "MOSEI": ("happy", "sad", "anger", "surprise", "disgust", "fear"),
    "M3ED": ("Happy", "Surprise", "Sad", "Disgust", "Anger", "Fear", "Neutral"),
}
_N_VIDEO = {"train": 3, "valid": 1, "test": 2}
_SHAPES = {"audio": ("A", 9, 5), "vision": ("V", 7, 4), "text": ("T", 6, 300)}  # folder, rows, columns


def make_raw_univa(
    root: Path, *, dataset: Literal["MOSEI", "M3ED"] = "MOSEI", n_utterance: int = 3, glove: bool = True, seed: int = 0
) -> Path:
    """Write the folder of a dataset as UniVA reads it; places, keys and ids are the real ones, the content is invented.

    The rows of CMU-MOSEI's table, and with them those of the pickles, stand in no order; the other tables have the
    utterances of a video one after the other. The first utterance of each part has no emotion in CMU-MOSEI and all of
    them in M3ED.

    Args:
        root: the folder to make.
        dataset: whose layout.
        n_utterance: of each video; three videos to train on, one to validate on, two to test.
        glove: write the pickles of word vectors.
        seed: of the values.

    Returns:
        The root.
    """
    rng = np.random.default_rng(seed)
    tree = RawTree(root)
    structure: dict[str, dict[str, list[str]]] = {}
    rows: list[list[Any]] = []
    annotations: dict[str, Any] = {}
    scores: dict[str, Any] = {}
    for part, n_video in _N_VIDEO.items():
        videos = [f"{part}_video_{place}" for place in range(n_video)]
        structure[part] = {video: [f"{video}_{10 + place}" for place in range(n_utterance)] for video in videos}
        in_order = [clip_id for clip_ids in structure[part].values() for clip_id in clip_ids]
        clip_ids = _order(rng, in_order, dataset)
        labels = _labels(rng, len(clip_ids), dataset)
        text_scores = rng.uniform(0, 1, (len(clip_ids), 2)).round(4)
        said = {clip_id: f"{clip_id} says hello" for clip_id in clip_ids}
        lead = ["A"] if dataset == "M3ED" else []
        by_id = dict(zip(clip_ids, text_scores, strict=True))
        scores[part] = {clip_id: [*lead, said[clip_id], *map(str, by_id[clip_id])] for clip_id in in_order}
        annotations[part] = {
            clip_id: {"Emotion": ",".join(_named(_EMOTIONS[dataset], row)), "text": said[clip_id]}
            for clip_id, row in zip(clip_ids, labels, strict=True)
        }
        for clip_id, row in zip(clip_ids, labels, strict=True):
            video, _, number = clip_id.rpartition("_")
            place = structure[part][video].index(clip_id)
            rows.append([video, number, said[clip_id], *(row * 0.6667).round(4), part, place])
        for modality in ("audio", "vision", *(["text"] if glove else [])):
            fields = _fields(rng, modality, len(clip_ids))
            folder, kind = _SHAPES[modality][0], "glove300" if modality == "text" else "utt"
            if modality == "text":
                content = fields | {"text_VA_values": text_scores.astype(np.float32)}
            else:
                content = {part: fields | {"labels_class": labels}, "num_labels": labels.shape[1]}
            _save(root / f"preprocess_data/final_feat/{folder}/{dataset}_{part}_{modality}_{kind}_VA.pkl", content)
    tree.text("preprocess_data/videos_structure.json", json.dumps(structure))
    tree.text("preprocess_data/raw_utt_text_textVA.json", json.dumps(scores))
    if dataset == "M3ED":
        tree.text("preprocess_data/utt_annot.json", json.dumps(annotations))
    else:
        header = ["video_id", "clip_id", "text", *_EMOTIONS[dataset], "mode", "truely_sort"]
        tree.table("final_multi_labels.csv", header, rows)
    return root


def _labels(rng: np.random.Generator, n_clip: int, dataset: str) -> np.ndarray:
    """Return which emotions each utterance has; of the first none in CMU-MOSEI and all of them in M3ED."""
    labels = rng.integers(0, 2, (n_clip, len(_EMOTIONS[dataset])))
    labels[:, 0] |= (labels.sum(axis=1) == 0).astype(labels.dtype)
    labels[0] = dataset == "M3ED"
    return labels


def _order(rng: np.random.Generator, in_order: Sequence[str], dataset: str) -> list[str]:
    """Return the order of the rows: none in CMU-MOSEI's table, that of the videos in M3ED."""
    return [in_order[place] for place in rng.permutation(len(in_order))] if dataset == "MOSEI" else list(in_order)


def _named(emotions: Sequence[str], row: np.ndarray) -> list[str]:
    return [name for name, present in zip(emotions, row, strict=True) if present]


def _fields(rng: np.random.Generator, modality: str, n_clip: int) -> dict[str, Any]:
    """Return padded features with their mask, and valence and arousal as a list."""
    _, n_row, n_column = _SHAPES[modality]
    lengths = rng.integers(1, n_row + 1, n_clip)
    mask = np.arange(n_row) < lengths[:, None]
    values = rng.normal(size=(n_clip, n_row, n_column)).astype(np.float32) * mask[..., None]
    scores = rng.uniform(0, 1, (n_clip, 2)).tolist()
    return {modality: values, f"{modality}_utt_mask": mask.astype(np.float64), f"{modality}_VA_values": scores}


def _save(path: Path, content: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content))
