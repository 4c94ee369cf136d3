"""Settings of trainings on the command line: files, single ones, presets, options of running, seeds; estimates."""

import json
import re

import pytest
from click.testing import CliRunner

from mmfeat_cli.skesl import skesl
from skesl import Preset
from skesl.methods.vat import Vat

SMALL = ["--set", "method.n_inner=8", "--set", "method.n_layers=2"]
SMALL_VAT = ["--set=method.n_frames=1", *(f"--set=method.{part}.n_layers=1" for part in ("video", "audio", "fusion"))]
TRAINING = ["--epochs", "1", "--batch-size", "4", "--lr", "1e-3", "--device", "cpu", "--seed", "3"]
pytestmark = pytest.mark.usefixtures("one_thread")


def run_command(*arguments):
    return CliRunner().invoke(skesl, [str(argument) for argument in arguments])


def test_single_settings_win_over_the_file(data, encoder, tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text("[train]\nn_epochs = 1\npatience = 7\nseed = 1\n[method]\nn_inner = 4\nn_layers = 1\n")

    result = run_command(
        "pretrain",
        data,
        *("--run", tmp_path / "run", "--text-encoder", encoder, "--device", "cpu", "--config", file),
        *("--seed", "2", "--set", "method.n_inner=8"),
    )

    assert result.exit_code == 0, result.output
    settings = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (settings["train"]["patience"], settings["train"]["seed"]) == (7, 2)
    assert (settings["method_config"]["n_layers"], settings["method_config"]["n_inner"]) == (1, 8)


def test_options_of_running_reach_the_training(data, encoder, tmp_path):
    result = run_command(
        *("finetune", data, "--run", tmp_path / "run", "--text-encoder", encoder, *TRAINING, "--epochs", "2", *SMALL),
        *("--accumulate", "2", "--length-buckets", "--schedule", "linear", "--warmup", "0.5", "--patience", "1"),
        *("--metric", "corr", "--checkpoint-every", "1", "--keep-checkpoints", "1", "--log-every", "1"),
        "--json",
    )

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["result"]["n_epochs"] <= 2
    train = json.loads((tmp_path / "run" / "config.json").read_text())["train"]
    assert (train["n_accumulated"], train["length_buckets"], train["schedule"]) == (2, True, "linear")
    assert (train["warmup_fraction"], train["patience"], train["selection_metric"]) == (0.5, 1, "corr")
    steps = [json.loads(line) for line in (tmp_path / "run" / "steps.jsonl").read_text().splitlines()]
    assert [line["step"] for line in steps] == [1, 2]  # six clips in two batches make one step an epoch
    assert steps[0]["learning_rates"] == [0.0, 0.0]
    assert not (tmp_path / "run" / "checkpoints").exists()


@pytest.mark.parametrize("interval", ["0", "-3", "10x", "soon"])
def test_an_interval_of_saving_that_is_none_is_a_usage_error(interval, data, tmp_path):
    result = run_command("pretrain", data, "--run", tmp_path / "run", "--checkpoint-every", interval)

    assert result.exit_code == 2
    assert "expected steps (500) or a time (30s, 10m, 1h)" in result.stderr


def test_seeds_print_mean_and_deviation(data, encoder, tmp_path):
    arguments = ["pretrain", data, "--run", tmp_path / "runs", "--text-encoder", encoder, *TRAINING, *SMALL]

    result = run_command(*arguments, "--seeds", "2")

    assert result.exit_code == 0, result.output
    title, loss = result.stdout.splitlines()
    assert title == f"{tmp_path / 'runs'}: skesl pretrain on 6 clips, seeds 3, 4"
    assert re.fullmatch(r"loss +\d\.\d{4} ± \d\.\d{4}   \d\.\d{4} \d\.\d{4}", loss)
    again = run_command(*arguments, "--seeds", "2", "--json")
    assert json.loads(again.stdout)["seeds"] == [3, 4]
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["seed-3", "seed-4", "summary.json"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--lr-text", "1e-5"], "train.text_encoder_learning_rate: skesl does not train the text encoder"),
        (["--set", "train.patience=3"], "train.patience: there is no validation part, the last epoch is kept"),
    ],
)
def test_what_does_nothing_in_pretraining_is_refused(options, reason, data, encoder, tmp_path):
    result = run_command("pretrain", data, "--run", tmp_path / "run", "--text-encoder", encoder, *options)

    assert result.exit_code == 3
    assert reason in result.stderr
    assert not (tmp_path / "run").exists()


def test_pretraining_has_no_options_of_validation(data, tmp_path):
    result = run_command("pretrain", data, "--run", tmp_path / "run", "--patience", "3")

    assert result.exit_code == 2
    assert "No such option" in result.stderr


def settings_of(run):
    return json.loads((run / "config.json").read_text())


def test_a_preset_sets_method_and_training_and_options_win(data, encoder, tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text("[train]\nn_epochs = 1\n")

    result = run_command(
        "pretrain",
        data,
        *("--run", tmp_path / "run", "--text-encoder", encoder, "--device", "cpu", "--config", file),
        *("--preset", "released", "--batch-size", "4", *SMALL, "--max-audio-frames", "12"),
    )

    assert result.exit_code == 0, result.output
    stored = settings_of(tmp_path / "run")
    train = {name: stored["train"][name] for name in ("n_epochs", "batch_size", "max_gradient_norm", "seed")}
    assert train == {"n_epochs": 1, "batch_size": 4, "max_gradient_norm": 0.0, "seed": 666}
    assert stored["method_config"]["pool_padding"] is True
    assert stored["method_config"]["inputs"]["max_audio_frames"] == 12
    assert "  audio: 4 clip(s) cut to 12 frames" in result.stdout


def test_options_of_the_method_reach_its_settings(data, encoder, tmp_path):
    lexicon = tmp_path / "own.txt"
    lexicon.write_text("wonderful\t2.5\n")

    result = run_command(
        "pretrain",
        data,
        *("--run", tmp_path / "run", "--text-encoder", encoder, *TRAINING, "--set", "method.n_inner=8"),
        *("--n-layers", "3", "--no-share-layers", "--modalities", "text, vision", "--max-vision-frames", "9"),
        *("--max-neutral-fraction", "0.25", "--lexicon", lexicon, "--mask-states", tmp_path / "states"),
    )

    assert result.exit_code == 0, result.output
    method = settings_of(tmp_path / "run")["method_config"]
    assert (method["n_layers"], method["share_layers"]) == (3, False)
    assert method["inputs"]["modalities"] == ["text", "vision"]
    assert method["inputs"]["max_vision_frames"] == 9
    assert method["masking"]["max_neutral_fraction"] == 0.25
    assert "text: 2 of 3 clip(s) without a sentiment word left out" in result.stdout
    assert len(list((tmp_path / "states").iterdir())) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--preset", "papers"], "method 'skesl' has no preset 'papers'; known: skesl, released, paper"),
        (["--modalities", "text,touch"], "expected one of 'text', 'audio', 'vision', got 'touch'"),
        (["--method", "text_only", "--n-layers", "2"], "unknown key 'n_layers'; known: n_head_hidden, dropout"),
    ],
)
def test_wrong_options_are_one_line(data, encoder, tmp_path, options, message):
    result = run_command("finetune", data, "--run", tmp_path / "run", "--text-encoder", encoder, *options)

    assert result.exit_code != 0
    assert message in result.output
    assert not (tmp_path / "run").exists()


def test_presets_are_listed_with_every_value():
    table, document = run_command("presets"), run_command("presets", "--json")

    values = json.loads(document.stdout)
    assert list(values) == ["skesl", "released", "paper"]
    assert values["released"]["method"]["inputs"]["max_vision_frames"] == 55
    assert values["paper"]["finetune"]["n_epochs"] == 200
    rows = {line.split()[0]: line.split()[1:] for line in table.stdout.splitlines()[1:]}
    assert rows["method.share_layers"] == ["true", "true", "false"]
    assert rows["finetune.patience"] == ["8", "0", "0"]


def test_a_method_without_presets_says_so():
    result = run_command("presets", "--method", "text_only")

    assert result.exit_code == 2
    assert "method 'text_only' has no presets" in result.output


def test_estimate_prints_lines_or_json(data, encoder):
    lines = run_command("estimate", data, "--text-encoder", encoder, "--set", "train.batch_size=4")
    document = run_command("estimate", "--preset", "paper", "--text-encoder", encoder, "--json", "--text-tokens", "20")

    assert lines.exit_code == document.exit_code == 0, lines.output + document.output
    assert "6 clips, 2 steps an epoch" in lines.stdout
    values = json.loads(document.stdout)
    assert values["data"] is None
    assert values["shape"] == {"n_tokens": 20, "n_frames": {"audio": 400, "vision": 55}}
    assert set(values["trainable_parameters"]) == {"pretrain", "finetune"}
    assert values["trainable_parameters"]["pretrain"] == values["trainable_parameters"]["finetune"]


@pytest.mark.parametrize(
    ("options", "pretrained", "finetuned"),
    [
        (["--preset", "vat-tiny"], 48, 32),
        (["--preset", "vat-tiny", "--set", "train.batch_size=4"], 4, 4),
    ],
)
def test_estimate_takes_the_training_of_the_preset(options, pretrained, finetuned):
    document = run_command("estimate", "--method", "vat", *options, *SMALL_VAT, "--json")

    assert document.exit_code == 0, document.output
    assert json.loads(document.stdout)["batch_size"] == {"pretrain": pretrained, "finetune": finetuned}


def test_estimate_without_a_preset_takes_the_training_of_the_first(monkeypatch):
    presets = {"vat": Preset(config=Vat.presets["vat-tiny"].config, train={"pretrain": {"batch_size": 3}})}
    monkeypatch.setattr(Vat, "presets", presets)
    document = run_command("estimate", "--method", "vat", *SMALL_VAT, "--json")

    assert document.exit_code == 0, document.output
    assert json.loads(document.stdout)["batch_size"] == {"pretrain": 3, "finetune": 32}
