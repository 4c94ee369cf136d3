"""The specification and the writer say the same."""

import tomllib

import h5py
import numpy as np
import pytest

from mmfeat.dataset.schema import (
    FORMAT,
    FORMAT_VERSION,
    find_rule,
    schema_rules,
    schema_text,
    storage_type,
    type_name,
)

TYPES = {"text", "bool", "int8", "uint8", "uint16", "int32", "int64", "float16", "float32", "float64"}


def paths(path):
    found = []
    with h5py.File(path) as file:
        file.visit(lambda name: found.append(f"/{name}"))
    return found


def test_the_specification_is_of_the_version_that_is_written():
    specification = tomllib.loads(schema_text())
    assert (specification["format"], specification["format_version"]) == (FORMAT, FORMAT_VERSION)


def test_every_object_that_the_writer_makes_is_in_the_specification(example):
    assert [path for path in paths(example) if find_rule(path) is None] == []


def test_every_object_that_must_be_there_is_written(example):
    written = {find_rule(path)[0].path for path in paths(example)}
    elsewhere = ("/words", "/streams/<name>/decimal")
    rules = [rule for rule in schema_rules() if rule.must and not rule.only_with and rule.parent not in elsewhere]
    assert {rule.path for rule in rules} - {"/"} <= written


def test_every_attribute_that_the_writer_makes_is_in_the_specification(example):
    with h5py.File(example) as file:
        for path in ["/", *paths(example)]:
            rule = schema_rules()[0] if path == "/" else find_rule(path)[0]
            assert set(file[path].attrs) <= {attribute.name for attribute in rule.attributes}, path


def test_every_dataset_is_written_with_the_type_of_the_specification(example):
    with h5py.File(example) as file:
        for path in paths(example):
            rule = find_rule(path)[0]
            if rule.kind == "dataset":
                assert type_name(file[path].dtype) == rule.type_name, path
                assert file[path].ndim == len(rule.dims), path
                if rule.members:
                    assert h5py.check_enum_dtype(file[path].dtype) == rule.members, path


def test_the_embedded_specification_is_the_shipped_one(example):
    with h5py.File(example) as file:
        assert file.attrs["schema"] == schema_text()


def test_every_rule_is_complete():
    for rule in schema_rules():
        assert rule.doc.endswith("."), rule.path
        assert rule.kind in ("group", "dataset"), rule.path
        if rule.kind == "dataset":
            assert rule.type_name in TYPES, rule.path
            assert rule.dims, rule.path


def test_every_object_has_one_rule_and_a_parent_with_a_rule():
    known = [rule.path for rule in schema_rules()]
    assert len(set(known)) == len(known)
    assert {rule.parent for rule in schema_rules()} <= set(known)


@pytest.mark.parametrize(
    ("path", "rule_path", "name"),
    [
        ("/clips/id", "/clips/id", ""),
        ("/streams/audio/values", "/streams/<name>/values", "audio"),
        ("/splits/loso 1", "/splits/<name>", "loso 1"),
    ],
)
def test_a_path_finds_its_rule_and_its_name(path, rule_path, name):
    rule, found = find_rule(path)
    assert (rule.path, found) == (rule_path, name)


@pytest.mark.parametrize("path", ["/clip/id", "/streams/audio/values/more", "/streams/a/b/values", "clips/id"])
def test_a_path_outside_the_specification_has_no_rule(path):
    assert find_rule(path) is None


@pytest.mark.parametrize(
    ("path", "dtype"),
    [("/clips/position", np.int32), ("/streams/<name>/valid", np.bool_), ("/splits/<name>", np.uint8)],
)
def test_a_rule_is_stored_with_its_type(path, dtype):
    assert storage_type(next(rule for rule in schema_rules() if rule.path == path)) == np.dtype(dtype)
