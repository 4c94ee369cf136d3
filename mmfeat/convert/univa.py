"""Import the data of UniVA: a pickle for each part and modality, and the tables that say whose rows these are.

=======================================  ===========================================================================
file                                     what of it is read
=======================================  ===========================================================================
``NAME_PART_audio_utt_VA.pkl``           ``{PART: {"audio": (clip, row, column), "audio_utt_mask": (clip, row),
                                         "audio_VA_values": (clip, 2), "labels_class": (clip, label)},
                                         "num_labels": …}``
``NAME_PART_vision_utt_VA.pkl``          the same with ``vision``
``NAME_PART_text_glove300_VA.pkl``       ``{"text", "text_utt_mask", "text_VA_values"}``
tables                                   see ``univa_table_files``
=======================================  ===========================================================================

The released code joins all of them by position, and takes the labels of the vision pickle whatever the audio pickle
says (utils/dataset.py:67-68). Here the tables are joined by id, the pickles to them by the order that the code gives
them, and what two files say of one utterance must be the same.

Source: NUSTM/UniVA at ce59bbc, utils/dataset.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmfeat.convert.parts import Part, PartsSource, missing_streams
from mmfeat.convert.report import ImportReport, write_import
from mmfeat.convert.univa_pickles import MODALITIES, PICKLE, Features, read_features
from mmfeat.convert.univa_table_files import M3ED_EMOTIONS, MOSEI_EMOTIONS, PART_NAMES, TABLES, Utterance
from mmfeat.convert.univa_tables import Tables, read_tables
from mmfeat.dataset import DatasetInfo, LabelInfo
from mmfeat.errors import InputError, list_faults
from mmfeat.types import Float64Array

_AXES = ("valence", "arousal")
_ROUNDING = {"rtol": 1e-5, "atol": 1e-6}  # of scores that are texts in one file and float32 in another


def import_univa(
    folder: Path | str,
    output: Path | str,
    *,
    info: DatasetInfo | None = None,
    overwrite: bool = False,
    origin: Mapping[str, Any] | None = None,
) -> ImportReport:
    """Turn the data of UniVA into a dataset file; all arrays are held in memory, each pickle twice while it loads.

    Args:
        folder: the folder of one dataset; the files may lie at any depth, and some may be missing.
        output: the file to make; it appears whole or not at all.
        info: attributes of the dataset; named after the file where None.
        overwrite: replace an existing file.
        origin: what the provenance event says beside the sources.

    Raises:
        InputError: there is no such file, one is refused (see ``load_pickle``) or has another layout, or two files
            differ in the utterances, in how many there are, in the labels, or in the scores of the text.
        OutputExistsError: the file exists and ``overwrite`` is false.
    """
    folder = Path(folder)
    pickles, paths = _find(folder)
    tables = read_tables(paths)
    features = [read_features(path, part, modality) for (part, modality), path in pickles.items()]
    _check_counts(folder, tables, features)
    labels = _label_names(features, tables)
    parts = [
        _part(part, [one for one in features if one.part == part], tables.parts.get(part, ()), labels, tables.paths)
        for part in PART_NAMES
        if tables.parts.get(part) or any(one.part == part for one in features)
    ]
    source = PartsSource(parts, str(folder), paths=[*tables.paths, *pickles.values()])
    notes = [*tables.notes, *missing_streams(parts), *(note for one in features for note in one.notes)]
    infos = _label_infos(labels, parts)
    return write_import(source.source("univa", infos, notes), Path(output), info, overwrite=overwrite, origin=origin)


def _find(folder: Path) -> tuple[dict[tuple[str, str], Path], dict[str, Path]]:
    """Return the pickles by part and modality, and the tables by name."""
    if not folder.is_dir():
        raise InputError(f"{folder}: expected the folder of UniVA's data, found none; correct the path")
    pickles: dict[tuple[str, str], list[Path]] = {}
    tables: dict[str, list[Path]] = {}
    names = set()
    for path in folder.rglob("*"):
        if "__MACOSX" in path.parts:
            continue
        if path.name in TABLES:
            tables.setdefault(path.name, []).append(path)
        elif found := PICKLE.fullmatch(path.name):
            names.add(found["name"])
            pickles.setdefault((found["part"], found["modality"]), []).append(path)
    several = [paths for paths in (*pickles.values(), *tables.values()) if len(paths) > 1]
    if several:
        raise InputError(
            f"expected one file of a kind, got {' and '.join(map(str, sorted(several[0])[:2]))}; give one dataset alone"
        )
    if len(names) > 1:
        raise InputError(f"{folder}: expected the pickles of one dataset, got {', '.join(sorted(names))}; part them")
    if not pickles and not tables:
        raise InputError(f"{folder}: expected files such as MOSEI_train_audio_utt_VA.pkl and {TABLES[0]}, found none")
    order = [(part, modality) for part in PART_NAMES for modality in MODALITIES]
    return (
        {key: pickles[key][0] for key in order if key in pickles},
        {name: found_paths[0] for name, found_paths in tables.items()},
    )


def _check_counts(folder: Path, tables: Tables, features: Sequence[Features]) -> None:
    """Refuse sources that know another number of utterances of a part, each named."""
    faults = []
    for part in PART_NAMES:
        counts = [(one.path.name, len(one.values)) for one in features if one.part == part]
        if counts and tables.paths:
            counts.insert(0, (tables.paths[0].name, len(tables.parts.get(part, ()))))
        faults += [
            f"{part}: {counts[0][0]} has {counts[0][1]} utterances, {name} has {count}"
            for name, count in counts[1:]
            if count != counts[0][1]
        ]
    if faults:
        title = f"{folder}: expected sources with the same number of utterances; correct one, or take it away"
        raise InputError(list_faults(title, faults))


def _label_names(features: Sequence[Features], tables: Tables) -> tuple[str, ...]:
    """Return the names of the labels: the emotions of the dataset, told by how many there are."""
    counts = {one.labels.shape[1]: one.path for one in features if one.labels is not None}
    for utterances in tables.parts.values():
        counts |= {len(one.emotions): tables.paths[0] for one in utterances[:1] if one.emotions is not None}
    if len(counts) > 1:
        shown = " and ".join(f"{count} in {path}" for count, path in counts.items())
        raise InputError(f"expected one number of labels, got {shown}; give the files of one dataset")
    n_label = next(iter(counts), 0)
    known = {len(names): names for names in (MOSEI_EMOTIONS, M3ED_EMOTIONS)}
    return known.get(n_label, tuple(f"label_{place}" for place in range(n_label)))


def _part(
    name: str,
    features: Sequence[Features],
    utterances: Sequence[Utterance],
    label_names: Sequence[str],
    table_paths: Sequence[Path],
) -> Part:
    """Return a part; what its sources say of an utterance is the same."""
    ids = [one.clip_id for one in utterances]
    said: dict[str, list[tuple[Path, Float64Array]]] = {}
    of_pickles = [("labels_class", one.path, one.labels) for one in features]
    of_pickles += [(f"{one.modality}_VA_values", one.path, one.scores) for one in features]
    for what, source, values in of_pickles:
        if values is not None:
            said.setdefault(what, []).append((source, values))
    for what, columns, path in (
        ("labels_class", [one.emotions for one in utterances], next(iter(table_paths), None)),
        ("text_VA_values", [one.valence_arousal for one in utterances], _named(table_paths, TABLES[2])),
    ):
        if path is not None and columns and None not in columns:
            said.setdefault(what, []).append((path, np.array(columns, dtype=np.float64)))
    agreed = {what: _agreed(sources, f"{name}: {what}", ids) for what, sources in said.items()}
    labels = {
        label: agreed["labels_class"][:, place]
        for place, label in enumerate(label_names if "labels_class" in agreed else ())
    }
    for modality in MODALITIES:
        if (scores := agreed.get(f"{modality}_VA_values")) is not None:
            labels |= {f"{modality}_{axis}": scores[:, place] for place, axis in enumerate(_AXES)}
    return Part(
        name=name,
        ids=ids,
        texts=[one.text or "" for one in utterances],
        streams={one.modality: one.values for one in features},
        lengths={one.modality: one.n_rows for one in features if one.n_rows is not None},
        labels=labels,
        recordings=[one.recording_id or one.clip_id for one in utterances],
        positions=[one.position or 0 for one in utterances],
    )


def _named(paths: Sequence[Path], name: str) -> Path | None:
    return next((path for path in paths if path.name == name), None)


def _agreed(sources: Sequence[tuple[Path, Float64Array]], what: str, ids: Sequence[str]) -> Float64Array:
    """Return what all sources say.

    Raises:
        InputError: two of them say something else.
    """
    (first, values), *others = sources
    for path, other in others:
        differing = np.flatnonzero(~np.isclose(values, other, equal_nan=True, **_ROUNDING).all(axis=1))
        if differing.size:
            place = int(differing[0])
            shown = repr(ids[place]) if ids else f"row {place}"
            raise InputError(
                f"{first} and {path}: {what}: expected the same for each utterance, got others for {differing.size} of "
                f"{len(values)}, first {shown} ({values[place].tolist()} and {other[place].tolist()}); are both in one "
                "order? correct one, or take it away"
            )
    return values


def _label_infos(label_names: tuple[str, ...], parts: Sequence[Part]) -> list[LabelInfo]:
    found = dict.fromkeys(label for part in parts for label in part.labels)
    emotion: dict[str, Any] = {"problem": "multilabel", "value_range": (0.0, 1.0), "class_names": label_names}
    kinds = {name: {**emotion, "convention": "1 where the utterance has the emotion"} for name in label_names}
    score = {"convention": "score by the source's model of this modality, not scaled"}
    return [LabelInfo(name=label, source="UniVA", **kinds.get(label, score)) for label in found]
