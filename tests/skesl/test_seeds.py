import dataclasses
import json
import statistics

import pytest

from mmfeat import ConfigError
from mmfeat.testing import write_example_dataset
from skesl import CheckpointError, ExperimentConfig, TrainConfig, finetune, pretrain, train_seeds
from skesl.testing import write_tiny_text_encoder

TRAIN = TrainConfig(n_epochs=1, batch_size=4, learning_rate=1e-2, device="cpu", seed=3)


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    folder = tmp_path_factory.mktemp("material")
    encoder = str(write_tiny_text_encoder(folder / "encoder"))
    config = ExperimentConfig(method="text_only", text_encoder=encoder, train=TRAIN)
    return write_example_dataset(folder / "example.h5"), config


def test_each_seed_has_a_run_and_the_summary_their_mean_and_deviation(material, tmp_path):
    data, config = material
    report = train_seeds(finetune, data, tmp_path / "runs", config, n_seed=3)

    assert report.seeds == (3, 4, 5)
    alone = finetune(data, tmp_path / "alone", dataclasses.replace(config, train=dataclasses.replace(TRAIN, seed=4)))
    assert report.values["mae"][1] == alone.result.best_values["mae"]
    document = json.loads((tmp_path / "runs" / "summary.json").read_text())
    assert document == json.loads(report.to_json())
    mae = document["values"]["mae"]
    assert mae["mean"] == pytest.approx(statistics.fmean(mae["by_seed"]))
    assert mae["sd"] == pytest.approx(statistics.stdev(mae["by_seed"]))
    assert f"valid mae         {mae['mean']:>9.4f} ± {mae['sd']:.4f}" in report.summary()
    assert len({*mae["by_seed"]}) == 3


def test_the_same_call_again_trains_only_what_is_missing(material, tmp_path):
    data, config = material
    first = train_seeds(finetune, data, tmp_path / "runs", config, n_seed=2)
    trained = []

    def track(items, _total, description):
        trained.append(description)
        return items

    more = train_seeds(finetune, data, tmp_path / "runs", config, n_seed=3, track=track)

    assert len(trained) == 1
    assert more.values["mae"][:2] == first.values["mae"]


def test_other_settings_do_not_pass_for_finished_runs(material, tmp_path):
    data, config = material
    train_seeds(finetune, data, tmp_path / "runs", config, n_seed=1)
    other = dataclasses.replace(config, train=dataclasses.replace(TRAIN, batch_size=2))

    with pytest.raises(CheckpointError, match=r"a training here has other settings: train\.batch_size 2 instead of 4"):
        train_seeds(finetune, data, tmp_path / "runs", other, n_seed=1)


def test_one_seed_has_no_deviation(material, tmp_path):
    data, config = material

    report = train_seeds(finetune, data, tmp_path / "runs", config, n_seed=1)

    assert json.loads(report.to_json())["values"]["mae"]["sd"] is None


def test_settings_that_do_nothing_in_pretraining_are_refused(material, tmp_path):
    data, config = material
    chosen = frozenset({"patience", "text_encoder_learning_rate", "learning_rate"})
    asked = dataclasses.replace(config, method="skesl", chosen_settings=chosen)

    with pytest.raises(ConfigError) as raised:
        pretrain(data, tmp_path / "run", asked)

    assert str(raised.value).splitlines() == [
        "pretrain: settings that would do nothing; leave them out:",
        "  train.patience: there is no validation part, the last epoch is kept",
        "  train.text_encoder_learning_rate: skesl does not train the text encoder with these settings",
    ]
    assert not (tmp_path / "run").exists()


def test_the_text_encoders_rate_is_welcome_where_pretraining_trains_it(material, tmp_path):
    data, config = material
    settings = {"freeze_text_encoder_in_pretraining": False, "n_inner": 8}
    asked = dataclasses.replace(
        config, method="skesl", method_settings=settings, chosen_settings=frozenset({"text_encoder_learning_rate"})
    )

    assert pretrain(data, tmp_path / "run", asked).result.best_epoch == 1
