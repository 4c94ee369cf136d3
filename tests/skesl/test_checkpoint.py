import json
import shutil

import pytest
import torch

from mmfeat import OutputExistsError
from mmfeat.testing import write_example_dataset
from skesl import CheckpointError, ExperimentConfig, TrainConfig, finetune, load_run, predict_run, pretrain
from skesl.checkpoint import FORMAT_VERSION, load_settings_of_run, transfer
from skesl.methods.skesl import Skesl
from skesl.methods.text_only import TextOnly
from skesl.testing import make_method, random_batch, write_tiny_text_encoder

QUICK = TrainConfig(n_epochs=1, batch_size=4, learning_rate=1e-3, device="cpu")
SMALL = {"n_layers": 2, "n_inner": 8, "n_head_hidden": 8}


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """A dataset, an encoder and a fine-tuned run."""
    folder = tmp_path_factory.mktemp("material")
    data = write_example_dataset(folder / "example.h5")
    encoder = str(write_tiny_text_encoder(folder / "encoder"))
    config = ExperimentConfig(text_encoder=encoder, train=QUICK, method_settings=SMALL)
    finetune(data, folder / "run", config)
    return data, config, folder / "run"


@pytest.fixture
def run(material, tmp_path):
    """A copy of the run, to damage."""
    return shutil.copytree(material[2], tmp_path / "run")


def change_settings(run, **changes):
    path = run / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_run_folder_holds_what_the_documentation_lists(material):
    names = {path.name for path in material[2].iterdir()}

    assert names == {"config.json", "weights.safetensors", "text_encoder", "metrics.jsonl", "predictions.csv"}


def test_nothing_in_a_run_is_pickled(material):
    files = [path for path in material[2].rglob("*") if path.is_file()]

    assert {path.suffix for path in files} <= {".json", ".jsonl", ".csv", ".safetensors", ".txt"}
    # a pickle begins with byte 0x80 and its protocol number, a zip (torch.save) with PK
    assert not any(path.read_bytes().startswith((b"\x80", b"PK")) for path in files)


def test_a_run_predicts_the_same_wherever_its_folder_lies(material, run):
    data, _, original = material
    moved = run.rename(run.with_name("moved"))

    expected = predict_run(original, data, device="cpu").answers
    assert predict_run(moved, data, device="cpu").answers.tolist() == expected.tolist()


def test_weights_and_settings_survive_the_round_trip(material):
    _, config, path = material
    one, other = load_run(path), load_run(path)

    assert one.method.config == Skesl.config_type(**SMALL)
    assert one.settings["train"]["learning_rate"] == QUICK.learning_rate
    assert one.settings["text_encoder"] == config.text_encoder
    assert one.settings["data"]["task"]["labels"] == ["sentiment"]
    assert not any(module.training for module in one.method.modules())
    for (name, weight), again in zip(one.method.state_dict().items(), other.method.state_dict().values(), strict=True):
        assert torch.equal(weight, again), name


def test_normalisation_is_restored_with_the_weights(material):
    method = load_run(material[2]).method

    assert set(method.normalisers) == {"audio", "vision"}
    for normaliser in method.normalisers.values():
        assert normaliser.scale.max() > 0
        assert not torch.equal(normaliser.mean, torch.zeros_like(normaliser.mean))
    assert method.normalisers["audio"].zero_is_undefined.tolist() == [True] + [False] * 32


def test_settings_are_plain_json_with_format_and_versions(material):
    settings = json.loads((material[2] / "config.json").read_text())

    assert (settings["format"], settings["format_version"]) == ("skesl-run", FORMAT_VERSION)
    assert settings["stage"] == "finetune"
    assert settings["result"]["best_epoch"] == 1
    assert set(settings["versions"]) == {"python", "mmfeat", "torch", "transformers", "numpy"}
    assert len(settings["data"]["content_sha256"]) == 64


@pytest.mark.parametrize("n_kept", [0, 5, 1000])
def test_cut_weights_are_refused(run, n_kept):
    weights = run / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:n_kept])

    with pytest.raises(CheckpointError, match=r"weights\.safetensors: expected the run's weights"):
        load_run(run)


def test_missing_weights_are_refused(run):
    (run / "weights.safetensors").unlink()

    with pytest.raises(CheckpointError, match=r"weights\.safetensors: expected the run's weights"):
        load_run(run)


def test_weights_of_another_shape_are_refused(run):
    change_settings(run, method_config={**SMALL, "n_inner": 9})

    with pytest.raises(CheckpointError, match=r"weights\.safetensors: the weights do not fit the method"):
        load_run(run)


def test_a_missing_text_encoder_is_refused(run):
    shutil.rmtree(run / "text_encoder")

    with pytest.raises(CheckpointError, match="expected the run's text encoder"):
        load_run(run)


@pytest.mark.parametrize("content", [None, "", "{", "[]", "\xff", '{"model_type": "bert"}'])
def test_a_folder_without_settings_of_a_run_is_refused(run, content):
    (run / "config.json").unlink()
    if content is not None:
        (run / "config.json").write_bytes(content.encode("latin-1"))

    with pytest.raises(CheckpointError, match=r"expected (a run folder with config\.json|the settings of a run)"):
        load_run(run)


def test_a_folder_that_is_not_there_is_refused_with_the_commands_that_make_one(tmp_path):
    with pytest.raises(CheckpointError, match="make one with skesl pretrain or skesl finetune"):
        load_run(tmp_path / "nothing")


def test_a_newer_run_asks_for_an_update(run):
    change_settings(run, format_version=FORMAT_VERSION + 1)

    with pytest.raises(CheckpointError, match=r"expected version 1 .* or older, got 2; update mmfeat"):
        load_settings_of_run(run)


def test_an_existing_run_is_not_replaced_unasked(material, run):
    data, config, _ = material
    before = (run / "weights.safetensors").read_bytes()

    with pytest.raises(OutputExistsError, match=r"expected a new output, but it exists.*--overwrite"):
        finetune(data, run, config)

    assert (run / "weights.safetensors").read_bytes() == before


def test_an_existing_run_is_replaced_as_a_whole_when_asked(material, run):
    data, config, _ = material
    (run / "leftover.txt").write_text("of the old run")

    pretrain(data, run, config, overwrite=True)

    assert not (run / "leftover.txt").exists()
    assert load_settings_of_run(run)["stage"] == "pretrain"
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize("content", [None, '{"model_type": "bert"}'])
def test_a_folder_that_is_no_run_is_never_replaced(material, tmp_path, content):
    data, config, _ = material
    (tmp_path / "thesis.txt").write_text("years of work")
    if content is not None:  # a folder of transformers has a config.json too
        (tmp_path / "config.json").write_text(content)

    for overwrite, error in ((False, OutputExistsError), (True, CheckpointError)):
        with pytest.raises(error, match=r"expected a new output|expected a run folder|expected the settings of a run"):
            pretrain(data, tmp_path, config, overwrite=overwrite)

    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_an_empty_folder_is_a_free_place(material, tmp_path):
    data, config, _ = material

    pretrain(data, tmp_path, config)

    assert load_settings_of_run(tmp_path)["stage"] == "pretrain"


def test_transfer_takes_the_encoders_and_leaves_head_and_statistics(material):
    method, stored = load_run(material[2]).method, load_run(material[2]).method
    before = {name: weight.clone() for name, weight in method.state_dict().items()}
    for parameter in method.parameters():
        torch.nn.init.constant_(parameter, 7.0)

    transfer(method, material[2])

    for name, weight in method.state_dict().items():
        if name.startswith(("text_encoder.", "fusion.")):
            assert torch.equal(weight, stored.state_dict()[name]), name
        elif name.startswith("normalisers."):
            assert torch.equal(weight, before[name]), name
        else:
            assert (weight == 7.0).all(), name


def test_transfer_from_another_method_or_other_features_is_refused(material):
    with pytest.raises(CheckpointError, match="expected a run of method 'text_only', got 'skesl'"):
        transfer(make_method(TextOnly), material[2])
    with pytest.raises(CheckpointError, match=r"weight 'fusion\..*': expected shape .* has another text encoder"):
        transfer(make_method(Skesl), material[2])


def test_a_failed_transfer_leaves_the_method_untouched(material):
    method = make_method(Skesl).eval()
    before = method.predict(random_batch())

    with pytest.raises(CheckpointError, match="expected shape"):
        transfer(method, material[2])

    assert torch.equal(method.predict(random_batch()), before)
