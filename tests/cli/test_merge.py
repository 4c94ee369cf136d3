"""merge and join on the command line: what is printed, exit codes, one sentence for what does not fit."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from mmfeat import DatasetReader, describe, subset_dataset, validate
from mmfeat.testing import write_example_dataset, write_example_manifest
from mmfeat_cli.main import mmfeat as group

SCRIPT = Path(sys.executable).with_name("mmfeat")


def run(*arguments):
    return CliRunner().invoke(group, [str(argument) for argument in arguments])


def content(path):
    return describe(path)["content_sha256"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return write_example_dataset(tmp_path_factory.mktemp("whole") / "whole.h5", with_frames=True)


@pytest.fixture(scope="module")
def halves(whole, tmp_path_factory):
    folder = tmp_path_factory.mktemp("halves")
    for name, rows in {"a": range(5), "b": range(5, 12)}.items():
        subset_dataset(whole, folder / f"{name}.h5", ids=[f"clip_{row:02d}" for row in rows])
    return folder / "a.h5", folder / "b.h5"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.h5"


def test_shards_of_a_build_become_the_file_of_one_build(tmp_path, out):
    manifest = write_example_manifest(tmp_path, n_clip=4)
    header, *rows = manifest.read_text().splitlines()
    for name, chosen in {"all": rows, "a": rows[:2], "b": rows[2:]}.items():
        (tmp_path / f"{name}.csv").write_text("\n".join([header, *chosen]) + "\n")
        assert run("build", tmp_path / f"{name}.csv", "--out", tmp_path / f"{name}.h5").exit_code == 0
    result = run("merge", tmp_path / "a.h5", tmp_path / "b.h5", "--out", out)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{out}: 4 clips (audio 4, vision 4) from 2 files\n"
    assert content(out) == content(tmp_path / "all.h5")


def test_merge_reports_as_json_and_keeps_the_command_line(halves, out):
    result = run("merge", *halves, "--out", out, "--json", "--no-verify")
    assert json.loads(result.stdout) == {
        "path": str(out),
        "action": "merge",
        "n_clip": 12,
        "n_ok": {"audio": 12, "frames": 11, "vision": 11},
        "inputs": [str(path) for path in halves],
        "notes": [],
    }
    with DatasetReader(out) as reader:
        assert reader.events()[-1]["command"] == sys.argv


def test_an_existing_output_is_replaced_on_request(halves, out, whole):
    out.write_bytes(halves[0].read_bytes())
    result = run("merge", *halves, "--out", out)
    assert (result.exit_code, result.stdout) == (3, "")
    assert "expected a new output, but it exists" in result.stderr
    assert run("merge", *halves, "--out", out, "--overwrite").exit_code == 0
    assert content(out) == content(whole)


def test_what_cannot_be_merged_ends_with_3_and_every_reason(halves, whole, out, tmp_path):
    subset_dataset(whole, tmp_path / "sound.h5", streams=["audio"], ids=["clip_00"])
    result = run("merge", halves[0], tmp_path / "sound.h5", "--out", out)
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.splitlines() == [
        f"error: {out}: the files cannot be merged:",
        f"  stream 'frames' is missing in {tmp_path}/sound.h5; take it as not requested with --allow-missing",
        f"  stream 'vision' is missing in {tmp_path}/sound.h5; take it as not requested with --allow-missing",
        f"  clip 'clip_00' stands in {halves[0]} and in {tmp_path}/sound.h5",
    ]
    assert run("merge", halves[1], tmp_path / "sound.h5", "--out", out, "--allow-missing").exit_code == 0
    assert validate(out, level="content").ok


@pytest.mark.parametrize("command", ["merge", "join"])
def test_no_files_is_a_usage_error(command, out):
    assert run(command, "--out", out).exit_code == 2


def test_join_brings_streams_together(whole, out, tmp_path):
    for name in ("audio", "vision", "frames"):
        assert run("subset", whole, "--out", tmp_path / f"{name}.h5", "--streams", name).exit_code == 0
    result = run("join", *(tmp_path / f"{name}.h5" for name in ("audio", "vision", "frames")), "--out", out)
    assert result.stdout == f"{out}: 12 clips (audio 12, vision 11, frames 11) from 3 files\n"
    assert content(out) == content(whole)


def test_join_lists_what_does_not_match(whole, halves, out, tmp_path):
    subset_dataset(whole, tmp_path / "faces.h5", streams=["vision"])
    subset_dataset(halves[0], tmp_path / "sound.h5", streams=["audio"])
    arguments = ["join", tmp_path / "sound.h5", tmp_path / "faces.h5", "--out", out]
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (3, "")
    assert [line for line in result.stderr.splitlines() if "clip_11" in line] == [
        f"  clip 'clip_11' stands in {tmp_path}/faces.h5 and not in every file"
    ]
    result = run(*arguments, "--how", "left", "--json")
    report = json.loads(result.stdout)
    assert report["unmatched"] == {str(tmp_path / "faces.h5"): [f"clip_{row:02d}" for row in range(5, 12)]}
    assert (report["how"], report["n_clip"]) == ("left", 5)


def test_a_full_disk_is_one_sentence_and_leaves_nothing(whole, tmp_path):
    """The limit on the size of files stands in for the disk."""
    program = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)); from mmfeat_cli.main import main; main()"
    )
    command = [sys.executable, "-B", "-c", program, "merge", whole, "--out", tmp_path / "out.h5"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (3, "")
    assert "out.h5: expected to write the file" in result.stderr
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_progress_goes_to_stderr_alone(halves, out):
    result = subprocess.run(
        [SCRIPT, "merge", *halves, "--out", out, "--json"], capture_output=True, text=True, check=True
    )
    assert json.loads(result.stdout)["n_clip"] == 12
    assert result.stderr == ""
