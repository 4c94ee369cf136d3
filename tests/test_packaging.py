"""Packaging: what is installed, under which names, from a wheel and editable, with and without extras."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from importlib.metadata import entry_points, requires
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
FOLDERS = {"mmfeat": "mmfeat", "skesl": "skesl", "cli": "mmfeat_cli", "schemas": "mmfeat_schemas"}


def python(*arguments: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, **options)


def test_the_list_of_packages_is_that_of_the_folders():
    on_disk = {
        ".".join([package, *path.parent.relative_to(ROOT / folder).parts])
        for folder, package in FOLDERS.items()
        for path in (ROOT / folder).rglob("__init__.py")
    }
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == on_disk


def test_every_dependency_is_pinned():
    pins = {
        name.lower().replace("_", "-")
        for name in re.findall(
            r"^([\w.-]+)==", (ROOT / "constraints.txt").read_text(encoding="utf-8"), flags=re.MULTILINE
        )
    }
    extras = PROJECT["project"]["optional-dependencies"]
    wanted = [*PROJECT["project"]["dependencies"], *(item for name in extras if name != "all" for item in extras[name])]
    names = {re.match(r"[\w.-]+", item).group().lower().replace("_", "-") for item in wanted}
    assert names - pins == set()


def test_the_extra_all_names_every_other_extra_but_dev():
    extras = PROJECT["project"]["optional-dependencies"]
    named = re.fullmatch(r"mmfeat\[(.*)\]", extras["all"][0]).group(1).split(",")
    assert set(named) == set(extras) - {"all", "dev"}


def test_the_core_needs_no_torch():
    core = [item for item in requires("mmfeat") or [] if "extra ==" not in item]
    assert core
    assert not [item for item in core if item.startswith(("torch", "transformers"))]


def test_the_commands_are_console_scripts_and_skesl_is_mounted_by_its_entry_point():
    scripts = {entry.name: entry.value for entry in entry_points(group="console_scripts", name="mmfeat")}
    assert scripts == {"mmfeat": "mmfeat_cli.main:main"}
    mounted = {entry.name: entry.value for entry in entry_points(group="mmfeat.commands")}
    assert mounted["skesl"] == "mmfeat_cli.skesl:skesl"


def test_this_environment_uses_the_editable_install():
    # -P keeps the working directory off the path, so that the installed package is found, not the folder.
    done = python("-P", "-c", "import mmfeat_cli.main, mmfeat_schemas; print(mmfeat_cli.__file__)", cwd=ROOT.parent)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).parent.samefile(ROOT / "cli")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    done = python(
        "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation",
        "--wheel-dir", str(folder), str(source),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_code_specifications_and_types_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.partition("/")[0] for name in names if ".dist-info" not in name}
    assert tops == set(FOLDERS.values())
    for name in (
        "mmfeat/py.typed",
        "mmfeat/__init__.pyi",
        "skesl/py.typed",
        "mmfeat_schemas/dataset-v1.toml",
        "mmfeat/corpora/fact_tables/mosi.csv",
    ):
        assert name in names


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A fresh environment with the wheel; its dependencies come from this environment."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, symlinks=True)
    bin_folder = folder / ("Scripts" if os.name == "nt" else "bin")
    done = python("-m", "pip", "--python", str(bin_folder / "python"), "install", "--quiet", "--no-deps", str(wheel))
    assert done.returncode == 0, done.stderr
    site = next(folder.rglob("site-packages"))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return bin_folder


def test_the_commands_of_a_wheel_run(installed, tmp_path):
    for arguments in (["mmfeat", "--help"], ["mmfeat", "skesl", "--help"], ["skesl", "--help"]):
        done = subprocess.run(
            [installed / arguments[0], *arguments[1:]], capture_output=True, text=True, check=False, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        assert "Commands:" in done.stdout


def test_an_installed_wheel_finds_its_own_specification(installed, tmp_path):
    code = (
        "import mmfeat, mmfeat_cli\n"
        "from mmfeat.testing import write_example_dataset\n"
        "print(mmfeat.__file__); print(mmfeat.validate(write_example_dataset(), level='content').ok)"
    )
    done = subprocess.run([installed / "python", "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    place, ok = done.stdout.split()
    assert str(installed.parent) in place
    assert ok == "True"


@pytest.mark.slow
def test_an_install_without_extras_gives_mmfeat_and_names_the_extra_for_skesl(tmp_path):
    venv.create(tmp_path / "fresh", with_pip=True)
    bin_folder = tmp_path / "fresh" / ("Scripts" if os.name == "nt" else "bin")
    install = [bin_folder / "python", "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", ROOT]
    subprocess.run(install, check=True, cwd=tmp_path)
    manifest = ROOT / "examples" / "opinions" / "manifest.csv"
    for arguments in (
        ["mmfeat", "build", manifest, "--out", "opinions.h5", "--groups", "au,pose"],
        ["mmfeat", "validate", "opinions.h5", "--level", "content"],
    ):
        subprocess.run([bin_folder / arguments[0], *arguments[1:]], check=True, cwd=tmp_path)
    command = [bin_folder / "skesl", "pretrain", "opinions.h5", "--run", "run", "--text-encoder", "minilm-l6"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 4
    assert done.stderr.count("\n") == 1
    assert "pip install 'mmfeat[train]'" in done.stderr
