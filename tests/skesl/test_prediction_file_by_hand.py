"""One fixed file of predictions for each problem: every number that `skesl evaluate` prints, computed by hand here."""

import json
import math

import pytest
from click.testing import CliRunner

from mmfeat import LabelInfo
from mmfeat_cli.skesl import skesl

EMOTIONS = ("neutral", "angry", "happy", "sad", "worried", "surprise")


@pytest.fixture
def evaluated(write_csv):
    """Write predictions, run the command on them, and return the metrics that are numbers."""

    def evaluate(rows, data, *options):
        path = write_csv(rows)
        arguments = ["evaluate", "--predictions", path, data, "--json", "--resamples", "100", *options]
        result = CliRunner().invoke(skesl, [str(argument) for argument in arguments])
        assert result.exit_code == 0, result.output
        document = json.loads(result.stdout)
        return document, {name: value for name, value in document["metrics"].items() if value is not None}

    return evaluate


def of_clips(header, *columns):
    return [["clip_id", *header], *([f"test_{i}", *row] for i, row in enumerate(zip(*columns, strict=True)))]


def test_every_metric_of_sentiment_and_both_constants(write_labels, evaluated):
    """Eight clips of MOSI's range: two neutral ones, predictions of 0, halves, and one beyond the range."""
    data = write_labels(["sentiment"], {"train": [-1.0, 2.0, 3.0], "test": [3.0, 1.5, 0.5, 0.0, 0.0, -0.5, -1.0, -2.5]})
    document, found = evaluated(
        of_clips(["prediction"], [4.0, 0.5, 0.0, -0.5, 1.0, 0.0, -1.5, -2.0]), data, "--label", "sentiment"
    )

    # y:    3    1.5  0.5   0     0   -0.5  -1   -2.5     mean 1/8
    # p:    4    0.5  0    -0.5   1    0    -1.5 -2       mean 1.5/8
    products = 12 + 0.75 + 0 + 0 + 0 + 0 + 1.5 + 5  # of y and p
    y_squares, p_squares = 9 + 2.25 + 0.25 + 0.25 + 1 + 6.25, 16 + 0.25 + 0.25 + 1 + 2.25 + 4
    expected = {
        "mae": (1 + 1 + 0.5 + 0.5 + 1 + 0.5 + 0.5 + 0.5) / 8,
        "corr": (products - 8 * (1 / 8) * (1.5 / 8))
        / math.sqrt((y_squares - 8 * (1 / 8) ** 2) * (p_squares - 8 * (1.5 / 8) ** 2)),
        # y >= 0: + + + + + - - -; p >= 0: + + + - + + - -
        "acc2_has0": 6 / 8,
        # positive: precision 4/5, recall 4/5; negative: precision 2/3, recall 2/3
        "f1_has0": (5 * 4 / 5 + 3 * 2 / 3) / 8,
        # six clips: y > 0: + + + - - -; p > 0: + + - - - -
        "acc2_non0": 5 / 6,
        # positive: precision 1, recall 2/3, F1 4/5; negative: precision 3/4, recall 1, F1 6/7
        "f1_non0": (3 * 4 / 5 + 3 * 6 / 7) / 6,
        # the same F1, weighted by what was said: two positive, four negative
        "f1_non0_swapped": (2 * 4 / 5 + 4 * 6 / 7) / 6,
        # six clips: y > 0: + + + - - -; p >= 0: + + + + - -
        "acc2_mag": 5 / 6,
        # positive: precision 3/4, recall 1, F1 6/7; negative: precision 1, recall 2/3, F1 4/5
        "f1_mag": (3 * 6 / 7 + 3 * 4 / 5) / 6,
        "mae_mag": (1 + 1 + 0.5 + 0.5 + 0.5 + 0.5) / 6,
        # sums over the six: y 1, p 1
        "corr_mag": (products - 1 / 6) / math.sqrt((y_squares - 1 / 6) * (18.5 + 4 - 1 / 6)),
        # half to even: y 3 2 0 0 0 0 -1 -2; p 3 0 0 0 1 0 -2 -2
        "acc7_round": 5 / 8,
        # away from zero: y 3 2 1 0 0 -1 -1 -3; p 3 1 0 -1 1 0 -2 -2
        "acc7_bins": 1 / 8,
        # half to even, at most 2: y 2 2 0 0 0 0 -1 -2; p 2 0 0 0 1 0 -2 -2
        "acc5_round": 5 / 8,
        # clipped to [-1, 1]: y 1 1 .5 0 0 -.5 -1 -1; p 1 .5 0 -.5 1 0 -1 -1; more than 0 against not
        "sims_acc2": 6 / 8,
        # y + + + 0 0 - - -; p + + 0 - + 0 - -
        "sims_acc3": 4 / 8,
        # y ++ ++ + 0 0 - -- --; p ++ + 0 - ++ 0 -- --
        "sims_acc5": 3 / 8,
        # positive: precision 2/3, recall 2/3; negative: precision 4/5, recall 4/5
        "sims_f1": (3 * 2 / 3 + 5 * 4 / 5) / 8,
        "sims_mae": (0 + 0.5 + 0.5 + 0.5 + 1 + 0.5 + 0 + 0) / 8,
        # both sums are 0, both squares 1 + 1 + 1/4 + 1/4 + 1 + 1; products 1 + 1/2 + 1 + 1
        "sims_corr": 3.5 / 4.5,
    }
    assert found == pytest.approx(expected, rel=0, abs=1e-12)
    assert found["f1_non0"] != found["f1_non0_swapped"]
    # always 2, the median of train
    assert document["rows"]["median"]["mae"] == pytest.approx((1 + 0.5 + 1.5 + 2 + 2 + 2.5 + 3 + 4.5) / 8, abs=1e-12)
    assert document["rows"]["majority"]["acc2_has0"] == 5 / 8


def test_every_metric_of_classes_and_of_mer23(write_labels, evaluated):
    emotion = LabelInfo(name="emotion", problem="class", class_names=EMOTIONS)
    true = [0, 0, 1, 1, 2, 3]
    data = write_labels([emotion, "valence"], {"train": [(0, 0.5)], "test": [(e, e - 1.0) for e in true]})
    said = ["neutral", "angry", "angry", "angry", "happy", "happy"]

    # neutral 1 of 2, said once: F1 2/3; angry 2 of 2, said three times: 4/5; happy 1 of 1, said twice: 2/3; sad: 0
    weighted = (2 * 2 / 3 + 2 * 4 / 5 + 1 * 2 / 3 + 1 * 0) / 6
    _, found = evaluated(of_clips(["prediction"], said), data, "--label", "emotion")
    assert found == pytest.approx(
        {
            "class_acc": 4 / 6,
            "class_recall": (1 / 2 + 1 + 1 + 0) / 4,
            "class_f1_weighted": weighted,
            "class_f1_macro": (2 / 3 + 4 / 5 + 2 / 3 + 0) / 4,
            "mer23_f1": weighted,
        },
        rel=0,
        abs=1e-12,
    )
    valence = [-1.0, 0.0, 0.0, 1.0, 1.0, 0.0]  # off by 0 1 0 1 0 2
    _, both = evaluated(of_clips(["emotion", "valence"], said, valence), data, "--label", "emotion,valence")
    assert both["mer23_f1"] == pytest.approx(weighted, abs=1e-12)
    assert both["mer23_mse"] == pytest.approx((1 + 1 + 4) / 6, abs=1e-12)
    assert both["mer23_combined"] == pytest.approx(weighted - 0.25, abs=1e-12)


def test_every_metric_of_yes_or_no_labels(write_labels, evaluated):
    labels = [LabelInfo(name=name, problem="multilabel") for name in ("happy", "sad")]
    data = write_labels(labels, {"train": [(1, 0)], "test": [(1, 0), (1, 1), (0, 0), (0, 0)]})
    _, found = evaluated(
        of_clips(["happy", "sad"], [0.9, 0.4, 0.7, 0.1], [0.2, 0.8, 0.1, 0.3]), data, "--label", "happy,sad"
    )

    # said: happy; sad; happy; nothing
    assert found == pytest.approx(
        {
            "ml_acc": (1 + 1 / 2 + 0 + 1) / 4,
            "ml_acc_empty0": (1 + 1 / 2 + 0 + 0) / 4,
            "hamming_loss": 2 / 8,
            "micro_f1": 2 * 2 / (3 + 3),  # two hits; three are true, three said
            "macro_f1": (2 * 1 / (2 + 2) + 1) / 2,
            "f1_happy": 2 * 1 / (2 + 2),
            "f1_sad": 1.0,
            # happy by score: yes (.9), no (.7), yes (.4), no: precision 1 at the first hit, 2/3 at the second
            "ap_happy": (1 + 2 / 3) / 2,
            "ap_sad": 1.0,
        },
        rel=0,
        abs=1e-12,
    )


ODD = {
    "a constant predictor": ([1.0, -1.0, 2.0, 0.5], [["test_0", 1], ["test_1", 1], ["test_2", 1], ["test_3", 1]], 0),
    "a single clip": ([1.0], [["test_0", 0.5]], 0),
    "an all-neutral part": ([0.0, 0.0, 0.0], [["test_0", 1], ["test_1", -1], ["test_2", 0]], 0),
    "clips of other parts": ([1.0, -1.0], [["test_0", 1], ["test_1", -1], ["train_0", "nan"]], 0),
    "NaN": ([1.0, -1.0], [["test_0", "nan"], ["test_1", 1]], 3),
    "infinity": ([1.0, -1.0], [["test_0", "inf"], ["test_1", 1]], 3),
    "a missing id": ([1.0, -1.0], [["test_0", 1]], 3),
    "an unknown id": ([1.0, -1.0], [["test_0", 1], ["test_1", 1], ["who", 1]], 3),
    "an id that stands twice": ([1.0, -1.0], [["test_0", 1], ["test_1", 1], ["test_1", 2]], 3),
    "no row": ([1.0, -1.0], [], 3),
    "a part without labels": ([None, None], [["test_0", 1], ["test_1", 1]], 3),
}


@pytest.mark.parametrize("command", ["evaluate", "compare"])
@pytest.mark.parametrize(("labels", "rows", "exit_code"), ODD.values(), ids=list(ODD))
def test_odd_predictions_give_a_value_or_a_sentence_and_never_a_traceback(
    write_labels, write_csv, command, labels, rows, exit_code
):
    data = write_labels(["mood"], {"train": [1.0], "test": labels})
    path = write_csv([["clip_id", "prediction"], *rows])
    arguments = ["--predictions", path, data] if command == "evaluate" else [path, path, data]
    for options in ([], ["--json"]):
        result = CliRunner().invoke(skesl, [command, *map(str, arguments), "--resamples", "100", *options])

        assert isinstance(result.exception, SystemExit | None), result.exception
        assert result.exit_code == exit_code
        if exit_code:
            assert result.stderr.startswith("error: ")
            assert result.stdout == ""
        elif options:
            assert "NaN" not in json.dumps(json.loads(result.stdout))
        else:
            assert ("mae" in result.stdout) or ("nothing can be said" in result.stdout)


@pytest.mark.parametrize("problem", ["class", "multilabel"])
@pytest.mark.parametrize("labels", [[0], [0, 0, 0], [1, 1], [0, 1, 1]])
@pytest.mark.parametrize("said", [0, 1])
def test_a_constant_answer_to_few_clips_gives_values_for_classes_and_labels_too(
    write_labels, write_csv, problem, labels, said
):
    info = LabelInfo(name="mood", problem=problem, class_names=("low", "high") if problem == "class" else ())
    data = write_labels([info], {"train": [0, 1], "test": labels})
    path = write_csv([["clip_id", "prediction"], *([f"test_{i}", said] for i in range(len(labels)))])
    arguments = ["evaluate", "--predictions", path, data, "--json", "--resamples", "100"]
    result = CliRunner().invoke(skesl, [str(argument) for argument in arguments])

    assert result.exit_code == 0, result.output
    share = sum(label == said for label in labels) / len(labels)
    metrics = json.loads(result.stdout)["metrics"]
    assert (metrics["class_acc"] if problem == "class" else 1 - metrics["hamming_loss"]) == pytest.approx(share)
