"""One clip, from its files to a prediction, is what the same clip is in a dataset."""

import json
import shutil

import pytest
from click.testing import CliRunner

from mmfeat import build_dataset, read_manifest, resolve_build_config
from mmfeat.testing import write_example_manifest
from mmfeat_cli.skesl import skesl
from skesl import CheckpointError, ExperimentConfig, TrainConfig, finetune, predict_clip, predict_run
from skesl.testing import write_tiny_text_encoder

TRAIN = TrainConfig(n_epochs=1, batch_size=4, device="cpu")
SMALL = {"n_layers": 1, "n_inner": 8, "n_head_hidden": 8}


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """The files of four clips, their dataset, and a run trained on it."""
    folder = tmp_path_factory.mktemp("material")
    entries = read_manifest(write_example_manifest(folder))
    config = resolve_build_config(overrides=['audio.features=["mfcc"]', 'openface.groups=["pose"]'])
    build_dataset(entries, folder / "clips.h5", config)
    encoder = str(write_tiny_text_encoder(folder / "encoder"))
    finetune(
        folder / "clips.h5",
        folder / "run",
        ExperimentConfig(text_encoder=encoder, train=TRAIN, method_settings=SMALL),
    )
    return folder


def test_a_clip_is_predicted_as_it_is_in_the_dataset(material):
    expected = predict_run(material / "run", material / "clips.h5", device="cpu")

    for number in range(4):
        found = predict_clip(
            material / "run",
            text=f"Take {number}.",
            wav=material / f"{number}.wav",
            openface=material / f"{number}.csv",
            device="cpu",
        )
        assert found.scores["sentiment"] == pytest.approx(
            expected.scores[number, 0], abs=1e-5
        )  # float32 beside others in a batch
        assert (found.answers, found.notes) == (found.scores, ())


def test_what_the_clip_lacks_is_said(material):
    found = predict_clip(material / "run", text="Take 0.", wav=material / "0.wav", device="cpu")

    assert found.notes == ("vision: none was given (--openface, or --openface-bin with --video); predicted without",)


def test_a_stream_that_cannot_be_read_is_said_with_its_reason(material, tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"no sound")

    found = predict_clip(
        material / "run", text="x", wav=tmp_path / "broken.wav", openface=material / "0.csv", device="cpu"
    )

    (note,) = found.notes
    assert note.startswith(f"audio: {tmp_path / 'broken.wav'}: ")
    assert note.endswith("; predicted without")


def test_openface_is_run_on_the_video_where_it_is_given(material, stand_in, tmp_path):
    from mmfeat import find_openface

    video = tmp_path / "clip.mp4"
    video.write_text("fine")
    written = shutil.copy(material / "2.csv", stand_in.folder / "frames.csv")
    tool = find_openface(str(stand_in.program), multi=None, image="", docker="docker")

    by_tool = predict_clip(material / "run", text="a", wav=material / "2.wav", video=video, tool=tool, device="cpu")
    by_file = predict_clip(material / "run", text="a", wav=material / "2.wav", openface=written, device="cpu")

    assert by_tool.scores == by_file.scores


def test_a_run_on_streams_of_unknown_making_is_refused(material, tmp_path):
    run = shutil.copytree(material / "run", tmp_path / "run")
    settings = json.loads((run / "config.json").read_text())
    settings["data"]["streams"]["audio"]["config"] = {"source": "a pickle"}
    (run / "config.json").write_text(json.dumps(settings))

    with pytest.raises(CheckpointError, match=r"'audio' of its data was not made by mmfeat .* predict a dataset"):
        predict_clip(run, text="a", wav=material / "0.wav", device="cpu")


def command(*arguments):
    return CliRunner().invoke(skesl, ["predict", *map(str, arguments), "--device", "cpu"])


def test_the_command_prints_one_line_or_json(material):
    options = ["--wav", material / "1.wav", "--openface", material / "1.csv", "--text", "Take 1."]

    line, document = command(material / "run", *options), command(material / "run", *options, "--json")

    assert line.exit_code == document.exit_code == 0, line.output
    value = json.loads(document.stdout)["answers"]["sentiment"]
    assert line.stdout == f"{material / '1.wav'}: sentiment {value:.4f}\n"
    assert line.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected DATA, or one clip by --video, --wav, --openface or --text"),
        (["data.h5", "--text", "a"], "--text: of one clip, without DATA; got both"),
        (["--text", "a", "--split", "test"], "--split: of a dataset, expected DATA"),
    ],
)
def test_a_clip_and_a_dataset_are_not_mixed(material, arguments, message):
    result = command(material / "run", *arguments)

    assert result.exit_code == 2
    assert message in result.stderr


def test_nothing_readable_and_no_text_is_refused(material, tmp_path):
    result = command(material / "run", "--wav", tmp_path / "no.wav")

    assert result.exit_code == 3
    assert "run reads text, audio, vision; expected one of these that can be read, got none; audio: " in result.stderr


@pytest.fixture(scope="module")
def of_sound(material):
    """A run that reads the sound alone."""
    settings = {**SMALL, "inputs": {"modalities": ["audio"]}}
    encoder = str(material / "encoder")
    config = ExperimentConfig(text_encoder=encoder, train=TRAIN, method_settings=settings)
    finetune(material / "clips.h5", material / "of_sound", config)
    return material / "of_sound"


def test_a_text_alone_is_refused_where_the_run_reads_none(of_sound):
    result = command(of_sound, "--text", "hello")

    assert result.exit_code == 3
    assert (
        "of_sound reads audio; expected one of these that can be read, got a text, which is not read; audio: none was "
        "given (--wav or --video)"
    ) in result.stderr


def test_a_text_that_is_not_read_is_said(of_sound, material):
    alone = predict_clip(of_sound, wav=material / "1.wav", device="cpu")
    with_text = predict_clip(of_sound, wav=material / "1.wav", text="hello", device="cpu")

    assert alone.notes == ()
    assert with_text.notes == (f"text: {of_sound} reads none; predicted without",)
    assert with_text.scores == alone.scores
