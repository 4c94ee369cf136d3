"""VAT from a dataset with frames and spectrograms to predictions."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

from mmfeat import (
    AUDIO_PRESETS,
    BuildConfig,
    ClipEntry,
    ConfigError,
    DatasetReader,
    FrameConfig,
    InputError,
    LabelInfo,
    Split,
    build_dataset,
)
from mmfeat.testing import write_example_dataset, write_example_video
from skesl import (
    CheckpointError,
    ExperimentConfig,
    RunOptions,
    TrainConfig,
    evaluate_run,
    finetune,
    load_run,
    predict_clip,
    predict_run,
    pretrain,
)
from skesl.task import MER23_CLASSES

SETTINGS = {
    "width": 16,
    "n_projected": 8,
    "n_frames": 2,
    "max_audio_frames": 64,
    "video": {"n_layers": 1, "n_heads": 2, "n_inner": 16},
    "audio": {"n_layers": 1, "n_heads": 2, "n_inner": 16},
    "fusion": {"n_layers": 1, "n_heads": 2, "n_inner": 16},
}
TRAIN = TrainConfig(n_epochs=2, batch_size=4, learning_rate=1e-3, device="cpu", patience=0)
CONFIG = ExperimentConfig(
    method="vat", preset="vat-tiny", train=TRAIN, method_settings=SETTINGS, options=RunOptions(log_steps=0)
)
LABELS = [
    LabelInfo(name="emotion", problem="class", class_names=MER23_CLASSES),
    LabelInfo(name="valence", value_range=(-5.0, 5.0)),
]


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """Eight videos with sound, built by mmfeat; emotion and valence as MER2023 has them; three folds of a scheme."""
    folder = tmp_path_factory.mktemp("vat")
    entries = []
    for index in range(8):
        part = (Split.TRAIN, Split.TRAIN, Split.VALID, Split.TEST)[index % 4]
        video = write_example_video(folder / f"{index}.mp4", n_frame=10 + index)
        rng = np.random.default_rng(index)
        soundfile.write(folder / f"{index}.wav", 0.1 * rng.standard_normal(6_400 + 640 * index), 16_000)
        entries.append(
            ClipEntry(
                clip_id=f"clip_{index}",
                video=video,
                audio=folder / f"{index}.wav",
                splits={"default": part},
                labels={"emotion": float(index % 6), "valence": float(index % 3 - 1)},
            )
        )
    config = BuildConfig(
        audio=AUDIO_PRESETS["logmel128"], frames=FrameConfig(n_frames=3, size=32), streams=("audio", "frames")
    )
    build_dataset(entries, folder / "data.h5", config, labels=LABELS)
    return folder, folder / "data.h5"


@pytest.fixture(scope="module")
def trained(material):
    folder, data = material
    before = pretrain(data, folder / "pretrained", CONFIG)
    after = dataclasses.replace(
        CONFIG,
        preset=None,
        method_settings={"video_weight": 0.5},
        from_run=folder / "pretrained",
        labels=("emotion", "valence"),
    )
    return before, finetune(data, folder / "run", after)


def test_pretraining_hands_on_the_encoders_and_keeps_its_memory_to_itself(material, trained):
    folder, _ = material
    before, after = (load_file(folder / name / "weights.safetensors") for name in ("pretrained", "run"))

    assert not [name for name in before if name.split(".")[0] in ("teacher", "queue", "n_seen")]
    assert {name for name in before if name.startswith("encoders")} == {
        name for name in after if name.startswith("encoders")
    }
    assert load_run(folder / "run").method.config.width == 16
    assert trained[0].result.n_epochs == 2


def test_emotion_and_valence_are_learned_predicted_and_evaluated(material, trained):
    folder, data = material
    predictions = predict_run(folder / "run", data, part=Split.TEST, device="cpu")

    assert predictions.scores.shape == (2, 7)
    assert predictions.scores[:, :6].sum(axis=1) == pytest.approx([1.0, 1.0], abs=1e-6)
    assert set(trained[1].result.best_values) >= {"mer23_combined", "mer23_f1", "mer23_mse"}
    assert np.isfinite(evaluate_run(folder / "run", data, device="cpu").metrics["mer23_mse"])


def test_one_video_is_predicted_as_the_dataset_s(material, trained):
    folder, data = material
    of_data = predict_run(folder / "run", data, device="cpu")

    found = predict_clip(folder / "run", video=folder / "3.mp4", wav=folder / "3.wav", device="cpu")

    assert list(found.scores.values()) == pytest.approx(of_data.scores[3].tolist(), abs=1e-5)
    assert found.answers["emotion"] in MER23_CLASSES
    assert found.notes == ()


def test_a_clip_without_a_video_is_predicted_by_its_sound(material, trained):
    folder, _ = material
    found = predict_clip(folder / "run", wav=folder / "3.wav", device="cpu")

    assert found.notes == ("frames: none was given (--video); predicted without",)


def test_a_killed_pretraining_goes_on_bit_for_bit(material, tmp_path):
    _, data = material
    config = dataclasses.replace(CONFIG, options=RunOptions(log_steps=0, checkpoint_steps=1))
    pretrain(data, tmp_path / "whole", config)

    class KilledError(Exception):
        pass

    def track(items, _total, description):
        if " 2/2" in description:
            raise KilledError
        return items

    with pytest.raises(KilledError):
        pretrain(data, tmp_path / "killed", config, track=track)
    pretrain(data, tmp_path / "killed", config)

    expected, found = (load_file(tmp_path / name / "weights.safetensors") for name in ("whole", "killed"))
    assert all(torch.equal(found[name], weight) for name, weight in expected.items())


def test_clips_without_frames_are_not_pretrained_on(tmp_path):
    data = write_example_dataset(tmp_path / "a.h5", n_clip=8)
    with pytest.raises((InputError, CheckpointError), match="frames"):
        pretrain(data, tmp_path / "run", CONFIG)


def test_images_are_read_evenly_and_said_to_be_left_out(material, trained):
    _, data = material
    with DatasetReader(data) as reader:
        assert reader.read_frames("frames", 0).n_frame == 3
    assert "frames: 4 clip(s) cut to 2 frames, 4 frames left out" in trained[0].notes


def test_a_text_alone_is_no_clip_for_a_run_that_reads_none(material, trained):
    with pytest.raises(InputError, match=r"run reads frames, audio; expected one of these .* got a text, which is not"):
        predict_clip(material[0] / "run", text="hello", device="cpu")


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"lexicon": Path("nothing.txt")}, "lexicon nothing.txt: vat reads no text"),
        ({"chosen_settings": frozenset({"max_text_tokens"})}, "train.max_text_tokens: vat reads no text"),
    ],
)
def test_settings_of_texts_are_refused(asked, reason, material, tmp_path):
    with pytest.raises(ConfigError, match=reason):
        pretrain(material[1], tmp_path / "run", dataclasses.replace(CONFIG, **asked))

    assert not (tmp_path / "run").exists()
