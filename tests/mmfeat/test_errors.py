"""The tree of errors: one root, exit codes, and messages that survive a process border."""

import pickle
from pathlib import Path

import pytest

from mmfeat import (
    ClipError,
    ConfigError,
    InputError,
    ManifestError,
    MissingExtraError,
    MissingToolError,
    MmfeatError,
    OutputExistsError,
    PluginError,
    SchemaError,
    StreamStatus,
)
from mmfeat.errors import list_faults


@pytest.mark.parametrize(
    "error_type", [ConfigError, InputError, SchemaError, PluginError, MissingExtraError, MissingToolError]
)
def test_every_error_is_caught_as_the_root(error_type):
    assert issubclass(error_type, MmfeatError)


@pytest.mark.parametrize("error_type", [ManifestError, ClipError, OutputExistsError])
def test_every_fault_of_a_given_file_is_an_input_error(error_type):
    assert issubclass(error_type, InputError)


def test_refused_input_ends_with_3_and_a_missing_package_or_tool_with_4():
    assert MmfeatError.exit_code == InputError.exit_code == SchemaError.exit_code == ConfigError.exit_code == 3
    assert MissingExtraError.exit_code == MissingToolError.exit_code == 4


def test_a_manifest_error_lists_all_faults_below_the_path():
    error = ManifestError(Path("clips.csv"), ["line 2: one", "line 3: two"])
    assert str(error) == "clips.csv: the manifest has 2 fault(s); correct each:\n  line 2: one\n  line 3: two"
    assert error.faults == ("line 2: one", "line 3: two")


def test_more_than_twenty_faults_are_counted_not_shown():
    lines = list_faults("title", [f"fault {i}" for i in range(25)]).splitlines()
    assert lines[0] == "title:"
    assert lines[20:] == ["  fault 19", "  … and 5 more"]


def test_a_clip_error_comes_back_from_another_process_with_its_status():
    error = pickle.loads(pickle.dumps(ClipError("a.wav: broken", StreamStatus.DECODE_ERROR)))
    assert (str(error), error.status) == ("a.wav: broken", StreamStatus.DECODE_ERROR)


def test_an_existing_output_is_named_with_the_way_out():
    assert str(OutputExistsError(Path("a.h5"))) == (
        "a.h5: expected a new output, but it exists; choose another name or pass --overwrite"
    )


def test_a_missing_package_is_named_with_the_extra_that_brings_it():
    error = MissingExtraError("torch", extra="train", purpose="skesl")
    assert str(error) == "skesl needs the package 'torch', which is not installed; pip install 'mmfeat[train]'"
