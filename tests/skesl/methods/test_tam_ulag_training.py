"""Self-MM and TAM-ULAG in training: labels in memory, steps, kills, what is learned, and how labels are judged."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from killed import Killed, killed_after
from safetensors import safe_open

from mmfeat import (
    ClipEntry,
    ClipFeatures,
    DatasetInfo,
    DatasetReader,
    DatasetWriter,
    LabelInfo,
    Split,
)
from mmfeat.testing import write_example_dataset
from skesl import (
    ClipSet,
    ExperimentConfig,
    FeatureNormaliser,
    RunOptions,
    TrainConfig,
    evaluate_run,
    find_preset,
    finetune,
    load_run,
    method_config,
    predict_run,
)
from skesl.methods.tam_ulag import TamUlag
from skesl.task import Task
from skesl.testing import tiny_text_encoder

QUICK = TrainConfig(
    n_epochs=3, batch_size=2, n_accumulated=2, learning_rate=1e-2, text_encoder_learning_rate=1e-3, device="cpu"
)
LEARN = TrainConfig(
    n_epochs=10, batch_size=8, learning_rate=3e-3, text_encoder_learning_rate=3e-4, patience=0, device="cpu"
)


@pytest.fixture(scope="module", autouse=True)
def _quick(one_thread):
    """Tiny matrices are slower on more threads."""


def experiment(encoder, *, method="tam_ulag", train=QUICK, **settings):
    options = RunOptions(checkpoint_steps=1, log_steps=1, n_reading_threads=0)
    return ExperimentConfig(
        method=method, text_encoder=str(encoder), train=train, method_settings=settings, options=options
    )


@pytest.mark.parametrize("label_update", ["epoch", "batch"])
def test_a_killed_training_goes_on_with_the_labels_it_had(label_update, data, encoder, tmp_path):
    config = experiment(encoder, label_update=label_update)
    finetune(data, tmp_path / "whole", config)
    for n_batch in (4, 8):  # of three epochs of three batches
        with pytest.raises(Killed):
            finetune(data, tmp_path / "killed", config, track=killed_after(n_batch - 4 if n_batch > 4 else n_batch))

    finetune(data, tmp_path / "killed", config)

    for name in ("weights.safetensors", "predictions.csv"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_the_memory_is_no_part_of_a_run_and_the_means_are(data, encoder, tmp_path):
    finetune(data, tmp_path / "run", experiment(encoder))

    with safe_open(tmp_path / "run" / "weights.safetensors", "pt") as file:
        names = set(file.keys())

    assert not [name for name in names if name.startswith("memory")]
    assert {"centres.of_fusion", "centres.of_audio", "centres.known", "centres.bound"} <= names
    assert load_run(tmp_path / "run").method.centres.known.all()
    assert np.isfinite(predict_run(tmp_path / "run", data, device="cpu").scores).all()


def test_forty_one_batches_in_steps_of_four_are_eleven_steps(encoder, tmp_path):
    data = write_example_dataset(tmp_path / "example.h5", n_clip=82, signal=("text",))  # 41 train
    train = dataclasses.replace(
        QUICK, **{**find_preset("tam_ulag", "mosi").train["finetune"], "n_epochs": 1, "batch_size": 1}
    )
    only_text = {"inputs": {"modalities": ["text"]}}

    finetune(data, tmp_path / "run", experiment(encoder, train=train, **only_text))

    steps = [json.loads(line)["step"] for line in (tmp_path / "run" / "steps.jsonl").read_text().splitlines()]
    assert steps == list(range(1, 12))


def clips_of(reader):
    indices = reader.members("default", Split.TRAIN)
    return ClipSet(
        reader,
        indices,
        tiny_text_encoder(),
        stage="finetune",
        streams=("audio", "vision"),
        labels=reader.labels("sentiment").values[:, None],
        lexicon={},
        max_text_tokens=64,
    )


def test_labels_move_once_an_epoch_by_features_in_evaluation_mode(data):
    with DatasetReader(data) as reader:
        clips = clips_of(reader)
        torch.manual_seed(0)
        encoder = tiny_text_encoder()
        method = TamUlag(
            method_config("tam_ulag"),
            text_encoder=encoder.model,
            text_width=16,
            normalisers={name: FeatureNormaliser(reader.info(name).feature_names) for name in ("audio", "vision")},
            task=Task(),
        )
        method.start_stage("finetune")
        method.meet_clips(clips)
        method.train()
        truth = torch.from_numpy(clips.labels[:, 0]).double()
        lacks = [clip for clip in range(len(clips)) if not clips.batch(np.array([clip])).stream_masks["vision"].any()]

        method.on_epoch_end(1)

        assert method.training
        with torch.inference_mode():
            features = method.eval().read(clips.batch(np.arange(len(clips)))).features
    assert len(lacks) == 1  # no face was found
    expected, bound = {}, float(truth.abs().max())
    for name, values in features.items():
        there = torch.ones(len(truth), dtype=torch.bool)
        there[lacks] = name != "vision"
        positive, negative = (values.double()[there & side].mean(dim=0) for side in (truth > 0, truth < 0))
        near, far = (values.double() - positive).norm(dim=1), (values.double() - negative).norm(dim=1)
        expected[name] = (far - near) / (near + 1e-8)
    for place, name in enumerate(("text", "audio", "vision")):
        ratio = expected[name] / (expected["fusion"] + 1e-8)
        new = (0.5 * ratio * truth + 0.5 * (truth + expected[name] - expected["fusion"])).clamp(-bound, bound)
        moved = truth / 3 + 2 * new / 3  # for epoch 2
        if name == "vision":
            moved[lacks] = truth[lacks]
        torch.testing.assert_close(method.memory.of_modalities[:, place].double(), moved, rtol=1e-3, atol=1e-3)
        assert method.memory.of_modalities.abs().max() <= bound
    assert int(method.memory.epoch) == 2


@pytest.fixture(scope="module", params=["text", "audio", "vision"])
def planted(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    return request.param, write_example_dataset(folder / "planted.h5", n_clip=72, signal=(request.param,))


def held_out_r(run, data, config):
    finetune(data, run, config)
    said = predict_run(run, data, part=Split.TEST, device="cpu")
    return float(np.corrcoef(said.labels[:, 0], said.scores[:, 0])[0, 1])


def test_a_label_that_stands_in_one_modality_is_learned(planted, encoder, tmp_path):
    _, data = planted

    assert held_out_r(tmp_path / "run", data, experiment(encoder, train=LEARN)) >= 0.8


@pytest.mark.parametrize("planted", ["audio", "vision"], indirect=True)
def test_the_released_variant_learns_nothing_that_is_heard_or_seen(planted, encoder, tmp_path):
    _, data = planted

    assert held_out_r(tmp_path / "run", data, experiment(encoder, train=LEARN, variant="released")) < 0.8


PEOPLE = ("sentiment_T", "sentiment_A", "sentiment_V")


@pytest.fixture(scope="module")
def with_human_labels(tmp_path_factory):
    """A dataset with a label for all modalities and one for each, as CH-SIMS has them; a test clip lacks one."""
    rng = np.random.default_rng(0)
    source = write_example_dataset(tmp_path_factory.mktemp("sims") / "example.h5", n_clip=40)
    path = source.with_name("human.h5")
    with DatasetReader(source) as reader:
        streams = [reader.info(name) for name in ("audio", "vision")]
        own = reader.labels("sentiment")
        infos = [LabelInfo(name="sentiment", value_range=(-3.0, 3.0)), *(LabelInfo(name=name) for name in PEOPLE)]
        with DatasetWriter(
            path, info=DatasetInfo(name="human", language="en"), streams=streams, labels=infos, schemes=["default"]
        ) as writer:
            for index, clip_id in enumerate(reader.clip_ids):
                labels = {"sentiment": float(own.values[index])}
                labels |= {name: float(own.values[index] + rng.normal()) for name in PEOPLE}
                if index == 3:
                    del labels["sentiment_A"]
                entry = ClipEntry(
                    clip_id=clip_id,
                    recording_id=clip_id,
                    splits={"default": Split(int(reader.parts("default")[index]))},
                    text=reader.texts[index],
                    labels=labels,
                )
                frames = {
                    stream.name: reader.read(stream.name, index)
                    for stream in streams
                    if reader.read(stream.name, index).n_frame
                }
                writer.write(ClipFeatures(entry=entry, streams=frames))
    return path


@pytest.mark.parametrize("method", ["self_mm", "tam_ulag"])
def test_an_evaluation_says_how_generated_labels_agree_with_those_of_people(
    method, with_human_labels, encoder, tmp_path
):
    config = dataclasses.replace(experiment(encoder, method=method), labels=("sentiment",))
    finetune(with_human_labels, tmp_path / "run", config)

    report = evaluate_run(tmp_path / "run", with_human_labels, device="cpu")

    loaded = load_run(tmp_path / "run").method
    with DatasetReader(with_human_labels) as reader:
        test = reader.members("default", Split.TEST)
        clips = ClipSet(
            reader,
            test,
            tiny_text_encoder(),
            stage="finetune",
            streams=("audio", "vision"),
            labels=reader.labels("sentiment").values[:, None],
            lexicon={},
            max_text_tokens=128,
        )
        with torch.inference_mode():
            generated = loaded.generate_labels(clips.batch(np.arange(len(clips)))).double().numpy()
        own = reader.labels("sentiment").values[test]
        for column, name in zip(generated.T, PEOPLE, strict=True):
            table = reader.labels(name)
            there = table.present[test]
            found, human = report.generated_labels[name], table.values[test][there]
            assert found.n_clip == there.sum() == (9 if name == "sentiment_A" else 10)
            # ratios of distances: float32 rounds otherwise in batches of another size
            assert found.corr == pytest.approx(np.corrcoef(column[there], human)[0, 1], abs=1e-3)
            assert found.mae == pytest.approx(np.abs(column[there] - human).mean(), abs=1e-3)
            assert found.own_corr == pytest.approx(np.corrcoef(own[there], human)[0, 1], abs=1e-3)
            assert np.abs(column).max() <= 3.0
    document = json.loads(report.to_json())
    assert document["generated_labels"]["sentiment_V"]["corr"] == report.generated_labels["sentiment_V"].corr
    assert "label by people" in report.to_text()


def test_heads_can_be_trained_by_the_labels_of_people(with_human_labels, encoder, tmp_path):
    losses = {}
    for kind in ("generated", "human"):
        train = dataclasses.replace(QUICK, n_epochs=1)
        config = dataclasses.replace(experiment(encoder, train=train, unimodal_labels=kind), labels=("sentiment",))
        finetune(with_human_labels, tmp_path / kind, config)
        lines = (tmp_path / kind / "metrics.jsonl").read_text().splitlines()
        losses[kind] = json.loads(lines[0])["loss"]

    # three more tasks with the weight 1 from the first epoch on, whose labels differ from the clip's own by about 1
    assert losses["human"] > losses["generated"] + 1.0


def test_a_dataset_without_such_labels_has_no_agreement(data, encoder, tmp_path):
    finetune(data, tmp_path / "run", experiment(encoder))

    report = evaluate_run(tmp_path / "run", data, device="cpu")

    assert report.generated_labels == {}
    assert "label by people" not in report.to_text()
