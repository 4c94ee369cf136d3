"""A file of every released version stays readable, valid, and says the same."""

import importlib.util
import json
from pathlib import Path

import pytest

from mmfeat import DatasetReader, describe, format_description, validate

FOLDER = Path(__file__).parent
ARCHIVES = sorted(FOLDER.glob("v*/*.h5"))


@pytest.fixture(scope="module")
def script():
    specification = importlib.util.spec_from_file_location("make_v1_0", FOLDER / "make_v1_0.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_there_is_a_file_of_each_version():
    assert {path.parent.name for path in ARCHIVES} == {"v1.0"}


@pytest.mark.parametrize("path", ARCHIVES, ids=lambda path: path.parent.name)
def test_it_is_valid_to_the_last_frame(path):
    report = validate(path, level="content")
    assert report.ok, report.summary()


@pytest.mark.parametrize("path", ARCHIVES, ids=lambda path: path.parent.name)
def test_it_says_what_it_said(script, path):
    stored = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert json.loads(json.dumps(script.expected(path))) == stored


@pytest.mark.parametrize("path", ARCHIVES, ids=lambda path: path.parent.name)
def test_it_is_small_described_and_of_its_version(path):
    assert path.stat().st_size < 100_000
    assert f"format {path.parent.name[1:]}" in format_description(describe(path))


def test_the_images_can_be_decoded():
    with DatasetReader(FOLDER / "v1.0/small.h5") as reader:
        assert reader.read_frames("frames", 1).decode().shape == (2, 16, 16, 3)


def test_the_same_content_is_written_today(script, tmp_path):
    """As long as the format is 1.0; the images are those of one version of OpenCV, so they are taken from the file."""
    with DatasetReader(FOLDER / "v1.0/small.h5") as old:
        stored = [old.read_frames("frames", index) for index in range(6)]
        for name, stream in {"SOUND": "audio", "FACES": "vision", "IMAGES": "frames"}.items():
            setattr(script, name, old.info(stream))  # settings and versions of then
        script.images = lambda index: stored[index] if stored[index].jpegs else None
        script.write(tmp_path / "today.h5")
        with DatasetReader(tmp_path / "today.h5") as new:
            for stream in ("audio", "vision"):
                assert new.offsets(stream).tolist() == old.offsets(stream).tolist()
            assert new.attributes["content_sha256"] == old.attributes["content_sha256"]
