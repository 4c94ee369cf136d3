"""parse-openface: files, trees and manifests, whose face, what is reported, and what a kill leaves."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mmfeat import DatasetReader, validate
from mmfeat.testing import write_openface_csv
from mmfeat_cli.main import mmfeat as group

SCRIPT = Path(sys.executable).with_name("mmfeat")


def command(*arguments):
    return CliRunner().invoke(group, ["parse-openface", *map(str, arguments)])


@pytest.fixture
def out(tmp_path):
    return tmp_path / "faces.h5"


@pytest.fixture
def tree(tmp_path):
    """A folder of four clips in two folders; a fifth has details and no csv."""
    folder = tmp_path / "openface"
    for name in ("day1/a", "day1/b", "day2/a", "day2/c"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_openface_csv(folder / f"{name}.csv")
        (folder / f"{name}_of_details.txt").write_text("Input:x.mp4\n")
    (folder / "day2" / "empty_of_details.txt").write_text("Input:empty.mp4\n")
    return folder


def of_two_faces(path):
    """Write a file in which face 0 is seen in frames 1, 2 and 4, and face 3 in frames 2 to 5, larger, less surely."""
    lines = ["frame, face_id, timestamp, confidence, success, p_scale, AU01_r"]
    for frame, face, confidence, scale in (
        (1, 0, 0.9, 1.0),
        (2, 0, 0.9, 1.0),
        (2, 3, 0.5, 2.0),
        (3, 3, 0.5, 2.0),
        (4, 0, 0.9, 1.0),
        (4, 3, 0.5, 2.0),
        (5, 3, 0.5, 2.0),
    ):
        lines.append(f"{frame}, {face}, {(frame - 1) / 10}, {confidence}, 1, {scale}, {face + frame / 10}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_tree_becomes_a_valid_file_and_a_clip_without_csv_has_no_face(tree, out):
    result = command(tree, "--out", out, "--groups", "au", "-j", "2")
    assert result.exit_code == 1
    assert result.stdout.startswith(f"{out}: 5 clips (vision 4); 1 stream(s) failed:\n  day2/empty: vision: ")
    assert "OpenFace wrote empty_of_details.txt and no csv" in result.stdout
    assert validate(out, level="content").ok
    with DatasetReader(out) as reader:
        assert reader.clip_ids == ("day1/a", "day1/b", "day2/a", "day2/c", "day2/empty")
        assert reader.failures()[0][:3] == ("day2/empty", "vision", "no_face")
        assert reader.info("vision").preset == "openface-au35"


def test_patterns_choose_files(tree, out):
    result = command(tree, "--out", out, "--include", "a.csv", "--exclude", "day2/*")
    assert (result.exit_code, result.stdout) == (0, f"{out}: 1 clips (vision 1)\n")


@pytest.mark.parametrize(("preset", "n_column"), [("openface-709", 709), ("openface-au35", 35)])
def test_presets_have_names(tree, out, preset, n_column):
    assert command(tree / "day1", "--out", out, "--preset", preset).exit_code == 0
    with DatasetReader(out) as reader:
        assert len(reader.info("vision").feature_names) == n_column
        assert reader.info("vision").preset == preset


def test_a_single_column_may_be_asked_for(tree, out):
    assert command(tree / "day1", "--out", out, "--groups", "pose,AU12_r").exit_code == 0
    with DatasetReader(out) as reader:
        assert reader.info("vision").feature_names[-2:] == ("pose_Rz", "AU12_r")


def test_a_manifest_names_clips_and_their_labels(tree, out, tmp_path):
    manifest = tmp_path / "clips.csv"
    manifest.write_text("clip_id,audio,openface,label:joy\nfirst,none.wav,openface/day1/a.csv,1\nsecond,,,2\n")
    (tmp_path / "none.wav").touch()
    result = command("--manifest", manifest, "--out", out)
    assert (result.exit_code, result.stdout) == (0, f"{out}: 2 clips (vision 1)\n")
    with DatasetReader(out) as reader:
        assert reader.stream_names == ("vision",)
        assert reader.labels("joy").values.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("policy", "face", "frames"),
    [
        ("most-confident", 0, [1, 2, 4]),
        ("largest", 3, [2, 3, 4, 5]),
        ("longest", 3, [2, 3, 4, 5]),
        ("id=0", 0, [1, 2, 4]),
    ],
)
def test_the_face_is_a_choice_and_time_stays_regular(tmp_path, out, policy, face, frames):
    path = of_two_faces(tmp_path / "two.csv")
    assert command(path, "--out", out, "--groups", "AU01_r", "--face", policy).exit_code == 0
    with DatasetReader(out) as reader:
        features = reader.read("vision", 0)
        assert reader.events()[0]["config"]["openface"]["face"] == policy
    np.testing.assert_allclose(features.times_s, np.arange(5) / 10, rtol=1e-12)
    assert np.flatnonzero(features.valid).tolist() == [frame - 1 for frame in frames]
    expected = [face + frame / 10 if frame in frames else 0.0 for frame in range(1, 6)]
    np.testing.assert_allclose(features.values[:, 0], expected, rtol=1e-6)  # float32


def test_an_unknown_face_policy_is_refused_with_the_known_ones(tree, out):
    result = command(tree, "--out", out, "--face", "biggest")
    assert result.exit_code == 3
    assert "unknown face policy 'biggest'; known: most-confident, largest, longest, id=N" in result.stderr


def test_json_tells_notes_and_failures(tree, out):
    path = tree / "day1" / "a.csv"
    path.write_text(path.read_text().replace(", 4.674, ", ", -4.674, "))
    result = command(tree, "--out", out, "--preset", "openface-au35", "--json")
    report = json.loads(result.stdout)
    assert [(row["clip_id"], row["code"]) for row in report["failures"]] == [("day2/empty", "no_face")]
    (note,) = report["notes"]
    assert note.startswith(f"day1/a: {path}: expected action unit intensities from 0 to 5, got 1 outside, from -4.674")


@pytest.mark.parametrize("arguments", [(), ("--preset", "openface-709", "--groups", "au")])
def test_contradictions_are_usage_errors(tree, out, arguments):
    paths = [tree] if arguments else []
    result = command(*paths, "--out", out, *arguments)
    assert result.exit_code == 2


def test_a_killed_run_is_continued_by_the_same_command(tmp_path, out):
    folder = tmp_path / "openface"
    folder.mkdir()
    for index in range(60):
        write_openface_csv(folder / f"{index:02d}.csv", n_frame=200)
    arguments = [SCRIPT, "parse-openface", folder, "--out", out]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    journal = out.with_name("faces.h5.part") / "journal.jsonl"
    end = time.monotonic() + 60
    while not (journal.exists() and journal.stat().st_size):
        assert time.monotonic() < end
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert "of them from an interrupted run" in done.stdout
    assert validate(out, level="content").ok
    again = command(folder, "--out", tmp_path / "whole.h5")
    assert again.exit_code == 0
    with DatasetReader(out) as reader, DatasetReader(tmp_path / "whole.h5") as whole:
        assert reader.attributes["content_sha256"] == whole.attributes["content_sha256"]
