"""The command va-fit, and UniVA on the command line."""

import json

import pytest
from click.testing import CliRunner

from mmfeat_cli.skesl import skesl

pytestmark = pytest.mark.usefixtures("one_thread")


def run_command(*arguments):
    return CliRunner().invoke(skesl, [str(argument) for argument in arguments])


def test_a_model_is_fitted_and_told_in_lines_or_json(data, tmp_path):
    labels = ("--stream", "audio", "--label", "sentiment,sentiment")
    lines = run_command("va-fit", data, "--out", tmp_path / "voice", *labels)
    document = run_command("va-fit", data, "--out", tmp_path / "voice", *labels, "--overwrite", "--json")
    refused = run_command("va-fit", data, "--out", tmp_path / "voice", *labels)

    assert lines.exit_code == 0, lines.output
    first, valence, arousal = lines.stdout.splitlines()
    assert first.startswith(f"{tmp_path / 'voice'}: audio, 6 clips, strength ")
    assert valence.split()[:3] == ["valence:", "valid", "r"]
    assert arousal.split()[:3] == ["arousal:", "valid", "r"]
    assert json.loads(document.stdout)["n_train"] == 6
    assert refused.exit_code == 3
    assert "--overwrite" in refused.stderr


def test_a_label_of_another_kind_is_one_line_and_exit_code_3(data, tmp_path):
    refused = run_command("va-fit", data, "--out", tmp_path / "voice", "--stream", "audio", "--label", "sentiment")

    assert refused.exit_code == 3
    assert "expected valence and arousal (two regression labels)" in refused.stderr
    assert not (tmp_path / "voice").exists()


def test_univa_refuses_a_regression(data, encoder, tmp_path):
    refused = run_command("finetune", data, "--run", tmp_path / "run", "--method", "univa", "--text-encoder", encoder)

    assert refused.exit_code == 3
    assert "method 'univa' learns multilabel" in refused.stderr


def test_the_presets_of_univa_are_printed_with_what_they_ask_of_training():
    found = json.loads(run_command("presets", "--method", "univa", "--json").stdout)

    assert list(found) == ["univa", "mosei_roberta", "mosei_glove", "m3ed_roberta", "m3ed_glove"]
    assert found["m3ed_glove"]["finetune"]["n_epochs"] == 15
    assert found["mosei_roberta"]["method"]["temperature"] == 0.7
