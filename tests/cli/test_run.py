"""run-openface and extract-wav: what is printed, exit codes, and what a kill leaves for the next run."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import soundfile
from click.testing import CliRunner

from mmfeat import DatasetReader
from mmfeat.testing import tone
from mmfeat_cli.main import mmfeat as group


def command(*arguments):
    return CliRunner().invoke(group, [str(argument) for argument in arguments])


def refused(*arguments, code=3):
    """Run a command that refuses and return the message."""
    result = command(*arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    return result.stderr.removeprefix("error: ").rstrip("\n")


def wait_for(condition):
    """Wait until something is true, at most 20 s."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def is_alive(pid):
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


# run-openface


def test_from_videos_to_a_dataset(stand_in, make_videos, out, tmp_path):
    videos = make_videos(**{"one/a.mp4": "ok", "two/a.mp4": "ok", "two/b.mp4": "crash"})
    result = command("run-openface", videos, "--openface-bin", stand_in.program, "--out", out, "-j", 2)
    assert (result.exit_code, result.stderr) == (1, "")
    lines = result.stdout.splitlines()
    assert lines[0] == f"{out}: 3 clips (ok 2, tool_failed 1); 1 failed:"
    assert lines[1].startswith(f"  two/b: {videos}/two/b.mp4: OpenFace crashed (SIGSEGV), last line ")
    result = command("parse-openface", out, "--out", tmp_path / "faces.h5", "--groups", "au")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0] == f"{tmp_path}/faces.h5: 3 clips (vision 2); 1 stream(s) failed:"
    assert lines[1].startswith(f"  two/b: vision: {out}/two/b.csv: expected an OpenFace csv, the run failed: ")
    with DatasetReader(tmp_path / "faces.h5") as reader:
        assert reader.clip_ids == ("one/a", "two/a", "two/b")
        assert reader.failures()[0][:3] == ("two/b", "vision", "tool_failed")


def test_json_says_the_same(stand_in, make_videos, out):
    videos = make_videos(**{"a.mp4": "ok", "b.mp4": "exit 1"})
    result = command("run-openface", videos, "--openface-bin", stand_in.program, "--out", out, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {
        "path": str(out),
        "n_clip": 2,
        "counts": {"ok": 1, "tool_failed": 1},
        "n_skipped": 0,
        "notes": [],
        "failures": [
            {
                "clip_id": "b",
                "code": "tool_failed",
                "reason": f"{videos}/b.mp4: OpenFace ended with code 1, last line 'out of luck'",
            }
        ],
    }


def test_options_reach_the_program(stand_in, make_videos, out):
    videos = make_videos(**{"a.mp4": "ok", "b.mp4": "ok"})
    options = ["--groups", "pose, au", "--au-static", "--tool-option", "-wild -simsize '1 2'", "--exclude", "b*"]
    result = command("run-openface", videos, "--openface-bin", stand_in.program, "--out", out, *options)
    assert result.exit_code == 0
    (call,) = stand_in.calls()
    assert call["arguments"][4:] == ["-pose", "-aus", "-au_static", "-q", "-wild", "-simsize", "1 2"]


def test_another_name_is_told_by_a_flag(make_stand_in, make_videos, out):
    program = make_stand_in("my Multi tool").program
    videos = make_videos(**{"a.mp4": "no face"})
    assert "say which of the two" in refused("run-openface", videos, "--openface-bin", program, "--out", out)
    result = command("run-openface", videos, "--openface-bin", program, "--multi", "--out", out)
    assert (result.exit_code, result.stdout) == (0, f"{out}: 1 clips (no_face 1)\n")


def test_folders_of_frames_are_clips(stand_in, out, tmp_path):
    for name in ("id1/1.jpg", "id2/1.jpg"):
        (tmp_path / "crops" / name).parent.mkdir(parents=True)
        (tmp_path / "crops" / name).touch()
    options = ["--openface-bin", stand_in.program, "--frame-folders", "--out", out]
    assert command("run-openface", tmp_path / "crops/id*", *options).stdout == f"{out}: 2 clips (ok 2)\n"
    assert {path.name for path in out.glob("*.csv")} == {"id1.csv", "id2.csv"}
    result = command("run-openface", tmp_path / "crops/id1", *options)
    assert result.stdout == f"{out}: 1 clips (ok 1), 1 of them from an earlier run\n"


def test_a_container_is_used_where_an_image_is_named(fake_docker, stand_in, make_videos, out):
    options = ["--docker", "an/image", "--docker-bin", fake_docker, "--openface-bin", stand_in.program, "--out", out]
    result = command("run-openface", make_videos(**{"a.mp4": "ok"}), *options)
    assert (result.exit_code, result.stdout) == (0, f"{out}: 1 clips (ok 1)\n")


def test_missing_tools_end_with_4(stand_in, make_videos, out, tmp_path):
    videos = make_videos(**{"a.mp4": "ok"})
    missing = refused("run-openface", videos, "--openface-bin", tmp_path / "none", "--out", out, code=4)
    assert missing.startswith(f"{tmp_path}/none: expected a program, found none; build OpenFace 2 (")
    (stand_in.folder / "models-are-missing").touch()
    broken = refused("run-openface", videos, "--openface-bin", stand_in.program, "--out", out, code=4)
    assert broken.splitlines()[1:] == ["  ERROR: Could not load the landmark detector"]
    assert [path.name for path in out.iterdir()] == ["run-openface.jsonl"]
    result = command("run-openface", videos, "--openface-bin", stand_in.program, "--no-self-test", "--out", out)
    assert result.exit_code == 1


def test_wrong_input_ends_with_3(stand_in, tmp_path, out):
    options = ["--openface-bin", stand_in.program, "--out", out]
    (tmp_path / "empty").mkdir()
    assert "expected files ending in .3gp, .avi" in refused("run-openface", tmp_path / "empty", *options)
    assert "expected folders of images" in refused("run-openface", tmp_path / "empty", *options, "--frame-folders")
    assert "expected a file or a folder, found none" in refused("run-openface", tmp_path / "no", *options)
    assert "unknown OpenFace group 'x'" in refused("run-openface", tmp_path, *options, "--groups", "x")
    assert "--openface-bin" in refused("run-openface", tmp_path, "--out", out)


@pytest.mark.parametrize("options", [["--tool-option", "'"], ["--frame-folders", "--include", "*"], ["-j", "0"]])
def test_wrong_usage_ends_with_2(stand_in, tmp_path, out, options):
    result = command("run-openface", tmp_path, "--openface-bin", stand_in.program, "--out", out, *options)
    assert (result.exit_code, result.stdout) == (2, "")


@pytest.fixture
def started(stand_in, make_videos, out):
    """Start the console script over clips of which the second hangs, and wait until the first is kept."""
    videos = make_videos(**{"a.mp4": "ok", "b.mp4": "grandchild", "c.mp4": "ok"})
    # A shell may start its children deaf to Ctrl-C, hence the handler.
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from mmfeat_cli.main import main; main()"
    )
    arguments = ["run-openface", videos, "--openface-bin", stand_in.program, "--out", out, "--no-self-test"]
    command_line = [sys.executable, "-c", program, *arguments]
    process = subprocess.Popen(command_line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: (out / "a.csv").exists() and (stand_in.folder / "grandchild").exists())
    yield process, videos
    process.kill()
    process.communicate()


def test_ctrl_c_ends_with_130_kills_the_program_and_keeps_what_is_done(started, stand_in, out):
    process, _ = started
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout, stderr.strip()) == (130, "", "interrupted")
    assert sorted(path.name for path in out.iterdir()) == ["a.csv", "a_of_details.txt", "run-openface.jsonl"]
    pid = (stand_in.folder / "grandchild").read_text()
    wait_for(lambda: not is_alive(pid))


def test_after_a_kill_the_same_command_does_the_rest(started, stand_in, out, make_videos):
    process, videos = started
    process.kill()
    process.wait()
    orphan = int((stand_in.folder / "grandchild").read_text())
    assert is_alive(orphan)  # nobody ends it for a process that was killed
    make_videos(**{"b.mp4": "ok"})
    result = command("run-openface", videos, "--openface-bin", stand_in.program, "--out", out)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{out}: 3 clips (ok 3), 1 of them from an earlier run\n"
    wait_for(lambda: not is_alive(orphan))
    assert stand_in.sources() == ["a.mp4", "b.mp4", "b.mp4", "c.mp4"]
    assert sorted(path.name for path in out.parent.iterdir()) == ["OpenFace FeatureExtraction", "out", "videos"]


# extract-wav


def test_wav_files_of_a_folder(out, tmp_path):
    (tmp_path / "in/deep").mkdir(parents=True)
    for name in ("in/a.flac", "in/deep/b.wav"):
        soundfile.write(tmp_path / name, tone(200.0, duration_s=0.1).samples, 16_000)
    (tmp_path / "in/c.wav").touch()
    result = command("extract-wav", tmp_path / "in", "--out", out, "--sample-rate", 8000, "-j", 2)
    assert (result.exit_code, result.stderr) == (1, "")
    assert result.stdout == (
        f"{out}: 3 clips (ok 2, empty 1); 1 failed:\n"
        f"  c: {tmp_path}/in/c.wav: expected sound, got a file of 0 bytes; copy it again\n"
    )
    assert soundfile.info(out / "deep/b.wav").samplerate == 8000
    result = command("extract-wav", tmp_path / "in", "--out", out, "--sample-rate", 8000, "--exclude", "c*", "--json")
    report = json.loads(result.stdout)
    assert (result.exit_code, report["n_skipped"], report["counts"]) == (0, 2, {"ok": 2})


def test_wav_files_beside_their_sources_are_no_sources_of_the_next_run(tmp_path):
    soundfile.write(tmp_path / "a.flac", tone(200.0, duration_s=0.1).samples, 16_000)
    assert command("extract-wav", tmp_path, "--out", tmp_path).stdout == f"{tmp_path}: 1 clips (ok 1)\n"
    again = command("extract-wav", tmp_path, "--out", tmp_path)
    assert (again.exit_code, again.stdout) == (0, f"{tmp_path}: 1 clips (ok 1), 1 of them from an earlier run\n")
    soundfile.write(tmp_path / "b.wav", tone(200.0, duration_s=0.1).samples, 16_000)
    assert "expected an output beside it, not in its place" in refused("extract-wav", tmp_path, "--out", tmp_path)


def test_floats_are_asked_for_by_a_flag(out, tmp_path):
    soundfile.write(tmp_path / "a.flac", tone(200.0, duration_s=0.1).samples, 16_000)
    assert command("extract-wav", tmp_path / "a.flac", "--out", out, "--float").exit_code == 0
    assert soundfile.info(out / "a.wav").subtype == "FLOAT"


def test_an_output_folder_that_is_a_file_is_refused(tmp_path):
    soundfile.write(tmp_path / "a.flac", tone(200.0, duration_s=0.1).samples, 16_000)
    message = refused("extract-wav", tmp_path / "a.flac", "--out", tmp_path / "a.flac/wav")
    assert "expected a place to write a file, got 'Not a directory'" in message
