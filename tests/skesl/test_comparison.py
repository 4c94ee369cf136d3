import json
import math
import shutil

import numpy as np
import pytest

from mmfeat import ConfigError, DatasetReader, InputError, LabelInfo, Split
from mmfeat.testing import write_example_dataset
from skesl import CheckpointError, ExperimentConfig, TrainConfig, compare, evaluate_runs, finetune
from skesl.comparison import Comparison
from skesl.statistics import Difference, McNemar
from skesl.testing import write_tiny_text_encoder

N_CLIP = 120


@pytest.fixture
def labels():
    return np.random.default_rng(0).integers(-6, 7, N_CLIP) / 2


@pytest.fixture
def data(write_labels, labels):
    return write_labels(["mood"], {"train": [1.0, -1.0], "test": labels.tolist()})


@pytest.fixture
def write_model(write_csv, labels):
    """Write predictions: the labels and noise."""

    def write(name, noise, *, seed):
        said = labels + noise * np.random.default_rng(seed).normal(size=N_CLIP)
        return write_csv([["clip_id", "prediction"], *([f"test_{i}", v] for i, v in enumerate(said))], name=name)

    return write


def test_two_models_of_one_quality_do_not_differ(data, write_model):
    found = compare(write_model("a.csv", 1.0, seed=1), write_model("b.csv", 1.0, seed=2), data)

    assert not found.exceeds_noise
    assert found.sentence().startswith("no difference: acc2_non0 of b.csv is ")
    assert "which is within the noise (95 % interval -" in found.sentence()


@pytest.mark.parametrize(("metric", "unit"), [("acc2_non0", " points above"), ("mae", "below"), ("corr", "above")])
def test_a_better_model_is_named(data, write_model, metric, unit):
    found = compare(write_model("bad.csv", 4.0, seed=1), write_model("good.csv", 0.3, seed=2), data, metric=metric)

    assert found.exceeds_noise
    assert found.sentence().startswith(f"good.csv is better: {metric} of good.csv is ")
    assert unit in found.sentence()
    assert "which exceeds the noise (95 % interval" in found.sentence()
    turned = compare(write_model("good.csv", 0.3, seed=2), write_model("bad.csv", 4.0, seed=1), data, metric=metric)
    assert turned.sentence().startswith(f"good.csv is better: {metric} of bad.csv is ")
    assert turned.differences[metric].difference == pytest.approx(-found.differences[metric].difference)


def test_accuracies_have_mcnemars_test_of_their_own_clips(data, write_model, labels):
    paths = write_model("a.csv", 1.0, seed=1), write_model("b.csv", 2.0, seed=2)
    found = compare(*paths, data)

    said = [np.loadtxt(path, delimiter=",", skiprows=1, usecols=1) for path in paths]
    polar = labels != 0
    rights = [((one > 0) == (labels > 0))[polar] for one in said]
    assert set(found.mcnemar) == {
        "acc2_has0", "acc2_non0", "acc2_mag", "acc7_round", "acc7_bins", "acc5_round", "sims_acc2", "sims_acc3",
        "sims_acc5",
    }  # fmt: skip
    only = found.mcnemar["acc2_non0"]
    assert (only.only_first, only.only_second) == ((rights[0] & ~rights[1]).sum(), (rights[1] & ~rights[0]).sum())
    gain = found.differences["acc2_non0"].difference * polar.sum()
    assert only.only_second - only.only_first == pytest.approx(gain)


def comparison(**changes):
    values = {
        "first": "a", "second": "b", "data": "mosi", "content_sha256": "0" * 64, "label": "mood", "part": "test",
        "scheme": "default", "n_labelled": 686, "n_recording": 31, "label_range": (-3.0, 3.0), "conventions": "acc2",
        "metric": "acc2_non0", "mcnemar": {"acc2_non0": McNemar(only_first=3, only_second=9, p=0.146)},
        "n_resample": 2000,
        "differences": {"acc2_non0": Difference(first=0.8, second=0.83, interval=(0.01, 0.05), p=0.004)},
    }  # fmt: skip
    return Comparison(**{**values, **changes})


def test_the_sentence_and_the_table_are_those_of_the_numbers():
    found = comparison()

    assert found.sentence() == (
        "b is better: acc2_non0 of b is 3.00 points above that of a (0.8300 against 0.8000), which exceeds the noise "
        "(95 % interval 1.00 … 5.00 points, permutation p 0.0040)"
    )
    lines = found.to_text().splitlines()
    assert lines[:2] == ["A  a", "B  b"]
    assert lines[5].split() == ["acc2_non0", "0.8000", "0.8300", "0.0300", "0.0100", "…", "0.0500", "0.0040", "0.1460"]
    assert lines[-1] == found.sentence()


@pytest.mark.parametrize(
    ("interval", "p"), [((-0.01, 0.05), 0.004), ((0.01, 0.05), 0.06), ((-0.05, -0.01), 0.2), ((0.0, 0.05), 0.001)]
)
def test_both_tests_have_to_agree_that_it_exceeds_the_noise(interval, p):
    found = comparison(differences={"acc2_non0": Difference(first=0.8, second=0.83, interval=interval, p=p)})

    assert not found.exceeds_noise
    assert found.sentence().startswith("no difference: ")


def test_too_few_recordings_and_undefined_numbers_say_so():
    unsure = Difference(first=0.8, second=0.83, interval=(0.01, 0.05), p=math.nan, is_testable=False)
    few = comparison(n_recording=5, differences={"acc2_non0": unsure})
    nothing = Difference(first=math.nan, second=0.8, interval=(math.nan, math.nan), p=math.nan)

    assert not few.exceeds_noise
    assert few.sentence().startswith("no difference can be shown: 5 recording(s) are too few for any test; acc2_non0")
    assert comparison(differences={"acc2_non0": nothing}).sentence() == (
        "nothing can be said: acc2_non0 is not defined on these clips"
    )
    same = Difference(first=0.8, second=0.8, interval=(0.0, 0.0), p=1.0)
    assert "acc2_non0 of both is 0.8000" in comparison(differences={"acc2_non0": same}).sentence()


def test_json_has_every_number():
    document = json.loads(comparison().to_json())

    assert document["differences"]["acc2_non0"] == {
        "first": 0.8, "second": 0.83, "interval": [0.01, 0.05], "p": 0.004, "difference": 0.83 - 0.8,
        "is_testable": True, "exceeds_noise": True,
    }  # fmt: skip
    assert document["mcnemar"]["acc2_non0"] == {"only_first": 3, "only_second": 9, "p": 0.146}
    assert document["sentence"] == comparison().sentence()


def test_classes_and_yes_or_no_labels_are_compared_too(write_labels, write_csv):
    mood = LabelInfo(name="mood", problem="class", class_names=("low", "mid", "high"))
    happy, sad = (LabelInfo(name=name, problem="multilabel") for name in ("happy", "sad"))
    rows = [(i % 3, i % 2, (i // 2) % 2) for i in range(40)]
    data = write_labels([mood, happy, sad], {"test": rows})
    ids = [f"test_{i}" for i in range(40)]
    right = write_csv([["clip_id", "prediction"], *zip(ids, [row[0] for row in rows], strict=True)], name="right.csv")
    wrong = write_csv([["clip_id", "prediction"], *((i, "low") for i in ids)], name="wrong.csv")
    yes = write_csv(
        [["clip_id", "happy", "sad"], *((i, *row[1:]) for i, row in zip(ids, rows, strict=True))], name="yes.csv"
    )
    no = write_csv([["clip_id", "happy", "sad"], *((i, 0, 0) for i in ids)], name="no.csv")

    classes = compare(wrong, right, data, labels=("mood",))
    assert classes.sentence().startswith("right.csv is better: class_acc of right.csv is ")
    assert classes.differences["class_f1_macro"].p < 0.05
    assert set(classes.mcnemar) == {"class_acc"}
    yes_or_no = compare(no, yes, data, labels=("happy", "sad"), metric="hamming_loss")
    assert yes_or_no.sentence().startswith("yes.csv is better: hamming_loss of yes.csv is 50.00 points below")
    precision = compare(no, yes, data, labels=("happy", "sad"), metric="ap_happy")
    assert math.isnan(precision.differences["ap_happy"].p)
    assert precision.exceeds_noise
    assert precision.sentence().startswith("yes.csv is better: ap_happy of yes.csv is 0.5000 above that of no.csv")
    assert precision.sentence().endswith(", no permutation test)")


def test_an_unknown_metric_or_file_is_refused(data, write_model, tmp_path):
    model = write_model("a.csv", 1.0, seed=1)

    with pytest.raises(ConfigError, match=r"metric: expected one of mae, corr, .*, got 'accuracy'"):
        compare(model, model, data, metric="accuracy")
    with pytest.raises(InputError, match=r"b\.csv: expected a run folder or a file of predictions, found none"):
        compare(model, tmp_path / "b.csv", data)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A dataset and two runs of text alone that differ by their seed."""
    folder = tmp_path_factory.mktemp("runs")
    data = write_example_dataset(folder / "example.h5", n_clip=32)
    encoder = str(write_tiny_text_encoder(folder / "encoder"))
    for seed in (0, 1):
        train = TrainConfig(n_epochs=1, batch_size=8, learning_rate=1e-2, device="cpu", seed=seed)
        config = ExperimentConfig(method="text_only", text_encoder=encoder, train=train)
        finetune(data, folder / "seeds" / f"{seed}", config)
    return data, folder / "seeds"


def test_runs_are_compared_by_what_they_predict_now_and_nothing_is_written(runs):
    data, seeds = runs
    before = (seeds / "0" / "predictions.csv").read_text()
    found = compare(seeds / "0", seeds / "1", data, device="cpu")

    assert (seeds / "0" / "predictions.csv").read_text() == before
    maes = [evaluate_runs([seeds / name], data).metrics["mae"] for name in ("0", "1")]
    assert [found.differences["mae"].first, found.differences["mae"].second] == pytest.approx(maes, abs=1e-12)
    assert (found.first, found.second, found.label) == ("0", "1", "sentiment")


def test_a_folder_of_seeds_is_compared_by_its_mean(runs, tmp_path):
    data, seeds = runs
    found = compare(seeds, seeds / "1", data, device="cpu")

    one = compare(seeds / "0", seeds / "1", data, device="cpu").differences["mae"]
    assert found.differences["mae"].first == pytest.approx((one.first + one.second) / 2)
    assert found.mcnemar == {}


def altered(run, folder, *, labels=None, **changes):
    """Copy a run and change what it says of the data that it was trained on."""
    shutil.copytree(run, folder)
    settings = json.loads((folder / "config.json").read_text())
    settings["data"] |= changes
    settings["data"]["task"]["labels"] = labels or settings["data"]["task"]["labels"]
    (folder / "config.json").write_text(json.dumps(settings))
    return folder


@pytest.fixture
def said(runs, write_csv):
    """Predictions of any program for the test part."""
    with DatasetReader(runs[0]) as reader:
        clips = [reader.clip_ids[index] for index in reader.members("default", Split.TEST)]
    return write_csv([["clip_id", "prediction"], *((clip, 0.5) for clip in clips)], name="said.csv")


def test_runs_of_two_labels_are_refused(runs, tmp_path):
    data, seeds = runs
    other = altered(seeds / "1", tmp_path / "other", labels=["arousal"])

    for labels in ((), ("sentiment",)):
        with pytest.raises(CheckpointError, match="expected runs of one label, got sentiment and arousal"):
            compare(seeds / "0", other, data, labels=labels)


def test_a_run_of_another_label_than_the_one_that_was_asked_for_is_refused(runs, said, tmp_path):
    other = altered(runs[1] / "1", tmp_path / "other", labels=["arousal"])

    with pytest.raises(
        CheckpointError, match="other: expected a run for the label sentiment, got one for arousal; lea"
    ):
        compare(said, other, runs[0], labels=("sentiment",))
    asked = compare(said, runs[1] / "0", runs[0], labels=("sentiment",), device="cpu")
    assert asked.to_json() == compare(said, runs[1] / "0", runs[0], device="cpu").to_json()


@pytest.fixture
def fold(runs, tmp_path):
    """The second run, which now says that it was trained on another split."""
    return altered(runs[1] / "1", tmp_path / "fold", scheme="fold-1")


def test_runs_of_two_splits_of_one_dataset_are_refused_unless_a_scheme_is_named(runs, fold):
    data, seeds = runs

    with pytest.raises(CheckpointError, match=r"fold: expected a run of the split 'default', got one of 'fold-1', whi"):
        compare(seeds / "0", fold, data)
    named = compare(seeds / "0", fold, data, scheme="default", device="cpu")
    assert named.differences["mae"] == compare(seeds / "0", seeds / "1", data, device="cpu").differences["mae"]


def test_a_run_of_other_data_may_be_of_another_split(runs, tmp_path):
    data, seeds = runs
    far = altered(seeds / "1", tmp_path / "far", scheme="fold-1", content_sha256="0" * 64)

    assert compare(seeds / "0", far, data, device="cpu").scheme == "default"
    assert compare(far, seeds / "0", data, scheme="default", device="cpu").scheme == "default"


def test_with_a_label_the_scheme_is_still_that_of_the_run(fold, runs, said):
    with pytest.raises(InputError, match="no split scheme 'fold-1'; known: default"):
        compare(said, fold, runs[0], labels=("sentiment",))
