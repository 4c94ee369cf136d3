"""Models of valence and arousal: fitted on what the frames say, stored, and asked for other clips."""

import json

import numpy as np
import pytest

from mmfeat import (
    ClipEntry,
    ClipFeatures,
    DatasetInfo,
    DatasetReader,
    DatasetWriter,
    FrameFeatures,
    InputError,
    LabelInfo,
    OutputExistsError,
    Split,
    StreamFailure,
    StreamInfo,
    StreamStatus,
)
from mmfeat.errors import ConfigError
from skesl import CheckpointError, fit_va
from skesl.emotion_points import EMOTION_POINTS
from skesl.va_models import load_va_model

N_CLIP = 60
EMOTIONS = ("happy", "sad", "anger")


def write_voices(path, *, names=("pitch", "noise", "voicing"), n_clip=N_CLIP):
    """Write clips whose pitch lies as high as their valence and spreads as their arousal; clip 3 has no frame."""
    rng = np.random.default_rng(0)
    stream = StreamInfo(
        name="audio",
        feature_names=names,
        feature_units=("1",) * len(names),
        extractor="test",
        extractor_version="1",
        preset="test",
        config={},
        hop_s=0.1,
    )
    labels = [
        LabelInfo(name="valence", value_range=(-2.0, 2.0)),
        LabelInfo(name="arousal", value_range=(-2.0, 2.0)),
        LabelInfo(name="emotion", problem="class", class_names=EMOTIONS, value_range=(0.0, 2.0)),
        *(LabelInfo(name=f"is_{name}", problem="multilabel", value_range=(0.0, 1.0)) for name in EMOTIONS),
    ]
    info = DatasetInfo(name="voices", language="en")
    with DatasetWriter(path, info=info, streams=[stream], labels=labels, schemes=["default"]) as writer:
        for index in range(n_clip):
            emotion = index % 3
            valence, arousal = (
                np.array(EMOTION_POINTS[EMOTIONS[emotion]]) * 4 - 2 + rng.normal(0, 0.1, 2).clip(-0.2, 0.2)
            )
            valence, arousal = np.clip([valence, arousal], -2, 2)
            values = rng.normal(0, 1, (12, len(names))).astype(np.float32)
            centred = values[:, 0] - values[:, 0].mean()
            values[:, 0] = 100 + 30 * valence + centred / centred.std() * (3 + arousal)
            frames = FrameFeatures(
                values=values,
                times_s=np.arange(12) * 0.1,
                names=names,
                units=("1",) * len(names),
                valid=np.ones(12, dtype=np.bool_),
            )
            entry = ClipEntry(
                clip_id=f"clip_{index}",
                recording_id=f"recording_{index // 2}",
                splits={"default": (Split.TRAIN, Split.TRAIN, Split.VALID, Split.TEST)[index // 2 % 4]},
                labels={
                    "valence": float(valence),
                    "arousal": float(arousal),
                    "emotion": float(emotion),
                    **{f"is_{name}": float(place == emotion) for place, name in enumerate(EMOTIONS)},
                },
            )
            failures = (StreamFailure(stream="audio", status=StreamStatus.EMPTY, message="nothing"),)
            streams = {} if index == 3 else {"audio": frames}
            writer.write(ClipFeatures(entry=entry, streams=streams, failures=failures if index == 3 else ()))
    return path


@pytest.fixture(scope="module")
def voices(tmp_path_factory):
    return write_voices(tmp_path_factory.mktemp("voices") / "voices.h5")


@pytest.fixture(scope="module")
def fitted(voices, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "va"
    return folder, fit_va(voices, folder, stream="audio", labels=["valence", "arousal"])


def test_valence_and_arousal_of_new_clips_are_told_from_their_frames(fitted, voices):
    folder, report = fitted
    assert min(report.corr) > 0.9
    assert max(report.mae) < 0.1
    with DatasetReader(voices) as reader:
        test = reader.members("default", Split.TEST)
        said = load_va_model(folder).score(reader, test)
        for column, name in enumerate(("valence", "arousal")):
            assert np.corrcoef(said[:, column], reader.labels(name).values[test])[0, 1] > 0.9
    assert said.dtype == np.float32
    assert 0 <= said.min() <= said.max() <= 1


@pytest.mark.parametrize("labels", [["emotion"], ["is_happy", "is_sad", "is_anger"]])
def test_emotions_are_mapped_to_their_points(voices, tmp_path, labels):
    report = fit_va(voices, tmp_path / "va", stream="audio", labels=labels)
    with DatasetReader(voices) as reader:
        said = load_va_model(tmp_path / "va").score(reader, np.arange(0, 60, 3, dtype=np.int64))  # all happy
    assert min(report.corr) > 0.9
    happy = np.array(EMOTION_POINTS["happy"])
    assert np.nanmean(said, axis=0) == pytest.approx(happy, abs=0.1)


def test_a_clip_without_frames_has_no_point_and_is_not_fitted_on(fitted, voices):
    folder, report = fitted
    with DatasetReader(voices) as reader:
        said = load_va_model(folder).score(reader, np.array([2, 3, 4], dtype=np.int64))
    assert np.isnan(said).tolist() == [[False] * 2, [True] * 2, [False] * 2]
    assert report.n_train == 31  # of 32


def test_the_report_says_what_was_fitted_and_how_well(fitted):
    folder, report = fitted
    first, *axes = report.summary().splitlines()
    assert first == f"{folder}: audio, 31 clips, strength {report.strength:g}"
    assert [line.split()[0] for line in axes] == ["valence:", "arousal:"]
    assert json.loads(report.to_json())["corr"] == pytest.approx(report.corr)


def test_a_stronger_penalty_makes_smaller_weights(voices, tmp_path):
    from skesl.va_models import VaModel

    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(30, 4)), rng.random((30, 2))
    norms = [
        np.linalg.norm(VaModel.fit("audio", None, "ab", x, y, strength=strength, about={}).weights)
        for strength in (1e-4, 1.0, 100.0)
    ]
    assert norms[0] > norms[1] > norms[2]
    exact = VaModel.fit("audio", None, "ab", x, y, strength=1e-12, about={})
    expected, *_ = np.linalg.lstsq(np.column_stack([x, np.ones(30)]), y, rcond=None)
    assert exact.weights == pytest.approx(expected[:-1], abs=1e-8)


def test_other_features_are_refused(fitted, tmp_path):
    folder, _ = fitted
    others = write_voices(tmp_path / "others.h5", names=("pitch", "noise", "loudness"), n_clip=4)
    with DatasetReader(others) as reader, pytest.raises(InputError, match="expected the 3 features that the model"):
        load_va_model(folder).score(reader, np.arange(4))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"stream": "vision"}, InputError, "expected the stream 'vision', the file has audio"),
        ({"labels": ["valence"]}, InputError, r"expected valence and arousal .*, got valence \(regression\)"),
        ({"labels": []}, InputError, "got none; name them with --label"),
        ({"labels": ["is_happy", "valence"]}, InputError, "yes-or-no labels of emotions"),
        ({"labels": ["emotion"], "own_points": ["sad=2,3"]}, ConfigError, r"in \[0, 1\], got 'sad=2,3'"),
        ({"scheme": "other"}, InputError, "other"),
    ],
)
def test_what_cannot_be_fitted_is_refused(voices, tmp_path, arguments, error, message):
    with pytest.raises(error, match=message):
        fit_va(voices, tmp_path / "va", **{"stream": "audio", "labels": ["valence", "arousal"], **arguments})
    assert not (tmp_path / "va").exists()


def test_only_a_model_is_replaced_and_only_when_asked(voices, tmp_path, fitted):
    folder, _ = fitted
    with pytest.raises(OutputExistsError):
        fit_va(voices, folder, stream="audio", labels=["emotion"])
    (tmp_path / "mine").mkdir()
    with pytest.raises(CheckpointError, match="expected a model of valence and arousal"):
        fit_va(voices, tmp_path / "mine", stream="audio", labels=["emotion"], overwrite=True)
    assert fit_va(voices, folder, stream="audio", labels=["valence", "arousal"], overwrite=True).n_train == 31


def test_a_newer_format_is_refused(fitted, tmp_path):
    import shutil

    copy = shutil.copytree(fitted[0], tmp_path / "newer")
    settings = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**settings, "format_version": 99}))
    with pytest.raises(CheckpointError, match="version 1 or older; update mmfeat"):
        load_va_model(copy)
