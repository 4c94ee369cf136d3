"""Plugins are found without importing them, and a bad one never takes the rest down."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from mmfeat.errors import PluginError
from mmfeat.plugins import COMMANDS, claimant, discover, load
from mmfeat_cli.main import mmfeat


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a distribution with entry points, as pip would lay it down, into a folder on the path."""
    monkeypatch.syspath_prepend(tmp_path)

    def lay_down(distribution, **entries):
        folder = tmp_path / f"{distribution.replace('-', '_')}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        lines = [f"{name} = {value}" for name, value in entries.items()]
        (folder / "entry_points.txt").write_text("\n".join([f"[{COMMANDS}]", *lines]))
        return tmp_path

    return lay_down


def test_the_own_plugin_is_found_by_its_name():
    assert discover(COMMANDS)["skesl"].value == "mmfeat_cli.skesl:skesl"


def test_a_plugin_is_found_without_being_imported(install):
    install("lab-tools", polish="module_that_does_not_exist:command")
    assert claimant(discover(COMMANDS)["polish"]) == "lab-tools (module_that_does_not_exist:command)"


def test_two_distributions_with_one_name_are_both_named(install):
    install("lab-one", polish="one:command")
    install("lab-two", polish="two:command")
    with pytest.raises(PluginError, match=r"'polish' is claimed by lab-(one|two) .* and by lab-(one|two) .*uninstall"):
        discover(COMMANDS)


def test_one_plugin_that_is_found_twice_is_one_plugin(install):
    install("lab-one", polish="one:command")
    install("lab-two", polish="one:command")
    assert discover(COMMANDS)["polish"].value == "one:command"


def test_a_built_in_name_cannot_be_claimed(install):
    install("lab-tools", build="elsewhere:command")
    with pytest.raises(PluginError, match=r"lab-tools \(elsewhere:command\) claims the built-in name 'build'; rename"):
        discover(COMMANDS, taken=["build"])


def test_a_plugin_that_does_not_import_says_why(install):
    install("lab-tools", polish="module_that_does_not_exist:command")
    with pytest.raises(PluginError, match=r"'polish' of lab-tools .* does not import: ModuleNotFoundError: No module"):
        load(discover(COMMANDS)["polish"])


def test_a_plugin_command_stands_beside_the_built_in_ones(install):
    folder = install("lab-tools", polish="lab_polish_command:polish")
    (folder / "lab_polish_command.py").write_text(
        "import click\n@click.command()\ndef polish():\n    'Polish the clips.'\n    click.echo('polished')\n"
    )
    assert re.search(r"^  polish +Polish the clips\.$", CliRunner().invoke(mmfeat, ["--help"]).output, re.MULTILINE)
    assert CliRunner().invoke(mmfeat, ["polish"]).output == "polished\n"


def test_a_broken_plugin_is_shown_as_unavailable_and_the_rest_works(install, example):
    install("lab-tools", polish="module_that_does_not_exist:command")
    help_page = CliRunner().invoke(mmfeat, ["--help"])
    assert help_page.exit_code == 0
    assert re.search(r"^  polish +\(unavailable\)", help_page.output, re.MULTILINE)
    assert re.search(r"^  build +Extract the features", help_page.output, re.MULTILINE)
    assert CliRunner().invoke(mmfeat, ["validate", str(example)]).exit_code == 0


def test_a_broken_plugin_refuses_every_call_with_its_reason(install):
    install("lab-tools", polish="module_that_does_not_exist:command")
    result = CliRunner().invoke(mmfeat, ["polish", "--some-option", "file"])
    assert result.exit_code == 3
    assert "error: plugin 'polish' of lab-tools" in result.stderr
    assert "No module named 'module_that_does_not_exist'" in result.stderr


def test_a_plugin_that_is_no_command_is_unavailable(install):
    install("lab-tools", polish="math:pi")
    result = CliRunner().invoke(mmfeat, ["polish"])
    assert (result.exit_code, result.stderr) == (3, "error: plugin 'polish': math:pi is no Click command\n")


def test_built_in_commands_work_while_two_plugins_clash(install, example):
    install("lab-one", polish="one:command")
    install("lab-two", polish="two:command")
    assert CliRunner().invoke(mmfeat, ["validate", str(example)]).exit_code == 0
    help_page = CliRunner().invoke(mmfeat, ["--help"])
    assert help_page.exit_code == 3
    assert "is claimed by" in help_page.stderr


def test_a_plugin_in_a_new_process_is_found_by_the_console_script(install):
    folder = install("lab-tools", polish="module_that_does_not_exist:command")
    script = Path(sys.executable).with_name("mmfeat")
    result = subprocess.run(
        [script, "polish"], env={**os.environ, "PYTHONPATH": str(folder)}, capture_output=True, text=True, check=False
    )
    assert result.returncode == 3
    assert result.stderr.startswith("error: plugin 'polish' of lab-tools")
