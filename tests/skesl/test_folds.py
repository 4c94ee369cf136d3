import dataclasses
import json
import shutil

import numpy as np
import pytest

from mmfeat import ClipEntry, ClipFeatures, DatasetInfo, DatasetWriter, InputError, LabelInfo, Split
from skesl import (
    ExperimentConfig,
    Predictions,
    TrainConfig,
    finetune,
    predict_mean,
    predict_run,
    train_folds,
    write_submission,
)
from skesl.task import MER23_CLASSES, Task
from skesl.testing import write_tiny_text_encoder

TRAIN = TrainConfig(n_epochs=1, batch_size=4, learning_rate=1e-2, device="cpu")
WORDS = ["it", "was", "good", "bad", "terrible", "wonderful", "take", "a", "film"]


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """12 clips of Train&Val in three folds, and 4 clips of a test set without labels, as a corpus of MER2023 has."""
    folder = tmp_path_factory.mktemp("folds")
    schemes = ["fold-0", "fold-1", "fold-2", "fold-10", "mer-multi"]
    with DatasetWriter(
        folder / "folds.h5",
        info=DatasetInfo(name="folds", language="en"),
        streams=[],
        labels=[LabelInfo(name="valence", value_range=(-5.0, 5.0))],
        schemes=schemes,
    ) as writer:
        for index in range(16):
            is_test = index >= 12
            splits = dict.fromkeys(schemes, Split.NONE) | {"mer-multi": Split.TEST if is_test else Split.TRAIN}
            for number, name in enumerate(schemes[:4]):
                if not is_test:
                    splits[name] = Split.VALID if index % 4 == number else Split.TRAIN
            entry = ClipEntry(
                clip_id=f"sample_{index:05}",
                splits=splits,
                text=f"it was {WORDS[index % len(WORDS)]}",
                labels={} if is_test else {"valence": float(index % 5 - 2)},
            )
            writer.write(ClipFeatures(entry=entry))
    encoder = str(write_tiny_text_encoder(folder / "encoder"))
    return folder / "folds.h5", ExperimentConfig(method="text_only", text_encoder=encoder, train=TRAIN)


@pytest.fixture(scope="module")
def trained(material, tmp_path_factory):
    data, config = material
    run = tmp_path_factory.mktemp("runs") / "runs"
    return run, train_folds(finetune, data, run, config, folds="fold")


def test_each_fold_is_trained_once_in_the_order_of_its_number(material, trained, tmp_path):
    data, config = material
    run, report = trained

    assert report.folds == ("fold-0", "fold-1", "fold-2", "fold-10")
    alone = finetune(data, tmp_path / "alone", dataclasses.replace(config, scheme="fold-2"))
    assert report.values["mae"][2] == alone.result.best_values["mae"]
    document = json.loads((run / "summary.json").read_text())
    assert document["folds"] == list(report.folds)
    assert document["values"]["mae"]["by_fold"] == list(report.values["mae"])
    assert "folds fold-0, fold-1, fold-2, fold-10" in report.summary()


def test_the_ensemble_is_the_mean_over_the_runs(material, trained):
    data, _ = material
    run, report = trained
    runs = [run / fold for fold in report.folds]

    mean = predict_mean(runs, data, part=Split.TEST, scheme="mer-multi", device="cpu")

    single = [predict_run(one, data, part=Split.TEST, scheme="mer-multi", device="cpu").scores for one in runs]
    assert mean.clip_ids == tuple(f"sample_{index:05}" for index in range(12, 16))
    assert np.allclose(mean.scores, np.mean(single, axis=0), rtol=1e-12)
    assert np.ptp(single, axis=0).max() > 0
    assert np.isnan(mean.labels).all()


def test_parts_of_different_folds_are_not_averaged(material, trained):
    data, _ = material
    run, report = trained

    with pytest.raises(InputError, match=r"its split scheme has other clips in this part than that of .*fold-0"):
        predict_mean([run / fold for fold in report.folds], data, part=Split.VALID, device="cpu")


def test_a_dataset_without_the_folds_says_which_schemes_it_has(material, tmp_path):
    data, config = material
    with pytest.raises(InputError, match="expected split schemes tenth-0, tenth-1, …, got fold-0"):
        train_folds(finetune, data, tmp_path / "runs", config, folds="tenth")


def predictions(task, scores):
    return Predictions(
        clip_ids=tuple(f"sample_{index}" for index in range(len(scores))),
        task=task,
        scores=np.asarray(scores, dtype=np.float64),
        labels=np.full((len(scores), len(task.labels)), np.nan),
    )


def test_a_submission_has_the_challenge_s_columns(tmp_path):
    task = Task(problem="mer23", labels=("emotion", "valence"), class_names=MER23_CLASSES)
    scores = [[0.1, 0.5, 0.1, 0.1, 0.1, 0.1, -1.25], [0.0, 0.0, 0.1, 0.2, 0.3, 0.4, 0.1]]

    write_submission(predictions(task, scores), tmp_path / "new" / "answer.csv")

    written = (tmp_path / "new" / "answer.csv").read_text(encoding="utf-8")
    assert written == "name,discrete,valence\nsample_0,angry,-1.25\nsample_1,surprise,0.1\n"


def test_a_submission_of_something_else_is_refused(tmp_path):
    with pytest.raises(InputError, match="has an emotion and valence, the predictions are of sentiment"):
        write_submission(predictions(Task.example("regression"), [[1.0]]), tmp_path / "answer.csv")
    assert not (tmp_path / "answer.csv").exists()


def test_runs_of_different_tasks_are_not_averaged(material, trained, tmp_path):
    data, _ = material
    run, _ = trained
    other = shutil.copytree(run / "fold-1", tmp_path / "other")
    settings = json.loads((other / "config.json").read_text())
    settings["data"]["task"]["labels"] = ["arousal"]
    (other / "config.json").write_text(json.dumps(settings))

    with pytest.raises(InputError, match=r"expected predictions of valence, as .*fold-0 has, got arousal"):
        predict_mean([run / "fold-0", other], data, device="cpu")
