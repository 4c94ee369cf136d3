"""Presets, modalities and runs that were not pretrained, through whole stages."""

import json

import pytest
import torch

from skesl import ExperimentConfig, TrainConfig, evaluate_run, finetune, predict_run, pretrain
from skesl.methods import find_preset

QUICK = TrainConfig(n_epochs=2, batch_size=4, learning_rate=1e-2, device="cpu")
SMALL = {"n_layers": 2, "n_inner": 8, "n_head_hidden": 8}


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory, data, encoder):
    run = tmp_path_factory.mktemp("runs") / "pretrained"
    pretrain(data, run, skesl_config(encoder))
    return run


def skesl_config(encoder, **changes):
    return ExperimentConfig(**{"text_encoder": encoder, "train": QUICK, "method_settings": SMALL, **changes})


def settings_of(run):
    return json.loads((run / "config.json").read_text())


def test_a_preset_reaches_the_run_and_single_settings_win(data, encoder, tmp_path):
    settings = {**SMALL, "inputs": {"max_audio_frames": 12}}

    report = finetune(data, tmp_path / "run", skesl_config(encoder, preset="released", method_settings=settings))

    stored = settings_of(tmp_path / "run")["method_config"]
    assert stored["masking"]["matching"] == "word_piece"
    assert (stored["n_layers"], stored["inputs"]["max_audio_frames"]) == (2, 12)
    assert stored["inputs"]["max_vision_frames"] == 55
    assert any(note.startswith("audio: 4 clip(s) cut to 12 frames") for note in report.notes)
    assert report.summary().splitlines()[1].startswith("  audio: 4 clip(s) cut to 12 frames")
    assert settings_of(tmp_path / "run")["data"]["left_out"] == list(report.notes)
    evaluate_run(tmp_path / "run", data, device="cpu")


def test_released_fine_tuning_has_three_rates_that_fall_to_0_and_rise_again_in_40_epochs(
    data, encoder, tmp_path, monkeypatch
):
    """Measured on the groups with which AdamW steps; 5e-6, 5e-6 and 1e-4 are main.py:73-78 of the released code."""
    seen = []
    step = torch.optim.AdamW.step

    def watched(self, *args, **kwargs):
        seen.append({group["name"]: (group["lr"], len(group["params"])) for group in self.param_groups})
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.AdamW, "step", watched)
    asked = {**find_preset("skesl", "released").train["finetune"], "n_epochs": 41, "device": "cpu"}
    few = {**SMALL, "n_layers": 1, "inputs": {"max_audio_frames": 2, "max_vision_frames": 2, "max_text_tokens": 4}}
    config = skesl_config(encoder, preset="released", method_settings=few, train=TrainConfig(**asked))
    finetune(data, tmp_path / "run", config)

    assert len(seen) == 41  # one step an epoch
    base = {"text_encoder": 5e-6, "fusion": 5e-6, "rest": 1e-4}
    for epoch, factor in ((0, 1), (20, 0), (40, 1), (10, 0.5)):
        rates = {name: rate for name, (rate, n_parameter) in seen[epoch].items() if n_parameter}
        assert rates == pytest.approx({name: factor * rate for name, rate in base.items()}, abs=1e-15)


def test_a_run_of_a_preset_hands_its_settings_on(data, encoder, tmp_path):
    pretrain(data, tmp_path / "before", skesl_config(encoder, preset="released"))

    finetune(data, tmp_path / "run", ExperimentConfig(from_run=tmp_path / "before", train=QUICK))

    before, after = (settings_of(tmp_path / name)["method_config"] for name in ("before", "run"))
    assert before == after
    assert after["attend_to_padding"] is True


@pytest.mark.parametrize("modalities", [("text",), ("audio",), ("vision",), ("text", "vision"), ("audio", "vision")])
def test_every_choice_of_modalities_is_trained_in_both_stages(data, encoder, tmp_path, modalities):
    config = skesl_config(encoder, method_settings={**SMALL, "inputs": {"modalities": list(modalities)}})
    pretrain(data, tmp_path / "before", config)
    finetune(data, tmp_path / "run", ExperimentConfig(from_run=tmp_path / "before", train=QUICK))

    streams = [name for name in ("audio", "vision") if name in modalities]
    assert sorted(settings_of(tmp_path / "run")["data"]["streams"]) == streams
    predictions = predict_run(tmp_path / "run", data, device="cpu")
    assert len(set(predictions.answers[:, 0].tolist())) > 1


def test_without_pretraining_everything_else_is_the_same(data, encoder, tmp_path, pretrained):
    finetune(data, tmp_path / "with", ExperimentConfig(from_run=pretrained, train=QUICK))
    finetune(data, tmp_path / "without", skesl_config(encoder))

    one, other = (settings_of(tmp_path / name) for name in ("with", "without"))
    assert (one["train"], one["method_config"]) == (other["train"], other["method_config"])
