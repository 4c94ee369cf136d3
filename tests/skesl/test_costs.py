import json
import re

import pytest

from mmfeat import ConfigError, InputError
from mmfeat.testing import write_example_dataset
from skesl import (
    ExperimentConfig,
    InputShape,
    Method,
    RunOptions,
    TrainConfig,
    estimate,
    find_method,
    finetune,
    method_config,
    method_names,
)
from skesl.methods import BUILT_IN
from skesl.methods.skesl import Skesl
from skesl.methods.text_only import TextOnlyConfig
from skesl.testing import write_tiny_text_encoder


def of_skesl(encoder="bert-base", *, preset=None, **settings):
    return estimate("skesl", method_config("skesl", preset=preset, settings=settings), text_encoder=encoder)


# Table 10 prints 111.4 M and 337.9 M for one layer's weights used four times, inner width 256, pooler included.
@pytest.mark.parametrize(
    ("encoder", "tied", "untied", "pretrained", "macs"),
    [
        ("bert-base", 111_445_453, 116_743_729, 1_963_213, "3.635"),
        ("bert-large", 337_893_837, 345_361_713, 2_751_949, "12.213"),
    ],
)
def test_the_published_sizes_are_met_exactly(encoder, tied, untied, pretrained, macs):
    found = of_skesl(encoder)

    assert found.parameters == tied
    assert found.trainable_parameters["pretrain"] == pretrained
    assert f"{found.linear_macs / 1e9:.3f}" == macs
    assert of_skesl(encoder, share_layers=False).parameters == untied


@pytest.mark.parametrize(("encoder", "width", "printed"), [("bert-base", 768, "4.600"), ("bert-large", 1024, "13.515")])
def test_the_printed_macs_count_the_shared_layer_sixteen_times(encoder, width, printed):
    # Table 10 prints 4.6 and 13.5 G: thop counts the shared layer under both of its names, 16 instead of 4 uses.
    of_text = 39 * (4 * width * 256 + width * width)  # two queries, two outputs, the linear map
    layer = of_text + 2 * 256 * (400 * 33 + 55 * 709)

    found, single = of_skesl(encoder), of_skesl(encoder, n_layers=1)

    assert found.linear_macs - single.linear_macs == 3 * layer
    assert f"{(found.linear_macs + 12 * layer) / 1e9:.3f}" == printed


def test_the_paper_s_equations_have_a_size_of_their_own():
    width, n_layer = 768, 4
    attention = {
        n_feature: 2 * width + 2 * n_feature + width * width + 2 * n_feature * width for n_feature in (33, 709)
    }
    feed_forward = 2 * width * 4 * width + 4 * width + width
    layer = sum(attention.values()) + 2 * (2 * width) + feed_forward
    head = width * 256 + 256 + 256 + 1

    assert of_skesl(preset="paper").parameters == 109_482_240 + n_layer * layer + head


def test_linear_macs_grow_with_the_lengths_as_the_equations_say():
    config = method_config("skesl")
    shapes = [InputShape(n_tokens=39, n_frames={"audio": n_frame, "vision": 55}) for n_frame in (400, 500)]
    short, long = (estimate("skesl", config, shape=shape).linear_macs for shape in shapes)

    assert long - short == 4 * 100 * 2 * 33 * 256


def test_the_text_baseline_is_the_encoder_and_a_head():
    found = estimate("text_only", TextOnlyConfig())

    assert found.parameters == 109_482_240 + 768 * 256 + 256 + 256 + 1
    assert found.trainable_parameters == {"finetune": found.parameters - 768 * 768 - 768}  # the pooler is not read
    # 12 layers of four projections and two maps of width 3072, the pooler on one token, the head
    assert found.linear_macs == 39 * 12 * (4 * 768**2 + 2 * 768 * 3072) + 768**2 + 768 * 256 + 256


@pytest.mark.parametrize("name", method_names())
def test_every_method_is_estimated(name, tmp_path):
    encoder = str(write_tiny_text_encoder(tmp_path / "encoder"))
    found = estimate(name, find_method(name).config_type(), text_encoder=encoder)

    assert set(found.trainable_parameters) == set(found.memory_bytes) == set(find_method(name).stages)
    assert 0 < max(found.trainable_parameters.values()) <= found.parameters
    assert found.linear_macs > 0
    assert all(n_byte > 0 for memory in found.memory_bytes.values() for n_byte in memory.values())


def test_memory_is_that_of_float32_weights_gradients_and_adam():
    found = of_skesl()

    for stage, n_trained in found.trainable_parameters.items():
        memory = found.memory_bytes[stage]
        assert memory["gradients"] == 4 * n_trained
        assert memory["optimiser"] == 8 * n_trained
        assert memory["weights"] >= 4 * found.parameters
    assert found.memory_bytes["pretrain"]["activations"] < found.memory_bytes["finetune"]["activations"] / 20


def test_activations_grow_with_the_batch(tmp_path):
    encoder = str(write_tiny_text_encoder(tmp_path / "encoder"))
    small, large = (
        estimate("skesl", method_config("skesl"), text_encoder=encoder, train=TrainConfig(batch_size=n_clip))
        for n_clip in (8, 16)
    )

    ratio = large.memory_bytes["finetune"]["activations"] / small.memory_bytes["finetune"]["activations"]
    assert 1.5 < ratio <= 2.0  # the batch, and what does not depend on it


def test_data_give_features_steps_and_bytes(tmp_path):
    data = write_example_dataset(tmp_path / "a.h5", n_clip=12)  # 6 train, 3 valid, 3 test; 33 and 35 columns
    encoder = str(write_tiny_text_encoder(tmp_path / "encoder"))
    train = TrainConfig(batch_size=4)

    found = estimate("skesl", method_config("skesl"), text_encoder=encoder, data=data, train=train)

    assert found.data.file_bytes == data.stat().st_size
    assert found.data.clips == {"pretrain": 6, "finetune": 6}
    assert found.data.steps_per_epoch == {"pretrain": 2, "finetune": 2}
    n_audio = sum(10 + clip for clip in (0, 1, 4, 5, 8, 9))
    n_vision = n_audio - 11  # clip 1 has no face
    assert found.data.bytes_per_epoch["finetune"] == 4 * (33 * n_audio + 35 * n_vision)
    assert json.loads(found.to_json())["data"]["steps_per_epoch"]["finetune"] == 2
    assert "finetune  6 clips, 2 steps an epoch" in found.summary()


def test_a_stage_that_the_data_do_not_serve_says_why(tmp_path):
    data = write_example_dataset(tmp_path / "a.h5")
    encoder = str(write_tiny_text_encoder(tmp_path / "encoder"))

    found = estimate("skesl", method_config("skesl"), text_encoder=encoder, data=data, labels=("joy",))

    assert found.data.clips == {"pretrain": 6}
    assert "no label 'joy'; known: sentiment" in found.data.unusable["finetune"]
    assert "no label 'joy'" in found.summary()


def test_an_unknown_text_encoder_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(
        InputError,
        match=r"expected a folder with a transformers model.*bert-base, bert-large, bert-base-chinese, minilm",
    ):
        of_skesl(str(tmp_path / "nothing"))


def test_a_stream_of_unknown_width_needs_a_dataset(monkeypatch):
    class Reads(Skesl):
        name = "reads"
        stream_names = ("audio", "text_glove")

        @classmethod
        def used_streams(cls, config):
            return cls.stream_names

    monkeypatch.setitem(BUILT_IN, "reads", Reads)
    assert issubclass(Reads, Method)

    with pytest.raises(ConfigError, match="the features of 'text_glove' are unknown; pass a dataset file"):
        estimate("reads", method_config("skesl"))


def test_steps_are_those_of_the_trainer_where_batches_are_accumulated(tmp_path):
    data = write_example_dataset(tmp_path / "a.h5", n_clip=12)  # 6 clips to train on
    encoder = str(write_tiny_text_encoder(tmp_path / "encoder"))
    train = TrainConfig(batch_size=2, n_accumulated=2, n_epochs=1, device="cpu")

    found = estimate("text_only", TextOnlyConfig(), text_encoder=encoder, data=data, train=train)
    config = ExperimentConfig(method="text_only", text_encoder=encoder, train=train, options=RunOptions(log_steps=1))
    finetune(data, tmp_path / "run", config)

    steps = (tmp_path / "run" / "steps.jsonl").read_text().splitlines()
    assert found.data.steps_per_epoch == {"finetune": 2} == {"finetune": len(steps)}


@pytest.mark.parametrize("keep_failed_frames", [True, False])
def test_frames_behind_the_limit_are_not_read(keep_failed_frames, tmp_path):
    data = write_example_dataset(tmp_path / "a.h5", n_clip=12)  # 10 to 19 frames, 33 and 35 columns
    encoder = str(write_tiny_text_encoder(tmp_path / "encoder"))
    inputs = {"max_audio_frames": 4, "keep_failed_frames": keep_failed_frames}
    config = method_config("skesl", settings={"inputs": inputs})

    found = estimate("skesl", config, text_encoder=encoder, data=data)

    n_vision = sum(10 + clip for clip in (0, 4, 5, 8, 9))  # clip 1 has no face
    assert found.data.bytes_per_epoch["finetune"] == 4 * (33 * 4 * 6 + 35 * n_vision)


def test_each_stage_has_its_own_batch_size():
    train = {"pretrain": TrainConfig(batch_size=2)}

    found = estimate("skesl", method_config("skesl"), train=train)

    assert found.batch_size == {"pretrain": 2, "finetune": TrainConfig().batch_size}
    assert found.memory_bytes["finetune"]["batch"] == 16 * found.memory_bytes["pretrain"]["batch"]
    assert re.search(r"pretrain .* with 2 clips a batch\nfinetune .* with 32 clips a batch", found.summary())
