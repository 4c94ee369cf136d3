"""transcribe, align and build --transcripts: what is printed, exit codes, and the way from sounds to a dataset."""

import json
import sys

import pytest
import soundfile
from click.testing import CliRunner

from mmfeat import DatasetReader
from mmfeat.testing import tone
from mmfeat_cli.main import mmfeat as group

SIZES = f'"{sys.executable}" -c "import sys, wave; print(wave.open(sys.argv[1]).getnframes())" {{audio}}'


def command(*arguments):
    return CliRunner().invoke(group, [str(argument) for argument in arguments])


@pytest.fixture
def sounds(tmp_path):
    folder = tmp_path / "sounds"
    folder.mkdir()
    for name in ("a", "b"):
        soundfile.write(folder / f"{name}.wav", tone(200.0, duration_s=0.5).samples, 16_000)
    return folder


@pytest.fixture
def out(tmp_path):
    return tmp_path / "transcripts.jsonl"


def test_any_recogniser_is_run_by_its_command_line(sounds, out):
    options = ["--backend", "command", "--command", SIZES, "--out", out]
    result = command("transcribe", sounds, *options, "-j", 2, "--language", "en")
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{out}: 2 clips (ok 2)\n", "")
    records = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(record["clip_id"], record["text"], record["language"]) for record in records] == [
        ("a", "8000", "en"),
        ("b", "8000", "en"),
    ]
    result = command("transcribe", sounds, *options, "--language", "en")
    assert result.stdout == f"{out}: 2 clips (ok 2), 2 of them from an earlier run\n"


def test_a_failed_clip_is_listed_and_the_code_is_1(sounds, out):
    (sounds / "b.wav").write_bytes(b"")
    options = ["--backend", "command", "--command", SIZES, "--out", out]
    result = command("transcribe", sounds, *options)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"{out}: 2 clips (ok 1, empty 1); 1 failed:",
        f"  b: {sounds}/b.wav: expected sound, got a file of 0 bytes; copy it again",
    ]
    report = json.loads(command("transcribe", sounds, *options, "--json").stdout)
    assert (report["n_skipped"], report["failures"][0]["code"]) == (1, "empty")


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--backend", "command"], 3, "expected a command line with {audio}, got []"),
        (["--backend", "command", "--command", "no-such-program {audio}"], 4, "expected a program, found none"),
        (["--backend", "command", "--command", "'"], 2, "No closing quotation"),
        ([], 3, "back end 'faster-whisper': expected a model, got none"),
        (["--backend", "pocketsphinx", "--language", "de"], 3, "the one that comes with pocketsphinx is English"),
        (["--backend", "whisper"], 2, "'whisper' is not one of"),
    ],
)
def test_a_wrong_option_is_one_sentence_and_makes_no_file(sounds, out, options, code, message):
    result = command("transcribe", sounds, "--out", out, *options)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr
    assert not out.exists()


def test_a_missing_package_is_code_4(sounds, out, monkeypatch):
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    result = command("transcribe", sounds, "--out", out, "--model", "base")
    assert (result.exit_code, result.stderr) == (
        4,
        "error: the back end 'faster-whisper' needs the package 'faster_whisper', which is not installed; "
        "pip install 'mmfeat[asr]'\n",
    )


def test_from_a_manifest_to_words_in_a_dataset(see_so, out, tmp_path):
    pytest.importorskip("pocketsphinx")
    said = see_so()
    soundfile.write(tmp_path / "a.wav", said.samples, said.sample_rate)
    soundfile.write(tmp_path / "b.wav", said.samples, said.sample_rate)
    (tmp_path / "clips.csv").write_text('clip_id,audio,text\na,a.wav,"See, so."\nb,b.wav,\n')
    result = command("align", tmp_path / "clips.csv", "--out", out)
    assert result.exit_code == 1
    assert "  b: " in result.stdout
    assert "expected a text with words to align, got ''" in result.stdout
    result = command("build", tmp_path / "clips.csv", "--transcripts", out, "--out", tmp_path / "x.h5")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[1].startswith(f"  b: no transcript: {tmp_path}/b.wav: expected a text")
    with DatasetReader(tmp_path / "x.h5") as reader:
        assert reader.words(0).tokens == ("See,", "so.")
        assert reader.read_aligned("audio", [0]).valid.all()
    heard = tmp_path / "heard.jsonl"
    heard.write_text('{"clip_id": "a", "text": "no"}\n{"clip_id": "b", "text": "see saw"}\n')
    result = command("align", tmp_path / "clips.csv", "--transcripts", heard, "--out", out)
    assert (result.exit_code, result.stdout) == (0, f"{out}: 2 clips (ok 2), 1 of them from an earlier run\n")
    assert result.stderr == f"note: {heard}: 1 clip(s) keep a text that differs from the transcript, first 'a'\n"


def test_a_file_that_is_no_transcripts_is_refused(sounds, tmp_path):
    (tmp_path / "clips.csv").write_text("clip_id,audio\na,sounds/a.wav\n")
    result = command(
        "build", tmp_path / "clips.csv", "--transcripts", tmp_path / "clips.csv", "--out", tmp_path / "x.h5"
    )
    assert result.exit_code == 3
    assert "2 line(s) are no transcripts:\n  line 1: Expecting value" in result.stderr
