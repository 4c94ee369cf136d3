"""The content hash says what a file holds, not how, when or by whom it was stored."""

import shutil

import h5py
import numpy as np
import pytest

from mmfeat.dataset.content_hash import content_sha256
from mmfeat.testing import write_example_dataset


def hash_of(path):
    with h5py.File(path) as file:
        return content_sha256(file)


def replace(path, name, values, **options):
    with h5py.File(path, "r+") as file:
        attributes = dict(file[name].attrs)
        options = {"dtype": file[name].dtype, **options}
        del file[name]
        file.create_dataset(name, data=values, **options).attrs.update(attributes)


def values_of(path, name):
    with h5py.File(path) as file:
        return file[name][:]


def test_the_stored_hash_is_the_computed_one(example):
    with h5py.File(example) as file:
        assert file.attrs["content_sha256"] == content_sha256(file)


def test_the_same_content_written_twice_has_one_hash(example, tmp_path):
    assert hash_of(write_example_dataset(tmp_path / "other.h5")) == hash_of(example)
    assert hash_of(write_example_dataset(tmp_path / "seed.h5", seed=1)) != hash_of(example)


@pytest.mark.parametrize(
    "options", [{"chunks": (64, 33)}, {"chunks": (7, 5), "compression": "gzip", "shuffle": True}, {"dtype": ">f4"}]
)
def test_chunks_compression_and_byte_order_change_nothing(example, example_copy, options):
    replace(example_copy, "/streams/audio/values", values_of(example, "/streams/audio/values"), **options)
    assert hash_of(example_copy) == hash_of(example)


def test_the_name_the_program_and_the_provenance_change_nothing(example, example_copy):
    replace(example_copy, "/provenance/events", ['{"action": "copied"}'])
    with h5py.File(example_copy, "r+") as file:
        file.attrs["name"] = "another"
        file.attrs["created_by"] = "mmfeat 99"
    assert hash_of(example_copy) == hash_of(example)


def test_the_order_in_which_objects_were_made_changes_nothing(example, tmp_path):
    with h5py.File(example) as source, h5py.File(tmp_path / "a.h5", "w") as target:
        for name in reversed(list(source)):
            source.copy(name, target)
        target.attrs.update(dict(source.attrs))
    assert hash_of(tmp_path / "a.h5") == hash_of(example)


def columns(path):
    """Return every dataset that is covered and has rows."""
    found = []
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) and item.size else None)
    return [name for name in found if not name.startswith(("provenance", "failures/message"))]


def test_one_changed_value_in_any_column_changes_the_hash(example, tmp_path):
    hashes, covered = [hash_of(example)], columns(example)
    assert {"clips/text", "labels/sentiment/present", "streams/vision/times_s", "failures/code"} <= set(covered)
    for name in covered:
        path = shutil.copy(example, tmp_path / "changed.h5")
        with h5py.File(path, "r+") as file:
            rows = file[name][:]
            last = (-1,) * rows.ndim
            is_text = rows.dtype.kind == "O"
            rows[last] = b"changed" if is_text else (not rows[last] if rows.dtype.kind == "b" else rows[last] + 1)
            file[name][...] = rows
        hashes.append(hash_of(path))
    assert len(set(hashes)) == 1 + len(covered)


@pytest.mark.parametrize(
    ("place", "attribute"), [("/", "license"), ("/streams/audio", "preset"), ("/labels/sentiment", "range")]
)
def test_a_changed_attribute_changes_the_hash(example, example_copy, place, attribute):
    with h5py.File(example_copy, "r+") as file:
        file[place].attrs[attribute] = np.array([0.0, 1.0]) if attribute == "range" else "changed"
    assert hash_of(example_copy) != hash_of(example)


def test_a_value_that_moves_to_the_next_text_changes_the_hash(tmp_path):
    for name, texts in {"one": ["ab", "c"], "other": ["a", "bc"]}.items():
        with h5py.File(tmp_path / name, "w") as file:
            file.create_dataset("clips", data=texts, dtype=h5py.string_dtype())
    assert hash_of(tmp_path / "one") != hash_of(tmp_path / "other")


def test_the_folder_that_a_failure_message_names_changes_nothing(example, tmp_path):
    path = shutil.copy(example, tmp_path / "moved.h5")
    with h5py.File(path, "r+") as file:
        file["failures/message"][0] = "/another/folder/clip.wav: expected a face"
    assert hash_of(path) == hash_of(example)
