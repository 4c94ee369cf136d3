import dataclasses
import json
import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mmfeat import ConfigError, DatasetReader
from mmfeat.testing import write_example_dataset
from skesl import ClipSet, MethodError, RunFolder, RunOptions, TrainConfig
from skesl.lexicon import load_lexicon
from skesl.methods.skesl import Skesl
from skesl.methods.text_only import TextOnly
from skesl.processes import choose_device
from skesl.testing import make_method, tiny_text_encoder
from skesl.trainer import fit

N_CLIP = 12
QUICK = TrainConfig(n_epochs=3, batch_size=4, learning_rate=1e-2, patience=0, device="cpu")


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    path = write_example_dataset(tmp_path_factory.mktemp("data") / "example.h5", n_clip=N_CLIP, signal=("text",))
    with DatasetReader(path) as reader:
        yield reader


@pytest.fixture
def folder(tmp_path):
    run = RunFolder(path=tmp_path / "run")
    run.create()
    return run


def clip_set(reader, *, stage="finetune", lexicon=None):
    return ClipSet(
        reader,
        np.arange(N_CLIP),
        tiny_text_encoder(),
        stage=stage,
        streams=(),
        labels=reader.labels("sentiment").values[:, None],
        lexicon=load_lexicon() if lexicon is None else lexicon,
        max_text_tokens=64,
    )


def scripted(values, *, metric, seen):
    """Return a validation that gives these values epoch by epoch and notes the weights that it saw."""
    remaining = iter(values)

    def validate(method):
        seen.append({name: weight.clone() for name, weight in method.state_dict().items()})
        return {metric: next(remaining)}

    return validate


def lines(folder):
    return [json.loads(line) for line in folder.metrics.read_text().splitlines()]


@pytest.mark.parametrize(
    ("metric", "values", "best"),
    [
        ("mae", [0.9, 0.5, 0.7], 2),
        ("corr", [0.1, 0.8, 0.3], 2),
        ("acc2_has0", [0.7, 0.6, 0.5], 1),
        ("mae", [0.5, 0.5, 0.5], 1),
        ("corr", [math.nan, -0.2, math.nan], 2),
        ("corr", [math.nan, math.nan, math.nan], 1),
    ],
)
def test_the_weights_of_the_best_epoch_are_kept(reader, folder, metric, values, best):
    seen = []
    config = dataclasses.replace(QUICK, selection_metric=metric)

    result = fit(
        make_method(TextOnly),
        "finetune",
        clip_set(reader),
        config,
        folder,
        validate=scripted(values, metric=metric, seen=seen),
    )

    assert (result.best_epoch, result.n_epochs) == (best, 3)
    assert result.best_values == pytest.approx({metric: values[best - 1]}, nan_ok=True)
    kept = load_file(folder.weights)
    assert all(torch.equal(kept[name], weight) for name, weight in seen[best - 1].items())
    assert any(not torch.equal(seen[0][name], seen[1][name]) for name in kept)


def test_without_validation_the_last_epoch_is_kept(reader, folder):
    method = make_method(TextOnly)

    result = fit(method, "finetune", clip_set(reader), QUICK, folder)

    assert (result.best_epoch, result.best_values) == (3, {})
    kept = load_file(folder.weights)
    assert all(torch.equal(kept[name], weight) for name, weight in method.state_dict().items())


@pytest.mark.parametrize(("patience", "n_epochs"), [(1, 3), (2, 4), (0, 6)])
def test_training_ends_after_patience_epochs_without_a_better_one(reader, folder, patience, n_epochs):
    values = [0.9, 0.5, 0.6, 0.7, 0.8, 0.9]
    config = dataclasses.replace(QUICK, n_epochs=6, patience=patience)

    result = fit(
        make_method(TextOnly),
        "finetune",
        clip_set(reader),
        config,
        folder,
        validate=scripted(values, metric="mae", seen=[]),
    )

    assert (result.best_epoch, result.n_epochs) == (2, n_epochs)
    assert len(lines(folder)) == n_epochs


def test_every_epoch_leaves_one_line_and_nan_is_null(reader, folder):
    values = [math.nan, 0.25, 0.5]
    config = dataclasses.replace(QUICK, selection_metric="corr")

    fit(
        make_method(TextOnly),
        "finetune",
        clip_set(reader),
        config,
        folder,
        validate=scripted(values, metric="corr", seen=[]),
    )

    assert [(line["stage"], line["epoch"], line["corr"]) for line in lines(folder)] == [
        ("finetune", 1, None),
        ("finetune", 2, 0.25),
        ("finetune", 3, 0.5),
    ]
    assert all(line["loss"] > 0 for line in lines(folder))


def test_validation_sees_the_method_in_evaluation_mode(reader, folder):
    modes = []

    def validate(method):
        modes.append(any(module.training for module in method.modules()))
        return {"mae": 1.0}

    fit(make_method(TextOnly), "finetune", clip_set(reader), QUICK, folder, validate=validate)

    assert modes == [False, False, False]


class Breaks(TextOnly):
    """Its loss is NaN for every batch with clip_07."""

    def finetune_loss(self, batch):
        loss = super().finetune_loss(batch)
        return loss * torch.nan if "clip_07" in batch.clip_ids else loss


def test_a_loss_that_is_not_finite_stops_training_and_names_the_clips(reader, folder):
    with pytest.raises(MethodError, match=r"finetune epoch 1: the loss is nan for clips (clip_\d\d, )*clip_07"):
        fit(make_method(Breaks), "finetune", clip_set(reader), QUICK, folder)

    assert not folder.weights.exists()


def test_a_stage_that_is_not_declared_is_refused(reader, folder):
    with pytest.raises(MethodError, match="method 'text_only' has no stage 'pretrain'; its stages: finetune"):
        fit(make_method(TextOnly), "pretrain", clip_set(reader, stage="pretrain"), QUICK, folder)


@pytest.mark.parametrize(("method_type", "stage"), [(TextOnly, "finetune"), (Skesl, "pretrain")])
def test_seeded_runs_are_bit_identical(tmp_path, tmp_path_factory, method_type, stage):
    path = write_example_dataset(tmp_path_factory.mktemp("data") / "example.h5", n_clip=8)
    weights = []
    for name, seed in (("one", 1), ("same", 1), ("other", 2)):
        run = RunFolder(path=tmp_path / name)
        run.create()
        with DatasetReader(path) as reader:
            clips = ClipSet(
                reader,
                np.arange(8),
                tiny_text_encoder(),
                stage=stage,
                streams=(),
                labels=reader.labels("sentiment").values[:, None],
                lexicon={},
                max_text_tokens=64,
                seed=seed,
            )
            fit(without_streams(make_method(method_type)), stage, clips, dataclasses.replace(QUICK, seed=seed), run)
        weights.append(run.weights.read_bytes())

    assert weights[0] == weights[1]
    assert weights[0] != weights[2]


def without_streams(method):
    """Return a method that fuses nothing, for clips without streams."""
    method.normalisers = torch.nn.ModuleDict()
    for layer in getattr(method, "fusion", torch.nn.Module()).children():
        for fusion_layer in layer:
            fusion_layer.attentions = torch.nn.ModuleDict()
    return method


def test_the_loss_falls_on_a_task_that_can_be_learned(reader, folder):
    config = dataclasses.replace(QUICK, n_epochs=15, text_encoder_learning_rate=1e-3)

    fit(make_method(TextOnly), "finetune", clip_set(reader), config, folder)

    losses = [line["loss"] for line in lines(folder)]
    assert losses[-1] < 0.7 * losses[0]  # 15 epochs of 3 steps reach about half


def test_the_logged_loss_is_the_mean_over_clips_and_not_over_batches(reader, folder):
    class Counts(TextOnly):
        """Its loss is the size of the batch, whatever the weights."""

        def finetune_loss(self, batch):
            return 0 * super().finetune_loss(batch) + len(batch)

    fit(make_method(Counts), "finetune", clip_set(reader), dataclasses.replace(QUICK, n_epochs=1, batch_size=8), folder)

    assert lines(folder)[0]["loss"] == pytest.approx((8 * 8 + 4 * 4) / 12)


def test_a_learning_rate_of_0_leaves_the_text_encoder_as_it_was(reader, folder):
    method = make_method(TextOnly)
    before = {name: weight.clone() for name, weight in method.state_dict().items()}

    fit(method, "finetune", clip_set(reader), dataclasses.replace(QUICK, text_encoder_learning_rate=0.0), folder)

    changed = {name for name, weight in method.state_dict().items() if not torch.equal(weight, before[name])}
    assert changed == {name for name in before if name.startswith("head.")}


def test_long_gradients_are_clipped(reader, folder, monkeypatch):
    norms = []
    step = torch.optim.AdamW.step

    def watched(self, *args, **kwargs):
        gradients = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
        norms.append(float(torch.cat([gradient.flatten() for gradient in gradients]).norm()))
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.AdamW, "step", watched)
    for limit in (0.1, 0.0):
        config = dataclasses.replace(QUICK, n_epochs=1, max_gradient_norm=limit)
        fit(make_method(TextOnly), "finetune", clip_set(reader), config, folder)

    assert all(norm == pytest.approx(0.1, rel=1e-3) for norm in norms[:3])  # clipping divides by norm + 1e-6
    assert all(norm > 0.2 for norm in norms[3:])


def batches_of(reader, folder, config, *, stage, method_type):
    """Train and return what each epoch showed, as (description, clip ids, ids)."""
    seen = []

    def track(items, total, description):
        for batch in items:
            seen.append((description, total, batch.clip_ids, batch.input_ids.tolist()))
            yield batch

    method = without_streams(make_method(method_type))
    fit(method, stage, clip_set(reader, stage=stage, lexicon={}), config, folder, track=track)
    return seen


def test_every_clip_is_seen_once_an_epoch_in_another_order_each_time(reader, folder):
    seen = batches_of(reader, folder, QUICK, stage="finetune", method_type=TextOnly)

    assert [description for description, *_ in seen[::3]] == [f"finetune epoch {epoch}/3" for epoch in (1, 2, 3)]
    assert {total for _, total, *_ in seen} == {3}
    orders = [sum((clip_ids for _, _, clip_ids, _ in seen[3 * epoch : 3 * epoch + 3]), ()) for epoch in range(3)]
    assert all(sorted(order) == sorted(reader.clip_ids) for order in orders)
    assert len(set(orders)) == 3


def test_each_epoch_hides_other_words(reader, folder):
    seen = batches_of(reader, folder, QUICK, stage="pretrain", method_type=Skesl)

    mask = tiny_text_encoder().tokenizer.mask_token_id
    places = [
        {
            clip_id: ids.index(mask)
            for _, _, clip_ids, rows in seen[3 * epoch : 3 * epoch + 3]
            for clip_id, ids in zip(clip_ids, rows, strict=True)
        }
        for epoch in range(3)
    ]
    assert places[0] != places[1] != places[2] != places[0]


def test_one_process_can_train_with_one_precision_after_another(reader, folder):
    losses = []
    for precision in ("no", "bf16", "no"):
        config = dataclasses.replace(QUICK, n_epochs=1, precision=precision)
        losses.append(fit(make_method(TextOnly), "finetune", clip_set(reader), config, folder).loss)
        assert {weight.dtype for weight in load_file(folder.weights).values()} == {torch.float32}

    assert losses[0] == losses[2] != losses[1]


@pytest.mark.parametrize("name", ["gpu", "cuda:0", "CPU"])
def test_an_unknown_device_is_refused_with_those_there_are(name):
    with pytest.raises(ConfigError, match=f"device: expected auto or one of cpu.* on this machine, got '{name}'"):
        choose_device(name)


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    with pytest.raises(ConfigError, match="device: expected auto or one of cpu"):
        choose_device("cuda")


@pytest.mark.parametrize(
    ("cuda", "mps", "chosen"), [(True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")]
)
def test_auto_takes_a_gpu_where_there_is_one(monkeypatch, cuda, mps, chosen):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    assert choose_device("auto").type == chosen


def test_the_schedule_moves_every_groups_rate_from_epoch_to_epoch(reader, folder, monkeypatch):
    monkeypatch.setattr("skesl.schedules._HALF_PERIOD", 2)  # epochs, in place of 20
    config = dataclasses.replace(QUICK, n_epochs=5, schedule="released-cosine", text_encoder_learning_rate=1e-3)

    fit(make_method(TextOnly), "finetune", clip_set(reader), config, folder)

    rates = [line["learning_rates"] for line in lines(folder)]
    expected = [[factor * 1e-3, factor * 1e-2] for factor in (1, 0.5, 0, 0.5, 1)]
    assert np.array(rates) == pytest.approx(np.array(expected), abs=1e-12)


def test_the_last_step_of_an_epoch_takes_the_batches_that_are_left(reader, folder):
    config = dataclasses.replace(QUICK, n_epochs=1, batch_size=2, n_accumulated=4)  # six batches: four, then two
    fit(make_method(TextOnly), "finetune", clip_set(reader), config, folder, options=RunOptions(log_steps=1))

    steps = [json.loads(line) for line in folder.steps.read_text().splitlines()]
    assert [line["step"] for line in steps] == [1, 2]
    mean = (8 * steps[0]["loss"] + 4 * steps[1]["loss"]) / 12
    assert lines(folder)[0]["loss"] == pytest.approx(mean, rel=1e-6)


def test_a_gradient_that_is_not_finite_stops_training_before_the_weights_are_touched(reader, folder):
    class Steep(TextOnly):
        """Its loss is finite and its gradient is not."""

        def finetune_loss(self, batch):
            return torch.sqrt(super().finetune_loss(batch) * 0)

    method = make_method(Steep)
    before = {name: weight.clone() for name, weight in method.state_dict().items()}

    with pytest.raises(MethodError, match=r"finetune epoch 1: the norm of the gradients is nan for clips clip_\d\d, "):
        fit(method, "finetune", clip_set(reader), QUICK, folder)

    assert all(torch.equal(weight, before[name]) for name, weight in method.state_dict().items())
