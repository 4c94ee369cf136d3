"""Export streams, words and labels as computational sequences that the CMU SDK reads, one file each.

A stream that was imported from a sequence gets its root name and metadata back, word by word. Other streams get every
key that the SDK asks for, in both spellings of its fused one. Intervals are the stored ones; else each frame lasts from
the middle between it and the frame before to the middle between it and the next. Times are on the recording's clock:
the clip's start, where it is known, is added. A stream without a clock has no intervals and cannot be a sequence.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from mmfeat.convert.csd_file import FUSED, write_csd_metadata
from mmfeat.convert.export_report import ExportReport, whole_file
from mmfeat.dataset import DatasetReader
from mmfeat.errors import InputError
from mmfeat.types import Float64Array, FrameFeatures

Rows = tuple[str, npt.NDArray[Any], Float64Array]


def export_csd(dataset: Path | str, folder: Path | str, *, overwrite: bool = False) -> ExportReport:
    """Write a dataset as computational sequences into a folder, clip by clip.

    Args:
        dataset: the dataset file.
        folder: gets ``NAME.csd`` for each stream, the words, and ``labels.csd`` where the clips' lengths are known.
        overwrite: replace existing files.

    Raises:
        InputError: nothing in the dataset has times, or two ids become one key.
        OutputExistsError: a file exists and ``overwrite`` is false.
    """
    folder = Path(folder)
    with DatasetReader(dataset) as reader:
        keys = _keys(reader)
        sequences, notes = _sequences(reader, keys)
        if not sequences:
            raise InputError(f"{reader.path}: expected a stream with times or words, got none: {'; '.join(notes)}")
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for name, (origin, rows) in sequences.items():
            paths.append(folder / f"{name}.csd")
            with whole_file(paths[-1], overwrite=overwrite) as unfinished:
                _write(unfinished, origin, rows)
        return ExportReport(paths=tuple(paths), n_clip=reader.n_clip, notes=tuple(notes))


def _keys(reader: DatasetReader) -> list[str]:
    """Return the key of each clip: its id, without the slashes that HDF5 would take for groups."""
    keys = [clip_id.replace("/", "_") for clip_id in reader.clip_ids]
    if len(set(keys)) < len(keys):
        raise InputError(f"{reader.path}: expected ids that differ in more than '/' and '_'; two would be one key")
    return keys


def _sequences(
    reader: DatasetReader, keys: list[str]
) -> tuple[dict[str, tuple[dict[str, Any], Iterator[Rows]]], list[str]]:
    """Return (origin, rows) of everything that can be a sequence, and what is left out."""
    found: dict[str, tuple[dict[str, Any], Iterator[Rows]]] = {}
    notes = []
    for name in reader.stream_names:
        info = reader.info(name)
        if info.codec or info.clock:
            notes.append(
                f"{name}: left out, {'images are no sequence' if info.codec else 'no time of a frame is known'}"
            )
            continue
        found[name] = (_origin(reader, name, info.feature_names, info.config), _stream_rows(reader, name, keys))
    if reader.words_origin is not None:
        origin = _origin(reader, "words", ("word",), reader.words_origin)
        found[origin["root"].replace("/", "_")] = (origin, _word_rows(reader, keys))
    if reader.label_names and not np.isnan(reader.durations_s).all():
        found["labels"] = (_origin(reader, "labels", reader.label_names, {}), _label_rows(reader, keys))
    elif reader.label_names:
        notes.append("labels: left out, the length of the clips is not known")
    return found, notes


def _origin(reader: DatasetReader, name: str, columns: tuple[str, ...], config: Mapping[str, Any]) -> dict[str, Any]:
    """Return root name and metadata: those of the sequence it came from, or new ones."""
    if isinstance(config.get("root"), str) and isinstance(config.get("metadata"), dict):
        return {"root": config["root"], "metadata": config["metadata"]}
    described = {
        "root name": name,
        "computational sequence description": name,
        "dimension names": list(columns),
        "computational sequence version": "1.0",
        FUSED: list(columns),
        "alignment compatible": "yes",
        "dataset name": reader.attributes["name"],
        "dataset version": reader.attributes["content_sha256"][:16],
        "creator": reader.attributes["created_by"],
        "contact": "",
        "featureset bib citation": "",
        "dataset bib citation": reader.attributes.get("citation", ""),
    }
    return {"root": name, "metadata": {key: json.dumps(value) for key, value in described.items()}}


def _stream_rows(reader: DatasetReader, name: str, keys: list[str]) -> Iterator[Rows]:
    for index, key in enumerate(keys):
        frames = reader.read(name, index)
        if frames.n_frame:
            yield key, frames.values, _intervals(frames, float(np.nan_to_num(reader.starts_s[index])))


def _intervals(frames: FrameFeatures, start_s: float) -> Float64Array:
    """Return start and end of each frame on the recording's clock."""
    if frames.intervals_s is not None:
        return frames.intervals_s
    times_s = frames.times_s + start_s
    step_s = frames.hop_s or (float(np.median(np.diff(times_s))) if len(times_s) > 1 else 0.0)
    inner = (times_s[1:] + times_s[:-1]) / 2
    edges = np.concatenate([times_s[:1] - step_s / 2, inner, times_s[-1:] + step_s / 2])
    return np.stack([edges[:-1], edges[1:]], axis=1)


def _word_rows(reader: DatasetReader, keys: list[str]) -> Iterator[Rows]:
    for index, key in enumerate(keys):
        words = reader.words(index)
        if words.tokens:
            tokens = np.array([token.encode("utf-8") for token in words.tokens])[:, None]
            yield key, tokens, words.intervals_s


def _label_rows(reader: DatasetReader, keys: list[str]) -> Iterator[Rows]:
    """Yield the labels of the clips that have all of them and a known length."""
    tables = [reader.labels(name) for name in reader.label_names]
    for index, key in enumerate(keys):
        length_s = reader.durations_s[index]
        if all(table.present[index] for table in tables) and not np.isnan(length_s):
            start_s = float(np.nan_to_num(reader.starts_s[index]))
            values = np.array([[table.values[index] for table in tables]], dtype=np.float32)
            yield key, values, np.array([[start_s, start_s + length_s]])


def _write(path: Path, origin: Mapping[str, Any], rows: Iterator[Rows]) -> None:
    with h5py.File(path, "w") as file:
        root = file.create_group(origin["root"])
        data = root.create_group("data")
        for key, features, intervals in rows:
            entry = data.create_group(key)
            entry["features"], entry["intervals"] = features, intervals
        write_csd_metadata(root, origin["metadata"])
