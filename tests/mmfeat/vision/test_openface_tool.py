"""The user's OpenFace: how it is found, what it is called with, and how a container is made and ended."""

import json
import os
from pathlib import Path

import pytest

from mmfeat import (
    VIDEO_SUFFIXES,
    ConfigError,
    MissingToolError,
    OpenFaceRunConfig,
    OpenFaceTool,
    entries_from_paths,
    find_openface,
    run_openface,
)
from mmfeat.tool_process import ProcessEnd

BIN = "/home/openface-build/build/bin"


@pytest.mark.parametrize(
    ("name", "multi"),
    [("FeatureExtraction", False), ("FaceLandmarkVidMulti", True), ("featureextraction.exe", False)],
)
def test_the_name_tells_which_program_it_is(make_stand_in, name, multi):
    tool = find_openface(str(make_stand_in(name).program))
    assert (tool.multi, Path(tool.program).name) == (multi, name)


@pytest.mark.parametrize("name", ["FaceLandmarkVid", "FaceLandmarkImg", "openface.sh"])
def test_another_name_needs_to_be_told(make_stand_in, name):
    program = str(make_stand_in(name).program)
    message = (
        rf"{name}: expected FeatureExtraction or FaceLandmarkVidMulti; say which of the two it is \(--single, --mu"
    )
    with pytest.raises(ConfigError, match=message):
        find_openface(program)
    assert find_openface(program, multi=True).multi


def test_a_program_is_found_in_the_working_directory_and_on_the_search_path(stand_in, monkeypatch):
    monkeypatch.chdir(stand_in.folder)
    assert find_openface("FeatureExtraction").program == str(stand_in.program)
    assert find_openface("./FeatureExtraction").program == str(stand_in.program)
    monkeypatch.chdir("/")
    monkeypatch.setenv("PATH", str(stand_in.folder))
    assert find_openface("FeatureExtraction").program == str(stand_in.program)


def test_a_program_that_is_not_there_is_a_missing_tool(tmp_path):
    message = (
        r"bin: expected a program, found none; build OpenFace 2 \(https://.*/wiki\), correct --openface-bin, or use"
    )
    with pytest.raises(MissingToolError, match=message):
        find_openface(str(tmp_path / "bin"))


def test_a_file_that_may_not_be_run_is_named_as_such(tmp_path):
    (tmp_path / "FeatureExtraction").touch()
    with pytest.raises(
        MissingToolError, match="FeatureExtraction: expected a program, found a file that may not be run"
    ):
        find_openface(str(tmp_path / "FeatureExtraction"))


def test_nothing_named_is_refused():
    with pytest.raises(
        ConfigError, match=r"expected the path of OpenFace's FeatureExtraction \(--openface-bin\) or an im"
    ):
        find_openface()


# Containers


@pytest.mark.parametrize("image", ["algebr/openface", "algebr/openface:latest", "algebr/openface@sha256:0"])
@pytest.mark.parametrize(("multi", "name"), [(None, "FeatureExtraction"), (True, "FaceLandmarkVidMulti")])
def test_the_place_of_the_programs_in_the_known_image_is_known(fake_docker, image, multi, name):
    tool = find_openface(multi=multi, image=image, docker=str(fake_docker))
    assert (tool.program, tool.multi) == (f"{BIN}/{name}", bool(multi))


def test_in_another_image_the_program_must_be_named(fake_docker):
    with pytest.raises(
        ConfigError, match="an/image: expected the path of FeatureExtraction inside the image; add --op"
    ):
        find_openface(image="an/image", docker=str(fake_docker))


def test_a_missing_docker_is_a_missing_tool(tmp_path):
    with pytest.raises(
        MissingToolError, match="docker: expected a program, found none; it runs containers; install Do"
    ):
        find_openface(image="algebr/openface", docker=str(tmp_path / "docker"))


def test_a_container_sees_the_input_read_only_and_the_output_and_belongs_to_the_caller(tmp_path):
    videos, output = tmp_path / "a, b", tmp_path / "out"
    videos.mkdir()
    (videos / "-f.mp4").touch()
    tool = OpenFaceTool(program=f"{BIN}/FeatureExtraction", multi=False, image="an/image", docker="podman")
    assert tool.command(videos / "-f.mp4", output, ("-aus",), name="n", n_thread=1) == [
        *("podman", "run", "--rm", "--name", "n", "--network", "none", "--user", f"{os.getuid()}:{os.getgid()}"),
        *("--env", "OMP_NUM_THREADS=1", "--env", "OPENBLAS_NUM_THREADS=1"),
        *("--mount", f'type=bind,"source={videos}",target=/mmfeat/input,readonly'),
        *("--mount", f"type=bind,source={output},target=/mmfeat/output"),
        *("--workdir", "/mmfeat/output", "--entrypoint", f"{BIN}/FeatureExtraction", "an/image"),
        *("-f", "/mmfeat/input/-f.mp4", "-out_dir", "/mmfeat/output", "-aus"),
    ]
    assert tool.kill_command("n") == ["podman", "kill", "n"]


def test_a_folder_of_frames_is_the_input_of_a_container(tmp_path):
    tool = OpenFaceTool(program="/bin/FeatureExtraction", multi=False, image="an/image")
    command = tool.command(tmp_path, tmp_path, (), name="n", n_thread=0)
    assert f"type=bind,source={tmp_path},target=/mmfeat/input,readonly" in command
    assert command[-4:] == ["-fdir", "/mmfeat/input", "-out_dir", "/mmfeat/output"]
    assert "--env" not in command


def docker_calls(fake_docker):
    return [json.loads(line) for line in fake_docker.with_name("docker.jsonl").read_text().splitlines()]


def run_in_containers(fake_docker, stand_in, videos, output, **options):
    entries = entries_from_paths([videos], VIDEO_SUFFIXES, column="video")
    tool = find_openface(str(stand_in.program), image="an/image", docker=str(fake_docker))
    return run_openface(entries, output, tool, **options)


def test_a_run_in_containers_keeps_the_same_files(fake_docker, stand_in, make_videos, tmp_path):
    videos = make_videos(**{"a.mp4": "ok", "b c.mp4": "crash"})
    report = run_in_containers(fake_docker, stand_in, videos, tmp_path / "out")
    assert [(record["status"], record["signal"]) for record in report.records] == [
        ("ok", ""),
        ("tool_failed", "SIGSEGV"),
    ]
    assert (tmp_path / "out/a.csv").exists()
    names = [call[call.index("--name") + 1] for call in docker_calls(fake_docker)]
    assert len(set(names)) == 3  # the self-test and two clips
    assert report.records[0]["settings"]["tool"] == {
        "image": "an/image",
        "program": str(stand_in.program),
        "multi": False,
    }


def test_a_container_that_hangs_is_killed(fake_docker, stand_in, make_videos, tmp_path):
    config = OpenFaceRunConfig(timeout_s=1.0)
    report = run_in_containers(
        fake_docker, stand_in, make_videos(**{"a.mp4": "hang"}), tmp_path / "out", config=config, self_test=False
    )
    (record,) = report.failures
    assert record["timed_out"] is True
    assert docker_calls(fake_docker)[-1] == ["kill", record["command"][record["command"].index("--name") + 1]]


@pytest.mark.parametrize(
    ("exit_code", "name"), [(-11, "SIGSEGV"), (139, "SIGSEGV"), (132, "SIGILL"), (1, ""), (200, "")]
)
def test_a_container_or_a_shell_reports_a_signal_as_128_and_its_number(exit_code, name):
    assert ProcessEnd(exit_code=exit_code, timed_out=False, seconds=1.0, last_lines=()).signal == name
