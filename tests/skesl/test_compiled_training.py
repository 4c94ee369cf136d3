"""A training under torch.compile is the same training."""

import dataclasses
import json

import pytest
import torch
from torch._inductor.cpp_builder import get_cpp_compiler
from torch._inductor.exc import InvalidCxxCompiler

from mmfeat.testing import write_example_dataset
from skesl import ExperimentConfig, RunOptions, TrainConfig, finetune
from skesl.testing import write_tiny_text_encoder

TRAIN = TrainConfig(n_epochs=2, batch_size=8, learning_rate=1e-3, device="cpu", patience=0)
# Compiled code draws other random numbers, so nothing is dropped out, here and in the text encoder.
SMALL = {"n_layers": 1, "n_inner": 8, "n_head_hidden": 8, "dropout": 0.0}


def has_compiler():
    """Return whether torch finds what compiles for a CPU."""
    try:
        get_cpp_compiler()
    except InvalidCxxCompiler:
        return False
    return True


@pytest.fixture
def encoder_without_dropout(tmp_path):
    folder = write_tiny_text_encoder(tmp_path / "encoder")
    settings = json.loads((folder / "config.json").read_text())
    settings |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(settings))
    return str(folder)


def losses(run):
    """Return the loss of each step from a run's log."""
    return [json.loads(line)["loss"] for line in (run / "steps.jsonl").read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.skipif(not has_compiler(), reason="torch.compile finds no C++ compiler")
@pytest.mark.filterwarnings("default")  # of torch's compiler itself
def test_compiled_losses_are_those_without(encoder_without_dropout, tmp_path):
    data = write_example_dataset(tmp_path / "example.h5", n_clip=32)
    plain = ExperimentConfig(
        text_encoder=encoder_without_dropout, train=TRAIN, method_settings=SMALL, options=RunOptions(log_steps=1)
    )
    compiled = dataclasses.replace(plain, train=dataclasses.replace(TRAIN, compile=True))

    torch.compiler.reset()
    finetune(data, tmp_path / "plain", plain)
    n_before = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    finetune(data, tmp_path / "compiled", compiled)

    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > n_before
    expected = losses(tmp_path / "plain")
    assert len(expected) == 4  # 16 clips in two batches, twice
    assert losses(tmp_path / "compiled") == pytest.approx(expected, abs=1e-4)  # float32 sums in another order
