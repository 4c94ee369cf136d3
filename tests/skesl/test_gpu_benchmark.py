"""The parts of ``benchmarks/gpu_training.py``, on a processor and with a small shape."""

import sys

import gpu_training
import pytest
import torch
from gpu_training import Steps
from transformers import BertConfig

from mmfeat import DatasetReader
from skesl.testing import tiny_text_encoder

CPU = torch.device("cpu")
SHAPE = BertConfig(vocab_size=2_000, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return gpu_training.write_clips(tmp_path_factory.mktemp("data") / "clips.h5", 8)


@pytest.mark.parametrize("stage", gpu_training.STAGES)
def test_a_step_is_timed_and_its_matrix_products_are_counted(path, stage):
    with DatasetReader(path) as reader:
        clips = gpu_training.clip_set(reader, tiny_text_encoder(), stage)
        batches = gpu_training.held_batches(clips, 2, CPU)
        assert gpu_training.loader_rate(clips, 2, CPU, n_round=1) > 0
    method = gpu_training.make_method(SHAPE, stage, CPU)
    before = method.head.output.weight.detach().clone()

    steps = gpu_training.measure(method, stage, batches, CPU, is_compiled=False, n_round=1)

    assert steps.n_clip == 2
    # In fine-tuning each token passes the text encoder's 4 * 32 * 32 + 2 * 32 * 64 weights forwards and twice back.
    n_token = sum(batch.input_ids.numel() for batch in batches) / len(batches)
    least = 2 * n_token * (4 * 32 * 32 + 2 * 32 * 64) * (3 if stage == "finetune" else 1)
    assert least < steps.n_operation < 1e9
    assert steps.clips_per_s == pytest.approx(2 / steps.step_s)
    assert steps.busy > 0
    assert not torch.equal(method.head.output.weight, before)


def test_the_rate_of_a_product_is_its_operations_by_its_time(monkeypatch):
    monkeypatch.setattr(gpu_training, "median_s", lambda work, device, n_round: 0.5)

    assert gpu_training.product_rate(CPU, size=16) == 2 * 16**3 / 0.5


@pytest.mark.parametrize(
    ("busy", "loaded_per_s", "expected"), [(0.9, 99, "loader"), (0.5, 101, "launches"), (0.9, 101, "arithmetic")]
)
def test_the_bound_is_the_loader_else_the_launches_else_the_arithmetic(busy, loaded_per_s, expected):
    steps = Steps(step_s=0.1, n_operation=1e9, busy=busy, n_clip=10)  # 100 clips a second

    assert gpu_training.bound(steps, loaded_per_s) == expected


def test_without_a_gpu_it_says_so_and_ends(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["gpu_training.py"])

    with pytest.raises(SystemExit, match=r"gpu_training.py: expected a CUDA device, torch finds none"):
        gpu_training.main()
