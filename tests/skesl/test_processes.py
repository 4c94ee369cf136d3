"""Two processes train as one does: the same batches, the same metrics, the same weights up to rounding."""

import dataclasses
import json
import multiprocessing
import runpy
import socket
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mmfeat import DatasetReader
from mmfeat.testing import write_example_dataset
from skesl import ClipSet, ExperimentConfig, RunOptions, TrainConfig, evaluate_run, finetune, predict_run, pretrain
from skesl.batches import epoch_batches, parts_of
from skesl.methods.text_only import TextOnly
from skesl.predictions import Predictions
from skesl.testing import make_method, tiny_text_encoder, write_tiny_text_encoder

# 11 clips to train on: the last batch has 3 of them, 2 for the first process; no dropout, which processes draw apart
TRAIN = TrainConfig(n_epochs=3, batch_size=4, n_accumulated=2, learning_rate=1e-2, device="cpu", patience=0)
SMALL = {"n_layers": 2, "n_inner": 8, "n_head_hidden": 8, "dropout": 0.0}


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The same two trainings by one process and by two."""
    folder = tmp_path_factory.mktemp("runs")
    data, encoder = write_example_dataset(folder / "example.h5", n_clip=22), write_tiny_text_encoder(folder / "encoder")
    file = encoder / "config.json"
    without_dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    file.write_text(json.dumps({**json.loads(file.read_text()), **without_dropout}))
    options = RunOptions(log_steps=1, checkpoint_steps=2)
    config = ExperimentConfig(text_encoder=str(encoder), train=TRAIN, method_settings=SMALL, options=options)

    def trainings(name):
        after = dataclasses.replace(config, text_encoder=None, from_run=folder / name / "pretrain", method_settings={})
        return [
            ("pretrain", data, folder / name / "pretrain", config),
            ("finetune", data, folder / name / "run", after),
        ]

    for stage, *arguments in trainings("one"):
        {"pretrain": pretrain, "finetune": finetune}[stage](*arguments)
    by_two_processes("one_of_two.py", trainings=trainings("two"))
    return data, folder / "one", folder / "two"


def by_two_processes(script, **settings):
    """Run a script in two processes as ``torchrun`` starts them, with its place, the port and these as globals."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["skesl.stages"])
    path = str(Path(__file__).with_name(script))
    processes = [
        context.Process(target=runpy.run_path, args=(path, {"place": place, "port": port, **settings}))
        for place in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        process.kill()
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["pretrain", "run"])
def test_two_processes_have_the_loss_curve_of_one(runs, stage):
    _, one, two = runs
    for name in ("steps.jsonl", "metrics.jsonl"):
        expected, found = lines(one / stage / name), lines(two / stage / name)
        assert [line["step"] for line in found] == [line["step"] for line in expected]
        np.testing.assert_allclose(
            [line["loss"] for line in found], [line["loss"] for line in expected], rtol=1e-4, atol=1e-4
        )


@pytest.mark.slow
def test_two_processes_have_the_metrics_and_weights_of_one(runs):
    data, one, two = runs
    expected = json.loads(evaluate_run(one / "run", data, device="cpu").to_json())["metrics"]
    for place in range(2):
        found = json.loads((two / "run" / f"report-{place}.json").read_text())["metrics"]
        assert found == pytest.approx(expected, abs=1e-4)
    for line, other in zip(lines(one / "run" / "metrics.jsonl"), lines(two / "run" / "metrics.jsonl"), strict=True):
        assert other["mae"] == pytest.approx(line["mae"], abs=1e-4)
    expected, found = (load_file(run / "run" / "weights.safetensors") for run in (one, two))
    for name, weight in expected.items():
        if name.endswith("key.bias"):
            continue  # it cancels in the softmax: its gradient is rounding, which Adam makes as large as any
        torch.testing.assert_close(found[name], weight, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_every_clip_is_predicted_once_by_two_processes(runs):
    _, one, two = runs
    rows, others = ((run / "run" / "predictions.csv").read_text().splitlines() for run in (one, two))

    assert [row.split(",")[0] for row in others] == [row.split(",")[0] for row in rows]


@pytest.mark.slow
def test_two_processes_that_predict_share_the_clips_and_one_of_them_writes_and_prints(runs, tmp_path):
    data, one, _ = runs
    command = ["predict", str(one / "run"), str(data), "--device", "cpu", "--out", str(tmp_path / "all.csv")]
    by_two_processes("one_of_two_predicts.py", command=command, folder=tmp_path)

    expected = predict_run(one / "run", data, device="cpu")
    found = Predictions.load(tmp_path / "all.csv", expected.task)
    assert found.clip_ids == expected.clip_ids
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-6)
    said = [json.loads((tmp_path / f"said-{place}.json").read_text()) for place in range(2)]
    assert [text for text, _, _ in said] == [f"{tmp_path / 'all.csv'}: 22 clips\n", ""]
    assert [n_written for _, n_written, _ in said] == [1, 0]
    # 22 clips in batches of 4: six batches, three of which each process reads
    assert [n_batch for _, _, n_batch in said] == [3, 3]


@pytest.mark.parametrize("n_process", [1, 2, 3, 5])
@pytest.mark.parametrize("n_accumulated", [1, 2, 4, 100])
def test_the_gradients_of_all_processes_and_batches_are_those_of_the_mean_over_the_steps_clips(
    tmp_path, n_process, n_accumulated
):
    data = write_example_dataset(tmp_path / "example.h5", n_clip=11, signal=("text",))
    method = make_method(TextOnly).eval()
    with DatasetReader(data) as reader:
        clips = ClipSet(
            reader,
            np.arange(11),
            tiny_text_encoder(),
            stage="finetune",
            streams=(),
            labels=reader.labels("sentiment").values[:, None],
            lexicon={},
            max_text_tokens=64,
        )
        batches = epoch_batches(11, 3, seed=0, epoch=1)
        steps = [batches[first : first + n_accumulated] for first in range(0, len(batches), n_accumulated)]
        expected = [gradient(method, clips, [(np.concatenate(step), 1.0)]) for step in steps]
        found = [0.0] * len(steps)
        for process in range(n_process):
            parts = parts_of(batches, n_accumulated, process=process, n_process=n_process)
            assert sum(part.ends_step for part in parts) == len(steps)
            for number, _ in enumerate(steps):
                own = parts[number * n_accumulated : (number + 1) * n_accumulated]
                weighted = [(part.items, part.weight) for part in own]
                found[number] = found[number] + gradient(method, clips, weighted) / n_process  # as DDP averages

    for expected_step, found_step in zip(expected, found, strict=True):
        torch.testing.assert_close(found_step, expected_step, rtol=1e-4, atol=2e-6)  # float32


def gradient(method, clips, weighted):
    """Return the gradient of weighted mean losses."""
    method.zero_grad()
    for items, weight in weighted:
        (weight * method(clips.batch(items), "finetune")).backward()
    return torch.cat([p.grad.flatten() for p in method.parameters() if p.grad is not None])


@pytest.mark.slow
def test_metrics_of_several_labels_are_the_same_for_one_process_and_two(tmp_path, encoder, write_dialogues):
    data, labels = write_dialogues(tmp_path / "dialogues.h5", n_dialogue=13), ("happy", "sad", "neutral")
    thin = {"width": 12, "n_heads": 3, "n_inner": 24}
    inputs = {"modalities": ["text"], "max_dialogue_tokens": 64}
    config = ExperimentConfig(
        method="univa", text_encoder=encoder, train=TRAIN, labels=labels, method_settings={**thin, "inputs": inputs}
    )
    by_two_processes("one_of_two.py", trainings=[("finetune", data, tmp_path / "two", config)])

    expected = json.loads(evaluate_run(tmp_path / "two", data, device="cpu").to_json())["metrics"]
    assert {"ml_acc", "ml_acc_empty0", "micro_f1", "macro_f1", "hamming_loss"} <= expected.keys()
    for place in range(2):
        found = json.loads((tmp_path / "two" / f"report-{place}.json").read_text())["metrics"]
        assert found == pytest.approx(expected, abs=1e-6, nan_ok=True)
    assert len((tmp_path / "two" / "predictions.csv").read_text().splitlines()) == 1 + 12  # of three dialogues
