"""Import the pickles of MMSA: ``unaligned_50.pkl``, ``aligned_50.pkl`` and their kin.

=============================  =====================================================================================
key of a part                  becomes
=============================  =====================================================================================
``id``                         clip id; of ``video$_$clip`` also the recording and the position
``raw_text``                   text
``audio``, ``vision``          streams of the same names
``text``                       stream ``text`` (of 300 columns: GloVe)
``text_bert``                  nothing: token numbers, mask and segment follow from the text and are no features
``audio_lengths`` and kin      the rows of each clip that are no padding
``regression_labels``          label ``sentiment``; ``_T``, ``_A``, ``_V``: ``sentiment_text``, ``_audio``, ``_vision``
``annotations``                label ``annotation``, of the problem ``class``
``classification_labels``      the order of those classes; a label of its own where it says something else
=============================  =====================================================================================

Our own export adds the keys ``feature_names`` and ``aligned`` beside the parts; columns without it get the names of
``columns``.
Files of the same layout with ``labels`` in place of ``regression_labels`` are read as well. Keys: thuiar/MMSA,
``src/MMSA/data_loader.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mmfeat.convert.fields import mapping, numbers, sequences, texts
from mmfeat.convert.parts import Part, PartsSource, is_aligned
from mmfeat.convert.report import ImportReport, write_import
from mmfeat.convert.unpickle import load_pickle
from mmfeat.dataset import DatasetInfo, LabelInfo
from mmfeat.errors import InputError
from mmfeat.types import Float64Array

_PARTS = ("train", "valid", "test")
STREAMS = ("text", "audio", "vision")
LABELS = {
    "regression_labels": "sentiment",
    "regression_labels_T": "sentiment_text",
    "regression_labels_A": "sentiment_audio",
    "regression_labels_V": "sentiment_vision",
    "labels": "sentiment",
}
CLASSES = ("Negative", "Weakly Negative", "Neutral", "Weakly Positive", "Positive")
_CLASS_KEYS = ("annotations", "classification_labels")
_KNOWN = {"id", "raw_text", "text_bert", *STREAMS, *LABELS, *_CLASS_KEYS, *(f"{name}_lengths" for name in STREAMS)}


def import_mmsa(
    path: Path | str,
    output: Path | str,
    *,
    info: DatasetInfo | None = None,
    aligned: bool | None = None,
    overwrite: bool = False,
    origin: Mapping[str, Any] | None = None,
) -> ImportReport:
    """Turn a pickle of MMSA into a dataset file; all arrays are held in memory, twice while they load.

    Args:
        path: the pickle.
        output: the file to make; it appears whole or not at all.
        info: attributes of the dataset; named after the file where None.
        aligned: row ``i`` of every stream belongs to word ``i``; None: so where all streams have the same number of
            rows and no lengths are stored.
        overwrite: replace an existing file.
        origin: what the provenance event says beside the source.

    Raises:
        InputError: the pickle is refused (see ``load_pickle``) or has another layout.
        OutputExistsError: the file exists and ``overwrite`` is false.
    """
    path = Path(path)
    content = load_pickle(path)
    raw = read_parts(content, str(path))
    parts = [_part(name, fields, f"{path}: {name}") for name, fields in raw.items()]
    labels, parts = _with_classes(parts, raw, str(path))
    if aligned is None:
        aligned = is_aligned(parts) or mapping(content, str(path)).get("aligned") is True
    names = _column_names(content, str(path))
    source = PartsSource(parts, str(path), aligned=aligned, names=names, paths=[path])
    unknown = sorted({key for fields in raw.values() for key in fields} - _KNOWN)
    notes = [f"not imported, unknown key {key!r}" for key in unknown]
    if any("text_bert" in fields for fields in raw.values()):
        notes.append("text_bert: not imported; token numbers follow from the text and the tokenizer")
    return write_import(source.source("mmsa", labels, notes), Path(output), info, overwrite=overwrite, origin=origin)


def read_parts(content: Any, where: str) -> dict[str, Mapping[str, Any]]:
    """Return the parts of a pickle by name.

    Raises:
        InputError: it has no part train, valid or test.
    """
    fields = mapping(content, where)
    parts = {name: mapping(fields[name], f"{where}: {name}") for name in _PARTS if name in fields}
    if not parts:
        found = ", ".join(map(repr, list(fields)[:6])) or "none"
        raise InputError(
            f"{where}: expected the keys train, valid and test, got {found}; is it the right kind of pickle?"
        )
    return parts


def _column_names(content: Any, where: str) -> dict[str, list[str]]:
    """Return the names of columns that our own export puts beside the parts."""
    named = mapping(content, where).get("feature_names", {})
    return {name: texts(names, where) for name, names in mapping(named, where).items()}


def _part(name: str, fields: Mapping[str, Any], where: str) -> Part:
    streams = {key: sequences(fields[key], f"{where}: {key}") for key in STREAMS if key in fields}
    ids = texts(fields["id"], f"{where}: id") if "id" in fields else []
    spoken = texts(fields["raw_text"], f"{where}: raw_text") if "raw_text" in fields else []
    n_clip = len(ids or spoken or next(iter(streams.values()), ()))
    labels = {
        label: numbers(fields[key], n_clip, f"{where}: {key}")
        for key, label in reversed(LABELS.items())
        if key in fields
    }
    lengths = {
        key: _lengths(fields[f"{key}_lengths"], n_clip, f"{where}: {key}_lengths")
        for key in streams
        if f"{key}_lengths" in fields
    }
    part = Part(name=name, ids=ids, texts=spoken, streams=streams, labels=labels, lengths=lengths)
    part.check_lengths(where)
    return part


def _lengths(value: Any, n_clip: int, where: str) -> Sequence[int]:
    found = numbers(value, n_clip, where)
    if np.isnan(found).any() or (found != np.floor(found)).any() or (np.abs(found) > 2**53).any():
        raise InputError(f"{where}: expected whole numbers, got others; correct the source")
    return [int(number) for number in found]


def _with_classes(
    parts: Sequence[Part], raw: Mapping[str, Mapping[str, Any]], where: str
) -> tuple[list[LabelInfo], list[Part]]:
    """Return what the labels are, and the parts with the classes among them."""
    words = {part.name: _annotations(raw[part.name], part.n_clip, f"{where}: {part.name}") for part in parts}
    codes = {
        part.name: numbers(raw[part.name][_CLASS_KEYS[1]], part.n_clip, f"{where}: {part.name}: {_CLASS_KEYS[1]}")
        for part in parts
        if _CLASS_KEYS[1] in raw[part.name]
    }
    names, is_order = _class_names(words, codes)
    labelled = []
    for part in parts:
        labels = dict(part.labels)
        if names and words.get(part.name):
            labels["annotation"] = np.array([names.index(word) for word in words[part.name]], dtype=np.float64)
        if part.name in codes and not is_order:
            labels["classification"] = codes[part.name]
        labelled.append(replace(part, labels=labels))
    return _label_infos(labelled, names), labelled


def _annotations(fields: Mapping[str, Any], n_clip: int, where: str) -> list[str]:
    if _CLASS_KEYS[0] not in fields:
        return []
    words = texts(fields[_CLASS_KEYS[0]], f"{where}: annotations")
    if len(words) != n_clip:
        raise InputError(f"{where}: annotations: expected {n_clip} texts, got {len(words)}; correct the source")
    return words


def _class_names(words: Mapping[str, Sequence[str]], codes: Mapping[str, Float64Array]) -> tuple[tuple[str, ...], bool]:
    """Return the classes in order, and whether the numbers of ``classification_labels`` are exactly that order."""
    named = {word for part in words.values() for word in part}
    pairs = {
        (float(code), word)
        for name, part in codes.items()
        for code, word in zip(part, words.get(name) or [""] * len(part), strict=True)
    }
    by_code = tuple(word for _, word in sorted(pairs))
    if named and [code for code, _ in sorted(pairs)] == list(range(len(named))) and set(by_code) == named:
        return by_code, True
    rank = {word: place for place, word in enumerate(CLASSES)}
    return tuple(sorted(named, key=lambda word: (rank.get(word, len(rank)), word))), False


def _label_infos(parts: Sequence[Part], names: tuple[str, ...]) -> list[LabelInfo]:
    found = list(dict.fromkeys(label for part in parts for label in part.labels))
    return [
        LabelInfo(
            name=label,
            problem="class" if label in ("annotation", "classification") else "regression",
            class_names=names if label == "annotation" else (),
            source="MMSA pickle",
        )
        for label in found
    ]
