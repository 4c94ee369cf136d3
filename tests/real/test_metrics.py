"""On the labels of MOSI, what is known of it comes out."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from mmfeat import build_dataset, read_manifest, resolve_build_config
from skesl import evaluate_predictions

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif("MMFEAT_REAL_DATA" not in os.environ, reason="MMFEAT_REAL_DATA names no folder of real clips"),
]


@pytest.fixture(scope="module")
def rows():
    path = Path(os.environ["MMFEAT_REAL_DATA"]) / "mosi" / "MOSI-label.csv"
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.fixture(scope="module")
def mosi(rows, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mosi")
    with (folder / "mosi.csv").open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["clip_id", "recording_id", "split", "text", "label:sentiment"])
        for row in rows:
            clip_id = f"{row['video_id']}_{row['clip_id']}"
            writer.writerow([clip_id, row["video_id"], row["mode"], row["text"], row["label"]])
    data = folder / "mosi.h5"
    build_dataset(read_manifest(folder / "mosi.csv"), data, resolve_build_config())
    return data


def evaluated(mosi, rows, tmp_path, say):
    path = tmp_path / "predictions.csv"
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["clip_id", "prediction"])
        writer.writerows((f"{row['video_id']}_{row['clip_id']}", say(row)) for row in rows if row["mode"] == "test")
    return evaluate_predictions([path], mosi)


def test_the_mean_of_train_errs_by_1_464_and_the_larger_half_is_55_25_percent(mosi, rows, tmp_path):
    mean = np.mean([float(row["label"]) for row in rows if row["mode"] == "train"])
    found = evaluated(mosi, rows, tmp_path, lambda row: mean)

    assert (found.n_labelled, found.n_recording) == (686, 31)
    assert found.metrics["mae"] == pytest.approx(1.464, abs=5e-4)
    assert found.rows["majority"]["acc2_has0"] == 379 / 686
    assert np.isnan(found.metrics["corr"])


def test_both_rules_of_seven_classes_put_two_fifths_of_the_labels_elsewhere(mosi, rows, tmp_path):
    """A perfect predictor is right by both rules; one that is rounded is right by one only."""
    found = evaluated(mosi, rows, tmp_path, lambda row: round(float(row["label"])))

    assert found.metrics["acc7_round"] == 1.0
    assert found.metrics["acc7_bins"] == pytest.approx(0.59, abs=0.05)  # 41 % of the train labels change
    assert evaluated(mosi, rows, tmp_path, lambda row: row["label"]).metrics["acc7_bins"] == 1.0
