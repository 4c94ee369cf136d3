"""A batch is its clips one behind the other, however they are stored and whoever reads them."""

import multiprocessing
import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from mmfeat import DatasetReader, InputError, SchemaError
from mmfeat.dataset.read_runs import read_runs
from mmfeat.testing import write_example_dataset

N_CLIP = 12
COLUMNS = ("values", "times_s", "valid", "voiced", "confidence")
STORED = ("values", "valid", "voiced", "confidence", "times_s")


def restore(path, stream, **options):
    """Store the columns of a stream in another way."""
    with h5py.File(path, "r+") as file:
        group = file[f"streams/{stream}"]
        for name in STORED:
            if name in group:
                values = group[name][:]
                dtype = values.dtype.newbyteorder(options["order"]) if "order" in options else values.dtype
                others = {key: value for key, value in options.items() if key != "order"}
                del group[name]
                group.create_dataset(name, data=values, dtype=dtype, **others)
    return path


STORAGES = {
    "in one piece": None,
    "in chunks": {"chunks": True},
    "compressed": {"chunks": True, "compression": "gzip", "shuffle": True},
    "big-endian": {"order": ">"},
    "with check sums": {"fletcher32": True},
}


@pytest.fixture(scope="module")
def clips(example):
    """Return every clip of every stream, read alone with plain h5py."""
    with h5py.File(example) as file:
        return {
            stream: [
                {name: group[name][start:stop] for name in STORED if name in group}
                for start, stop in zip(group["offsets"][:-1], group["offsets"][1:], strict=True)
            ]
            for stream, group in file["streams"].items()
        }


@pytest.fixture(params=STORAGES)
def path(request, example, tmp_path):
    copy = shutil.copy(example, tmp_path / "a.h5")
    options = STORAGES[request.param]
    for stream in ("audio", "vision") if options else ():
        restore(copy, stream, **options)
    return copy


def assert_batch_is(batch, clips):
    assert batch.offsets.tolist() == np.cumsum([0, *(len(clip["values"]) for clip in clips)]).tolist()
    for name in COLUMNS:
        if clips and name in clips[0]:
            expected = np.concatenate([clip[name] for clip in clips])
            np.testing.assert_array_equal(getattr(batch, name), expected)
    assert batch.values.dtype == np.float32


@pytest.mark.parametrize("stream", ["audio", "vision"])
@pytest.mark.parametrize(
    "indices",
    [[0], [11], [0, 1, 2], [5, 4, 3], [7, 7], [2, 0, 11, 1, 2, 3], [1], list(range(N_CLIP)), np.array([3, 9])],
)
def test_a_batch_is_its_clips_in_the_order_that_was_asked_for(path, clips, stream, indices):
    with DatasetReader(path) as reader:
        assert_batch_is(reader.read_batch(stream, indices), [clips[stream][index] for index in indices])


def test_a_batch_of_no_clips_is_empty(path):
    with DatasetReader(path) as reader:
        batch = reader.read_batch("audio", [])
    assert (batch.values.shape, batch.times_s.shape, batch.offsets.tolist()) == ((0, 33), (0,), [0])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, N_CLIP - 1), max_size=20))
def test_a_batch_is_what_reading_each_clip_gives(indices):
    with DatasetReader(EXAMPLE) as reader:
        for stream in reader.stream_names:
            batch = reader.read_batch(stream, indices)
            for place, index in enumerate(indices):
                own = reader.read(stream, index)
                start, stop = batch.offsets[place : place + 2]
                for name in COLUMNS:
                    expected = getattr(own, name)
                    found = getattr(batch, name)
                    assert (expected is None) == (found is None)
                    if expected is not None:
                        np.testing.assert_array_equal(found[start:stop], expected)


EXAMPLE = write_example_dataset()


@pytest.mark.parametrize("index", [-1, -12, 12, 10**9])
def test_a_clip_that_is_not_there_is_refused_by_number(example, index):
    with DatasetReader(example) as reader:
        for read in (lambda: reader.read("audio", index), lambda: reader.read_batch("audio", [0, index])):
            with pytest.raises(
                InputError, match=rf"example.h5: stream 'audio': expected a clip from 0 to 11, got {index}"
            ):
                read()


def test_what_a_reader_gives_may_be_changed(example):
    with DatasetReader(example) as reader:
        first = reader.read("audio", 3)
        first.values[:] = 7
        assert (reader.read("audio", 3).values != 7).all()


def test_eight_threads_that_share_a_reader_get_their_own_clips(path, clips):
    orders = [np.random.default_rng(seed).permutation(N_CLIP) for seed in range(64)]
    with DatasetReader(path) as reader, ThreadPoolExecutor(8) as pool:
        batches = list(pool.map(lambda order: reader.read_batch("vision", order), orders))
    for order, batch in zip(orders, batches, strict=True):
        assert_batch_is(batch, [clips["vision"][index] for index in order])


def test_threads_may_open_a_closed_reader_together(example, clips):
    reader = DatasetReader(example)
    for _ in range(20):
        reader.close()
        with ThreadPoolExecutor(8) as pool:
            batches = list(pool.map(lambda index: reader.read_batch("audio", [index]), range(8)))
        for index, batch in enumerate(batches):
            assert_batch_is(batch, [clips["audio"][index]])
    reader.close()


def read_all(reader):
    return [reader.read_batch("vision", [index, 0]).values for index in range(reader.n_clip)]


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_batches_are_the_same_in_other_processes(example, clips, method):
    with DatasetReader(example) as reader:
        reader.read_batch("vision", [0])  # open before the process starts
        with multiprocessing.get_context(method).Pool(2) as pool:
            for values in pool.map(read_all, [reader, reader]):
                for index, found in enumerate(values):
                    expected = [clips["vision"][index]["values"], clips["vision"][0]["values"]]
                    np.testing.assert_array_equal(found, np.concatenate(expected))


class Clips:
    """A dataset for torch's loader."""

    def __init__(self, reader):
        self.reader = reader

    def __len__(self):
        return self.reader.n_clip

    def __getitem__(self, index):
        return index, self.reader.read("audio", index).values


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_batches_are_the_same_in_the_workers_of_torch(example, clips, method):
    data = pytest.importorskip("torch.utils.data")
    with DatasetReader(example) as reader:
        reader.read("audio", 0)
        loader = data.DataLoader(
            Clips(reader), batch_size=None, shuffle=True, num_workers=2, multiprocessing_context=method
        )
        found = dict(loader)
    assert sorted(found) == list(range(N_CLIP))
    for index, values in found.items():
        np.testing.assert_array_equal(values, clips["audio"][index]["values"])


def test_a_file_that_is_cut_off_while_it_is_open_is_one_clear_error(example_copy):
    with DatasetReader(example_copy) as reader:
        reader.read("vision", 0)
        os.truncate(example_copy, 4000)
        with pytest.raises(SchemaError, match=r"copy.h5: expected /streams/\w+/\w+ to be whole, the file ends"):
            reader.read_batch("vision", range(N_CLIP))


def test_a_damaged_chunk_is_one_clear_error(example_copy):
    restore(example_copy, "audio", chunks=True, fletcher32=True)
    with h5py.File(example_copy) as file:
        place = file["streams/audio/values"].id.get_chunk_info(0).byte_offset
    with open(example_copy, "r+b") as handle:  # noqa: PTH123
        handle.seek(place)
        handle.write(b"\xff" * 8)
    with (
        DatasetReader(example_copy) as reader,
        pytest.raises(InputError, match=r"copy.h5: expected a whole file of .*"),
    ):
        reader.read("audio", 0)


def padded_one_by_one(clips, *, drop_invalid, max_frames=None):
    """Return values, mask and lengths of clips, put together row by row."""
    kept = [(clip["values"][clip["valid"]] if drop_invalid else clip["values"])[:max_frames] for clip in clips]
    lengths = [len(values) for values in kept]
    values = np.zeros((len(clips), max([1, *lengths]), *clips[0]["values"].shape[1:]), np.float32)
    mask = np.zeros(values.shape[:2], bool)
    for row, (clip, rows) in enumerate(zip(clips, kept, strict=True)):
        values[row, : len(rows)] = rows
        mask[row, : len(rows)] = True if drop_invalid else clip["valid"][:max_frames]
    return values, mask, lengths


@pytest.mark.parametrize("stream", ["audio", "vision"])
@pytest.mark.parametrize("drop_invalid", [False, True])
@pytest.mark.parametrize("indices", [[0], [1], [1, 1], [5, 4, 3], np.array([3, 9]), [*range(N_CLIP), 2, 0, 11]])
def test_a_padded_batch_is_its_clips_with_zeros_behind_them(path, clips, stream, drop_invalid, indices):
    values, mask, lengths = padded_one_by_one([clips[stream][index] for index in indices], drop_invalid=drop_invalid)
    with DatasetReader(path) as reader:
        batch = reader.read_padded(stream, indices, drop_invalid=drop_invalid)
    np.testing.assert_array_equal(batch.values, values)
    np.testing.assert_array_equal(batch.mask, mask)
    assert batch.lengths.tolist() == lengths
    assert (batch.values.dtype, batch.mask.dtype, batch.lengths.dtype) == (np.float32, np.bool_, np.int64)
    assert batch.values.flags.c_contiguous


@pytest.mark.parametrize("stream", ["audio", "vision"])
@pytest.mark.parametrize("drop_invalid", [False, True])
@pytest.mark.parametrize("max_frames", [1, 12, 1000])
@pytest.mark.parametrize("indices", [[1], [5, 4, 3], [1, 9], [*range(N_CLIP), 2, 0, 11]])
def test_a_padded_batch_is_cut_and_put_into_memory_that_is_given(
    path, clips, stream, drop_invalid, max_frames, indices
):
    values, mask, lengths = padded_one_by_one(
        [clips[stream][index] for index in indices], drop_invalid=drop_invalid, max_frames=max_frames
    )
    given = []

    def memory(shape):
        given.append(np.full(shape, np.nan, np.float32))
        return given[-1]

    with DatasetReader(path) as reader:
        batch = reader.read_padded(stream, indices, drop_invalid=drop_invalid, max_frames=max_frames, memory=memory)
    np.testing.assert_array_equal(batch.values, values)
    np.testing.assert_array_equal(batch.mask, mask)
    assert batch.lengths.tolist() == lengths
    (own,) = given
    assert batch.values.__array_interface__["data"] == own.__array_interface__["data"]
    assert batch.values.flags.c_contiguous


def test_a_padded_batch_without_frames_is_one_frame_long(path, clips):
    assert len(clips["vision"][1]["values"]) == 0 or not clips["vision"][1]["valid"].any()
    with DatasetReader(path) as reader:
        faceless = reader.read_padded("vision", [1] * 9, drop_invalid=True)
        nothing = reader.read_padded("audio", [])
    assert (faceless.values.shape[:2], faceless.mask.any(), faceless.lengths.tolist()) == ((9, 1), False, [0] * 9)
    assert (nothing.values.shape, nothing.mask.shape, nothing.lengths.size) == ((0, 1, 33), (0, 1), 0)


def test_batches_are_the_same_where_no_compiled_call_can_read(path, clips, monkeypatch):
    indices = [*range(N_CLIP), 3]
    with DatasetReader(path) as reader:
        compiled = reader.read_batch("vision", indices), reader.read_padded("vision", indices)
        monkeypatch.setattr("mmfeat.dataset.read_runs.CAN_READ", False)
        plain = reader.read_batch("vision", indices), reader.read_padded("vision", indices)
    np.testing.assert_array_equal(compiled[0].values, plain[0].values)
    np.testing.assert_array_equal(compiled[1].values, plain[1].values)
    np.testing.assert_array_equal(compiled[1].mask, plain[1].mask)


def test_padded_batches_belong_to_their_readers_and_threads(path, clips):
    orders = [np.random.default_rng(seed).permutation(N_CLIP) for seed in range(64)]
    with DatasetReader(path) as reader, ThreadPoolExecutor(8) as pool:
        batches = list(pool.map(lambda order: reader.read_padded("audio", order), orders))
    for order, batch in zip(orders, batches, strict=True):
        expected, _, _ = padded_one_by_one([clips["audio"][index] for index in order], drop_invalid=False)
        np.testing.assert_array_equal(batch.values, expected)


def test_a_padded_batch_of_clips_that_are_not_there_is_refused(example):
    with DatasetReader(example) as reader:
        with pytest.raises(InputError, match=r"stream 'audio': expected a clip from 0 to 11, got 12"):
            reader.read_padded("audio", [0, 12])
        with pytest.raises(InputError, match="no stream 'x'"):
            reader.read_padded("x", [0])


def test_a_padded_batch_of_a_file_that_is_cut_off_is_one_clear_error(example_copy):
    with DatasetReader(example_copy) as reader:
        reader.read("vision", 0)
        os.truncate(example_copy, 4000)
        for indices in ([0, 2], range(N_CLIP)):
            with pytest.raises(SchemaError, match=r"copy.h5: expected /streams/\w+/\w+ to be whole, the file ends"):
                reader.read_padded("vision", indices)


@pytest.mark.parametrize(("place", "value"), [(5, 10**12), (5, -1), (-1, 10**12), (0, -5)])
def test_offsets_that_lie_are_refused(example_copy, place, value):
    with h5py.File(example_copy, "r+") as file:
        offsets = file["streams/vision/offsets"]
        offsets[place % len(offsets)] = value
    with DatasetReader(example_copy) as reader:
        for read in (reader.read_batch, reader.read_padded):
            with pytest.raises(SchemaError, match=r"copy.h5: expected /streams/vision/offsets to rise from 0 to its "):
                read("vision", range(N_CLIP))


def test_a_compiled_call_neither_reads_nor_writes_beyond_its_bounds(tmp_path):
    (tmp_path / "a").write_bytes(bytes(range(100)))
    with (tmp_path / "a").open("rb") as handle:
        content = np.full(20, 255, np.uint8)

        def read(starts, lengths, places, ends=(0,), *, first_byte=0, row_bytes=1):
            runs = (np.array(numbers, dtype=np.int64) for numbers in (starts, lengths, places, ends))
            return read_runs(handle.fileno(), first_byte, row_bytes, content[5:15], *runs)

        assert read([50], [11], [0]) == 0
        assert read([25], [6], [0], row_bytes=2) == 0
        assert read([50], [2], [-1]) == 0
        assert read([95], [6], [0]) == 0
        assert read([-1], [2], [0]) == 0
        assert read([50], [2], [0], [11]) == 0
        assert read([4, 20], [2, -3], [0, 5], [5, 10], first_byte=6) == 2
    assert content[:5].tolist() == content[15:].tolist() == [255] * 5
    assert content[5:15].tolist() == [10, 11] + [0] * 8
