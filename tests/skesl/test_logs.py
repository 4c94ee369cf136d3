import builtins
import json
import sys
import types

import pytest
import torch

from mmfeat import MissingExtraError
from skesl import MethodError, RunFolder
from skesl.logs import TrainingLog
from skesl.watch import LossWatch

CPU = torch.device("cpu")


@pytest.fixture
def folder(tmp_path):
    run = RunFolder(path=tmp_path)
    run.create()
    return run


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_continued_training_takes_back_what_no_checkpoint_kept(folder):
    log = TrainingLog(folder, "finetune", step=0, epoch=0, tensorboard=False)
    for epoch in (1, 2, 3):
        log.step(epoch, 10 * epoch, {"loss": 0.5})
        log.epoch(epoch, 10 * epoch, {"loss": 0.5})
    with folder.metrics.open("a") as handle:
        handle.write('{"epoch": 4, "lo')  # killed while writing

    TrainingLog(folder, "finetune", step=20, epoch=2, tensorboard=False)

    assert [line["epoch"] for line in lines(folder.metrics)] == [1, 2]
    assert [line["step"] for line in lines(folder.steps)] == [10, 20]


def test_a_number_that_is_not_defined_is_null(folder):
    TrainingLog(folder, "finetune", step=0, epoch=0, tensorboard=False).epoch(1, 5, {"corr": float("nan")})

    assert lines(folder.metrics) == [{"stage": "finetune", "epoch": 1, "step": 5, "corr": None}]


def test_without_its_package_tensorboard_is_said_in_one_sentence(folder, monkeypatch):
    real_import = builtins.__import__

    def without(name, *arguments):
        if name.startswith("torch.utils.tensorboard"):
            raise ModuleNotFoundError("No module named 'tensorboard'", name="tensorboard")
        return real_import(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)

    with pytest.raises(MissingExtraError) as raised:
        TrainingLog(folder, "finetune", step=0, epoch=0, tensorboard=True)

    assert str(raised.value) == (
        "--tensorboard needs the package 'tensorboard', which is not installed; pip install 'mmfeat[tensorboard]'"
    )


def test_tensorboard_gets_the_numbers_of_epochs_and_steps(folder, monkeypatch):
    written = []

    class Writer:
        def __init__(self, path, *, purge_step):
            written.append((path, purge_step))

        def add_scalar(self, name, value, step):
            written.append((name, value, step))

        def close(self):
            written.append("closed")

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", types.SimpleNamespace(SummaryWriter=Writer))
    log = TrainingLog(folder, "finetune", step=4, epoch=1, tensorboard=True)
    log.step(2, 5, {"loss": 0.5, "learning_rates": [0.1, 0.2]})
    log.epoch(2, 6, {"mae": 0.25})
    log.close()

    assert written == [
        (str(folder.path / "tensorboard"), 5),
        ("finetune/step_loss", 0.5, 5),
        ("finetune/step_learning_rates_0", 0.1, 5),
        ("finetune/step_learning_rates_1", 0.2, 5),
        ("finetune/mae", 0.25, 6),
        "closed",
    ]


def test_tensorboard_itself_reads_the_curves(folder):
    loader = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="the extra tensorboard is not installed"
    )
    log = TrainingLog(folder, "finetune", step=0, epoch=0, tensorboard=True)
    log.epoch(1, 6, {"mae": 0.25})
    log.close()

    events = loader.EventAccumulator(str(folder.path / "tensorboard"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("finetune/mae")] == [(6, 0.25)]


def test_the_mean_loss_is_over_clips():
    watch = LossWatch(CPU, "finetune epoch 1", total=2.0, n_clip=1)
    watch.add(torch.tensor(0.5), 4, ("a", "b", "c", "d"))
    watch.add(torch.tensor(100.0), 0, ("a",))  # a clip that another process counts

    assert watch.totals() == (4.0, 5)


def test_gradients_that_are_not_finite_name_the_clips_of_the_step():
    watch = LossWatch(CPU, "finetune epoch 1")

    with pytest.raises(
        MethodError, match=r"finetune epoch 1: the norm of the gradients is inf for clips a, b; look at"
    ):
        watch.add_norm(torch.tensor(torch.inf), ("a", "b"))


def test_a_gpus_loss_is_looked_at_one_step_later_and_before_saving():
    watch = LossWatch(CPU, "pretrain epoch 2")
    watch._device = torch.device("cuda")  # where looking at once would wait for the computation

    watch.add(torch.tensor(torch.nan), 1, ("a",))
    with pytest.raises(MethodError, match="pretrain epoch 2: the loss is nan for clips a"):
        watch.add(torch.tensor(0.0), 1, ("b",))
    watch.add(torch.tensor(torch.nan), 1, ("c",))
    with pytest.raises(MethodError, match="nan for clips c"):
        watch.check()
