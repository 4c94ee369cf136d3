import csv
import dataclasses
import json
import math
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from mmfeat import ClipEntry, ClipFeatures, DatasetInfo, DatasetReader, DatasetWriter, InputError, LabelInfo, Split
from mmfeat.testing import write_example_dataset
from skesl import (
    METRIC_NAMES,
    CheckpointError,
    EvaluationConfig,
    EvaluationReport,
    ExperimentConfig,
    TrainConfig,
    evaluate_predictions,
    evaluate_run,
    evaluate_runs,
    finetune,
    pretrain,
    sentiment_metrics,
    sims_metrics,
)
from skesl.predictions import Predictions
from skesl.runs import aligned
from skesl.statistics import Difference
from skesl.target import open_target
from skesl.task import Task
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


def evaluated(run, data, **choices):
    return evaluate_runs([run], data, EvaluationConfig(device="cpu", n_resample=200, **choices))


def report(**changes):
    values = {
        "sources": ("runs/mosi",),
        "method": "skesl",
        "data": "mosi",
        "content_sha256": "0123456789abcdef" * 4,
        "label": "sentiment",
        "part": "test",
        "scheme": "default",
        "n_clip": 2,
        "n_labelled": 2,
        "n_recording": 2,
        "label_range": (-3.0, 3.0),
        "selection": "epoch 3 of 9, chosen by valid mae",
        "conventions": "acc2=has0(p>=0)",
        "metrics": {"mae": 0.75, "corr": 0.123456},
        "intervals": {"mae": (0.5, 1.0), "corr": (math.nan, math.nan)},
        "n_resample": 2000,
        "rows": {"median": {"mae": 1.5, "corr": math.nan}, "majority": {"mae": 1.25, "corr": math.nan}},
    }
    return EvaluationReport(**{**values, **changes})


def test_the_metrics_are_those_of_the_stored_predictions(material, run):
    evaluation = evaluated(run, material[0])

    with (run / "predictions.csv").open(newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if row["label"]]
    columns = [[float(row[name]) for row in rows] for name in ("label", "prediction")]
    expected = sentiment_metrics(*columns) | sims_metrics(*columns)
    assert evaluation.metrics == pytest.approx(expected, rel=0, abs=1e-15, nan_ok=True)


def test_clips_without_the_label_are_predicted_but_not_counted(material, run):
    evaluation = evaluated(run, material[0])

    with (run / "predictions.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [(row["clip_id"], row["label"]) for row in rows] == [("test_0", "2.0"), ("test_1", "-2.0"), ("test_2", "")]
    assert (evaluation.n_clip, evaluation.n_labelled) == (3, 2)
    assert "test part, 2 of 3 clips, label mood" in evaluation.to_text()


def test_the_constant_is_the_median_label_of_the_training_part(material, run):
    evaluation = evaluated(run, material[0], part=Split.VALID)

    median = (0.5 + 2.0) / 2  # beyond both validation labels, 1 and -1: their own median gives another error
    assert evaluation.rows["median"]["mae"] == pytest.approx((abs(1 - median) + abs(-1 - median)) / 2)
    assert math.isnan(evaluation.rows["median"]["corr"])


def test_the_constant_on_another_dataset_is_still_the_median_of_what_was_trained_on(run, tmp_path):
    data = write_texts(tmp_path / "unseen.h5", {"train": [-3.0, -3.0], "test": [1.0, 1.5, 3.0]})

    median = (0.5 + 2.0) / 2  # of the labels in the run's own training part
    errors = [abs(label - median) for label in (1.0, 1.5, 3.0)]
    assert evaluated(run, data).rows["median"]["mae"] == pytest.approx(sum(errors) / 3)


def test_the_report_says_what_was_evaluated_and_how_the_epoch_was_chosen(material, run):
    evaluation = evaluated(run, material[0], part=Split.VALID)

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

    assert evaluated(run, material[0]).selection == "training did not end; its best epoch so far"


@pytest.mark.parametrize(("labels", "got"), [({"test": [None, None]}, 2), ({"train": [1.0]}, 0)])
def test_a_part_without_a_label_is_refused_and_stored_predictions_stay(run, tmp_path, labels, got):
    before = (run / "predictions.csv").read_text()

    message = (
        rf"with the label 'mood' in the test part of the split 'default', got {got} clip\(s\) and 0 with the label"
    )
    with pytest.raises(InputError, match=message):
        evaluated(run, write_texts(tmp_path / "other.h5", labels))

    assert (run / "predictions.csv").read_text() == before


def test_a_dataset_without_the_label_is_refused(material, tmp_path):
    other = write_example_dataset(tmp_path / "example.h5")

    with pytest.raises(InputError, match=r"no label 'mood'; known: sentiment"):
        evaluated(material[1], other)


def test_json_has_every_name_unrounded_and_null_for_what_is_not_defined():
    document = json.loads(report().to_json())

    assert document["metrics"] == {**dict.fromkeys(METRIC_NAMES), "mae": 0.75, "corr": 0.123456}
    assert document["intervals"] == {**dict.fromkeys(METRIC_NAMES), "mae": [0.5, 1.0], "corr": [None, None]}
    assert document["rows"]["median"] == {"mae": 1.5, "corr": None}
    assert set(document) == set(EvaluationReport.__dataclass_fields__)
    assert "NaN" not in report().to_json()


def test_text_is_a_table_beside_the_constants_with_its_conventions():
    lines = report().to_text().splitlines()

    assert lines[0] == "skesl on mosi, test part, 2 clips, label sentiment"
    assert lines[1] == "content 0123456789abcdef · 2 recordings · epoch 3 of 9, chosen by valid mae"
    assert [line.split() for line in lines[3:6]] == [
        ["metric", "skesl", "95", "%", "interval", "median", "majority"],
        ["mae", "0.7500", "0.5000", "…", "1.0000", "1.5000", "1.2500"],
        ["corr", "0.1235", "undefined", "undefined", "undefined"],
    ]
    assert len({len(line) for line in lines[3:6]}) == 1
    assert lines[7] == "acc2=has0(p>=0)"
    assert lines[8] == "interval: 95 %, recordings drawn anew 2000 times"
    assert [line.partition(":")[0] for line in lines[9:]] == ["majority", "median"]


def test_bins_of_sims_are_shown_of_its_labels_only():
    metrics = {"mae": 0.5, "sims_acc3": 0.75}

    assert "sims_acc3" in report(metrics=metrics, label_range=(-1.0, 0.8)).to_text()
    assert "sims_acc3" not in report(metrics=metrics).to_text()
    assert json.loads(report(metrics=metrics).to_json())["metrics"]["sims_acc3"] == 0.75


def test_every_metric_of_sentiment_is_in_the_table(material, run):
    evaluation = evaluated(run, material[0])

    names = [line.split()[0] for line in evaluation.to_text().splitlines()[4:-6]]
    assert names == [name for name in evaluation.metrics if not name.startswith("sims")]
    assert np.isfinite(evaluation.metrics["mae"])


def test_seeds_have_a_mean_and_a_spread(material, run, tmp_path):
    data, _ = material
    other = train(tmp_path / "seeds" / "b", data, tmp_path, seed=5)
    shutil.copytree(run, tmp_path / "seeds" / "a")
    config = EvaluationConfig(device="cpu", part=Split.TRAIN, n_resample=200)

    together = evaluate_runs([tmp_path / "seeds"], data, config)
    named = evaluate_runs([tmp_path / "seeds" / "a", other], data, config)

    maes = [evaluate_runs([one], data, config).metrics["mae"] for one in (run, other)]
    assert together.metrics["mae"] == pytest.approx(np.mean(maes), abs=1e-12)
    assert together.sd["mae"] == pytest.approx(np.std(maes, ddof=1), abs=1e-12)
    assert [one["mae"] for one in together.per_source] == maes
    assert evaluate_run(run, data, part=Split.TRAIN, device="cpu").metrics["mae"] == maes[0]
    assert (together.metrics["mae"], together.sources) == (named.metrics["mae"], named.sources)
    assert "mean of 2 runs" in together.to_text()
    assert together.to_text().splitlines()[3].split()[:3] == ["metric", "text_only", "sd"]
    assert together.warnings[-1].startswith("these are clips of the train part")


def train(folder, data, tmp_path, **settings):
    config = ExperimentConfig(
        method="text_only",
        text_encoder=str(write_tiny_text_encoder(tmp_path / "encoder")),
        train=TrainConfig(n_epochs=1, batch_size=4, learning_rate=1e-2, device="cpu", **settings),
    )
    finetune(data, folder, config)
    return folder


def test_a_control_of_few_recordings_is_neither_yes_nor_no():
    gain = Difference(first=0.9, second=0.5, interval=(-0.5, -0.3), p=0.25)
    unsure = dataclasses.replace(gain, is_testable=False)
    few = report(gains={"without_text": {"mae": unsure}}, rows={"without_text": {"mae": 0.9, "corr": 0.0}})

    lines = few.to_text().splitlines()
    assert [line.split() for line in lines[7:10]] == [
        ["control", "mae", "corr", "mae", "differs"],
        ["skesl", "0.7500", "0.1235"],
        ["without_text", "0.9000", "0.0000", "too", "few", "recordings", "(p", "0.2500)"],
    ]
    many = dataclasses.replace(few, gains={"without_text": {"mae": dataclasses.replace(gain, p=0.01)}})
    assert "yes (p 0.0100)" in many.to_text()


def test_the_text_names_settings_seeds_and_versions_in_one_line():
    train = {"learning_rate": 1e-3, "seed": 0}
    configs = [{"method_config": {}, "train": train, "text_encoder": None} for _ in range(2)]
    configs[1]["train"] = {**train, "seed": 1}
    line = report(configs=tuple(configs), versions={"python": "3.11.9", "numpy": "2.1.0"}).to_text().splitlines()[9]

    settings, seeds, versions = line.split(" · ")
    assert re.fullmatch(r"settings [0-9a-f]{8} \(--json has them\)", settings)  # of both: only the seeds differ
    assert (seeds, versions) == ("seed 0, 1", "python 3.11.9, numpy 2.1.0")
    configs[1]["train"] = {**train, "learning_rate": 1e-4}
    other = report(configs=tuple(configs)).to_text().splitlines()[9]
    assert re.fullmatch(rf"{settings[:17]}, [0-9a-f]{{8}} \(--json has them\) · seed 0, 0", other)


def test_latex_and_csv_have_every_table_and_the_conventions_as_comments():
    gain = Difference(first=0.9, second=0.75, interval=(-0.5, -0.3), p=0.01)
    whole = report(
        gains={"without_text": {"mae": gain}},
        rows={"without_text": {"mae": 0.9, "corr": 0.0}},
        robustness={"frames": {"0.5": {"mae": 0.8, "corr": 0.25}}},
    )

    first, control, missing = whole.to_csv().split("\n\n")
    assert first == f"{whole.table().to_csv()}\n# acc2=has0(p>=0)"
    assert control.splitlines() == [
        "# control",
        "control,mae,corr,mae differs",
        "skesl,0.75,0.123456,",
        "without_text,0.9,0.0,yes (p 0.0100)",
    ]
    assert missing.splitlines() == ["# missing frames", "missing frames,mae,corr", "0.5,0.8,0.25"]
    assert [part.splitlines()[0] for part in whole.to_latex().split("\n\n")] == [
        r"\begin{tabular}{lrr}", "% control", "% missing frames",
    ]  # fmt: skip
    assert whole.to_latex().split("\n\n")[0].splitlines()[-1] == "% acc2=has0(p>=0)"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"task": {"problem": "regression", "labels": ["arousal"], "class_names": []}},
            "for the label mood, got one for",
        ),
        ({"scheme": "fold-1"}, "expected a run of the split 'default', got one of 'fold-1'"),
    ],
)
def test_a_run_of_text_alone_of_another_label_or_split_is_refused(material, run, write_csv, tmp_path, change, message):
    other = shutil.copytree(run, tmp_path / "other")
    settings = json.loads((other / "config.json").read_text())
    settings["data"] |= change
    (other / "config.json").write_text(json.dumps(settings))
    said = write_csv([["clip_id", "prediction"], ["test_0", 1.0], ["test_1", 0.0]])

    config = EvaluationConfig(device="cpu", n_resample=200, text_only=other)
    with pytest.raises(CheckpointError, match=f"other: .*{message}"):
        evaluate_runs([run], material[0], config)
    with pytest.raises(CheckpointError, match=f"other: .*{message}"):
        evaluate_predictions([said], material[0], config=config)
    assert "text_only" in evaluated(run, material[0], text_only=run).rows


def test_runs_and_targets_of_other_labels_or_classes_do_not_go_together(write_labels):
    mood = LabelInfo(name="mood", problem="class", class_names=("low", "high"))
    target = open_target(write_labels([mood], {"test": [0, 1, 1]}))
    task = Task(problem="class", labels=("mood",), class_names=("high", "low"))
    said = Predictions(clip_ids=target.clip_ids, task=task, scores=np.eye(2)[[0, 1, 1]], labels=target.truth)

    with pytest.raises(CheckpointError, match="run: expected a run for the classes low, high, got one for high, low"):
        aligned(Path("run"), said, target)
    same = dataclasses.replace(said, task=target.task)
    assert aligned(Path("run"), same, target).tolist() == [[0], [1], [1]]


def test_runs_that_do_not_belong_together_are_refused(material, run, tmp_path):
    settings = json.loads((run / "config.json").read_text())
    settings["data"]["task"]["labels"] = ["arousal"]
    other = shutil.copytree(run, tmp_path / "other")
    (other / "config.json").write_text(json.dumps(settings))

    with pytest.raises(CheckpointError, match="got text_only on arousal, split default; text_only on mood, split def"):
        evaluate_runs([run, other], material[0])


def test_runs_that_were_only_pretrained_are_refused(tmp_path):
    data = write_example_dataset(tmp_path / "example.h5")
    encoder = write_tiny_text_encoder(tmp_path / "encoder")
    quick = TrainConfig(n_epochs=1, device="cpu")
    pretrain(data, tmp_path / "run", ExperimentConfig(text_encoder=str(encoder), train=quick))

    with pytest.raises(CheckpointError, match="expected a fine-tuned run, got stage 'pretrain'; use skesl finetune"):
        evaluate_runs([tmp_path / "run"], data)


def test_predictions_that_are_not_finite_are_refused(material, run):
    weights = load_file(run / "weights.safetensors")
    name = next(name for name in weights if name.startswith("head"))
    save_file({**weights, name: torch.full_like(weights[name], math.nan)}, run / "weights.safetensors")
    before = (run / "predictions.csv").read_text()

    with pytest.raises(InputError, match=r"got NaN or infinity for 2 of 2 clip\(s\); the training has diverged"):
        evaluated(run, material[0])
    assert (run / "predictions.csv").read_text() == before


def test_predictions_of_another_program_have_every_name(write_labels, write_csv):
    data = write_labels(["mood"], {"train": [1.0, 3.0], "test": [2.0, -1.0, 0.0, 1.0, -3.0]})
    said = [1.6, 0.0, -0.4, -0.2, -2.6]
    path = write_csv([["clip_id", "prediction"], *([f"test_{i}", value] for i, value in enumerate(said))])

    evaluation = evaluate_predictions([path], data)

    assert evaluation.metrics == sentiment_metrics([2.0, -1.0, 0.0, 1.0, -3.0], said) | sims_metrics(
        [2.0, -1.0, 0.0, 1.0, -3.0], said
    )
    assert evaluation.rows["median"]["mae"] == pytest.approx((0 + 3 + 2 + 1 + 5) / 5)
    assert (evaluation.method, evaluation.n_recording) == ("predictions", 3)
    low, high = evaluation.intervals["mae"]
    assert low <= evaluation.metrics["mae"] <= high
    assert {*METRIC_NAMES} <= set(json.loads(evaluation.to_json())["metrics"])


@pytest.mark.parametrize(
    ("test", "said", "undefined", "warning"),
    [
        ([1.0, -1.0, 2.0], [0.5, 0.5, 0.5], {"corr", "corr_mag", "sims_corr"}, "the same for every clip"),
        ([1.0], [0.5], {"corr", "corr_mag", "sims_corr"}, "all clips are of one recording"),
        (
            [0.0, 0.0, 0.0],
            [1, -1, 2],
            {"acc2_non0", "corr", "sims_corr"},
            "not defined on these clips: corr, acc2_non0",
        ),
    ],
)
def test_what_is_not_defined_is_a_warning_and_not_an_error(write_labels, write_csv, test, said, undefined, warning):
    data = write_labels(["mood"], {"train": [1.0], "test": test})
    path = write_csv([["clip_id", "prediction"], *([f"test_{i}", value] for i, value in enumerate(said))])

    evaluation = evaluate_predictions([path], data)

    assert undefined <= {name for name, value in evaluation.metrics.items() if math.isnan(value)}
    assert any(warning in sentence for sentence in evaluation.warnings)
    assert evaluation.to_text()
    assert json.loads(evaluation.to_json())["metrics"]["corr"] is None
