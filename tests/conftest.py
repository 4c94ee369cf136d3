"""What tests of the library and of the commands share: a stand-in for the user's OpenFace."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from mmfeat.testing import write_openface_csv

STAND_IN = Path(__file__).with_name("stand_in_openface.py")


class StandIn:
    """A folder with a program that behaves like one of OpenFace's."""

    def __init__(self, folder, name):
        folder.mkdir()
        self.folder = folder
        self.program = folder / name
        self.program.write_text(f"#!{sys.executable} -IS\n{STAND_IN.read_text()}")
        self.program.chmod(0o755)

    def calls(self):
        """Return what it was called with, without the self-test."""
        path = self.folder / "calls.jsonl"
        calls = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [call for call in calls if "self-test-" not in call["folder"]]

    def sources(self):
        """Return the names of the videos in the order of the calls."""
        return [Path(call["arguments"][1]).name for call in self.calls()]


@pytest.fixture(scope="session")
def frames_csv(tmp_path_factory):
    return write_openface_csv(tmp_path_factory.mktemp("frames") / "frames.csv", n_frame=3)


@pytest.fixture
def make_stand_in(tmp_path, frames_csv):
    def make(name="FeatureExtraction"):
        stand_in = StandIn(tmp_path / f"OpenFace {name}", name)
        shutil.copy(frames_csv, stand_in.folder / "frames.csv")
        return stand_in

    return make


@pytest.fixture
def stand_in(make_stand_in):
    return make_stand_in()


@pytest.fixture
def make_videos(tmp_path):
    """Write videos, by name what happens to each, and return their folder."""

    def make(**videos):
        folder = tmp_path / "videos"
        for name, does in videos.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(does)
        return folder

    return make


@pytest.fixture
def fake_docker(tmp_path):
    """A stand-in for docker: records its arguments, and runs the program with the mounted folders' real paths."""
    path = tmp_path / "docker"
    path.write_text(f"#!{sys.executable} -I\n{DOCKER}")
    path.chmod(0o755)
    return path


DOCKER = """
import csv, json, os, sys
from pathlib import Path

arguments = sys.argv[1:]
with open(Path(__file__).with_name("docker.jsonl"), "a") as calls:
    calls.write(json.dumps(arguments) + "\\n")
if arguments[0] == "run":
    mounts = {}
    for option, value in zip(arguments, arguments[1:]):
        if option == "--mount":
            fields = dict(field.partition("=")[::2] for field in next(csv.reader([value])))
            mounts[fields["target"]] = fields["source"]
    program = arguments[arguments.index("--entrypoint") + 1]
    rest = arguments[arguments.index("an/image") + 1 :]
    for target, source in mounts.items():
        rest = [source + part[len(target):] if part.startswith(target) else part for part in rest]
    os.execv(program, [program, *rest])
"""
