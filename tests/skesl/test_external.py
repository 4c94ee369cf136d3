import pytest

from mmfeat import InputError, LabelInfo
from skesl.external import read_predictions
from skesl.target import open_target

MOOD = LabelInfo(name="mood", problem="class", class_names=("low", "high", "mixed"))


@pytest.fixture
def target(write_labels):
    return open_target(write_labels(["sentiment"], {"train": [1.0, 2.0], "test": [1.0, -1.0, None, 0.5]}))


@pytest.fixture
def moods(write_labels):
    return open_target(write_labels([MOOD], {"test": [0, 1, 2]}))


def faults(path, target):
    with pytest.raises(InputError) as caught:
        read_predictions(path, target)
    return str(caught.value).splitlines()


def test_predictions_are_put_in_the_order_of_the_dataset(target, write_csv):
    path = write_csv([["clip_id", "prediction"], ["test_3", "3"], ["test_0", "0.1"], ["test_1", "-1e-3"]])

    values, n_other = read_predictions(path, target)
    assert values.tolist() == [[0.1], [-0.001], [3.0]]
    assert n_other == 0


@pytest.mark.parametrize("column", ["prediction", "sentiment"])
def test_the_column_has_one_of_two_names_and_others_are_left_alone(target, write_csv, column):
    rows = [["note", " clip_id ", column], ["x", "test_0", "1"], ["y", " test_1", " 2 "], ["", "test_3", "3"], []]

    assert read_predictions(write_csv(rows), target)[0].tolist() == [[1], [2], [3]]


def test_rows_of_other_clips_are_left_out_and_counted(target, write_csv):
    rows = [["clip_id", "prediction"], *([f"test_{i}", "1"] for i in range(4)), ["train_0", "nan"]]

    assert read_predictions(write_csv(rows), target)[1] == 2  # one without the label, one of another part


def test_every_fault_is_listed_with_its_row(target, write_csv):
    rows = [["clip_id", "prediction"], ["test_0", "nan"], ["who", "1"], ["test_1", "2"], ["test_1", "2"], ["", "3"]]

    assert faults(write_csv(rows), target)[1:] == [
        f"  row 3: clip 'who' is not in {target.data}",
        "  row 5: clip 'test_1' stands in row 4 already",
        f"  row 6: clip '' is not in {target.data}",
        "  row 2: clip 'test_0': prediction: expected a finite number, got 'nan'",
        "  no row for clip 'test_3' of the test part",
    ]


@pytest.mark.parametrize("cell", ["", "inf", "-Infinity", "NaN", "good", "1,5"])
def test_what_is_no_finite_number_is_refused(target, write_csv, cell):
    rows = [["clip_id", "prediction"], ["test_0", cell], ["test_1", "1"], ["test_3", "1"]]

    assert faults(write_csv(rows), target)[1:] == [
        f"  row 2: clip 'test_0': prediction: expected a finite number, got {cell!r}"
    ]


def test_a_row_that_ends_early_is_refused(target, write_csv):
    rows = [["clip_id", "prediction"], ["test_0"], ["test_1", "1"], ["test_3", "1"]]

    assert "row 2: clip 'test_0': prediction: expected a finite number, got None" in faults(write_csv(rows), target)[1]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "expected a column 'clip_id', got an empty file"),
        ([["id", "prediction"]], "expected a column 'clip_id', got id, prediction"),
        (
            [["clip_id", "value"]],
            "expected a column 'prediction' or 'sentiment' for the label 'sentiment', got clip_id",
        ),
        ([["clip_id", "prediction", "prediction"]], "expected every column once, got 'prediction' twice"),
    ],
)
def test_columns_that_are_missing_or_there_twice_are_refused(target, write_csv, rows, message):
    assert message in faults(write_csv(rows), target)[0]


def test_a_file_that_is_not_there_is_one_sentence(target, tmp_path):
    assert "expected a file of predictions (csv), cannot read it" in faults(tmp_path / "none.csv", target)[0]


def test_classes_are_given_by_name_or_number(moods, write_csv):
    rows = [["clip_id", "prediction"], ["test_0", "mixed"], ["test_1", "1"], ["test_2", "0.0"]]

    assert read_predictions(write_csv(rows), moods)[0].tolist() == [[2], [1], [0]]


def test_of_one_column_a_class_the_largest_score_counts(moods, write_csv):
    rows = [
        ["clip_id", "high", "low", "mixed"],
        ["test_0", "0.2", "0.7", "0.1"],
        ["test_1", "-1", "-2", "-3"],
        ["test_2", "0", "0", "1e-9"],
    ]

    assert read_predictions(write_csv(rows), moods)[0].tolist() == [[0], [1], [2]]


@pytest.mark.parametrize("cell", ["3", "-1", "0.5", "happy", "nan", ""])
def test_an_unknown_class_is_refused_with_the_known_ones(moods, write_csv, cell):
    rows = [["clip_id", "prediction"], ["test_0", cell], ["test_1", "1"], ["test_2", "1"]]

    assert f"mood: expected one of low, high, mixed, or its number, got {cell!r}" in faults(write_csv(rows), moods)[1]


def test_missing_columns_of_classes_are_named(moods, write_csv):
    message = "or one column for each of the classes low, high, mixed"

    assert message in faults(write_csv([["clip_id", "low", "high"]]), moods)[0]


def test_several_labels_have_a_column_each(write_labels, write_csv):
    labels = [LabelInfo(name=name, problem="multilabel") for name in ("happy", "sad")]
    target = open_target(write_labels(labels, {"test": [(1, 0), (0, 1)]}), labels=("sad", "happy"))
    rows = [["clip_id", "happy", "sad"], ["test_0", "0.9", "0.1"], ["test_1", "0.2", "0.8"]]

    assert read_predictions(write_csv(rows), target)[0].tolist() == [[0.1, 0.9], [0.8, 0.2]]
    assert (
        "expected a column 'happy' for the label 'happy'"
        in faults(write_csv([["clip_id", "sad", "prediction"]]), target)[0]
    )
