"""mmfeat plot and mmfeat report: what they print, what they make, how they end."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from html_pages import read_page

from mmfeat.testing import write_example_dataset
from mmfeat_cli.main import mmfeat as group

SCRIPT = Path(sys.executable).with_name("mmfeat")


def run(*arguments):
    return CliRunner().invoke(group, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    return write_example_dataset(tmp_path_factory.mktemp("example") / "example.h5")


def test_plot_makes_the_picture_and_tells_what_is_missing(example, tmp_path):
    result = run("plot", example, "clip_01", "--out", tmp_path / "clip.png")

    assert (result.exit_code, result.stdout) == (0, f"{tmp_path / 'clip.png'}\n")
    assert result.stderr == "no vision: no face\n"
    assert (tmp_path / "clip.png").read_bytes()[:4] == b"\x89PNG"


def test_plot_refuses_what_it_cannot_draw_in_one_line(example, tmp_path):
    result = run("plot", example, "nobody", "--out", tmp_path / "clip.png")
    assert result.exit_code == 3
    assert result.stderr.startswith(f"error: {example}: expected a clip to show, got 'nobody', which is not in it;")
    result = run("plot", tmp_path / "none.h5", "a", "--out", tmp_path / "clip.png")
    assert result.exit_code == 3
    assert list(tmp_path.iterdir()) == []


def test_report_makes_the_page_and_prints_what_to_look_at(example, tmp_path):
    result = run("report", example, "--out", tmp_path / "data.html")

    page = read_page(tmp_path / "data.html")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [str(tmp_path / "data.html"), *page.items]
    assert "1 stream(s) of clips could not be read" in page.items


def test_report_prints_json_for_machines(example, tmp_path):
    result = run("report", example, "--out", tmp_path / "data.html", "--json")

    document = json.loads(result.stdout)
    assert document["findings"] == read_page(tmp_path / "data.html").items
    assert {stream["name"] for stream in document["streams"]} == {"audio", "vision"}
    assert document["failures"][0]["clip_ids"] == ["clip_01"]


def test_report_refuses_an_existing_page_and_an_unknown_split(example, tmp_path):
    (tmp_path / "data.html").write_text("mine")
    assert run("report", example, "--out", tmp_path / "data.html").exit_code == 3
    assert (tmp_path / "data.html").read_text() == "mine"
    result = run("report", example, "--out", tmp_path / "b.html", "--split-scheme", "folds")
    assert result.exit_code == 3
    assert "no split scheme 'folds'; known: default" in result.stderr


@pytest.mark.parametrize("arguments", [["report", "--out", "x.html"], ["plot", "clip_00", "--out", "x.png"]])
def test_without_matplotlib_the_exit_code_is_4_and_torch_is_never_imported(example, tmp_path, arguments):
    command, *rest = arguments
    program = (
        "import sys; sys.modules['matplotlib'] = None; sys.modules['torch'] = None;"
        "from mmfeat_cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, command, example, *rest], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 4
    assert done.stderr == (
        "error: a figure needs the package 'matplotlib', which is not installed; pip install 'mmfeat[report]'\n"
    )
