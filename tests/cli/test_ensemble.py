import csv
import json

import pytest
from click.testing import CliRunner

from mmfeat import SplitConfig, split_dataset
from mmfeat.testing import write_example_dataset
from mmfeat_cli.skesl import skesl

TRAINING = ["--epochs", "1", "--batch-size", "4", "--lr", "1e-3", "--device", "cpu"]
pytestmark = pytest.mark.usefixtures("one_thread")


def run_command(*arguments):
    return CliRunner().invoke(skesl, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def trained(tmp_path_factory, encoder):
    """The text baseline on three folds of the example dataset."""
    folder = tmp_path_factory.mktemp("folds")
    data = write_example_dataset(folder / "example.h5")
    split_dataset(data, "third", SplitConfig(k_fold=3, valid_fraction=0.25))
    training = run_command(
        "finetune", data, "--run", folder / "runs", "--method", "text_only", "--text-encoder", encoder, *TRAINING,
        "--folds", "third",
    )  # fmt: skip
    return folder, data, training


def test_folds_are_trained_and_summarised(trained):
    folder, _, training = trained

    assert training.exit_code == 0, training.output
    assert "folds third-0, third-1, third-2" in training.stdout
    assert json.loads((folder / "runs" / "summary.json").read_text())["folds"] == ["third-0", "third-1", "third-2"]


def test_the_mean_of_runs_is_written_and_not_twice(trained):
    folder, data, _ = trained
    command = ("ensemble", *(folder / "runs" / f"third-{fold}" for fold in range(3)), data, "--device", "cpu")
    command = (*command, "--out", folder / "mean.csv")

    written = run_command(*command)

    assert written.exit_code == 0, written.output
    assert "12 clips, the mean of 3 runs" in written.stdout
    with (folder / "mean.csv").open(encoding="utf-8") as handle:
        assert len(list(csv.DictReader(handle))) == 12
    assert run_command(*command).exit_code == 3
    assert json.loads(run_command(*command, "--overwrite", "--json").stdout)["n_run"] == 3


def test_a_submission_needs_emotion_and_valence(trained):
    folder, data, _ = trained
    refused = run_command("ensemble", folder / "runs" / "third-0", data, "--out", folder / "answer.csv", "--mer23")

    assert refused.exit_code == 3
    assert "a submission to MER2023 has an emotion and valence" in refused.stderr


def test_seeds_and_folds_exclude_each_other(trained):
    folder, data, _ = trained
    refused = run_command("finetune", data, "--run", folder / "x", "--seeds", "2", "--folds", "third")

    assert refused.exit_code == 2
    assert "--seeds and --folds exclude each other" in refused.stderr
