"""Values that are stored as decimals come back bit by bit, whatever they are, and damage in them is found."""

import random

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies
from hypothesis.extra import numpy as arrays

from mmfeat import (
    DatasetInfo,
    DatasetReader,
    DatasetWriter,
    LabelInfo,
    MmfeatError,
    describe,
    subset_dataset,
    validate,
)
from mmfeat.dataset.decimal_store import store_decimals
from mmfeat.dataset.decimal_values import DecimalValues
from mmfeat.testing import write_example_dataset
from mmfeat.types import FrameFeatures

from .conftest import clip_of, entry_of, stream_info

TINY = float(np.float32(1e-45))
ODD = [0.0, -0.0, TINY, -TINY, 1e-30, 3.4e38, -3.4e38, 1 / 3, 32_767.0, -32_767.0, -32_768.0, 65_536.0, 0.1 + 2**-20]


@pytest.fixture
def stream():
    with h5py.File("memory", "w", driver="core", backing_store=False) as file:
        yield file.create_group("streams/x")


def decimals(n_row, places, *, largest=3_000, seed=0):
    """Return a column of numbers as a text with so many decimal places gives them."""
    codes = np.random.default_rng(seed).integers(-largest, largest + 1, n_row)
    return np.array([float(f"{code / 10**places:.{places}f}") for code in codes], dtype=np.float32)


def table(*columns):
    return np.stack(columns, axis=1).astype(np.float32)


def stored(stream, values, *, block=97):
    """Store values that come in blocks that are no whole chunks; return what decodes them, None where they are not."""
    for name in list(stream):
        del stream[name]
    blocks = [values[start : start + block] for start in range(0, len(values), block)]
    return DecimalValues(stream) if store_decimals(stream, lambda: blocks, values.shape) else None


def assert_same_bits(found, expected):
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found.view(np.uint32), expected.view(np.uint32))


def columns(n_row):
    """Any column: of decimals of each number of places, constant, with odd values in it, or of any floats."""
    whole = strategies.integers(-40_000, 40_000)
    digits = strategies.integers(0, 6).flatmap(
        lambda places: arrays.arrays(np.int64, n_row, elements=whole).map(
            lambda codes: np.array([float(f"{code / 10**places:.{places}f}") for code in codes])
        )
    )
    constant = strategies.sampled_from([0.0, -0.0, 1.5, TINY, 123_456.75]).map(lambda value: np.full(n_row, value))
    mixed = arrays.arrays(np.float32, n_row, elements=strategies.sampled_from([*ODD, 0.25, 1.5, -2.0]))
    floats = arrays.arrays(
        np.float32, n_row, elements=strategies.floats(width=32, allow_nan=False, allow_infinity=False)
    )
    return strategies.one_of(digits, constant, mixed, floats)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=strategies.data())
def test_every_value_comes_back_bit_by_bit(stream, data):
    n_row = data.draw(strategies.sampled_from([1, 2, 63, 64, 65, 127, 128, 129, 200]))
    some = data.draw(strategies.lists(columns(n_row), min_size=1, max_size=4))
    values = table(*some, *[decimals(n_row, 2, seed=index) for index in range(len(some))])  # so that it is coded at all
    found = stored(stream, values)
    assert found.shape == values.shape
    assert_same_bits(found[:], values)
    edges = strategies.integers(0, n_row)
    runs = [tuple(sorted(data.draw(strategies.tuples(edges, edges)))) for _ in range(3)]
    assert_same_bits(found.read_runs(runs), np.concatenate([values[start:stop] for start, stop in runs]))


def test_every_float_of_four_places_has_a_code_that_is_itself(stream):
    codes = np.arange(-32_767, 32_768)
    values = table(*(codes / 10**places for places in range(7)))
    found = stored(stream, values, block=10_000)
    assert stream["decimal/exception_frame"].shape == (0,)
    assert_same_bits(found[:], values)
    assert stream["decimal/places"][:].tolist() == list(range(7))


def test_minus_zero_is_no_exception(stream):
    values = table(decimals(200, 3), np.where(np.arange(200) % 3, -0.0, 0.0), np.where(np.arange(200) % 2, -0.0, 0.5))
    assert_same_bits(stored(stream, values)[:], values)
    assert stream["decimal/exception_frame"].shape == (0,)
    assert stream["decimal/floats"].shape == (200, 0)


def test_a_column_with_a_few_odd_values_stays_coded_and_one_with_many_does_not(stream):
    values = table(*(decimals(6_400, 3, seed=seed) for seed in range(4)))
    values[100, 0], values[6_399, 0], values[64, 1] = 1e9, TINY, 77.7777
    values[::32, 2] += 1e-5  # one of 32
    assert_same_bits(stored(stream, values)[:], values)
    assert stream["decimal/places"][:].tolist() == [3, 3, -1, 3]
    assert stream["decimal/exception_frame"][:].tolist() == [64, 100, 6_399]
    assert stream["decimal/exception_feature"][:].tolist() == [1, 0, 0]


def test_what_is_not_finite_is_kept_as_well(stream):
    values = table(*(decimals(640, 1, seed=seed) for seed in range(3)))
    values[[0, 5, 639], [0, 1, 2]] = np.nan, np.inf, -np.inf
    assert_same_bits(stored(stream, values)[:], values)


@pytest.mark.parametrize(
    "values",
    [
        np.zeros((0, 3), np.float32),
        np.random.default_rng(0).normal(size=(90, 5)).astype(np.float32),
        table(decimals(90, 1), *np.random.default_rng(0).normal(size=(2, 90))),
    ],
    ids=["no frames", "noise", "one of three columns"],
)
def test_streams_without_decimals_are_left_alone(stream, values):
    assert stored(stream, values) is None
    assert (list(stream), list(stream.attrs)) == ([], [])


def test_noise_with_decimals_beside_it_is_stored_as_it_is(stream):
    noise = np.random.default_rng(0).normal(size=(90, 2))
    values = table(decimals(90, 1), noise[:, 0], decimals(90, 2), noise[:, 1])
    assert_same_bits(stored(stream, values)[:], values)
    np.testing.assert_array_equal(stream["decimal/floats"][:], values[:, [1, 3]])


def test_a_slice_is_that_of_the_plain_values(stream):
    values = table(*(decimals(150, 2, seed=seed) for seed in range(3)))
    found = stored(stream, values)
    for rows in (slice(None), slice(60, 70), slice(-5, None), slice(3, 140, 7), slice(9, 3), slice(100, 1_000)):
        np.testing.assert_array_equal(found[rows], values[rows])


def with_decimals(clip, info):
    """Return a clip whose frames have two decimal places; all but the failed ones."""
    if info.name not in clip.streams:
        return clip
    frames = clip.streams[info.name]
    values = np.round(frames.values.astype(np.float64), 2).astype(np.float32)
    rounded = FrameFeatures(**{**vars(frames), "values": np.repeat(values, 30, axis=0), **_longer(frames, 30)})
    return type(clip)(**{**vars(clip), "streams": {info.name: rounded}})


def _longer(frames, n_repeat):
    n_frame = len(frames.values) * n_repeat
    return {"times_s": np.arange(n_frame) * 0.1, "valid": np.ones(n_frame, dtype=bool)}


@pytest.fixture(scope="module")
def coded(tmp_path_factory):
    """Return a file of clips with one to four times 30 frames; the failed ones have none."""
    path, info = tmp_path_factory.mktemp("coded") / "a.h5", stream_info()
    with DatasetWriter(
        path,
        info=DatasetInfo(name="test"),
        streams=[info],
        labels=[LabelInfo(name="joy")],
        schemes=["default"],
        compression="decimal",
    ) as writer:
        for index in range(40):
            writer.write(with_decimals(clip_of(entry_of(f"clip {index}"), [info]), info))
    assert validate(path, level="content").ok
    assert describe(path)["streams"]["signal"]["compression"] == "decimal"
    return path


@pytest.fixture
def coded_copy(coded, tmp_path):
    path = tmp_path / "copy.h5"
    path.write_bytes(coded.read_bytes())
    return path


def test_a_reader_of_plain_hdf5_finds_no_values_to_mistake(coded):
    with h5py.File(coded) as file:
        assert "values" not in file["streams/signal"]
        assert file["streams/signal"].attrs["coding"] == "decimal"


def test_clips_without_frames_are_empty(coded):
    with DatasetReader(coded) as reader:
        statuses = reader.status("signal")
        empty = [index for index, status in enumerate(statuses) if status.name == "NO_FACE"]
        assert empty
        batch = reader.read_batch("signal", [empty[0], 0, 1, empty[0]])
        assert batch.values.shape[0] == batch.offsets[-1] == sum(reader.read("signal", i).n_frame for i in (0, 1))


def chunks(path, *names):
    """Return (first byte, size) of every chunk of some datasets."""
    with h5py.File(path) as file:
        infos = [
            file[name].id.get_chunk_info(index) for name in names for index in range(file[name].id.get_num_chunks())
        ]
    return [(info.byte_offset, info.size) for info in infos]


def test_every_flipped_bit_of_what_is_stored_is_found_or_changes_nothing(coded, tmp_path):
    places = chunks(coded, "streams/signal/decimal/steps")
    assert places
    chance, content = random.Random(3), coded.read_bytes()
    path, n_found = tmp_path / "flipped.h5", 0
    with DatasetReader(coded) as reader:
        whole = reader.read_batch("signal", range(reader.n_clip)).values
    for _ in range(60):
        start, size = chance.choice(places)
        damaged = bytearray(content)
        damaged[start + chance.randrange(size)] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        report = validate(path, level="content")
        n_found += not report.ok
        if report.ok:  # the bits that fill up the last byte of a deflated chunk mean nothing
            with DatasetReader(path) as reader:
                assert_same_bits(reader.read_batch("signal", range(reader.n_clip)).values, whole)
        assert all(finding.message and "\n" not in finding.message for finding in report.findings)
    assert n_found >= 50


def set_rows(name, rows, values):
    def change(stream):
        table = stream[f"decimal/{name}"][:]
        table[rows] = values
        stream[f"decimal/{name}"][...] = table

    return change


def put_exceptions(frames, features):
    """Return a change of the stream that gives it exceptions."""

    def change(stream):
        for name, values, kind in (("frame", frames, "i8"), ("feature", features, "i4"), ("value", features, "f4")):
            del stream[f"decimal/exception_{name}"]
            stream[f"decimal/exception_{name}"] = np.array(values, dtype=kind)

    return change


def narrow(stream):
    steps = stream["decimal/steps"][:]
    del stream["decimal/steps"]
    stream["decimal/steps"] = steps[:, :1]


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("MF025", set_rows("places", 0, 7)),
        ("MF025", set_rows("places", 0, -2)),
        ("MF025", set_rows("places", 0, -1)),
        ("MF025", narrow),
        ("MF025", put_exceptions([5, 4], [0, 1])),
        ("MF025", put_exceptions([-1], [0])),
        ("MF025", put_exceptions([10**6], [0])),
        ("MF025", put_exceptions([3], [2])),
        ("MF025", lambda stream: stream.attrs.__setitem__("coding", "other")),
        ("MF004", lambda stream: stream.__delitem__("decimal")),
        ("MF004", lambda stream: stream.__delitem__("decimal/places")),
        ("MF005", lambda stream: (stream.__delitem__("decimal/places"), stream["decimal"].create_group("places"))),
        ("MF007", lambda stream: stream.create_dataset("values", data=np.zeros((3, 2), dtype=np.float32))),
        ("MF007", lambda stream: stream["decimal"].create_dataset("more", data=np.zeros(3))),
    ],
)
def test_a_coding_that_cannot_be_undone_is_found_by_its_rule_alone(coded_copy, rule, change):
    with h5py.File(coded_copy, "r+") as file:
        change(file["streams/signal"])
    assert {finding.rule for finding in validate(coded_copy).findings} == {rule}
    if rule != "MF007":
        with DatasetReader(coded_copy) as reader, pytest.raises(MmfeatError, match=str(coded_copy)) as refused:
            reader.read_batch("signal", range(reader.n_clip))
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize("change", [set_rows("steps", (70, 1), 4), set_rows("places", 1, 3), put_exceptions([66], [1])])
def test_other_values_break_the_hash(coded_copy, change):
    with h5py.File(coded_copy, "r+") as file:
        change(file["streams/signal"])
    assert validate(coded_copy).ok
    assert {finding.rule for finding in validate(coded_copy, level="content").findings} == {"MF019"}


def test_an_exception_that_is_not_finite_is_found(coded_copy):
    with h5py.File(coded_copy, "r+") as file:
        put_exceptions([66], [1])(file["streams/signal"])
        file["streams/signal/decimal/exception_value"][0] = np.nan
    findings = validate(coded_copy, level="content").findings
    assert {(finding.rule, finding.where) for finding in findings} >= {("MF011", "/streams/signal/values")}


def test_a_stream_of_noise_keeps_its_values(tmp_path):
    example = write_example_dataset(tmp_path / "plain.h5")
    subset_dataset(example, tmp_path / "packed.h5", compression="decimal")
    assert describe(tmp_path / "packed.h5")["streams"]["audio"]["compression"] == "gzip"
