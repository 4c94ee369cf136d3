import hashlib
import json
import shutil

import h5py
import pytest
import torch
from safetensors.torch import load_file

import skesl.stages
from mmfeat import (
    ClipEntry,
    ClipFeatures,
    ConfigError,
    DatasetInfo,
    DatasetReader,
    DatasetWriter,
    InputError,
    LabelInfo,
    Split,
)
from mmfeat.testing import write_example_dataset
from skesl import (
    CheckpointError,
    ExperimentConfig,
    MethodError,
    TrainConfig,
    evaluate_run,
    finetune,
    load_run,
    predict_run,
    pretrain,
)

QUICK = TrainConfig(n_epochs=2, batch_size=4, learning_rate=1e-2, device="cpu")
SMALL = {"n_layers": 2, "n_inner": 8, "n_head_hidden": 8}


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory, data, encoder):
    run = tmp_path_factory.mktemp("runs") / "pretrained"
    pretrain(data, run, ExperimentConfig(text_encoder=encoder, train=QUICK, method_settings=SMALL))
    return run


def skesl_config(encoder, **changes):
    return ExperimentConfig(**{"text_encoder": encoder, "train": QUICK, "method_settings": SMALL, **changes})


def text_config(encoder, **changes):
    return ExperimentConfig(**{"method": "text_only", "text_encoder": encoder, "train": QUICK, **changes})


def write_texts(path, *, labels=("mood",), schemes=("default",), text="it was good", part=None, unlabelled=()):
    """Write a text-only dataset; parts cycle through train, train, valid and test."""
    with DatasetWriter(
        path,
        info=DatasetInfo(name="texts", language="en"),
        streams=[],
        labels=[LabelInfo(name=name, value_range=(-3.0, 3.0)) for name in labels],
        schemes=list(schemes),
    ) as writer:
        for index in range(8):
            cycle = (Split.TRAIN, Split.TRAIN, Split.VALID, Split.TEST)
            entry = ClipEntry(
                clip_id=f"clip_{index}",
                recording_id=f"recording_{index}",
                splits={
                    scheme: cycle[(index + shift) % 4] if part is None else part for shift, scheme in enumerate(schemes)
                },
                text=text,
                labels={name: float(index % 3 - 1) for name in labels if index not in unlabelled},
            )
            writer.write(ClipFeatures(entry=entry))
    return path


def digest(run):
    return hashlib.sha256((run / "weights.safetensors").read_bytes()).hexdigest()


def settings(run):
    return json.loads((run / "config.json").read_text())


def test_fine_tuning_starts_from_what_pretraining_learned(data, pretrained, tmp_path):
    still = TrainConfig(n_epochs=1, batch_size=4, learning_rate=0.0, text_encoder_learning_rate=0.0, device="cpu")

    finetune(data, tmp_path / "run", ExperimentConfig(from_run=pretrained, train=still))

    before, after = (load_file(run / "weights.safetensors") for run in (pretrained, tmp_path / "run"))
    handed_on = [name for name in before if name.startswith(("text_encoder.", "fusion."))]
    assert handed_on
    assert all(torch.equal(before[name], after[name]) for name in handed_on)
    assert not torch.equal(before["head.output.weight"], after["head.output.weight"])


def test_a_pretrained_run_hands_on_encoder_and_settings(data, encoder, pretrained, tmp_path):
    finetune(data, tmp_path / "run", ExperimentConfig(from_run=pretrained, train=QUICK))

    assert settings(tmp_path / "run")["from_run"] == str(pretrained)
    assert settings(tmp_path / "run")["text_encoder"] == encoder
    assert load_run(tmp_path / "run").method.config.n_inner == SMALL["n_inner"]


def test_a_run_of_another_method_or_shape_is_refused_and_no_run_is_left(data, encoder, pretrained, tmp_path):
    with pytest.raises(CheckpointError, match="expected a run of method 'text_only', got 'skesl'"):
        finetune(data, tmp_path / "run", text_config(encoder, from_run=pretrained))
    with pytest.raises(CheckpointError, match=r"weight 'fusion\..*other settings"):
        finetune(data, tmp_path / "run", ExperimentConfig(from_run=pretrained, method_settings={"n_inner": 9}))

    assert not (tmp_path / "run").exists()


def test_a_refused_replacement_leaves_the_old_run(data, encoder, pretrained, tmp_path):
    run = shutil.copytree(pretrained, tmp_path / "run")

    with pytest.raises(CheckpointError, match="the run has another text encoder, other features or other settings"):
        finetune(data, run, skesl_config(None, from_run=pretrained, method_settings={"n_inner": 9}), overwrite=True)

    assert digest(run) == digest(pretrained)


def test_a_run_is_not_fine_tuned_in_its_own_place_where_it_would_be_lost(data, pretrained, tmp_path):
    run = shutil.copytree(pretrained, tmp_path / "run")

    with pytest.raises(CheckpointError, match="expected another folder than that of --from, which would be replaced"):
        finetune(data, run, ExperimentConfig(from_run=run, train=QUICK), overwrite=True)

    assert digest(run) == digest(pretrained)


def test_a_run_that_may_have_seen_the_test_clips_is_refused(pretrained, data, tmp_path):
    run = shutil.copytree(pretrained, tmp_path / "pretrained")
    document = settings(run)
    document["data"]["scheme"] = "other"
    (run / "config.json").write_text(json.dumps(document))

    with pytest.raises(CheckpointError, match="may have seen the test clips of 'default'; pretrain with"):
        finetune(data, tmp_path / "run", ExperimentConfig(from_run=run, train=QUICK))


def test_another_text_encoder_than_the_pretrained_one_is_refused(pretrained, data, tmp_path):
    with pytest.raises(
        CheckpointError, match=r"expected the text encoder 'minilm-l6', the run has .*; leave --text-encoder out"
    ):
        finetune(data, tmp_path / "run", ExperimentConfig(from_run=pretrained, text_encoder="minilm-l6", train=QUICK))


def test_pretraining_needs_no_labels_and_uses_everything_outside_valid_and_test(data, encoder, tmp_path):
    report = pretrain(data, tmp_path / "run", skesl_config(encoder))

    with DatasetReader(data) as reader:
        assert report.n_train == len(reader.members("default", Split.TRAIN))
    assert not (tmp_path / "run" / "predictions.csv").exists()
    assert report.summary().endswith("run: skesl pretrain on 6 clips, epoch 2 of 2 kept")


def test_pretraining_does_not_read_the_labels(encoder, tmp_path):
    runs = []
    for name, labels in (("with", ["mood"]), ("without", [])):
        data = write_example_dataset(tmp_path / f"{name}.h5")
        if not labels:
            strip_labels(data)
        runs.append(tmp_path / name)
        pretrain(data, runs[-1], skesl_config(encoder))

    assert digest(runs[0]) == digest(runs[1])


def strip_labels(path):
    """Remove the labels of a dataset file; its content hash no longer fits, which training does not check."""
    with h5py.File(path, "r+") as file:
        for name in list(file["/labels"]):
            del file[f"/labels/{name}"]


def test_pretraining_without_split_scheme_uses_every_clip_with_text(encoder, tmp_path):
    data = write_example_dataset(tmp_path / "example.h5")
    with h5py.File(data, "r+") as file:
        del file["/splits/default"]

    assert pretrain(data, tmp_path / "run", skesl_config(encoder)).n_train == 12


@pytest.mark.parametrize(("text", "part"), [("  ", Split.TRAIN), ("it was good", Split.TEST)])
def test_pretraining_without_a_spoken_clip_is_refused(encoder, tmp_path, text, part):
    data = write_texts(tmp_path / "texts.h5", text=text, part=part)

    with pytest.raises(InputError, match=r"expected clips with text outside valid and test, got \d clip\(s\) and 0"):
        pretrain(data, tmp_path / "run", skesl_config(encoder))


def test_an_own_lexicon_changes_what_is_learned(data, encoder, tmp_path):
    lexicon = tmp_path / "own.txt"
    lexicon.write_text("take\t4.0\n")

    pretrain(data, tmp_path / "vader", skesl_config(encoder))
    pretrain(data, tmp_path / "own", skesl_config(encoder, lexicon=lexicon))

    assert digest(tmp_path / "vader") != digest(tmp_path / "own")


def test_a_method_without_pretraining_refuses_it(data, encoder, tmp_path):
    with pytest.raises(MethodError, match="method 'text_only' has no stage 'pretrain'; its stages: finetune"):
        pretrain(data, tmp_path / "run", text_config(encoder))


def test_fine_tuning_leaves_the_validation_predictions_of_the_kept_epoch(data, encoder, tmp_path, monkeypatch):
    values = iter([1.0, 2.0])  # the first epoch is the better one
    monkeypatch.setattr(skesl.stages, "metrics_of", lambda _task, _labels, _answers: {"mae": next(values)})

    report = finetune(data, tmp_path / "run", skesl_config(encoder))

    rows = (tmp_path / "run" / "predictions.csv").read_text().splitlines()
    expected = predict_run(tmp_path / "run", data, part=Split.VALID, device="cpu")
    assert rows[0] == "clip_id,prediction,label"
    assert [row.split(",")[0] for row in rows[1:]] == list(expected.clip_ids)
    assert [float(row.split(",")[1]) for row in rows[1:]] == expected.answers[:, 0].tolist()
    assert report.summary().endswith("skesl finetune on 6 clips, epoch 1 of 2 kept (valid mae 1.0000)")


def test_a_clip_without_the_label_is_neither_trained_nor_validated_on(encoder, tmp_path):
    data = write_texts(tmp_path / "texts.h5", unlabelled=(0, 2))  # one of four to train on, one of two to validate on

    assert finetune(data, tmp_path / "run", text_config(encoder)).n_train == 3

    rows = (tmp_path / "run" / "predictions.csv").read_text().splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == ["clip_6"]


def test_statistics_come_from_the_training_clips_alone(data, encoder, tmp_path):
    finetune(data, tmp_path / "run", skesl_config(encoder))

    stored = load_run(tmp_path / "run").method.normalisers["audio"]
    with DatasetReader(data) as reader:
        read = [reader.read("audio", int(index)) for index in reader.members("default", Split.TRAIN)]
    frames = torch.cat([torch.from_numpy(features.values[features.valid]) for features in read]).double()
    # column 0 is log-F0, whose unvoiced frames do not count; float32
    torch.testing.assert_close(stored.mean[1:].double(), frames.mean(dim=0)[1:], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("stage", [pretrain, finetune])
def test_equal_seeds_give_bit_identical_runs_and_other_seeds_other_ones(data, encoder, tmp_path, stage):
    runs = {"one": 1, "same": 1, "other": 2}
    for name, seed in runs.items():
        torch.manual_seed(len(name))  # whatever the process drew before
        train = TrainConfig(n_epochs=1, batch_size=4, learning_rate=1e-2, device="cpu", seed=seed)
        stage(data, tmp_path / name, skesl_config(encoder, train=train))

    assert digest(tmp_path / "one") == digest(tmp_path / "same")
    assert digest(tmp_path / "one") != digest(tmp_path / "other")


def test_the_seed_draws_the_first_weights(data, encoder, tmp_path):
    for name, seed in {"one": 1, "other": 2}.items():
        train = TrainConfig(n_epochs=1, learning_rate=0.0, text_encoder_learning_rate=0.0, device="cpu", seed=seed)
        pretrain(data, tmp_path / name, skesl_config(encoder, train=train))

    one, other = (load_file(tmp_path / name / "weights.safetensors") for name in ("one", "other"))
    assert not torch.equal(one["head.hidden.weight"], other["head.hidden.weight"])


def test_a_text_only_dataset_trains_the_text_baseline(encoder, tmp_path):
    data = write_texts(tmp_path / "texts.h5")

    report = finetune(data, tmp_path / "run", text_config(encoder))

    assert report.n_train == 4
    assert evaluate_run(tmp_path / "run", data, device="cpu").n_clip == 2


def test_skesl_refuses_a_text_only_dataset(encoder, tmp_path):
    with pytest.raises(MethodError, match="needs a stream named audio or vision"):
        finetune(write_texts(tmp_path / "texts.h5"), tmp_path / "run", skesl_config(encoder))


def test_a_dataset_without_labels_cannot_be_fine_tuned_on(encoder, tmp_path):
    with pytest.raises(InputError, match=r"expected one label, it has 0 \(none\)"):
        finetune(write_texts(tmp_path / "texts.h5", labels=()), tmp_path / "run", text_config(encoder))


def test_of_several_labels_one_has_to_be_chosen(encoder, tmp_path):
    data = write_texts(tmp_path / "texts.h5", labels=("anger", "joy"))

    with pytest.raises(InputError, match=r"expected one label, it has 2 \(anger, joy\); choose with --label NAME"):
        finetune(data, tmp_path / "run", text_config(encoder))
    with pytest.raises(InputError, match="no label 'fear'; known: anger, joy"):
        finetune(data, tmp_path / "run", text_config(encoder, labels=("fear",)))

    finetune(data, tmp_path / "run", text_config(encoder, labels=("joy",)))
    assert settings(tmp_path / "run")["data"]["task"]["labels"] == ["joy"]


def test_the_chosen_scheme_says_who_is_trained_on_and_evaluated(encoder, tmp_path):
    data = write_texts(tmp_path / "texts.h5", schemes=("default", "turned"))

    finetune(data, tmp_path / "run", text_config(encoder, scheme="turned"))

    rows = (tmp_path / "run" / "predictions.csv").read_text().splitlines()[1:]
    with DatasetReader(data) as reader:
        valid = [reader.clip_ids[index] for index in reader.members("turned", Split.VALID)]
        assert [row.split(",")[0] for row in rows] == valid
        assert valid != [reader.clip_ids[index] for index in reader.members("default", Split.VALID)]
        tested = [reader.clip_ids[index] for index in reader.members("turned", Split.TEST)]
    assert list(predict_run(tmp_path / "run", data, part=Split.TEST, device="cpu").clip_ids) == tested


@pytest.mark.parametrize("stage", [pretrain, finetune])
def test_an_unknown_scheme_is_refused_with_the_known_ones(data, encoder, tmp_path, stage):
    with pytest.raises(InputError, match="no split scheme 'folds'; known: default"):
        stage(data, tmp_path / "run", skesl_config(encoder, scheme="folds"))


@pytest.mark.parametrize(("part", "missing"), [(Split.TRAIN, "valid"), (Split.VALID, "train")])
def test_a_part_without_labelled_clips_is_refused(encoder, tmp_path, part, missing):
    data = write_texts(tmp_path / "texts.h5", part=part)

    message = rf"expected clips with the label 'mood' in the {missing} part of the split 'default', got 0 clip\(s\)"
    with pytest.raises(InputError, match=message):
        finetune(data, tmp_path / "run", text_config(encoder))


def test_without_a_text_encoder_the_ways_to_name_one_are_told(data, tmp_path):
    with pytest.raises(InputError, match=r"expected a text encoder, got none; pass --text-encoder with .* minilm-l6"):
        finetune(data, tmp_path / "run", ExperimentConfig(train=QUICK))


def test_an_unknown_setting_of_the_method_is_refused_with_the_known_ones(data, encoder, tmp_path):
    with pytest.raises(ConfigError, match="unknown key 'layers'; known: n_layers, share_layers, n_inner"):
        finetune(data, tmp_path / "run", skesl_config(encoder, method_settings={"layers": 2}))

    assert not (tmp_path / "run").exists()


def test_a_longer_text_than_the_encoder_reads_is_cut_and_not_a_crash(encoder, tmp_path):
    data = write_texts(tmp_path / "texts.h5", text="good " * 200)
    train = TrainConfig(n_epochs=1, device="cpu", max_text_tokens=1000)

    finetune(data, tmp_path / "run", text_config(encoder, train=train))

    assert len(predict_run(tmp_path / "run", data, device="cpu").answers) == 8


@pytest.mark.parametrize(("fraction", "n_kept"), [(1.0, 6), (0.5, 6), (0.25, 4), (0.0, 3)])
def test_clips_without_a_sentiment_word_can_be_limited(encoder, tmp_path, fraction, n_kept):
    data = write_example_dataset(tmp_path / "example.h5")
    lexicon = tmp_path / "own.txt"
    lexicon.write_text("wonderful\t2.5\n")
    with DatasetReader(data) as reader:
        train = reader.members("default", Split.TRAIN)
        assert sum("wonderful" in reader.texts[index] for index in train) == 3
    settings = {**SMALL, "masking": {"max_neutral_fraction": fraction}}
    config = skesl_config(encoder, method_settings=settings, lexicon=lexicon)

    report = pretrain(data, tmp_path / "run", config)

    assert report.n_train == n_kept
    n_left_out = 6 - n_kept
    expected = (f"text: {n_left_out} of 3 clip(s) without a sentiment word left out",) if n_left_out else ()
    assert report.notes == expected


def test_a_limit_that_leaves_no_clip_is_refused(encoder, tmp_path):
    data = write_texts(tmp_path / "texts.h5", text="it was a film")
    settings = {**SMALL, "inputs": {"modalities": ["text"]}, "masking": {"max_neutral_fraction": 0.0}}

    with pytest.raises(InputError, match=r"expected clips with a sentiment word, got none in 4 clip\(s\)"):
        pretrain(data, tmp_path / "run", skesl_config(encoder, method_settings=settings))


def test_a_chinese_lexicon_is_matched_without_spaces(encoder, tmp_path):
    data = write_texts(tmp_path / "texts.h5", text="这部电影很好看")
    lexicon = tmp_path / "chinese.txt"
    lexicon.write_text("好看\t2.5\n失望\t-2.5\n", encoding="utf-8")
    settings = {**SMALL, "inputs": {"modalities": ["text"]}, "masking": {"max_neutral_fraction": 0.0}}

    assert (
        pretrain(data, tmp_path / "run", skesl_config(encoder, method_settings=settings, lexicon=lexicon)).n_train == 4
    )
