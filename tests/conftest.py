"""What tests of the library and of the commands share: an example, and a stand-in for the user's OpenFace."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import lfilter

from mmfeat import Waveform
from mmfeat.testing import write_example_dataset, write_openface_csv

STAND_IN = Path(__file__).with_name("stand_in_openface.py")


@pytest.fixture(scope="module")
def one_thread():
    """Tiny matrices are slower on more."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """An example dataset."""
    return write_example_dataset(tmp_path_factory.mktemp("data") / "example.h5")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """The folder of a tiny text encoder."""
    from skesl.testing import write_tiny_text_encoder

    return write_tiny_text_encoder(tmp_path_factory.mktemp("encoder"))


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


VOWELS = {"ee": (270, 2290, 3010, 3500), "oh": (500, 900, 2400, 3400)}  # formants in Hz, Peterson and Barney 1952


@pytest.fixture(scope="session")
def see_so():
    """Return a function that says "see, so": hisses and buzzes in the places of formants, with a little noise."""

    def say(*, later_s=0.0, noise=1e-3):
        rng = np.random.default_rng(0)
        parts = [np.zeros(round((0.5 + later_s) * 16_000))]
        for vowel, vowel_s, pause_s in (("ee", 0.25, 0.4), ("oh", 0.3, 0.5)):
            parts += [_hiss(0.15, rng), _buzz(VOWELS[vowel], vowel_s), np.zeros(round(pause_s * 16_000))]
        samples = np.concatenate(parts)
        samples += rng.normal(scale=noise, size=samples.size)
        return Waveform(samples=samples.astype(np.float32), sample_rate=16_000)

    return say


def _hiss(duration_s, rng):
    spectrum = np.fft.rfft(rng.normal(size=round(duration_s * 16_000)))
    hz = np.linspace(0, 8_000, spectrum.size)
    spectrum[(hz < 4_000) | (hz > 7_500)] = 0
    sound = np.fft.irfft(spectrum)
    return 0.15 * sound / np.abs(sound).max()


def _buzz(formants_hz, duration_s):
    sound = np.zeros(round(duration_s * 16_000))
    sound[:: 16_000 // 120] = 1.0
    for formant_hz, width_hz in zip(formants_hz, (60, 90, 120, 150), strict=True):
        radius = np.exp(-np.pi * width_hz / 16_000)
        poles = [1, -2 * radius * np.cos(2 * np.pi * formant_hz / 16_000), radius**2]
        sound = lfilter([1 - radius], poles, sound)
    return 0.5 * sound / np.abs(sound).max()


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
