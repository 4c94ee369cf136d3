"""The pickles of UniVA: features of one modality and part with masks, valence and arousal, and labels.

See ``univa`` for their names and keys.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mmfeat.convert.fields import mapping, numbers, sequences
from mmfeat.convert.unpickle import load_pickle
from mmfeat.errors import InputError
from mmfeat.types import BoolArray, Float64Array

MODALITIES = ("text", "audio", "vision")
PICKLE = re.compile(r"(?P<name>[^.].*)_(?P<part>train|valid|test)_(?P<modality>text|audio|vision)_.+\.pkl")


@dataclass(frozen=True, kw_only=True, eq=False)
class Features:
    """What one pickle says of one part.

    Args:
        path: the file.
        part: train, valid or test.
        modality: text, audio or vision.
        values: for each clip an array (row, column).
        n_rows: how many of these rows the mask leaves; None where the pickle has no mask.
        scores: valence and arousal, shape (clip, 2), None where it has none.
        labels: 0 or 1, shape (clip, label), None where it has none.
        notes: what a person should know.
    """

    path: Path
    part: str
    modality: str
    values: Sequence[npt.NDArray[Any]]
    n_rows: Sequence[int] | None
    scores: Float64Array | None
    labels: Float64Array | None
    notes: Sequence[str]


def read_features(path: Path, part: str, modality: str) -> Features:
    """Return what a pickle says of a part.

    Raises:
        InputError: it is refused (see ``load_pickle``), or its keys or shapes are others.
    """
    content = mapping(load_pickle(path), str(path))
    fields = mapping(content[part], f"{path}: {part}") if part in content else content
    keys = {name: f"{modality}_{name}" for name in ("utt_mask", "VA_values")} | {"labels": "labels_class"}
    if modality not in fields:
        found = ", ".join(map(repr, list(fields)[:6])) or "none"
        raise InputError(f"{path}: expected {modality!r}, {keys['utt_mask']!r} and others of {part}, got {found}")
    values = sequences(fields[modality], f"{path}: {modality}")
    unknown = {*fields} - {modality, *keys.values(), "num_labels"} | {*content} - {*fields} - {part, "num_labels"}
    notes = [f"{path.name}: not imported, {key!r}" for key in sorted(unknown)]
    n_rows = None
    if keys["utt_mask"] in fields:
        masks = _masks(fields[keys["utt_mask"]], values, f"{path}: {keys['utt_mask']}")
        n_rows = [int(mask.sum()) for mask in masks]
        gaps = [place for place, mask in enumerate(masks) if not mask[: n_rows[place]].all()]
        if gaps:
            values = [clip[masks[place]] if place in {*gaps} else clip for place, clip in enumerate(values)]
            notes.append(f"{path.name}: the masks of {len(gaps):,} clips have gaps; the rows in them are left out")
    return Features(
        path=path,
        part=part,
        modality=modality,
        values=values,
        n_rows=n_rows,
        scores=_pairs(fields[keys["VA_values"]], len(values), path) if keys["VA_values"] in fields else None,
        labels=_labels(fields["labels_class"], len(values), content, path) if "labels_class" in fields else None,
        notes=notes,
    )


def _masks(value: Any, values: Sequence[npt.NDArray[Any]], where: str) -> Sequence[BoolArray]:
    """Return for each clip which rows are real."""
    masks = [np.asarray(mask) for mask in value] if isinstance(value, list | tuple | np.ndarray) else []
    fitting = sum(mask.shape == clip.shape[:1] for mask, clip in zip(masks, values, strict=False))
    if not len(masks) == len(values) == fitting:
        raise InputError(
            f"{where}: expected a mask of {len(values)} clips with a number for each of their rows, got {len(masks)} "
            f"of which {fitting} fit; correct the source"
        )
    if any(not np.isin(mask, (0, 1)).all() for mask in masks):
        raise InputError(f"{where}: expected 0 and 1, got others; correct the source")
    return [mask != 0 for mask in masks]


def _pairs(value: Any, n_clip: int, path: Path) -> Float64Array:
    """Return valence and arousal, shape (clip, 2); numbers that are texts will do."""
    try:
        pairs = np.asarray(value).astype(np.float64)
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: VA_values: expected numbers, got others: {error}; correct the source") from error
    if pairs.shape != (n_clip, 2):
        raise InputError(f"{path}: VA_values: expected shape ({n_clip}, 2), got {pairs.shape}; correct the source")
    return np.stack([numbers(column, n_clip, f"{path}: VA_values") for column in pairs.T], axis=1)


def _labels(value: Any, n_clip: int, content: Mapping[str, Any], path: Path) -> Float64Array:
    where = f"{path}: labels_class"
    labels = np.asarray(value)
    if labels.ndim != 2 or len(labels) != n_clip or labels.dtype.kind not in "biuf":
        raise InputError(
            f"{where}: expected numbers (clip, label) of {n_clip} clips, got {labels.dtype} {labels.shape}"
        )
    if not np.isin(labels, (0, 1)).all():
        raise InputError(f"{where}: expected 0 and 1, got {labels[~np.isin(labels, (0, 1))][0]:g}; correct the source")
    if (n_label := content.get("num_labels", labels.shape[1])) != labels.shape[1]:
        raise InputError(f"{where}: expected as many columns as num_labels = {n_label}, got {labels.shape[1]}")
    return labels.astype(np.float64)
