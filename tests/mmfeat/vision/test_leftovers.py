"""What a killed run left running is ended by the next one, and nothing else is."""

import json
import os
import select
import subprocess
import sys

import pytest

from mmfeat import VIDEO_SUFFIXES, OpenFaceTool, entries_from_paths, find_openface, run_openface
from mmfeat.vision.leftovers import end_leftovers, mark, note_container

TOOL = OpenFaceTool(program="/FeatureExtraction", multi=False)
SLEEPS = "import time; print(1, flush=True); time.sleep(600)"
STARTS_A_SLEEPER = f"""
import subprocess, sys
call = [sys.executable, "-c", {SLEEPS!r}]
print(subprocess.Popen(call, start_new_session=True, stdout=subprocess.DEVNULL).pid, flush=True)
"""
needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="programs are found on Linux alone")


@pytest.fixture
def start():
    """Start a process that sleeps, with more variables."""
    processes = []

    def start(variables, code=SLEEPS):
        call = [sys.executable, "-c", code]
        process = subprocess.Popen(call, env={**os.environ, **variables}, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        process.first_line = process.stdout.readline()
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()


@needs_proc
def test_only_processes_with_the_mark_of_the_folder_are_killed(start, tmp_path):
    part = tmp_path / "out.part"
    marked = start(mark(part))
    others = [start({}), start(mark(tmp_path / "out.part2")), start({"OTHER": str(part)})]
    end_leftovers(part, [], TOOL)
    assert marked.wait(20) == -9
    assert [other.poll() for other in others] == [None] * 3


@needs_proc
def test_what_a_marked_process_started_is_killed_even_if_that_process_is_gone(start, tmp_path):
    parent = start(mark(tmp_path), STARTS_A_SLEEPER)
    assert parent.wait(20) == 0
    sleeper = os.pidfd_open(int(parent.first_line))
    assert select.select([sleeper], [], [], 0)[0] == []  # it runs
    end_leftovers(tmp_path, [], TOOL)
    assert select.select([sleeper], [], [], 20)[0] == [sleeper]
    os.close(sleeper)


@needs_proc
def test_a_link_to_the_folder_is_the_folder(start, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    marked = start(mark(tmp_path / "link"))
    end_leftovers(tmp_path / "real", [], TOOL)
    assert marked.wait(20) == -9


def test_containers_of_a_killed_run_are_ended_by_their_names(fake_docker, stand_in, make_videos, tmp_path):
    name = "mmfeat-" + 32 * "0"
    for folder, text in [("000000", name), ("000001/output", "rm -rf /"), ("000002", f"{name}; more")]:
        (tmp_path / "out.part/tmpold" / folder).mkdir(parents=True)
        note_container(tmp_path / "out.part/tmpold" / folder, text)
    entries = entries_from_paths([make_videos(**{"a.mp4": "ok"})], VIDEO_SUFFIXES, column="video")
    tool = find_openface(str(stand_in.program), image="an/image", docker=str(fake_docker))
    run_openface(entries, tmp_path / "out", tool, self_test=False)
    calls = [json.loads(line) for line in (tmp_path / "docker.jsonl").read_text().splitlines()]
    assert [call for call in calls if call[0] == "kill"] == [["kill", name]]
