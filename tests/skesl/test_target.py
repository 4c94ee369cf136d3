import itertools
import math

import numpy as np
import pytest

from mmfeat import DatasetReader, InputError, LabelInfo, Split
from skesl import EvaluationConfig, evaluate_predictions
from skesl.metrics import smaller_is_better
from skesl.selection import as_written
from skesl.target import MOST_LABELS, open_target
from skesl.task import MER23_CLASSES

EMOTION = LabelInfo(name="emotion", problem="class", class_names=MER23_CLASSES)
MOOD = LabelInfo(name="mood", problem="class", class_names=("low", "high"))


def yes_or_no(name):
    return LabelInfo(name=name, problem="multilabel")


def test_the_clips_are_those_of_the_part_that_have_the_label(write_labels):
    data = write_labels(["mood"], {"train": [1, 3, 2], "test": [0.5, None, -1, 2]})
    target = open_target(data)

    assert target.clip_ids == ("test_0", "test_2", "test_3")
    assert target.truth.tolist() == [[0.5], [-1], [2]]
    assert target.recordings.tolist() == [0, 1, 1]
    assert (target.n_clip, target.n_recording, target.label_range) == (4, 2, (-1, 2))
    assert target.train_median() == (2.0,)
    assert (target.problem, target.main_metric) == ("regression", "acc2_non0")


def test_labels_are_read_as_they_were_written_not_as_float32(write_labels):
    data = write_labels(["mood"], {"test": [0.1, -0.7, 1 / 3]})

    assert open_target(data).truth[:2, 0].tolist() == [0.1, -0.7]
    # the bin of 0.1 ends at 0.1, where float32's 0.10000000149 would fall beyond it
    assert open_target(data).metrics(np.array([[0.0], [-1.0], [0.5]]))["sims_acc5"] == 1.0
    with DatasetReader(data) as reader:
        assert as_written(reader.labels("mood").values).astype(np.float32).tolist() == (
            reader.labels("mood").values.tolist()
        )


def test_the_best_constant_of_mosi_is_its_larger_half(write_labels):
    data = write_labels(["mood"], {"train": [1.0, 1.0], "test": [-2, -1, -1, 0, 1]})
    best = open_target(data).best_constant()

    assert best["acc2_has0"] == 3 / 5
    assert best["acc2_non0"] == 3 / 4
    assert best["acc7_round"] == 2 / 5
    assert best["mae"] == pytest.approx((1 + 0 + 0 + 1 + 2) / 5)  # of the median, -1
    assert math.isnan(best["corr"])


def test_no_constant_beats_the_best_one(write_labels):
    rng = np.random.default_rng(0)
    data = write_labels(["mood"], {"test": np.round(rng.normal(size=30), 1).tolist()})
    target = open_target(data)
    best = target.best_constant()

    for value in np.linspace(-3.5, 3.5, 71):
        for name, number in target.metrics(target.constant((value,))).items():
            if math.isnan(number):
                continue
            is_error = smaller_is_better(name)
            assert (number >= best[name] - 1e-9) if is_error else (number <= best[name] + 1e-9), name


def test_the_best_constant_without_neutral_clips_is_their_own_median(write_labels):
    best = open_target(write_labels(["mood"], {"test": [0, 0, 0, 1.4, 1.5, 1.6]})).best_constant()

    assert best["mae_mag"] == pytest.approx(0.2 / 3)
    assert best["mae"] == pytest.approx(4.5 / 6)  # of 0 to 1.4 alike
    neutral = open_target(write_labels(["mood"], {"test": [0, 0]}, name="neutral.h5"))
    assert neutral.best_constant()["mae"] == 0.0


def test_no_set_of_labels_beats_the_best_one(write_labels):
    names = ("a", "b", "c", "d", "e")
    # a is the most frequent label, but never alone; b is right by itself
    beside = [(1, 0, 1, 1, 0)] * 2 + [(1, 0, 0, 1, 1)] * 2 + [(1, 0, 1, 0, 1)] + [(0, 1, 0, 0, 0)] * 4
    drawn = (np.random.default_rng(0).random((9, 5)) < 0.4).astype(int).tolist()
    for number, rows in enumerate([beside, drawn]):
        data = write_labels([yes_or_no(name) for name in names], {"test": rows}, name=f"{number}.h5")
        target = open_target(data, labels=names)
        best = target.best_constant()
        sets = [target.metrics(target.constant(chosen)) for chosen in itertools.product((0.0, 1.0), repeat=5)]
        for name in best:
            choose = min if smaller_is_better(name) else max
            of_all = [metrics[name] for metrics in sets if not math.isnan(metrics[name])]
            assert best[name] == pytest.approx(choose(of_all, default=math.nan), nan_ok=True), name
        if rows is beside:
            assert best["ml_acc"] == pytest.approx(4 / 9)  # of b alone


def test_of_very_many_labels_only_sets_of_the_most_frequent_ones_are_tried(write_labels, write_csv):
    names = [f"label_{number}" for number in range(MOST_LABELS + 1)]
    rows = (np.random.default_rng(0).random((8, len(names))) < 0.3).astype(int).tolist()
    data = write_labels([yes_or_no(name) for name in names], {"test": rows})
    said = write_csv([["clip_id", *names], *([f"test_{number}", *row] for number, row in enumerate(rows))])

    config = EvaluationConfig(n_resample=100)
    few, many = (evaluate_predictions([said], data, chosen, config) for chosen in (names[:-1], names))
    assert not any("majority" in warning for warning in few.warnings)
    assert any(warning.startswith("majority of ml_acc: of more than 10 labels only") for warning in many.warnings)
    assert many.rows["majority"]["macro_f1"] > 0


def test_several_yes_or_no_labels_are_taken_together(write_labels):
    data = write_labels(
        [yes_or_no("happy"), yes_or_no("sad")], {"train": [(1, 0)] * 3, "test": [(1, 0), (1, 1), (0, 0)]}
    )
    target = open_target(data, labels=("happy", "sad"))

    assert (target.problem, target.main_metric) == ("multilabel", "ml_acc")
    assert target.metrics(target.truth)["ml_acc"] == 1.0
    best = target.best_constant()
    assert best["hamming_loss"] == pytest.approx((0 + 1 + 1) / 6)
    assert best["ml_acc"] == pytest.approx((1 + 0.5 + 0) / 3)
    assert target.train_median() == (1.0, 0.0)


def test_classes_have_their_metrics_and_mer23s_where_they_are_mer23s(write_labels):
    parts = {"train": [0, 1, 1], "test": [0, 1, 1, 0]}
    plain = open_target(write_labels([MOOD], parts, name="plain.h5"))
    mer23 = open_target(write_labels([EMOTION], parts, name="mer23.h5"))

    assert plain.metrics(plain.truth) == dict.fromkeys(
        ("class_acc", "class_recall", "class_f1_weighted", "class_f1_macro"), 1.0
    )
    assert set(mer23.metrics(mer23.truth)) - set(plain.metrics(plain.truth)) == {"mer23_f1"}
    assert plain.train_median() == (1.0,)
    assert plain.best_constant()["class_acc"] == 0.5


@pytest.mark.parametrize("order", [("emotion", "valence"), ("valence", "emotion")])
def test_emotion_and_valence_are_mer23_in_any_order(write_labels, order):
    data = write_labels([EMOTION, "valence"], {"train": [(2, 1.0)], "test": [(0, 1.0), (2, -2.0)]})
    target = open_target(data, labels=order)
    said = np.array([[0.0, 2.0], [2.0, -2.0]])  # the class first, whatever the order

    metrics = target.metrics(said)
    assert (metrics["mer23_f1"], metrics["mer23_mse"]) == (1.0, 0.5)
    assert metrics["mer23_combined"] == 1 - 0.125
    assert target.main_metric == "mer23_combined"
    assert math.isfinite(target.best_constant()["mer23_combined"])


def test_three_regressions_of_mimic_have_its_mean(write_labels):
    names = ["Approval", "Disappointment", "Uncertainty"]
    rows = np.random.default_rng(0).random((6, 3)).tolist()
    target = open_target(write_labels(names, {"test": rows}), labels=names)

    assert target.metrics(target.truth)["mimic_pearson"] == pytest.approx(1.0)
    assert target.main_metric == "mimic_pearson"
    assert open_target(target.data, labels=names[:2]).main_metric == "mean_mae"


def test_labels_that_do_not_go_together_are_refused(write_labels):
    data = write_labels([MOOD, "valence"], {"test": [(0, 1.0)]})

    with pytest.raises(InputError, match=r"got mood \(class\), valence \(regression\); name fewer with --label"):
        open_target(data, labels=("mood", "valence"))
    with pytest.raises(InputError, match=r"expected one label, it has 2 \(mood, valence\); choose with --label"):
        open_target(data)


def test_a_part_without_the_label_is_refused(write_labels):
    data = write_labels(["mood"], {"train": [1], "test": [None, None]})

    with pytest.raises(InputError, match=r"in the test part of the split 'default', got 2 clip\(s\) and 0 with the la"):
        open_target(data)
    with pytest.raises(InputError, match=r"no split scheme 'folds'; known: default"):
        open_target(data, scheme="folds")
    assert open_target(data, part=Split.TRAIN).clip_ids == ("train_0",)


def test_without_labels_to_train_on_there_is_no_median(write_labels):
    assert open_target(write_labels(["mood"], {"test": [1.0]})).train_median() is None
