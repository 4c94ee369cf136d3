"""One example dataset for all tests of the library; tests that change it take a copy."""

import shutil

import pytest

from mmfeat.testing import write_example_dataset


@pytest.fixture(scope="session")
def example(tmp_path_factory):
    return write_example_dataset(tmp_path_factory.mktemp("example") / "example.h5")


@pytest.fixture
def example_copy(example, tmp_path):
    return shutil.copy(example, tmp_path / "copy.h5")
