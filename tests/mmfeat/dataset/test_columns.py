"""Rows are copied in long runs, each exactly where it belongs."""

import h5py
import numpy as np
import pytest
from hypothesis import given, strategies

import mmfeat.dataset.columns as columns
from mmfeat.dataset.column import open_column
from mmfeat.dataset.columns import SizeReader, blocks, clip_runs, copy_rows, n_block, same_rows, united
from mmfeat.errors import SchemaError


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Return a file with the same rows stored in several ways."""
    with h5py.File(tmp_path_factory.mktemp("columns") / "a.h5", "w") as file:
        rows = np.arange(300, dtype=np.float32).reshape(100, 3)
        file["plain"] = rows
        file.create_dataset("chunked", data=rows, chunks=(7, 3), compression="gzip")
        file.create_dataset("big", data=rows, dtype=">f4")
        file.create_dataset("unwritten", shape=(100, 3), dtype="f4")
        file["ends"] = np.concatenate([[0], np.cumsum(np.arange(1, 101))])
        file.create_dataset("text", data=[f"wörd {row}" for row in range(100)], dtype=h5py.string_dtype())
        file.flush()
        yield file


def read(reader, runs):
    found = [block.copy() for block in blocks(reader, runs)]
    return np.concatenate(found) if found else np.empty((0, *reader.row_shape))


@given(
    lengths=strategies.lists(strategies.integers(0, 4), min_size=1, max_size=20),
    chosen=strategies.lists(strategies.integers(-1, 19), max_size=30),
)
def test_runs_of_clips_are_their_rows_in_order(lengths, chosen):
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    rows = np.array([row for row in chosen if row < len(lengths)], dtype=np.int64)
    runs = clip_runs(offsets, rows)
    expected = [frame for row in rows if row >= 0 for frame in range(offsets[row], offsets[row + 1])]
    assert [frame for start, stop in runs for frame in range(start, stop)] == expected
    assert runs.n_row == len(expected)
    assert (runs.stops > runs.starts).all()
    assert (runs.starts[1:] != runs.stops[:-1]).all()


def test_all_clips_in_order_are_one_run():
    runs = clip_runs(np.arange(0, 5001, 5), np.arange(1000))
    assert list(runs) == [(0, 5000)]


@pytest.mark.parametrize("name", ["plain", "chunked", "big", "unwritten", "text"])
@pytest.mark.parametrize("block_bytes", [1, 50, 1 << 20])
def test_rows_are_the_same_however_they_are_stored(file, name, block_bytes, monkeypatch):
    monkeypatch.setattr(columns, "_BLOCK_BYTES", block_bytes)
    runs = united(np.array([90, 3, 10, 10, 0]), np.array([100, 10, 10, 20, 1]))
    with open_column(file[name]) as reader:
        assert read(reader, runs).tolist() == file[name][:][[*range(90, 100), *range(3, 20), 0]].tolist()
        assert n_block(reader, runs) == len(list(blocks(reader, runs)))


def test_a_plain_column_is_read_past_hdf5(file, monkeypatch):
    with open_column(file["plain"]) as reader:
        monkeypatch.setattr(reader, "_dataset", None)
        assert read(reader, united(np.array([5]), np.array([7]))).tolist() == [[15, 16, 17], [18, 19, 20]]


def test_sizes_are_the_distances_between_offsets(file):
    with open_column(file["ends"]) as ends:
        assert read(SizeReader(ends), united(np.array([50, 0]), np.array([52, 3]))).tolist() == [51, 52, 1, 2, 3]


def test_rows_are_written_where_they_belong(file, tmp_path):
    with h5py.File(tmp_path / "b.h5", "w") as other, open_column(file["plain"]) as reader:
        target = other.create_dataset("rows", shape=(6, 3), dtype="f4")
        sizes = list(copy_rows(reader, united(np.array([9, 1]), np.array([10, 3])), target, 2))
        assert (sum(sizes), target[:, 0].tolist()) == (3, [0, 0, 27, 3, 6, 0])


def test_selections_are_compared_by_value(file):
    one, other = united(np.array([0]), np.array([9])), united(np.array([1]), np.array([10]))
    with open_column(file["plain"]) as plain, open_column(file["chunked"]) as chunked:
        assert same_rows(plain, one, chunked, one)
        assert not same_rows(plain, one, chunked, other)
        assert not same_rows(plain, one, chunked, united(np.array([0]), np.array([8])))


def test_a_file_that_ends_inside_a_column_is_refused(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["rows"] = np.zeros(10_000)
    with h5py.File(path) as file, open_column(file["rows"]) as reader:
        with path.open("r+b") as handle:
            handle.truncate(path.stat().st_size - 100)
        with pytest.raises(SchemaError, match="expected /rows to be whole, the file ends in it; copy it again"):
            read(reader, united(np.array([0]), np.array([10_000])))
