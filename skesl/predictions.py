"""Predictions of a run: by clip id, unrounded."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TextIO

import numpy as np
import numpy.typing as npt

from mmfeat import open_csv
from mmfeat.errors import InputError

_COLUMNS = ["clip_id", "prediction", "label"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions:
    """What a run says of each clip.

    Args:
        clip_ids: names of the clips.
        values: float64, shape (clip,): the predicted label.
        labels: float64, shape (clip,): the true label, NaN where the clip has none.
    """

    clip_ids: tuple[str, ...]
    values: npt.NDArray[np.float64]
    labels: npt.NDArray[np.float64]

    def save(self, path: Path) -> None:
        """Write the columns clip_id, prediction and label; the file appears whole or not at all."""
        unfinished = path.with_name(path.name + ".part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with unfinished.open("w", encoding="utf-8", newline="") as handle:
                self._write(handle)
            unfinished.replace(path)
        except OSError as error:
            message = f"{path}: expected a place to write predictions, got {error.strerror!r}; choose another name"
            raise InputError(message) from error

    @classmethod
    def load(cls, path: Path) -> Self:
        """Return what ``save`` wrote.

        Raises:
            InputError: the file cannot be read, or is none that ``save`` wrote.
        """
        with open_csv(path, "file of predictions") as handle:
            table = csv.DictReader(handle)
            if list(table.fieldnames or ()) != _COLUMNS:
                raise InputError(f"{path}: expected the columns {', '.join(_COLUMNS)}, got {table.fieldnames}")
            rows = list(table)
        return cls(
            clip_ids=tuple(row["clip_id"] for row in rows),
            values=np.array([float(row["prediction"]) for row in rows]),
            labels=np.array([float(row["label"] or "nan") for row in rows]),
        )

    def _write(self, handle: TextIO) -> None:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for clip_id, value, label in zip(self.clip_ids, self.values, self.labels, strict=True):
            writer.writerow([clip_id, repr(float(value)), "" if np.isnan(label) else repr(float(label))])
