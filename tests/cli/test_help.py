"""Help is instant, complete, and imports nothing heavy."""

import re
import resource
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner

from mmfeat_cli.main import mmfeat
from mmfeat_cli.skesl import skesl

BIN = Path(sys.executable).parent
COMMANDS = [
    *(
        ("mmfeat", mmfeat, name)
        for name in (
            "align",
            "build",
            "build-m3ed",
            "build-mer23",
            "build-mimic",
            "build-mosei",
            "build-mosei-emotions",
            "build-mosi",
            "build-sims",
            "build-voxceleb",
            "describe",
            "doctor",
            "export-csd",
            "export-mmsa",
            "export-npz",
            "extract-audio",
            "extract-frames",
            "extract-wav",
            "import-arrays",
            "import-csd",
            "import-csv",
            "import-mmsa",
            "import-skesl-pkl",
            "import-univa",
            "join",
            "merge",
            "parse-openface",
            "plot",
            "presets",
            "report",
            "run-openface",
            "split",
            "subset",
            "transcribe",
            "validate",
        )
    ),
    *(
        ("skesl", skesl, name)
        for name in (
            "compare",
            "ensemble",
            "estimate",
            "evaluate",
            "finetune",
            "predict",
            "presets",
            "pretrain",
            "report",
            "va-fit",
        )
    ),
]
HEAVY = ("torch", "librosa", "transformers", "numba", "scipy", "h5py", "numpy", "soundfile", "av", "cv2", "matplotlib")


def cpu_s(command):
    """Return the CPU seconds, user and system, of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.parametrize("program", ["mmfeat", "skesl"])
def test_help_costs_less_than_half_a_second_of_cpu(program):
    assert min(cpu_s([BIN / program, "--help"]) for _ in range(3)) < 0.5


@pytest.mark.parametrize("arguments", [["--help"], ["build", "--help"], ["--version"]])
@pytest.mark.parametrize("program", ["mmfeat", "skesl"])
def test_help_imports_no_heavy_package(program, arguments):
    if program == "skesl":
        arguments = ["pretrain" if argument == "build" else argument for argument in arguments]
    result = subprocess.run(
        [sys.executable, "-X", "importtime", BIN / program, *arguments], capture_output=True, text=True, check=True
    )
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in result.stderr.splitlines()}
    assert "click" in imported  # the listing was understood
    assert imported.isdisjoint(HEAVY)


@pytest.mark.parametrize(("program", "group", "command"), COMMANDS, ids=[f"{p} {c}" for p, _, c in COMMANDS])
def test_every_command_explains_itself_with_an_example(program, group, command):
    result = CliRunner().invoke(group, [command, "--help"])
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: {program} {command} ")
    assert re.search(rf"^  Example:\n    {program} {command} \S+", result.output, re.MULTILINE)


@pytest.mark.parametrize(("group", "others"), [(mmfeat, {"skesl"}), (skesl, set())])
def test_no_command_is_left_out_of_these_tests(group, others):
    assert set(group.list_commands(None)) - others == {name for _, known, name in COMMANDS if known is group}


@pytest.mark.parametrize(("program", "group", "command"), COMMANDS, ids=[f"{p} {c}" for p, _, c in COMMANDS])
def test_every_option_has_a_help_text(program, group, command):
    options = [option for option in group.commands[command].params if option.param_type_name == "option"]
    assert [option.name for option in options if not option.help] == []


@pytest.mark.parametrize(("group", "name"), [(mmfeat, "mmfeat"), (skesl, "skesl")])
def test_the_first_page_lists_every_command_and_the_exit_codes(group, name):
    output = CliRunner().invoke(group, ["-h"]).output
    assert "Exit codes: 0 done" in output
    for command in [command for program, _, command in COMMANDS if program == name]:
        assert re.search(rf"^  {command} +\S", output, re.MULTILINE)


def test_skesl_is_mounted_below_mmfeat():
    output = CliRunner().invoke(mmfeat, ["skesl", "pretrain", "--help"]).output
    assert output.startswith("Usage: mmfeat skesl pretrain ")


@pytest.mark.parametrize("program", ["mmfeat", "skesl"])
def test_the_version_is_that_of_the_distribution(program):
    result = subprocess.run([BIN / program, "--version"], capture_output=True, text=True, check=True)
    assert result.stdout == f"{program}, version {version('mmfeat')}\n"
