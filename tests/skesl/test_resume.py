"""A training that was killed, anywhere, ends as if it had not been."""

import dataclasses
import json
import multiprocessing
import random
import shutil
import signal
import time

import numpy as np
import pytest
import torch
from killed import Killed, killed_after

from mmfeat import InputError
from mmfeat.testing import write_example_dataset
from skesl import CheckpointError, ExperimentConfig, RunOptions, TrainConfig, finetune, pretrain
from skesl.resume import flat_state, nested_state
from skesl.testing import write_tiny_text_encoder

TRAIN = TrainConfig(
    n_epochs=3,
    batch_size=2,
    n_accumulated=2,
    learning_rate=1e-2,
    text_encoder_learning_rate=1e-3,
    schedule="linear",
    warmup_fraction=0.3,
    device="cpu",
)
SMALL = {"n_layers": 2, "n_inner": 8, "n_head_hidden": 8}
EVERY_STEP = RunOptions(checkpoint_steps=1, log_steps=1, n_reading_threads=0)
STAGES = {"pretrain": pretrain, "finetune": finetune}


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    folder = tmp_path_factory.mktemp("material")
    return write_example_dataset(folder / "example.h5"), str(write_tiny_text_encoder(folder / "encoder"))


@pytest.fixture(scope="module")
def config(material):
    return ExperimentConfig(text_encoder=material[1], train=TRAIN, method_settings=SMALL, options=EVERY_STEP)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, material, config):
    """Runs of both stages that nobody interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    for stage, train in STAGES.items():
        train(material[0], folder / stage, config)
    return folder


def content(run):
    """Return everything that a run leaves, without what a clock said."""
    files = {path.relative_to(run).as_posix(): path.read_bytes() for path in sorted(run.rglob("*")) if path.is_file()}
    lines = [json.loads(line) for line in files.pop("metrics.jsonl").splitlines()]
    return files, [{name: value for name, value in line.items() if name != "clips_per_s"} for line in lines]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("checkpoint_steps", [1, 2])
def test_a_run_stopped_at_every_step_ends_bit_for_bit_as_one_that_was_not(
    stage, checkpoint_steps, material, config, whole, tmp_path
):
    options = dataclasses.replace(EVERY_STEP, checkpoint_steps=checkpoint_steps)
    changed, run, n_stop = dataclasses.replace(config, options=options), tmp_path / "run", 0
    for n_batch in range(1, 40):
        random.seed(n_batch)  # another process has other random states
        torch.manual_seed(n_batch)
        np.random.seed(n_batch)  # noqa: NPY002 - the state that libraries use
        try:
            STAGES[stage](material[0], run, changed, track=killed_after(checkpoint_steps + 2))
        except Killed:
            n_stop += 1
            continue
        break

    assert n_stop >= 2
    assert content(run) == content(whole / stage)


@pytest.mark.parametrize("n_batch", [0, 2, 3, 4, 8])  # of three epochs of three batches in two steps
def test_a_single_stop_is_made_good(n_batch, material, config, whole, tmp_path):
    with pytest.raises(Killed):
        finetune(material[0], tmp_path / "run", config, track=killed_after(n_batch))

    finetune(material[0], tmp_path / "run", config)

    assert content(tmp_path / "run") == content(whole / "finetune")


@pytest.fixture(scope="module")
def processes():
    """Start processes that have everything imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["skesl.stages"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield context


@pytest.mark.slow
def test_sigkill_at_random_moments_changes_nothing(processes, material, config, tmp_path):
    longer = dataclasses.replace(config, train=dataclasses.replace(TRAIN, n_epochs=12))

    def trained(name, *, for_s=None):
        process = processes.Process(target=finetune, args=(material[0], tmp_path / name, longer))
        process.start()
        process.join(for_s)
        process.kill()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
        return process.exitcode == 0

    assert trained("first")  # it waits until everything is imported
    started_s = time.monotonic()
    assert trained("whole")
    whole_s = time.monotonic() - started_s

    moments, n_killed = random.Random(0), 0
    while not trained("run", for_s=whole_s * moments.uniform(0.1, 0.4) if n_killed < 8 else None):
        n_killed += 1

    assert n_killed >= 3
    assert content(tmp_path / "run") == content(tmp_path / "whole")


@pytest.fixture
def begun(material, config, tmp_path):
    """A run that was killed in its second epoch."""
    run = tmp_path / "begun"
    with pytest.raises(Killed):
        finetune(material[0], run, config, track=killed_after(5))
    return run


def test_a_killed_run_keeps_its_last_checkpoints_and_nothing_pickled(begun):
    files = [path for path in begun.rglob("*") if path.is_file() and path.stat().st_size]

    names = [path.name for path in (begun / "checkpoints").glob("epoch-*")]
    assert sorted(names) == ["epoch-000002-batch-000000", "epoch-000002-batch-000002"]
    assert not any(path.read_bytes().startswith((b"\x80", b"PK")) for path in files)


def test_a_setting_that_came_later_had_its_default_before(begun, material, config):
    path = begun / "config.json"
    settings = json.loads(path.read_text())
    del settings["train"]["optimiser"], settings["method_config"]["share_layers"]
    path.write_text(json.dumps(settings))

    report = finetune(material[0], begun, config)

    assert report.result.n_epochs == TRAIN.n_epochs


def test_other_settings_are_refused_with_their_differences(begun, material, config):
    other = dataclasses.replace(
        config, train=dataclasses.replace(TRAIN, learning_rate=0.5), method_settings={**SMALL, "n_inner": 4}
    )

    with pytest.raises(
        CheckpointError,
        match=r"a training here has other settings: method_config.n_inner 4 instead of 8; train.learning_rate 0.5 "
        r"instead of 0.01; begin anew with --overwrite",
    ):
        finetune(material[0], begun, other)


def test_other_data_are_refused_by_their_content(begun, config, tmp_path):
    data = write_example_dataset(tmp_path / "other.h5", seed=1)

    with pytest.raises(CheckpointError, match=r"other settings: data.content_sha256 '\w+' instead of '\w+'"):
        finetune(data, begun, config)


def test_another_stage_is_refused(begun, material, config):
    with pytest.raises(CheckpointError, match="stage 'pretrain' instead of 'finetune'"):
        pretrain(material[0], begun, config)


def test_how_often_to_save_may_change_in_between(begun, material, config, whole):
    options = RunOptions(checkpoint_steps=4, log_steps=1, n_checkpoints=1)
    finetune(material[0], begun, dataclasses.replace(config, options=options))

    assert content(begun) == content(whole / "finetune")


def test_overwrite_begins_anew(begun, material, config):
    seen = []

    def track(items, total, description):
        seen.append((description, total))
        return items

    finetune(material[0], begun, config, overwrite=True, track=track)

    assert seen[0] == ("finetune epoch 1/3", 3)


def test_a_damaged_checkpoint_gives_way_to_the_one_before(begun, material, config, whole):
    weights = begun / "checkpoints" / "epoch-000002-batch-000002" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])

    finetune(material[0], begun, config)

    assert content(begun) == content(whole / "finetune")


def test_without_a_readable_checkpoint_the_run_is_refused(begun, material, config):
    for path in (begun / "checkpoints").glob("epoch-*/state.json"):
        path.write_text("{")

    with pytest.raises(CheckpointError, match=r"none of 2 can be read .* begin anew with --overwrite"):
        finetune(material[0], begun, config)


def test_two_trainings_in_one_folder_exclude_each_other(material, config, tmp_path):
    refused = []

    def track(items, _total, _description):
        if not refused:
            with pytest.raises(InputError, match=r"another process writes this folder \(process \d+ on .*\); wait"):
                finetune(material[0], tmp_path / "run", config)
            refused.append(True)
        return items

    finetune(material[0], tmp_path / "run", config, track=track)

    assert refused


def test_the_weights_of_the_best_epoch_survive_a_kill_after_a_better_one(material, config, tmp_path, monkeypatch):
    """Killed behind an epoch that no checkpoint knows: going on must know the epoch before as the best."""
    values = iter([1.0, 0.5, 1.0, 1.0])  # the second epoch is the best, then comes again and is not
    monkeypatch.setattr("skesl.stages.metrics_of", lambda *_: {"mae": next(values)})
    rare = dataclasses.replace(config, options=dataclasses.replace(EVERY_STEP, checkpoint_steps=3))  # in epoch 2
    run = tmp_path / "run"
    with pytest.raises(Killed):
        finetune(material[0], run, rare, track=killed_after(6))
    kept = list((run / "checkpoints").glob("best-*"))

    report = finetune(material[0], run, rare)

    assert [path.name for path in kept] == ["best-000001.safetensors"]
    assert report.result.best_epoch == 1
    assert content(run)[0]["weights.safetensors"] != b""


def test_an_optimisers_state_survives_the_way_through_names_and_plain_values():
    weights = [torch.nn.Parameter(torch.randn(3, 2)), torch.nn.Parameter(torch.randn(4))]
    optimiser = torch.optim.AdamW([{"params": weights[:1], "lr": 0.1}, {"params": weights[1:]}], fused=True)
    sum((weight**2).sum() for weight in weights).backward()
    optimiser.step()

    tensors, groups = flat_state(optimiser.state_dict())
    again = nested_state(tensors, json.loads(json.dumps(groups)))

    assert again["param_groups"] == optimiser.state_dict()["param_groups"]
    for number, values in optimiser.state_dict()["state"].items():
        assert all(torch.equal(again["state"][number][name], value) for name, value in values.items())


def test_a_finished_run_is_not_trained_again(whole, material, config, tmp_path):
    run = shutil.copytree(whole / "finetune", tmp_path / "run")

    with pytest.raises(InputError, match="expected a new output, but it exists"):
        finetune(material[0], run, config)
