"""VAT in two processes: features are gathered whatever the sizes, and the contrast is that of one process."""

import copy
import dataclasses
import multiprocessing
import runpy
import socket
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from mmfeat.testing import write_example_dataset
from skesl import ExperimentConfig, RunOptions, TrainConfig, evaluate_run, find_preset
from skesl.augmentation import AugmentationConfig
from skesl.losses import contrastive_loss
from skesl.methods.vat import Vat
from skesl.testing import chosen_clips, make_method, random_batch

# Of the streams of ``random_batch`` and of the example dataset.
TINY = dataclasses.replace(
    find_preset("vat", "vat-tiny").config,
    width=16,
    n_projected=8,
    n_frames=3,
    max_audio_frames=16,
    audio_patch=4,
    audio_stride=4,
    queue_size=7,
    augmentation=AugmentationConfig(),
)
SETTINGS = {
    **{name: getattr(TINY, name) for name in ("width", "n_projected", "n_frames", "max_audio_frames")},
    "audio_patch": 4,
    "audio_stride": 4,
    "queue_size": 7,
}
TRAIN = TrainConfig(n_epochs=2, batch_size=4, learning_rate=1e-3, device="cpu", patience=0)

pytestmark = pytest.mark.slow


def batches():
    """Batches of 4, 3 and 1 clips, of which the second process has 2, 1 and none."""
    noise = random_batch(n_clip=8, images=True)
    return [chosen_clips(noise, rows) for rows in ([0, 1, 2, 3], [4, 5, 6], [7])]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vat")
    data = write_example_dataset(folder / "example.h5", n_clip=22, with_frames=True)  # 11 clips to train on
    options = RunOptions(log_steps=1, checkpoint_steps=2)
    config = ExperimentConfig(method="vat", preset="vat-tiny", train=TRAIN, method_settings=SETTINGS, options=options)
    after = dataclasses.replace(config, preset=None, method_settings={}, from_run=folder / "pretrain")
    trainings = [("pretrain", data, folder / "pretrain", config), ("finetune", data, folder / "run", after)]
    method = make_method(Vat, config=TINY)
    method.start_stage("pretrain")
    method.meet_clips(range(8))
    momentum = make_method(Vat, config=TINY, seed=1).eval()
    torch.save((method, batches(), momentum), folder / "given.pt")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["skesl.stages"])
    script = str(Path(__file__).with_name("vat_of_two.py"))
    names = {"port": port, "trainings": trainings, "given": folder / "given.pt", "out": folder / "found"}
    processes = [context.Process(target=runpy.run_path, args=(script, {"place": place, **names})) for place in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(240)
        process.kill()
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    found = [load_file(folder / f"found-{place}.safetensors") for place in range(2)]
    return folder, data, method, momentum, found


def test_rows_of_ragged_tensors_are_gathered_in_the_order_of_the_processes(done):
    *_, found = done

    for one in found:
        assert one["rows"].tolist() == [0, 1, 2, 7]
        assert one["values"].tolist() == [[0, 0], [1, 10], [2, 20], [7, 70]]


def test_two_processes_have_the_contrast_of_one(done):
    _, _, method, momentum, found = done
    method = copy.deepcopy(method).train()

    for number, batch in enumerate(batches()):
        with torch.no_grad():
            of_momentum = momentum.embed(batch)
            candidates = method._candidates(*of_momentum, batch)
            loss = contrastive_loss(*method.embed(batch), *of_momentum, candidates, temperature=0.2, alpha=0.4)
        shared = sum(one[f"loss_{number}"] for one in found) / len(batch)
        assert shared.item() == pytest.approx(loss.item(), rel=1e-5)


def test_every_clip_is_in_the_queue_once_in_both_processes(done):
    *_, found = done

    assert torch.equal(found[0]["queue.video"], found[1]["queue.video"])
    assert sorted(found[0]["queue.rows"].tolist()) == list(range(1, 8))  # the last seven of eight
    assert found[0]["queue.n_put"].item() == 8


def test_two_processes_train_to_the_end(done):
    folder, data, *_ = done
    report = evaluate_run(folder / "run", data, device="cpu")

    assert report.metrics["mae"] > 0
    weights = load_file(folder / "pretrain" / "weights.safetensors")
    assert not [name for name in weights if name.startswith(("teacher", "queue", "n_seen"))]
