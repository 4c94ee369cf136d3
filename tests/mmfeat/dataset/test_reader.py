"""What is read is what was written, in this process and in others."""

import multiprocessing
import operator
import pickle
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from mmfeat import (
    ClipEntry,
    ClipFeatures,
    DatasetInfo,
    DatasetReader,
    DatasetWriter,
    FrameFeatures,
    InputError,
    LabelInfo,
    SchemaError,
    Split,
    StreamFailure,
    StreamInfo,
    StreamStatus,
)

FEATURES = ("log_f0", "x")


def stream(name, **changes):
    fields = {
        "name": name,
        "feature_names": FEATURES,
        "feature_units": ("ln(Hz)", "1"),
        "extractor": "test",
        "extractor_version": "1.2",
        "preset": "custom",
        "config": {"a": [1, 2], "b": {"c": None}},
    }
    return StreamInfo(**{**fields, **changes})


SOUND = stream("sound", hop_s=0.032, has_voiced=True)
FACE = stream("face", has_confidence=True, tool_license="research only")


def sound(rng, n_frame):
    voiced = rng.random(n_frame) < 0.5
    values = rng.normal(size=(n_frame, 2)).astype(np.float32)
    values[~voiced, 0] = 0
    return FrameFeatures(
        values=values,
        times_s=np.arange(n_frame) * 0.032,
        names=FEATURES,
        units=SOUND.feature_units,
        valid=np.ones(n_frame, dtype=bool),
        voiced=voiced,
        hop_s=0.032,
    )


def face(rng, n_frame):
    valid = rng.random(n_frame) < 0.8
    return FrameFeatures(
        values=(rng.normal(size=(n_frame, 2)) * valid[:, None]).astype(np.float32),
        times_s=np.sort(rng.random(n_frame)),
        names=FEATURES,
        units=FACE.feature_units,
        valid=valid,
        confidence=(rng.integers(0, 9, n_frame) / 8).astype(np.float32),  # eighths are exact in float16
    )


def clips(rng, lengths):
    """Return clips; a length of 0 is a stream that failed."""
    for index, (n_sound, n_face) in enumerate(lengths):
        made = {"sound": (n_sound, sound), "face": (n_face, face)}
        yield ClipFeatures(
            entry=ClipEntry(
                clip_id=f"fürst/{index}$",
                recording_id=f"film {index // 2}",
                speaker_id="ann",
                position=index,
                splits={"default": Split.TRAIN, "loso": Split(index % 3)},
                text="Größe — 好" if index else "",
                labels={"joy": index / 2} if index % 2 == 0 else {},
            ),
            streams={name: make(rng, n_frame) for name, (n_frame, make) in made.items() if n_frame},
            failures=tuple(
                StreamFailure(stream=name, status=StreamStatus.NO_FACE, message=f"no {name} in clip {index}")
                for name, (n_frame, _) in made.items()
                if not n_frame
            ),
            duration_s=0.5 * index if n_sound else float("nan"),
        )


def write(path, written):
    info = DatasetInfo(name="round trip", language="de", license="CC0-1.0", citation="none")
    labels = [LabelInfo(name="joy", value_range=(0.0, 9.0))]
    with DatasetWriter(path, info=info, streams=[SOUND, FACE], labels=labels, schemes=["default", "loso"]) as writer:
        for clip in written:
            writer.write(clip)
    return path


def assert_equal(read, written):
    assert (read.names, read.units, read.hop_s) == (written.names, written.units, written.hop_s)
    for name in ("values", "valid", "voiced", "confidence"):
        one, other = getattr(read, name), getattr(written, name)
        assert (one is None) == (other is None)
        if one is not None:
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)
    np.testing.assert_allclose(read.times_s, written.times_s, rtol=1e-15)


@pytest.fixture(scope="module")
def written():
    return list(clips(np.random.default_rng(0), [(3, 4), (0, 2), (5, 0), (1, 1)]))


@pytest.fixture(scope="module")
def path(tmp_path_factory, written):
    return write(tmp_path_factory.mktemp("reader") / "a.h5", written)


@pytest.fixture
def reader(path):
    with DatasetReader(path) as open_reader:
        yield open_reader


def test_the_clip_table_comes_back(reader, written):
    entries = [clip.entry for clip in written]
    assert reader.n_clip == 4
    assert reader.clip_ids == tuple(entry.clip_id for entry in entries)
    assert reader.recording_ids == tuple(entry.recording_id for entry in entries)
    assert reader.texts == tuple(entry.text for entry in entries)
    np.testing.assert_array_equal(reader.durations_s, [0.0, np.nan, 1.0, 1.5])


def test_labels_come_back_with_what_is_absent(reader):
    assert reader.label_names == ("joy",)
    table = reader.labels("joy")
    assert (table.name, table.problem) == ("joy", "regression")
    assert table.present.tolist() == [True, False, True, False]
    assert table.values.tolist() == [0.0, 0.0, 1.0, 0.0]


def test_split_schemes_come_back(reader):
    assert reader.scheme_names == ("default", "loso")
    assert reader.parts("loso").tolist() == [0, 1, 2, 0]
    assert reader.members("loso", Split.TRAIN).tolist() == [0, 3]
    assert reader.members("default", Split.TEST).tolist() == []


@pytest.mark.parametrize("info", [SOUND, FACE])
def test_what_is_known_of_a_stream_comes_back(reader, info):
    assert reader.info(info.name) == info


def test_every_frame_of_every_clip_comes_back(reader, written):
    for index, clip in enumerate(written):
        for name, features in clip.streams.items():
            assert_equal(reader.read(name, index), features)


def test_a_failed_stream_has_no_frames_and_a_reason(reader):
    assert reader.status("sound")[1] is StreamStatus.NO_FACE
    assert reader.read("sound", 1).values.shape == (0, 2)
    assert reader.failures() == (
        ("fürst/1$", "sound", "no_face", "no sound in clip 1"),
        ("fürst/2$", "face", "no_face", "no face in clip 2"),
    )


def test_attributes_come_back(reader):
    assert [reader.attributes[name] for name in ("name", "language", "license")] == ["round trip", "de", "CC0-1.0"]
    assert reader.attributes["format_version"] == "1.0"


@settings(max_examples=10, deadline=None)  # each example writes a file
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=5), st.integers(0, 2**32))
def test_ragged_clips_of_any_lengths_come_back(lengths, seed):
    made = list(clips(np.random.default_rng(seed), lengths))
    with tempfile.TemporaryDirectory() as folder, DatasetReader(write(Path(folder) / "a.h5", made)) as reader:
        assert np.diff(reader.offsets("sound")).tolist() == [n_sound for n_sound, _ in lengths]
        for index, clip in enumerate(made):
            for name, features in clip.streams.items():
                assert_equal(reader.read(name, index), features)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda reader: reader.labels("anger"), r"a.h5: no label 'anger'; known: joy"),
        (lambda reader: reader.parts("random"), r"a.h5: no split scheme 'random'; known: default, loso"),
        (lambda reader: reader.read("touch", 0), r"a.h5: no stream 'touch'; known: face, sound"),
        (lambda reader: reader.info("touch"), r"a.h5: no stream 'touch'; known: face, sound"),
    ],
)
def test_an_unknown_name_is_refused_with_the_known_ones(reader, call, message):
    with pytest.raises(InputError, match=message):
        call(reader)


def test_a_closed_reader_opens_again(path):
    reader = DatasetReader(path)
    reader.close()
    assert reader.read("sound", 0).n_frame == 3
    reader.close()


def test_a_reader_never_writes(path):
    before = path.read_bytes()
    with DatasetReader(path) as reader:
        reader.read("sound", 0)
        with pytest.raises(ValueError, match="no write intent"):
            reader._open().create_group("mine")
    assert path.read_bytes() == before


def test_a_pickled_reader_reads_the_same(reader, written):
    reader.read("face", 0)
    with pickle.loads(pickle.dumps(reader)) as other:
        assert_equal(other.read("face", 0), written[0].streams["face"])


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")  # Python 3.12 on; it is what is tested
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_reader_works_in_other_processes(reader, written, method):
    reader.read("face", 0)  # the file is open before the process starts
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
        read = pool.submit(operator.methodcaller("read", "face", 3), reader).result(timeout=60)
    assert_equal(read, written[3].streams["face"])
    assert_equal(reader.read("face", 3), written[3].streams["face"])


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_an_inherited_reader_opens_its_own_file_after_a_fork(reader, written):
    reader.read("face", 0)
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=lambda: sender.send((reader.read("face", 3), reader._pid)))
    child.start()
    read, pid = receiver.recv()
    child.join(timeout=60)
    assert (child.exitcode, pid) == (0, child.pid)
    assert_equal(read, written[3].streams["face"])


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"none.h5: expected a dataset file, found none; make one with mmfeat build"):
        DatasetReader(tmp_path / "none.h5")


def test_what_is_not_hdf5_is_refused(tmp_path):
    (tmp_path / "a.h5").write_text("text")
    with pytest.raises(InputError, match=r"a.h5: expected an HDF5 file that can be opened"):
        DatasetReader(tmp_path / "a.h5")


def test_a_foreign_hdf5_file_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"] = [1, 2]
    with pytest.raises(SchemaError, match=r"a.h5: expected a dataset with the attribute format='mmfeat', got None"):
        DatasetReader(tmp_path / "a.h5")


@pytest.mark.parametrize("version", ["2.0", "10.0", "new", ""])
def test_a_newer_major_version_is_refused(example_copy, version):
    with h5py.File(example_copy, "r+") as file:
        file.attrs["format_version"] = version
    with pytest.raises(SchemaError, match=rf"expected format version 1.0 or older, got '{version}'; update mmfeat"):
        DatasetReader(example_copy)


def test_a_newer_minor_version_is_read(example_copy):
    with h5py.File(example_copy, "r+") as file:
        file.attrs["format_version"] = "1.7"
        file["/clips/new_column"] = [1] * 12
    with DatasetReader(example_copy) as reader:
        assert reader.read("audio", 0).n_frame == 10
