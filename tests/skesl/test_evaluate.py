import csv
import json
import math
import shutil

import numpy as np
import pytest

from mmfeat import ClipEntry, ClipFeatures, DatasetInfo, DatasetReader, DatasetWriter, InputError, LabelInfo, Split
from mmfeat.testing import write_example_dataset
from skesl import EvaluationReport, ExperimentConfig, TrainConfig, evaluate_run, finetune, sentiment_metrics
from skesl.testing import write_tiny_text_encoder

LABELS = {"train": [-1.0, 0.5, 2.0, 3.0], "valid": [1.0, -1.0], "test": [2.0, -2.0, None]}


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """A text-only dataset with one unlabelled test clip, and a run fine-tuned on it."""
    folder = tmp_path_factory.mktemp("material")
    data = write_texts(folder / "texts.h5", LABELS)
    config = ExperimentConfig(
        method="text_only",
        text_encoder=str(write_tiny_text_encoder(folder / "encoder")),
        train=TrainConfig(n_epochs=3, batch_size=4, learning_rate=1e-2, device="cpu"),
    )
    finetune(data, folder / "run", config)
    return data, folder / "run"


@pytest.fixture
def run(material, tmp_path):
    return shutil.copytree(material[1], tmp_path / "run")


def write_texts(path, labels):
    """Write a text-only dataset with these labels in each part; None is no label."""
    with DatasetWriter(
        path,
        info=DatasetInfo(name="texts", language="en"),
        streams=[],
        labels=[LabelInfo(name="mood", value_range=(-3.0, 3.0))],
        schemes=["default"],
    ) as writer:
        for part, values in labels.items():
            for index, value in enumerate(values):
                writer.write(
                    ClipFeatures(
                        entry=ClipEntry(
                            clip_id=f"{part}_{index}",
                            recording_id=f"{part}_{index}",
                            splits={"default": Split[part.upper()]},
                            text=f"it was good, take {index} of {part}",
                            labels={} if value is None else {"mood": value},
                        )
                    )
                )
    return path


def report(**changes):
    values = {
        "run": "runs/mosi",
        "method": "skesl",
        "data": "mosi",
        "content_sha256": "0123456789abcdef" * 4,
        "label": "sentiment",
        "part": "test",
        "n_clip": 2,
        "n_labelled": 2,
        "selection": "epoch 3 of 9, chosen by valid mae",
        "metrics": {"mae": 0.75, "corr": 0.123456},
        "constant": {"mae": 1.5, "corr": math.nan},
    }
    return EvaluationReport(**{**values, **changes})


def test_the_metrics_are_those_of_the_stored_predictions(material, run):
    evaluation = evaluate_run(run, material[0], device="cpu")

    with (run / "predictions.csv").open(newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if row["label"]]
    expected = sentiment_metrics([float(row["label"]) for row in rows], [float(row["prediction"]) for row in rows])
    assert evaluation.metrics == expected


def test_clips_without_the_label_are_predicted_but_not_counted(material, run):
    evaluation = evaluate_run(run, material[0], device="cpu")

    with (run / "predictions.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [(row["clip_id"], row["label"]) for row in rows] == [("test_0", "2.0"), ("test_1", "-2.0"), ("test_2", "")]
    assert (evaluation.n_clip, evaluation.n_labelled) == (3, 2)
    assert "test part, 2 of 3 clips, label mood" in evaluation.to_text()


def test_the_constant_is_the_median_label_of_the_training_part(material, run):
    evaluation = evaluate_run(run, material[0], part=Split.VALID, device="cpu")

    median = (0.5 + 2.0) / 2  # beyond both validation labels, 1 and -1: their own median gives another error
    assert evaluation.constant["mae"] == pytest.approx((abs(1 - median) + abs(-1 - median)) / 2)
    assert math.isnan(evaluation.constant["corr"])


def test_the_constant_on_another_dataset_is_still_the_median_of_what_was_trained_on(run, tmp_path):
    data = write_texts(tmp_path / "unseen.h5", {"train": [-3.0, -3.0], "test": [1.0, 1.5, 3.0]})

    median = (0.5 + 2.0) / 2  # of the labels in the run's own training part
    errors = [abs(label - median) for label in (1.0, 1.5, 3.0)]
    assert evaluate_run(run, data, device="cpu").constant["mae"] == pytest.approx(sum(errors) / 3)


def test_the_report_says_what_was_evaluated_and_how_the_epoch_was_chosen(material, run):
    evaluation = evaluate_run(run, material[0], part=Split.VALID, device="cpu")

    settings = json.loads((run / "config.json").read_text())
    assert (evaluation.method, evaluation.data, evaluation.label, evaluation.part) == (
        "text_only",
        "texts",
        "mood",
        "valid",
    )
    with DatasetReader(material[0]) as reader:
        assert evaluation.content_sha256 == reader.attributes["content_sha256"]
    assert evaluation.selection == f"epoch {settings['result']['best_epoch']} of 3, chosen by valid mae"
    assert evaluation.metrics["mae"] == pytest.approx(settings["result"]["best_values"]["mae"], rel=1e-5)  # float32


def test_a_run_whose_training_was_interrupted_can_be_evaluated_and_says_so(material, run):
    settings = json.loads((run / "config.json").read_text())
    del settings["result"]  # it is written when training ends
    (run / "config.json").write_text(json.dumps(settings))

    assert evaluate_run(run, material[0], device="cpu").selection == "training did not end; its best epoch so far"


@pytest.mark.parametrize(("labels", "got"), [({"test": [None, None]}, 2), ({"train": [1.0]}, 0)])
def test_a_part_without_a_label_is_refused_and_stored_predictions_stay(run, tmp_path, labels, got):
    before = (run / "predictions.csv").read_text()

    message = rf"expected clips with the label 'mood' in the test part, got {got} clip\(s\) and 0 with the label"
    with pytest.raises(InputError, match=message):
        evaluate_run(run, write_texts(tmp_path / "other.h5", labels), device="cpu")

    assert (run / "predictions.csv").read_text() == before


def test_a_dataset_without_the_label_is_refused(material, tmp_path):
    other = write_example_dataset(tmp_path / "example.h5")

    with pytest.raises(InputError, match=r"expected clips with the label 'mood' in the test part, got 3 clip\(s\)"):
        evaluate_run(material[1], other, device="cpu")


def test_json_has_every_field_unrounded_and_null_for_nan():
    document = json.loads(report().to_json())

    assert document["metrics"] == {"mae": 0.75, "corr": 0.123456}
    assert document["constant"] == {"mae": 1.5, "corr": None}
    assert document["n_clip"] == 2
    assert set(document) == set(EvaluationReport.__dataclass_fields__)
    assert "NaN" not in report().to_json()


def test_text_is_a_table_beside_the_constant_with_its_conventions():
    lines = report().to_text().splitlines()

    assert lines[0] == "skesl on mosi, test part, 2 clips, label sentiment"
    assert lines[1] == "content 0123456789abcdef · epoch 3 of 9, chosen by valid mae"
    assert [line.split() for line in lines[3:6]] == [
        ["metric", "skesl", "constant"],
        ["mae", "0.7500", "1.5000"],
        ["corr", "0.1235", "undefined"],
    ]
    assert len({len(line) for line in lines[3:6]}) == 1
    assert lines[-2].startswith("acc2: has0 (p>=0)")
    assert lines[-1] == "constant: always the median label of the clips that were trained on"


def test_every_metric_is_in_the_table(material, run):
    evaluation = evaluate_run(run, material[0], device="cpu")

    names = [line.split()[0] for line in evaluation.to_text().splitlines()[4:-3]]
    assert names == list(evaluation.metrics)
    assert np.isfinite(evaluation.metrics["mae"])
