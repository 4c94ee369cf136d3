"""What skesl evaluate says of a run from which something is taken."""

import json
import math

import pytest

from mmfeat import Split
from mmfeat.testing import write_example_dataset
from skesl import EvaluationConfig, ExperimentConfig, TrainConfig, evaluate_runs, finetune
from skesl.testing import write_tiny_text_encoder


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A dataset with voice and face, and runs of skesl and of text alone."""
    folder = tmp_path_factory.mktemp("whole")
    data = write_example_dataset(folder / "example.h5", n_clip=16)
    encoder = str(write_tiny_text_encoder(folder / "encoder"))
    quick = TrainConfig(n_epochs=3, batch_size=4, learning_rate=1e-2, device="cpu")
    small = {"n_layers": 1, "n_inner": 8, "n_head_hidden": 8}
    finetune(data, folder / "skesl", ExperimentConfig(text_encoder=encoder, train=quick, method_settings=small))
    finetune(data, folder / "text", ExperimentConfig(method="text_only", text_encoder=encoder, train=quick))
    return data, folder / "skesl", folder / "text"


def evaluated(run, data, **choices):
    config = EvaluationConfig(device="cpu", n_resample=200, part=Split.TRAIN, **choices)
    return evaluate_runs([run], data, config)


def test_every_modality_is_removed_and_shuffled_beside_the_run_of_text_alone(whole):
    data, run, text = whole
    evaluation = evaluated(run, data, ablate=True, text_only=text)

    assert set(evaluation.rows) == {
        "median", "majority", "text_only", "without_text", "shuffled_text", "without_audio", "shuffled_audio",
        "without_vision", "shuffled_vision",
    }  # fmt: skip
    alone = evaluated(text, data)
    assert evaluation.rows["text_only"] == pytest.approx(alone.metrics, rel=0, abs=0, nan_ok=True)
    controls = {name: row["mae"] for name, row in evaluation.rows.items() if name.startswith(("without", "shuffled"))}
    assert len({*controls.values(), evaluation.metrics["mae"]}) == len(controls) + 1  # each changes something else
    assert set(evaluation.gains) == {"text_only", *controls}
    gain = evaluation.gains["without_vision"]["mae"]
    assert (gain.first, gain.second) == (controls["without_vision"], evaluation.metrics["mae"])
    (line,) = [line.split() for line in evaluation.to_text().splitlines() if line.startswith("without_vision")]
    assert line[-3:] == ["yes" if gain.exceeds_noise else "no", "(p", f"{gain.p:.4f})"]
    assert json.loads(evaluation.to_json())["gains"]["without_vision"]["mae"] == gain.to_dict() | {
        "interval": list(gain.interval)
    }
    assert evaluation.to_text().splitlines()[3].split()[-1] == "text_only"


def test_a_run_of_text_alone_without_text_says_the_same_of_every_clip(whole):
    data, _, text = whole
    evaluation = evaluated(text, data, ablate=True)

    assert set(evaluation.rows) == {"median", "majority", "without_text", "shuffled_text"}
    assert math.isnan(evaluation.rows["without_text"]["corr"])
    assert evaluation.rows["without_text"]["acc2_has0"] <= evaluation.rows["majority"]["acc2_has0"]
    assert math.isfinite(evaluation.rows["shuffled_text"]["corr"])


def test_text_that_a_run_does_not_read_is_not_taken_from_it(whole, tmp_path):
    data, run, _ = whole
    settings = json.loads((run / "config.json").read_text())
    train = TrainConfig(**settings["train"])
    hears = {"n_layers": 1, "n_inner": 8, "n_head_hidden": 8, "inputs": {"modalities": ["audio"]}}
    config = ExperimentConfig(text_encoder=settings["text_encoder"], train=train, method_settings=hears)
    finetune(data, tmp_path / "hears", config)

    evaluation = evaluated(tmp_path / "hears", data, ablate=True, missing=(1.0,))
    assert set(evaluation.rows) == {"median", "majority", "without_audio", "shuffled_audio"}
    for kind in ("frames", "modalities"):
        assert evaluation.robustness[kind]["1"] == pytest.approx(evaluation.rows["without_audio"], nan_ok=True)


def test_robustness_starts_at_the_run_itself_and_ends_where_nothing_is_left(whole):
    data, run, _ = whole
    evaluation = evaluated(run, data, missing=(0.0, 0.5, 1.0))

    for kind in ("frames", "modalities"):
        curve = evaluation.robustness[kind]
        assert list(curve) == ["0", "0.5", "1"]
        assert curve["0"] == pytest.approx(evaluation.metrics, nan_ok=True)
        assert math.isnan(curve["1"]["corr"])  # nothing tells the clips apart
        assert f"missing {kind}" in evaluation.to_text()
    assert evaluation.robustness["frames"]["0.5"]["mae"] != evaluation.robustness["modalities"]["0.5"]["mae"]
