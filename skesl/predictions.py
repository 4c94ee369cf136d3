"""Predictions of a run: by clip id, unrounded."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt


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
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(path.name + ".part")
        with unfinished.open("w", encoding="utf-8", newline="") as handle:
            writer = csv.writer(handle, lineterminator="\n")
            writer.writerow(["clip_id", "prediction", "label"])
            for clip_id, value, label in zip(self.clip_ids, self.values, self.labels, strict=True):
                writer.writerow([clip_id, repr(float(value)), "" if np.isnan(label) else repr(float(label))])
        unfinished.replace(path)
