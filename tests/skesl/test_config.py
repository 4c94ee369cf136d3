import numpy as np
import pytest

from mmfeat import ConfigError, InputError
from skesl import TrainConfig, load_settings
from skesl.task import PROBLEMS, Task
from skesl.task_measures import SELECTION_METRIC, choose_selection_metric, metrics_of


def test_nothing_given_leaves_the_defaults():
    assert load_settings() == (TrainConfig(), {})


def test_overrides_win_over_the_file_and_the_file_over_the_defaults(tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text("[train]\nn_epochs = 3\nseed = 5\n[method]\nn_layers = 2\ndropout = 0.1\n")

    train, method = load_settings(file=file, overrides=["train.seed=7", "method.n_layers=1"])

    assert train == TrainConfig(n_epochs=3, seed=7)
    assert method == {"n_layers": 1, "dropout": 0.1}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.epochs=3", r"unknown key 'epochs'; known: n_epochs, batch_size, n_accumulated"),
        ("train.n_epochs=0", "n_epochs must be at least 1, got 0"),
        ("train.batch_size=0", "batch_size must be at least 1, got 0"),
        ("train.learning_rate=-1e-4", "learning_rate must not be negative, got -0.0001"),
        ("train.patience=-1", "patience must not be negative, got -1"),
        ("train.max_text_tokens=2", r"max_text_tokens must be at least 3 \(two special tokens\), got 2"),
        ("train.precision=fp8", "precision: expected one of 'no', 'bf16', 'fp16', got 'fp8'"),
        ("train.n_epochs=many", "n_epochs: expected int, got 'many'"),
        ("trian.n_epochs=3", "unknown section 'trian'; known: train, method"),
        ("train.n_epochs", "expected KEY=VALUE"),
    ],
)
def test_a_wrong_setting_is_named_with_what_was_expected(override, message):
    with pytest.raises(ConfigError, match=message):
        load_settings(overrides=[override])


def test_all_unknown_keys_are_told_at_once():
    with pytest.raises(ConfigError, match=r"'epochs'(.|\n)*'rate'"):
        load_settings(overrides=["train.epochs=3", "train.rate=1"])


def test_a_file_that_is_no_toml_or_not_there_is_refused(tmp_path):
    broken = tmp_path / "broken.toml"
    broken.write_text("n_epochs: 3\n")

    with pytest.raises(InputError, match=r"broken\.toml: expected TOML"):
        load_settings(file=broken)
    with pytest.raises(InputError, match=r"missing\.toml: expected a readable TOML file"):
        load_settings(file=tmp_path / "missing.toml")


@pytest.mark.parametrize("problem", PROBLEMS)
def test_every_problem_has_a_metric_that_chooses_and_refuses_an_unknown_one(problem):
    task = Task.example(problem)
    truth = np.array([[0.0], [1.0]]).repeat(len(task.labels), axis=1)

    assert choose_selection_metric(task, truth, None) == SELECTION_METRIC[problem]
    assert SELECTION_METRIC[problem] in metrics_of(task, truth, truth)
    with pytest.raises(ConfigError, match=r"selection_metric: expected one of .*, got 'loss'"):
        choose_selection_metric(task, truth, "loss")
