"""The commands of mmfeat: whole outputs, exit codes, and one sentence for every kind of bad input."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

import mmfeat.extract_all
from mmfeat import DatasetReader, validate
from mmfeat.testing import tone, write_example_dataset, write_example_manifest, write_openface_csv
from mmfeat_cli.main import mmfeat as group

SCRIPT = Path(sys.executable).with_name("mmfeat")
COLUMNS = "clip_id, recording_id, speaker_id, position, split, audio, video, openface, text"


def mmfeat_command(*arguments):
    return CliRunner().invoke(group, [str(argument) for argument in arguments])


def refused(*arguments):
    """Run a command that refuses its input and return the message."""
    result = mmfeat_command(*arguments)
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith("error: ")
    return result.stderr.removeprefix("error: ").rstrip("\n")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_example_manifest(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def built(corpus, tmp_path_factory):
    path = tmp_path_factory.mktemp("built") / "corpus.h5"
    result = mmfeat_command("build", corpus, "--out", path, "--groups", "au,pose")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{path}: 4 clips (audio 4, vision 4)\n"
    return path


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.h5"


@pytest.fixture
def manifest(tmp_path):
    """Write a manifest of lines."""

    def write(*lines):
        path = tmp_path / "clips.csv"
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    return write


@pytest.fixture
def silent_wav(tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(0), 16_000)
    return tmp_path / "silent.wav"


# The line from clips to a description


def test_what_is_built_is_valid_and_says_so(built):
    for level in ("structure", "content"):
        result = mmfeat_command("validate", built, "--level", level)
        assert (result.exit_code, result.stdout, result.stderr) == (0, f"{built}: valid ({level})\n", "")


def test_validate_prints_json_for_machines(built):
    result = mmfeat_command("validate", built, "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, {"ok": True, "findings": []})


def test_describe_prints_one_fact_a_line(built):
    with DatasetReader(built) as reader:
        content = reader.attributes["content_sha256"]
    result = mmfeat_command("describe", built)
    assert (result.exit_code, result.stderr) == (0, "")
    *lines, made, last = result.stdout.splitlines()
    assert re.fullmatch(r"made             build, 20\d\d-\S+ by mmfeat \d.*", made)
    assert [*lines, last] == [
        "dataset          corpus (format 1.0)",
        "clips            4 in 4 recordings, 4 with text",
        "sound            0.0 minutes",
        "split default    train 2 · valid 1 · test 1 · none 0",
        "label sentiment  regression, 4 clips, -3 … 0, mean -1.5",
        "stream audio     4 clips, 64 frames x 33 (default)",
        "stream vision    4 clips, 40 frames x 41 (custom)",
        f"content          {content[:16]}",
    ]


def test_describe_prints_json_for_machines(built):
    description = json.loads(mmfeat_command("describe", built, "--json").stdout)
    assert (description["n_clip"], description["duration_s"]) == (4, 2.0)
    assert description["streams"]["vision"]["n_feature"] == 41


def test_the_console_script_builds_the_same_content_with_two_workers(corpus, built, out):
    result = subprocess.run(
        [SCRIPT, "build", corpus, "--out", out, "--groups", "au,pose", "-j", "2"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, f"{out}: 4 clips (audio 4, vision 4)\n", "")
    with DatasetReader(built) as one, DatasetReader(out) as two:
        assert one.attributes["content_sha256"] == two.attributes["content_sha256"]
        assert two.events()[0]["command"][1:3] == ["build", str(corpus)]


def test_settings_come_from_preset_file_and_overrides(corpus, out, tmp_path):
    (tmp_path / "settings.toml").write_text("[audio]\nhop_length = 1024\n[openface]\ngroups = ['gaze']\n")
    options = ["--preset", "skesl-33", "--config", tmp_path / "settings.toml", "--set", "audio.mfcc.n_mfcc=13"]
    assert mmfeat_command("build", corpus, "--out", out, *options).exit_code == 0
    with DatasetReader(out) as reader:
        assert reader.info("audio").config["sample_rate"] == 22_050
        assert reader.info("audio").hop_s == 1024 / 22_050
        assert len(reader.info("audio").feature_names) == 26
        assert len(reader.info("vision").feature_names) == 8


def test_extract_audio_takes_files_and_folders(out, tmp_path):
    (tmp_path / "day").mkdir()
    for name in ("day/a.wav", "day/b.flac", "lone.wav"):
        soundfile.write(tmp_path / name, tone(200.0, duration_s=0.3).samples, 16_000)
    result = mmfeat_command(
        "extract-audio", tmp_path / "day", tmp_path / "lone.wav", "--out", out, "--set", "hop_length=256"
    )
    assert (result.exit_code, result.stdout) == (0, f"{out}: 3 clips (audio 3)\n")
    with DatasetReader(out) as reader:
        assert reader.clip_ids == ("a", "b", "lone")
        assert reader.read("audio", 2).values.shape == (1 + 4800 // 256, 33)


def test_parse_openface_takes_groups_and_a_frame_rate(out, tmp_path):
    path = write_openface_csv(tmp_path / "a.csv")
    lines = [line.split(", ") for line in path.read_text().splitlines()]
    path.write_text("\n".join(", ".join([*cells[:2], *cells[3:]]) for cells in lines) + "\n")  # without timestamp
    result = mmfeat_command("parse-openface", path, "--out", out, "--groups", "au, pose", "--fps", "50")
    assert (result.exit_code, result.stdout) == (0, f"{out}: 1 clips (vision 1)\n")
    with DatasetReader(out) as reader:
        assert reader.read("vision", 0).values.shape == (10, 41)
        np.testing.assert_allclose(reader.read("vision", 0).times_s, np.arange(10) / 50, rtol=1e-12)


# Clips that fail


def test_one_failing_clip_is_recorded_and_the_rest_is_built(manifest, silent_wav, out, tmp_path):
    soundfile.write(tmp_path / "good.wav", tone(200.0, duration_s=0.3).samples, 16_000)
    path = manifest("clip_id,audio", "one,good.wav", "two,silent.wav", "three,none.wav")
    result = mmfeat_command("build", path, "--out", out)
    assert (result.exit_code, result.stderr) == (1, "")
    assert result.stdout.splitlines() == [
        f"{out}: 3 clips (audio 1); 2 stream(s) failed:",
        f"  two: audio: {silent_wav}: expected sound, got 0 samples; remove the clip",
        f"  three: audio: {tmp_path / 'none.wav'}: expected a sound file, found none; correct the path",
    ]
    with DatasetReader(out) as reader:
        assert reader.clip_ids == ("one", "two", "three")
        assert [row[:3] for row in reader.failures()] == [
            ("two", "audio", "empty"),
            ("three", "audio", "missing_source"),
        ]
    assert validate(out, level="content").ok


# Bad input: where, expected, got, what to do; exit code 3


def test_a_missing_manifest(out, tmp_path):
    assert refused("build", tmp_path / "none.csv", "--out", out) == (
        f"{tmp_path}/none.csv: expected a manifest (csv), cannot read it: No such file or directory; correct the path"
    )


def test_a_missing_sound_file(out, tmp_path):
    assert refused("extract-audio", tmp_path / "none.wav", "--out", out) == (
        f"{tmp_path}/none.wav: expected a file or a folder, found none; correct the path"
    )


@pytest.mark.parametrize("command", ["validate", "describe"])
def test_a_missing_dataset(command, tmp_path):
    assert refused(command, tmp_path / "none.h5").startswith(
        f"{tmp_path}/none.h5: expected a dataset file, found none; "
    )


def test_an_empty_manifest(manifest, out):
    assert refused("build", manifest(), "--out", out) == (
        f"{manifest()}: expected a header with clip_id, got an empty file; write one row for each clip"
    )


def test_a_manifest_of_a_header_alone(manifest, out):
    path = manifest("clip_id,text")
    assert refused("build", path, "--out", out) == (
        f"{path}: the manifest has 1 fault(s); correct each:\n"
        "  line 2: expected at least one clip below the header, got none; add a row for each clip"
    )


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        (("clip_id", "a", "a"), "line 3: expected a new clip id, got 'a' of line 2 again"),
        (("clip_id,split", "a,dev"), "line 2: split: expected train, valid, test or none, got 'dev'"),
        (("clip_id,label:joy", "a,high"), "line 2: label:joy: expected a number, got 'high'"),
        (
            ("clip_id,sound", "a,"),
            f"line 1: unknown column 'sound'; known: {COLUMNS}, split:NAME, label:NAME, note:NAME",
        ),
        (("id", "a"), "line 1: expected the column 'clip_id', got 'id'"),
    ],
)
def test_a_fault_of_a_manifest(manifest, out, lines, fault):
    path = manifest(*lines)
    message = refused("build", path, "--out", out).splitlines()
    assert message[:2] == [f"{path}: the manifest has {len(message) - 1} fault(s); correct each:", f"  {fault}"]
    assert not out.exists()


def test_several_faults_of_a_manifest_at_once(manifest, out):
    path = manifest("clip_id,split,label:joy,audio", "a,dev,1,x.wav", "b,train,high,", "a,test,2,y.wav")
    assert refused("build", path, "--out", out).splitlines() == [
        f"{path}: the manifest has 4 fault(s); correct each:",
        "  line 4: expected a new clip id, got 'a' of line 2 again",
        "  line 2: split: expected train, valid, test or none, got 'dev'",
        "  line 3: label:joy: expected a number, got 'high'",
        f"  column 'audio': none of its 2 files exists, first '{path.parent}/x.wav'; "
        "paths are relative to the manifest's folder",
    ]


def test_a_csv_that_is_not_openface(manifest, out):
    path = manifest("name,age", "ann,30")
    assert refused("parse-openface", path, "--out", out) == (
        f"{path}: expected an OpenFace csv with columns such as 'AU01_r', got 'name', 'age'; "
        "run FeatureExtraction, or correct the path"
    )


def test_a_wav_of_zero_samples(silent_wav, out):
    message = f"{silent_wav}: expected sound, got 0 samples; remove the clip"
    assert refused("extract-audio", silent_wav, "--out", out) == message
    assert [path.name for path in out.parent.iterdir()] == ["silent.wav"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--preset", "slow"], "unknown audio preset 'slow'; known: default, skesl-33"),
        (["--groups", "mouth"], "unknown OpenFace group 'mouth'; known: gaze"),
        (["--fps", "0"], "frame_rate_hz must be positive and finite, got 0.0"),
        (["--set", "audio.hop=512"], "unknown key 'audio.hop'; known: sample_rate, hop_length, features, pitch,"),
        (["--set", "audio"], "override 'audio': expected KEY=VALUE"),
        (["--config", "none.toml"], "none.toml: expected a readable TOML file: No such file or directory"),
    ],
)
def test_a_wrong_setting(corpus, out, options, message):
    assert message in refused("build", corpus, "--out", out, *options)
    assert not out.exists()


@pytest.mark.parametrize("command", ["build", "extract-audio", "parse-openface"])
def test_an_existing_output_is_not_overwritten(corpus, out, command):
    sources = {"build": corpus, "extract-audio": corpus.parent / "0.wav", "parse-openface": corpus.parent / "0.csv"}
    out.write_text("mine")
    assert refused(command, sources[command], "--out", out) == (
        f"{out}: expected a new output, but it exists; choose another name or pass --overwrite"
    )
    assert out.read_text() == "mine"
    assert mmfeat_command(command, sources[command], "--out", out, "--overwrite").exit_code == 0
    assert validate(out).ok


def test_an_output_in_a_place_that_is_no_folder(corpus, out):
    out.touch()
    assert refused("build", corpus, "--out", out / "more.h5") == (
        f"{out}/more.h5: expected a place to write a file, got 'Not a directory'; choose another name"
    )


def test_a_file_that_is_no_dataset(out):
    out.write_text("text")
    result = mmfeat_command("validate", out)
    assert result.exit_code == 3
    assert result.stdout.startswith(f"{out}: MF001 /: expected an HDF5 file that can be read: ")
    assert refused("describe", out).startswith(f"{out}: expected an HDF5 file that can be opened: ")


def test_a_damaged_dataset_is_refused_with_its_findings(out):
    write_example_dataset(out)
    with h5py.File(out, "r+") as file:
        file["/streams/audio/values"][3, 3] += 1
    assert mmfeat_command("validate", out).exit_code == 0
    result = mmfeat_command("validate", out, "--level", "content", "--json")
    report = json.loads(result.stdout)
    assert (result.exit_code, report["ok"]) == (3, False)
    assert [(finding["rule"], finding["where"]) for finding in report["findings"]] == [("MF019", "/")]


# Usage and interruption


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["build"], "Missing argument 'MANIFEST'"),
        (["build", "clips.csv"], "Missing option '--out'"),
        (["build", "clips.csv", "--out", "a.h5", "-j", "0"], "0 is not in the range x>=1"),
        (["extract-audio", "--out", "a.h5"], "expected PATHS or --manifest, one of the two"),
        (["validate", "a.h5", "--level", "deep"], "'deep' is not one of 'structure', 'content'"),
        (["describe", "a.h5", "--yaml"], "No such option"),
        (["polish"], "No such command 'polish'"),
    ],
)
def test_a_usage_error_ends_with_2(arguments, message):
    result = mmfeat_command(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


def test_an_interrupted_build_ends_with_130_and_leaves_no_file(corpus, out, monkeypatch):
    def interrupt(entry, config, named):
        raise KeyboardInterrupt

    monkeypatch.setattr(mmfeat.extract_all, "extract_clip", interrupt)
    result = mmfeat_command("build", corpus, "--out", out)
    assert (result.exit_code, result.stdout, result.stderr.strip()) == (130, "", "interrupted")
    assert not out.exists()


STOPS = [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]


@pytest.mark.parametrize("n_jobs", ["1", "2"])
@pytest.mark.parametrize(("number", "code", "last_line"), STOPS)
def test_a_signal_in_the_middle_of_a_build_ends_it_and_the_next_one_goes_on(
    corpus, out, manifest, n_jobs, number, code, last_line
):
    path = manifest("clip_id,audio", *(f"{i},{corpus.parent}/0.wav" for i in range(2000)))
    # A shell may start its children deaf to Ctrl-C, hence the handler.
    program = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from mmfeat_cli.main import main; main()"
    )
    command = [sys.executable, "-c", program, "build", path, "--out", out, "-j", n_jobs]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    journal = out.with_name("out.h5.part") / "journal.jsonl"  # grows when clips have arrived
    while process.poll() is None and not (journal.exists() and journal.stat().st_size):
        time.sleep(0.02)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (code, "")
    assert stderr.strip().splitlines()[-1] == last_line
    assert sorted(left.name for left in out.parent.iterdir()) == ["clips.csv", "out.h5.part"]
    n_done = len(journal.read_text().splitlines())
    assert 0 < n_done < 2000
    result = mmfeat_command("build", path, "--out", out)
    assert result.stdout == f"{out}: 2000 clips (audio 2000), {n_done} of them from an interrupted run\n"
    assert validate(out, level="content").ok
    assert sorted(left.name for left in out.parent.iterdir()) == ["clips.csv", "out.h5"]


def test_a_reader_that_goes_away_ends_the_command_quietly(built):
    command = [SCRIPT, "describe", built, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
