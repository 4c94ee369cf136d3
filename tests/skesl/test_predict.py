import csv
import dataclasses
import math

import numpy as np
import pytest
import torch

from mmfeat import (
    AudioFeatureConfig,
    ClipEntry,
    ClipFeatures,
    DatasetInfo,
    DatasetReader,
    DatasetWriter,
    FrameFeatures,
    InputError,
    OpenFaceConfig,
    Split,
)
from mmfeat.audio import audio_stream_info
from mmfeat.testing import write_example_dataset
from mmfeat.vision import openface_stream_info
from skesl import CheckpointError, ExperimentConfig, Predictions, TrainConfig, finetune, predict_run, pretrain
from skesl.task import Task
from skesl.testing import write_tiny_text_encoder

QUICK = TrainConfig(n_epochs=2, batch_size=4, learning_rate=1e-2, device="cpu")
SMALL = {"n_layers": 2, "n_inner": 8, "n_head_hidden": 8}
AUDIO = audio_stream_info(AudioFeatureConfig())
VISION = openface_stream_info(OpenFaceConfig(groups=("au",)))


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """A dataset, a run fine-tuned on it, and one that was only pretrained."""
    folder = tmp_path_factory.mktemp("material")
    data = write_example_dataset(folder / "example.h5")
    config = ExperimentConfig(
        text_encoder=str(write_tiny_text_encoder(folder / "encoder")), train=QUICK, method_settings=SMALL
    )
    finetune(data, folder / "run", config)
    pretrain(data, folder / "pretrained", config)
    return data, folder / "run", folder / "pretrained"


def write_dataset(path, streams, *, n_clip=4):
    """Write clips with noise in the given streams."""
    rng = np.random.default_rng(0)
    with DatasetWriter(
        path, info=DatasetInfo(name="other", language="en"), streams=streams, labels=[], schemes=["default"]
    ) as writer:
        for index in range(n_clip):
            writer.write(
                ClipFeatures(
                    entry=ClipEntry(
                        clip_id=f"new_{index}",
                        recording_id=f"recording_{index}",
                        splits={"default": Split.TEST},
                        text="it was good",
                    ),
                    streams={stream.name: noise(stream, rng) for stream in streams},
                    duration_s=1.0,
                )
            )
    return path


def noise(stream, rng, n_frame=6):
    return FrameFeatures(
        values=rng.normal(size=(n_frame, len(stream.feature_names))).astype(np.float32),
        times_s=np.arange(n_frame) * (stream.hop_s or 0.04),
        names=stream.feature_names,
        units=stream.feature_units,
        valid=np.ones(n_frame, dtype=bool),
        voiced=np.ones(n_frame, dtype=bool) if stream.has_voiced else None,
        confidence=np.ones(n_frame, dtype=np.float32) if stream.has_confidence else None,
        hop_s=stream.hop_s,
    )


def test_all_clips_are_predicted_in_file_order_with_their_labels(material):
    data, run, _ = material
    predictions = predict_run(run, data, device="cpu")

    with DatasetReader(data) as reader:
        assert predictions.clip_ids == reader.clip_ids
        assert predictions.labels[:, 0].tolist() == reader.labels("sentiment").values.tolist()
    assert np.isfinite(predictions.answers).all()
    assert len(set(predictions.answers[:, 0])) == len(predictions.answers)


@pytest.mark.parametrize("part", [Split.TRAIN, Split.VALID, Split.TEST])
def test_a_part_is_predicted_as_it_is_among_all_clips(material, part):
    data, run, _ = material
    everything = predict_run(run, data, device="cpu")
    predictions = predict_run(run, data, part=part, device="cpu")

    with DatasetReader(data) as reader:
        members = reader.members("default", part)
        assert predictions.clip_ids == tuple(reader.clip_ids[index] for index in members)
    # other clips in the batch, other padding: float32 sums in another order
    np.testing.assert_allclose(predictions.answers, everything.answers[members], rtol=1e-5, atol=1e-6)


def test_predicting_twice_gives_the_same_numbers(material):
    data, run, _ = material

    first, second = (predict_run(run, data, device="cpu").answers for _ in range(2))
    assert first.tolist() == second.tolist()


def test_the_random_state_does_not_reach_predictions(material):
    data, run, _ = material
    expected = predict_run(run, data, device="cpu").answers

    torch.manual_seed(123)
    assert predict_run(run, data, device="cpu").answers.tolist() == expected.tolist()


def test_a_pretrained_run_predicts_nothing(material):
    data, _, pretrained = material

    with pytest.raises(CheckpointError, match="expected a fine-tuned run, got stage 'pretrain'; use skesl finetune"):
        predict_run(pretrained, data)


def test_clips_without_the_label_are_predicted_with_label_nan(material, tmp_path):
    predictions = predict_run(material[1], write_dataset(tmp_path / "new.h5", [AUDIO, VISION]), device="cpu")

    assert predictions.clip_ids == ("new_0", "new_1", "new_2", "new_3")
    assert np.isfinite(predictions.answers).all()
    assert np.isnan(predictions.labels).all()


def test_an_empty_part_has_no_predictions(material, tmp_path):
    new = write_dataset(tmp_path / "new.h5", [AUDIO, VISION])

    predictions = predict_run(material[1], new, part=Split.VALID, device="cpu")
    assert predictions.clip_ids == ()
    assert predictions.scores.shape == predictions.labels.shape == (0, 1)


def test_a_missing_stream_is_refused_with_those_there_are(material, tmp_path):
    with pytest.raises(CheckpointError, match=r"new\.h5: the run needs the stream 'vision', the file has audio"):
        predict_run(material[1], write_dataset(tmp_path / "new.h5", [AUDIO]))


def test_other_settings_of_a_stream_are_spelled_out(material, tmp_path):
    config = {**AUDIO.config, "pitch": {**AUDIO.config["pitch"], "f0_min_hz": 33.0}}
    before = AUDIO.config["pitch"]["f0_min_hz"]
    other = dataclasses.replace(AUDIO, config=config)

    message = rf"stream 'audio' was made with other settings than the run's: pitch\.f0_min_hz 33\.0 instead of {before}"
    with pytest.raises(CheckpointError, match=message + "; build the file again"):
        predict_run(material[1], write_dataset(tmp_path / "new.h5", [other, VISION]))


def test_columns_of_another_name_or_order_are_refused(material, tmp_path):
    names = VISION.feature_names
    other = dataclasses.replace(VISION, feature_names=(names[1], names[0], *names[2:]))

    with pytest.raises(CheckpointError, match="stream 'vision' was made with other settings than the run's: other col"):
        predict_run(material[1], write_dataset(tmp_path / "new.h5", [AUDIO, other]))


def test_a_stream_that_the_run_does_not_use_may_differ(material, tmp_path):
    data, _, _ = material
    config = ExperimentConfig(
        method="text_only",
        text_encoder=str(write_tiny_text_encoder(tmp_path / "encoder")),
        train=QUICK,
        method_settings={"n_head_hidden": 8},
    )
    finetune(data, tmp_path / "run", config)

    new = write_dataset(tmp_path / "new.h5", [])
    assert len(predict_run(tmp_path / "run", new, device="cpu").answers) == 4


def test_an_unknown_scheme_is_refused_with_the_known_ones(material):
    data, run, _ = material

    with pytest.raises(InputError, match="no split scheme 'folds'; known: default"):
        predict_run(run, data, part=Split.TEST, scheme="folds")


def made(values, labels):
    """Return predictions of one regression."""
    columns = np.array(values)[:, None], np.array(labels)[:, None]
    return Predictions(clip_ids=("a", 'b,"c"', "ü"), task=Task(), scores=columns[0], labels=columns[1])


def test_saved_predictions_keep_every_digit_and_leave_missing_labels_empty(tmp_path):
    values = [1 / 3, -2.0, 1e-17]
    predictions = made(values, [1.5, math.nan, 0.1])
    predictions.save(tmp_path / "new" / "predictions.csv")

    with (tmp_path / "new" / "predictions.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [row["clip_id"] for row in rows] == ["a", 'b,"c"', "ü"]
    assert [float(row["prediction"]) for row in rows] == values
    assert [row["label"] for row in rows] == ["1.5", "", "0.1"]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["predictions.csv"]


def test_saved_predictions_are_loaded_as_they_were(tmp_path):
    before = made([1 / 3, -2.0, 1e-17], [1.5, math.nan, 0.1])
    before.save(tmp_path / "predictions.csv")
    after = Predictions.load(tmp_path / "predictions.csv", Task())

    assert after.clip_ids == before.clip_ids
    np.testing.assert_array_equal(after.answers, before.answers)
    np.testing.assert_array_equal(after.labels, before.labels)
    (tmp_path / "other.csv").write_text("clip_id,value\n")
    with pytest.raises(InputError, match="expected the columns clip_id, prediction, label, got"):
        Predictions.load(tmp_path / "other.csv", Task())
