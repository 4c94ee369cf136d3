"""The file that the organisers of MER2023 take: ``name,discrete,valence``, one row a clip."""

from __future__ import annotations

import csv
from pathlib import Path

from mmfeat.errors import InputError
from skesl.predictions import Predictions

COLUMNS = ("name", "discrete", "valence")


def write_submission(predictions: Predictions, path: Path) -> None:
    """Write predictions of emotion and valence as MER2023 takes them; the file appears whole or not at all.

    Args:
        predictions: of a task ``mer23``.
        path: the csv file.

    Raises:
        InputError: the predictions are of another task, or nothing can be written there.

    Source: zeroQiaoba/MER2023-Baseline, main-release.py.
    """
    task = predictions.task
    if task.problem != "mer23":
        raise InputError(
            f"{path}: a submission to MER2023 has an emotion and valence, the predictions are of "
            f"{', '.join(task.labels)}; train with --label for both of them"
        )
    unfinished = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("w", encoding="utf-8", newline="") as handle:
            writer = csv.writer(handle, lineterminator="\n")
            writer.writerow(COLUMNS)
            for clip_id, answer in zip(predictions.clip_ids, predictions.answers, strict=True):
                emotion, valence = task.words(answer)
                writer.writerow([clip_id, emotion, repr(float(valence))])
        unfinished.replace(path)
    except OSError as error:
        raise InputError(f"{path}: expected a place to write, got {error.strerror!r}; choose another name") from error
