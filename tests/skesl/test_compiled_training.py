"""A training under torch.compile is the same training."""

import dataclasses
import json

import pytest
import torch
from torch._inductor.cpp_builder import get_cpp_compiler
from torch._inductor.exc import InvalidCxxCompiler

from mmfeat.testing import write_example_dataset
from skesl import ExperimentConfig, RunOptions, TrainConfig, finetune, pretrain

TRAIN = TrainConfig(n_epochs=2, batch_size=8, learning_rate=1e-3, device="cpu", patience=0)
SMALL = {"n_layers": 2, "n_inner": 8, "n_head_hidden": 8}


def has_compiler():
    """Return whether torch finds what compiles for a CPU."""
    try:
        get_cpp_compiler()
    except InvalidCxxCompiler:
        return False
    return True


def losses(run, name):
    """Return a number of each step from a run's log."""
    return [json.loads(line)[name] for line in (run / "steps.jsonl").read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.skipif(not has_compiler(), reason="torch.compile finds no C++ compiler")
@pytest.mark.filterwarnings("default")  # of torch's compiler itself
@pytest.mark.parametrize("train_stage", [pretrain, finetune])
def test_compiled_losses_are_those_without(train_stage, encoder, tmp_path):
    data = write_example_dataset(tmp_path / "example.h5", n_clip=32)
    plain = ExperimentConfig(text_encoder=encoder, train=TRAIN, method_settings=SMALL, options=RunOptions(log_steps=1))
    compiled = dataclasses.replace(plain, train=dataclasses.replace(TRAIN, compile=True))

    torch.compiler.reset()
    train_stage(data, tmp_path / "plain", plain)
    n_before = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    train_stage(data, tmp_path / "compiled", compiled)

    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > n_before
    expected = losses(tmp_path / "plain", "loss")
    assert len(expected) == 4  # 16 clips in two batches, twice
    assert losses(tmp_path / "compiled", "loss") == pytest.approx(expected, abs=1e-4)  # sums in another order
