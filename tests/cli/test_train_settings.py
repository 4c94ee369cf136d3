"""The settings of training that a command line stands for."""

import pytest
from click.testing import CliRunner

from mmfeat_cli.skesl import skesl


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """Return a function that gives the settings with which a command line would train."""
    configs = []

    def caught(data, run, config, **_):
        configs.append(config)
        raise KeyboardInterrupt

    for stage in ("pretrain", "finetune"):
        monkeypatch.setattr(f"skesl.{stage}", caught)

    def settings(stage, *options):
        CliRunner().invoke(skesl, [stage, "a.h5", "--run", str(tmp_path / "run"), *options])
        return configs.pop().train

    return settings


@pytest.mark.parametrize(
    ("stage", "options", "expected"),
    [
        ("finetune", ["--method", "vat"], (5, 32, 2e-5)),
        ("pretrain", ["--method", "vat"], (30, 64, 1e-4)),
        ("pretrain", ["--method", "vat", "--preset", "vat-tiny"], (30, 48, 1e-3)),
        ("finetune", ["--method", "vat", "--epochs", "7", "--set", "train.batch_size=9"], (7, 9, 2e-5)),
        ("finetune", ["--method", "skesl"], (40, 32, 1e-4)),
        ("finetune", ["--method", "text_only"], (40, 32, 1e-4)),
    ],
)
def test_the_first_preset_asks_for_its_training_where_none_is_named(asked, stage, options, expected):
    train = asked(stage, *options)

    assert (train.n_epochs, train.batch_size, train.learning_rate) == expected
