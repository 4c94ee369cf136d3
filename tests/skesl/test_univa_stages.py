"""UniVA from a dataset file to metrics: dialogues, and the sources of valence and arousal."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from mmfeat import DatasetReader, InputError, Split, import_univa
from mmfeat.testing import make_raw_univa, write_example_dataset
from skesl import (
    ClipSet,
    ExperimentConfig,
    MethodError,
    TrainConfig,
    evaluate_run,
    finetune,
    load_run,
    predict_run,
)
from skesl.checkpoint import RunFolder
from skesl.methods.univa import Univa
from skesl.methods.univa_config import UnivaConfig
from skesl.task import Task
from skesl.testing import make_method, tiny_text_encoder
from skesl.va_scores import scaled

LABELS = ("happy", "sad", "neutral")
SMALL = {"width": 12, "n_heads": 3, "n_inner": 24, "n_audio_layers": 1, "n_vision_layers": 1, "dropout": 0.0}
TRAIN = TrainConfig(
    n_epochs=3, batch_size=6, learning_rate=3e-3, text_encoder_learning_rate=3e-3, device="cpu", patience=0
)


@pytest.fixture(scope="module")
def dialogues(tmp_path_factory, write_dialogues):
    return write_dialogues(tmp_path_factory.mktemp("data") / "dialogues.h5", n_dialogue=80)


def config_of(encoder, *, train=TRAIN, **settings):
    inputs = {"modalities": ["text"], "max_dialogue_tokens": 64}
    return ExperimentConfig(
        method="univa",
        text_encoder=encoder,
        train=train,
        labels=LABELS,
        method_settings={**SMALL, "inputs": inputs, **settings},
    )


@pytest.mark.slow
def test_what_stands_in_the_texts_around_a_clip_can_be_learned_and_only_with_them(dialogues, encoder, tmp_path):
    train = dataclasses.replace(TRAIN, n_epochs=12, recording_batches=True)
    found = {}
    for name, inputs in (
        ("dialogue", {"modalities": ["text"], "max_dialogue_tokens": 64}),
        ("alone", {"modalities": ["text"]}),
    ):
        finetune(dialogues, tmp_path / name, config_of(encoder, train=train, contrast_weight=0.0, inputs=inputs))
        found[name] = evaluate_run(tmp_path / name, dialogues, device="cpu").metrics["micro_f1"]
    assert found["dialogue"] > 0.85
    assert found["alone"] < 0.75


@pytest.fixture(scope="module")
def run(tmp_path_factory, encoder, write_dialogues):
    folder = tmp_path_factory.mktemp("runs")
    data = write_dialogues(folder / "data.h5")
    finetune(data, folder / "run", config_of(encoder))
    return data, folder / "run"


def test_a_run_keeps_what_predictions_need_and_nothing_else(run):
    data, folder = run
    method = load_run(folder).method
    assert method.task.problem == "multilabel"
    assert len(method.va_memory) == 0
    predictions = predict_run(folder, data, part=Split.TEST, device="cpu")
    assert predictions.scores.shape == (12, 3)
    assert ((predictions.scores >= 0) & (predictions.scores <= 1)).all()
    lines = RunFolder(path=folder).metrics.read_text().splitlines()
    assert {"micro_f1", "ml_acc", "ml_acc_empty0"} <= json.loads(lines[-1]).keys()


def test_predictions_do_not_depend_on_the_size_of_batches(run, tmp_path):
    data, folder = run
    from skesl.predict import open_clips, predict_clips

    loaded = load_run(folder)
    with DatasetReader(data) as reader:
        clips = open_clips(loaded, reader, np.arange(reader.n_clip))
        scores = [predict_clips(loaded.method, clips, batch_size=size).scores for size in (1, 5, 48)]
    for other in scores[1:]:
        assert other == pytest.approx(scores[0], abs=1e-5)


def clips_of(reader, config, labels):
    values = np.stack([reader.labels(name).values for name in labels], axis=1)
    side = [name for name in Univa.side_labels(config) if name in reader.label_names]
    return ClipSet(
        reader,
        np.arange(reader.n_clip),
        tiny_text_encoder(),
        stage="finetune",
        streams=(),
        labels=values,
        lexicon={},
        max_text_tokens=64,
        inputs=config.inputs,
        side_labels={name: reader.labels(name).values for name in side},
    )


def met(reader, **settings):
    """Return what a method remembers of the texts' valence and arousal."""
    from skesl.inputs import DialogueInputConfig

    config = UnivaConfig(**SMALL, inputs=DialogueInputConfig(modalities=("text",)), **settings)
    method = make_method(Univa, config=config, task=Task(problem="multilabel", labels=LABELS))
    method.meet_clips(clips_of(reader, config, LABELS))
    return method.va_memory[:, 0].numpy()


def test_labels_of_the_file_score_a_modality_before_anything_else(tmp_path, write_dialogues):
    lexicon = tmp_path / "lexicon.csv"
    lexicon.write_text("Word,Valence,Arousal\nwonderful,1.0,0.2\nit,0.5,0.5\n")
    names = ("text_valence", "text_arousal")
    with DatasetReader(write_dialogues(tmp_path / "scored.h5", side_labels=names)) as reader:
        stored = torch.from_numpy(np.stack([reader.labels(name).values for name in names], axis=1))
        expected = scaled(stored).numpy()
        assert met(reader, va_lexicon=str(lexicon)) == pytest.approx(expected, abs=1e-5)
        released = met(reader, variant="released", va_radius=0.1)
        assert released == pytest.approx(scaled(stored, by_valence=True).numpy(), abs=1e-5)


def test_a_lexicon_scores_texts_and_labels_what_has_no_source(tmp_path, write_dialogues):
    lexicon = tmp_path / "lexicon.csv"
    lexicon.write_text("Word,Valence,Arousal\nwonderful,1.0,0.2\nordinary,0.4,0.3\n")
    with DatasetReader(write_dialogues(tmp_path / "data.h5")) as reader:
        by_words = met(reader, va_lexicon=str(lexicon))
        is_wonderful = np.array(["wonderful" in text for text in reader.texts])
        assert len(set(map(tuple, by_words[is_wonderful].tolist()))) == 1
        assert by_words[is_wonderful][0, 0] > by_words[~is_wonderful][0, 0]
        by_labels = met(reader)
        happy = reader.labels("happy").values > 0
        assert len(set(map(tuple, by_labels[happy].tolist()))) == 1
        assert by_labels[happy][0, 0] > by_labels[~happy][0, 0]
        with pytest.raises(MethodError, match=r"nothing scores valence and arousal; name method.va_lexicon"):
            met(reader, va_of_labels=False)
        assert len(met(reader, va_of_labels=False, contrast_weight=0.0)) == 0


def test_a_fitted_model_scores_its_own_stream(tmp_path):
    from skesl import fit_va
    from skesl.inputs import DialogueInputConfig

    data = write_example_dataset(tmp_path / "example.h5", n_clip=16)
    with DatasetReader(data) as reader:
        report = fit_va(data, tmp_path / "va", stream="audio", labels=["sentiment", "sentiment"])
        assert report.n_train == 8
        config = UnivaConfig(
            **SMALL,
            inputs=DialogueInputConfig(modalities=("audio",), max_audio_frames=64),
            audio_va_model=str(tmp_path / "va"),
            va_of_labels=False,
            label_prior_weight=0.0,
        )
        clips = clips_of(reader, config, ["sentiment"])
        from skesl.normalise import FeatureNormaliser

        normalisers = {"audio": FeatureNormaliser(reader.info("audio").feature_names)}
        task = Task(problem="multilabel", labels=("happy",))
        encoder = tiny_text_encoder()
        method = Univa(config, text_encoder=encoder.model, text_width=16, normalisers=normalisers, task=task)
        method.meet_clips(clips)
        assert method.va_memory.shape == (16, 1, 2)
        assert np.corrcoef(method.va_memory[:, 0, 0], reader.labels("sentiment").values)[0, 1] > 0.8
        broken = dataclasses.replace(config, audio_va_model=None, vision_va_model=None, va_lexicon="none.csv")
        text = dataclasses.replace(broken, inputs=DialogueInputConfig(modalities=("text",)))
        other = make_method(Univa, config=text, task=task)
        with pytest.raises(InputError, match=r"none.csv: expected a lexicon"):
            other.meet_clips(clips_of(reader, text, ["sentiment"]))


def test_the_data_that_the_method_was_published_with_bring_their_scores(encoder, tmp_path):
    data = tmp_path / "data.h5"
    import_univa(make_raw_univa(tmp_path / "raw", glove=False), data)
    with DatasetReader(data) as reader:
        assert set(Univa.side_labels(UnivaConfig())) <= set(reader.label_names)
        labels = reader.labels("happy").class_names
    config = dataclasses.replace(
        config_of(
            encoder,
            train=dataclasses.replace(TRAIN, n_epochs=1),
            inputs={"max_audio_frames": 9, "max_vision_frames": 7, "max_dialogue_tokens": None},
            va_of_labels=False,
        ),
        labels=labels,
    )
    finetune(data, tmp_path / "run", config)
    assert predict_run(tmp_path / "run", data, part=Split.TEST, device="cpu").scores.shape == (6, 6)


@pytest.mark.slow
def test_a_killed_training_goes_on_with_its_memory(dialogues, encoder, tmp_path):
    from skesl import RunOptions

    config = dataclasses.replace(config_of(encoder), options=RunOptions(checkpoint_steps=5))
    whole = finetune(dialogues, tmp_path / "whole", config)

    class KilledError(Exception):
        """Stops a training."""

    def killer(batches, n_batch, title):
        for number, batch in enumerate(batches):
            if number == 12:
                raise KilledError
            yield batch

    with pytest.raises(KilledError):
        finetune(dialogues, tmp_path / "half", config, track=killer)
    again = finetune(dialogues, tmp_path / "half", config)
    assert again.result.best_values == whole.result.best_values
    assert again.result.loss == whole.result.loss
