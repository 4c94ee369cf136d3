"""Predictions as csv and as Parquet say the same, bit for bit, and are read by everybody."""

import csv
import math
import sys

import numpy as np
import pytest

from mmfeat import InputError, MissingExtraError
from skesl import EvaluationConfig, Predictions, evaluate_predictions
from skesl.prediction_files import read_rows
from skesl.task import Task

IDS = ("a/1", "好", "c d")


def predictions(problem):
    """Return three clips of a task: odd numbers, and a clip without labels."""
    task = Task.example(problem)
    rng = np.random.default_rng(0)
    scores = rng.random((3, task.n_column)) / 3
    scores[0, -1] = 0.1 + 0.2  # 17 digits
    answers = task.answers(rng.random((3, task.n_column)))
    labels = np.where(np.arange(3)[:, None] == 1, np.nan, answers)
    return Predictions(clip_ids=IDS, task=task, scores=scores, labels=labels)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("problem", ["regression", "regressions", "class", "multilabel", "mer23"])
def test_what_is_written_is_read_bit_for_bit(tmp_path, problem, suffix):
    pytest.importorskip("pyarrow") if suffix == ".parquet" else None
    written = predictions(problem)
    path = tmp_path / "new" / f"said{suffix}"
    written.save(path)

    read = Predictions.load(path, written.task)
    assert read.clip_ids == IDS
    assert np.array_equal(read.scores, written.scores)
    assert np.array_equal(read.labels, written.labels, equal_nan=True)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_parquet_file_is_what_other_programs_expect(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    predictions("mer23").save(tmp_path / "said.parquet")
    predictions("mer23").save(tmp_path / "said.csv")

    table = parquet.read_table(tmp_path / "said.parquet")
    with (tmp_path / "said.csv").open(encoding="utf-8", newline="") as handle:
        header, *rows = csv.reader(handle)
    assert table.column_names == header
    types = {field.name: str(field.type) for field in table.schema}
    assert types.pop("clip_id") == types.pop("emotion") == types.pop("true:emotion") == "string"
    assert set(types.values()) == {"double"}
    assert table["true:valence"].null_count == 1
    for row, values in zip(rows, table.to_pylist(), strict=True):
        assert row == ["" if v is None else v if isinstance(v, str) else repr(v) for v in values.values()]


def test_both_formats_of_any_program_are_evaluated_alike(write_labels, tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    data = write_labels(["mood"], {"train": [1.0, 3.0], "test": [2.0, -1.0, 0.0, 1.0]})
    said = [1.5, 0.0, -0.25, 1 / 3]
    table = pyarrow.table({"prediction": said, "clip_id": [f"test_{i}" for i in range(4)], "n": [1, 2, 3, None]})
    parquet.write_table(table, tmp_path / "theirs.parquet")
    rows = "".join(f"test_{i},{value!r}\n" for i, value in enumerate(said))
    (tmp_path / "theirs.csv").write_text("clip_id,prediction\n" + rows)

    config = EvaluationConfig(n_resample=100)
    one, other = (
        evaluate_predictions([tmp_path / f"theirs.{suffix}"], data, (), config) for suffix in ("parquet", "csv")
    )
    assert one.metrics == pytest.approx(other.metrics, rel=0, abs=0, nan_ok=True)


def test_faults_of_a_parquet_file_are_listed_with_their_rows(write_labels, tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    data = write_labels(["mood"], {"test": [2.0, -1.0, 0.0]})
    ids = ["test_0", "who", "test_1", "test_1"]
    table = pyarrow.table({"clip_id": ids, "prediction": [math.nan, 1.0, None, 2.0]})
    parquet.write_table(table, tmp_path / "theirs.parquet")

    with pytest.raises(InputError) as caught:
        evaluate_predictions([tmp_path / "theirs.parquet"], data)
    assert str(caught.value).splitlines()[1:] == [
        f"  row 2: clip 'who' is not in {data}",
        "  row 4: clip 'test_1' stands in row 3 already",
        "  row 1: clip 'test_0': prediction: expected a finite number, got 'nan'",
        "  row 3: clip 'test_1': prediction: expected a finite number, got ''",
        "  no row for clip 'test_2' of the test part",
    ]


@pytest.mark.parametrize("content", [b"", b"clip_id,prediction\n", b"PAR1" + bytes(40) + b"PAR1"])
def test_what_is_no_parquet_file_is_one_sentence(tmp_path, content):
    pytest.importorskip("pyarrow")
    path = tmp_path / "broken.parquet"
    path.write_bytes(content)

    with pytest.raises(InputError, match=r"broken\.parquet: expected a file of predictions \(Parquet\)"):
        read_rows(path)
    with pytest.raises(InputError, match=r"none\.parquet: expected a file of predictions \(Parquet\), cannot read it"):
        read_rows(tmp_path / "none.parquet")


def test_without_pyarrow_one_sentence_says_what_to_install_and_csv_works(tmp_path, monkeypatch):
    for name in ("pyarrow", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, name, None)

    message = r"^a Parquet file needs the package 'pyarrow', which is not installed; pip install 'mmfeat\[parquet\]'$"
    with pytest.raises(MissingExtraError, match=message):
        predictions("class").save(tmp_path / "said.parquet")
    with pytest.raises(MissingExtraError, match=message):
        read_rows(tmp_path / "said.parquet")
    assert list(tmp_path.iterdir()) == []
    predictions("class").save(tmp_path / "said.csv")


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path):
    pytest.importorskip("pyarrow")
    (tmp_path / "file").write_text("")
    for suffix in ("csv", "parquet"):
        with pytest.raises(InputError, match="expected a place to write predictions"):
            predictions("regression").save(tmp_path / "file" / f"said.{suffix}")
