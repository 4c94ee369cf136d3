"""Export a dataset as a pickle that MMSA's loader reads.

Keys and types follow thuiar/MMSA, ``src/MMSA/data_loader.py``: for each of train, valid and test ``raw_text`` (texts),
``id`` (list of texts), ``audio``, ``vision`` and ``text`` (float32, padded with zeros at the end to one number of rows
over all parts), ``audio_lengths`` and ``vision_lengths`` (lists of int), ``regression_labels`` and
``regression_labels_T/_A/_V`` (float32), ``annotations`` (texts) and ``classification_labels`` (float32).

Beside the parts, where MMSA does not look and ``import-mmsa`` does, ``feature_names`` holds the names of each stream's
columns and ``aligned`` says whether row ``i`` of every stream belongs to word ``i``.

There is no ``text_bert``: MMSA's option ``use_bert`` needs token numbers, which follow from ``raw_text``.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mmfeat.convert.export_report import ExportReport, whole_file
from mmfeat.convert.mmsa import LABELS, STREAMS
from mmfeat.dataset import DatasetReader
from mmfeat.errors import InputError
from mmfeat.types import Float32Array, Split

_PARTS = {"train": Split.TRAIN, "valid": Split.VALID, "test": Split.TEST}
_PROTOCOL = 4  # read by every Python 3 that MMSA runs on


def export_mmsa(
    dataset: Path | str,
    output: Path | str,
    *,
    scheme: str = "default",
    label: str = "sentiment",
    n_rows: Mapping[str, int] | None = None,
    overwrite: bool = False,
) -> ExportReport:
    """Write the labelled clips of a dataset as a pickle of MMSA; all arrays are held in memory.

    Args:
        dataset: the dataset file.
        output: the pickle to make; it appears whole or not at all.
        scheme: split scheme that says which part a clip is in; clips in no part are left out.
        label: the label that becomes ``regression_labels``.
        n_rows: rows of the padded arrays by stream; the longest clip's where a stream is not named.
        overwrite: replace an existing file.

    Raises:
        InputError: the dataset has no such scheme or label, or none of the streams text, audio and vision.
        OutputExistsError: the file exists and ``overwrite`` is false.
    """
    with DatasetReader(dataset) as reader, whole_file(Path(output), overwrite=overwrite) as unfinished:
        pickled = _Export(reader, scheme, label, n_rows or {})
        content: dict[str, Any] = {name: pickled.part(part) for name, part in _PARTS.items()}
        n_clip = sum(len(fields["id"]) for fields in content.values())
        content |= {"feature_names": pickled.names(), "aligned": pickled.aligned}
        with unfinished.open("wb") as handle:
            pickle.dump(content, handle, protocol=_PROTOCOL)
        return ExportReport(paths=(Path(output),), n_clip=n_clip, notes=tuple(pickled.notes()))


class _Export:
    """Builds the parts of a pickle."""

    def __init__(self, reader: DatasetReader, scheme: str, label: str, n_rows: Mapping[str, int]) -> None:
        self._reader, self._scheme = reader, scheme
        self._streams = {name: name for name in STREAMS if name in reader.stream_names}
        if not self._streams:
            raise InputError(
                f"{reader.path}: expected one of the streams {', '.join(STREAMS)}, got "
                f"{', '.join(reader.stream_names) or 'none'}; import or build them under these names"
            )
        self._labels = {"regression_labels": reader.labels(label)}
        for key, name in LABELS.items():
            if key not in ("regression_labels", "labels") and name in reader.label_names:
                self._labels[key] = reader.labels(name)
        self.aligned = all(reader.info(name).clock == "words" for name in self._streams)
        self._used = np.isin(reader.parts(scheme), list(_PARTS.values()))
        self._n_rows = self._heights(n_rows)
        self._n_cut = dict.fromkeys(self._streams, 0)

    def part(self, part: Split) -> dict[str, Any]:
        """Return the fields of one part."""
        members = self._reader.members(self._scheme, part)
        ids = [self._reader.clip_ids[index] for index in members]
        fields: dict[str, Any] = {
            "id": ids,
            "raw_text": np.array([self._reader.texts[i] for i in members], dtype=np.str_),
        }
        for name in self._streams:
            fields[name], lengths = self._padded(name, members.tolist())
            fields[f"{name}_lengths"] = lengths
        for key, table in self._labels.items():
            fields[key] = np.where(table.present, table.values, np.float32(np.nan))[members].astype(np.float32)
        return fields | self._classes(members.tolist())

    def names(self) -> dict[str, list[str]]:
        """Return the names of each stream's columns."""
        return {name: list(self._reader.info(name).feature_names) for name in self._streams}

    def notes(self) -> list[str]:
        """Return what a person should know of the pickle."""
        n_left = int((~self._used).sum())
        notes = [f"{n_left} clips are in no part of {self._scheme!r} and left out"] if n_left else []
        notes += [
            f"{name}: {count} clips are cut at {self._n_rows[name]} rows"
            for name, count in self._n_cut.items()
            if count
        ]
        missing = [name for name in STREAMS if name not in self._streams]
        notes += [f"{name}: the dataset has no such stream" for name in missing]
        n_unlabelled = int((~self._labels["regression_labels"].present & self._used).sum())
        notes += [f"{n_unlabelled} clips have no label; NaN in regression_labels"] if n_unlabelled else []
        return [*notes, "there is no text_bert; MMSA's use_bert needs the tokens of raw_text"]

    def _heights(self, n_rows: Mapping[str, int]) -> dict[str, int]:
        unknown = sorted(set(n_rows) - set(self._streams))
        if unknown or any(count < 1 for count in n_rows.values()):
            raise InputError(f"rows: expected numbers above 0 for {', '.join(self._streams)}, got {dict(n_rows)}")
        longest = {name: np.diff(self._reader.offsets(name))[self._used].max(initial=1) for name in self._streams}
        if self.aligned:
            longest = dict.fromkeys(longest, max(longest.values()))
        return {name: n_rows.get(name, int(longest[name])) for name in self._streams}

    def _padded(self, name: str, members: list[int]) -> tuple[Float32Array, list[int]]:
        height = self._n_rows[name]
        padded = np.zeros((len(members), height, len(self._reader.info(name).feature_names)), dtype=np.float32)
        lengths = []
        for row, index in enumerate(members):
            values = self._reader.read(name, index).values
            self._n_cut[name] += len(values) > height
            lengths.append(min(len(values), height))
            padded[row, : lengths[-1]] = values[:height]
        return padded, lengths

    def _classes(self, members: list[int]) -> dict[str, Any]:
        """Return annotations and their numbers, where every clip has one."""
        fields: dict[str, Any] = {}
        for name in ("annotation", "classification"):
            if name not in self._reader.label_names:
                continue
            table = self._reader.labels(name)
            if not table.present[members].all():
                continue
            fields["classification_labels"] = table.values[members]
            if name == "annotation" and table.class_names:
                words = [table.class_names[int(code)] for code in table.values[members]]
                fields["annotations"] = np.array(words, dtype=np.str_)
        return fields
