"""Computational sequences in and out: join by id, segments, words, metadata in both spellings, round trips."""

import json
import subprocess
import sys

import h5py
import numpy as np
import pytest

from mmfeat import DatasetReader, InputError, StreamStatus, export_csd, import_csd, validate
from mmfeat.convert.columns import COVAREP, FACET_42
from mmfeat.convert.csd_file import FUSED

from .conftest import make_csd


def sequence(rng, n_row, width, step_s=0.5):
    starts = np.arange(n_row) * step_s
    return rng.normal(size=(n_row, width)).astype(np.float32), np.stack([starts, starts + step_s], axis=1)


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    make_csd(
        tmp_path / "covarep.csd",
        "CMU_MOSI_COVAREP",
        {"va": sequence(rng, 20, 74), "vb": sequence(rng, 10, 74), "vc": sequence(rng, 4, 74)},
        {"dimension names": json.dumps(COVAREP), "computational sequence version": '"1.0"'},
    )
    make_csd(
        tmp_path / "facet.csd",
        "FACET 4.2",
        {"va": sequence(rng, 30, 35, 0.3), "vb": sequence(rng, 12, 35, 0.3)},
        {FUSED: json.dumps(FACET_42)},
    )
    tokens = np.array([[b"so"], [b"sp"], [b"caf\xc3\xa9"]])
    words = {key: (tokens, np.array([[0.0, 1.0], [1.0, 2.5], [2.5, 4.0]])) for key in ("va", "vb", "vc")}
    make_csd(tmp_path / "words.csd", "words", words)
    labels = {
        "va": (np.array([[1.5], [-2.0]]), np.array([[0.0, 2.2], [4.0, 9.0]])),
        "vb": (np.array([[3.0]]), np.array([[1.0, 3.0]])),
    }
    make_csd(tmp_path / "labels.csd", "Opinion Segment Labels", labels)
    return tmp_path


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.h5"


def imported(files, out, **options):
    report = import_csd(files, out, **options)
    assert validate(out, level="content").findings == ()
    return report


def test_sequences_are_joined_by_id_and_what_lacks_is_listed(folder, out):
    files = {"audio": folder / "covarep.csd", "vision": folder / "facet.csd", "spoken": folder / "words.csd"}
    report = imported(files, out)
    assert report.n_ok == {"audio": 3, "vision": 2}
    ((clip_id, failure),) = report.failures
    assert (clip_id, failure.stream, failure.status) == ("vc", "vision", StreamStatus.MISSING_SOURCE)
    assert failure.message == "facet.csd: has no 'vc'"
    with DatasetReader(out) as reader:
        assert reader.texts == ("so café",) * 3
        assert reader.words(1).tokens == ("so", "sp", "café")
        assert reader.info("audio").feature_names == COVAREP
        assert reader.info("vision").feature_names == FACET_42
        assert reader.info("vision").extractor == "FACET 4.2"
        with h5py.File(folder / "covarep.csd") as file:
            entry = file["CMU_MOSI_COVAREP/data/vb"]
            np.testing.assert_array_equal(reader.read("audio", 1).values, entry["features"])
            np.testing.assert_array_equal(reader.read("audio", 1).intervals_s, entry["intervals"])
        assert reader.read("audio", 1).times_s[:2].tolist() == [0.25, 0.75]


def test_with_labels_their_intervals_are_the_clips(folder, out):
    files = [folder / "covarep.csd", folder / "words.csd"]
    report = imported(files, out, labels=folder / "labels.csd")
    with DatasetReader(out) as reader:
        assert reader.clip_ids == ("va[0]", "va[1]", "vb[0]")
        assert reader.recording_ids == ("va", "va", "vb")
        assert reader.labels("sentiment").values.tolist() == [1.5, -2.0, 3.0]
        assert reader.starts_s.tolist() == [0.0, 4.0, 1.0]
        assert reader.durations_s.tolist() == pytest.approx([2.2, 5.0, 2.0])
        frames = reader.read("CMU_MOSI_COVAREP", 2)
        assert frames.intervals_s.tolist() == [[1.0, 1.5], [1.5, 2.0], [2.0, 2.5], [2.5, 3.0]]
        assert frames.times_s.tolist() == [0.25, 0.75, 1.25, 1.75]
        assert reader.texts == ("so", "", "café")
        assert [len(reader.words(index).tokens) for index in range(3)] == [2, 0, 2]
    n_used = 5 + 10 + 4
    assert report.n_frame == {"CMU_MOSI_COVAREP": n_used}
    assert f"CMU_MOSI_COVAREP: {20 + 10 - n_used} rows lie outside of every labelled interval" in report.notes
    assert "CMU_MOSI_COVAREP: 1 ids have no label, first 'vc'" in report.notes
    assert any(note.startswith("va[1]: words.csd: no row overlaps") for note in report.notes)


def test_aligned_keys_are_clips_of_their_recording(tmp_path, out):
    rng = np.random.default_rng(0)
    entries = {"va[0]": sequence(rng, 3, 2), "va[1]": sequence(rng, 2, 2), "v[b]": sequence(rng, 2, 2)}
    labels = {"va[0]": (np.ones((1, 7)), np.array([[0.0, 9.0]]))}
    make_csd(tmp_path / "x.csd", "x", entries)
    make_csd(tmp_path / "y.csd", "All Labels", labels)
    imported([tmp_path / "x.csd"], out)
    with DatasetReader(out) as reader:
        assert reader.clip_ids == ("v[b]", "va[0]", "va[1]")
        assert reader.recording_ids == ("v[b]", "va", "va")
    imported([tmp_path / "x.csd"], out, labels=tmp_path / "y.csd", overwrite=True)
    with DatasetReader(out) as reader:
        assert reader.clip_ids == ("va[0]",)
        assert reader.label_names[0] == "anger"
        assert set(reader.label_names) == {"sentiment", "happy", "sad", "anger", "surprise", "disgust", "fear"}


def contents(path):
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item[()] if isinstance(item, h5py.Dataset) else None}))
    return found


@pytest.mark.parametrize("name", ["covarep", "facet", "words"])
def test_a_round_trip_gives_an_equal_sequence(folder, out, name):
    imported([folder / f"{name}.csd"], out)
    (path,) = export_csd(out, folder / "back").paths
    first, second = contents(folder / f"{name}.csd"), contents(path)
    assert list(first) == list(second)
    for key, value in first.items():
        assert getattr(value, "dtype", None) == getattr(second[key], "dtype", None), key
        np.testing.assert_array_equal(value, second[key], err_msg=key)


def test_a_dataset_of_our_own_becomes_sequences_with_all_the_keys_of_the_sdk(example, tmp_path):
    report = export_csd(example, tmp_path / "csd")
    assert [path.name for path in report.paths] == ["audio.csd", "vision.csd", "labels.csd"]
    required = [
        "root name", "computational sequence description", "dimension names", FUSED, "computational sequence version",
        "alignment compatible", "dataset name", "dataset version", "creator", "contact", "featureset bib citation",
        "dataset bib citation",
    ]  # fmt: skip
    with h5py.File(tmp_path / "csd" / "audio.csd") as file, DatasetReader(example) as reader:
        metadata = {key: json.loads(item[0]) for key, item in file["audio/metadata"].items()}
        assert set(required) <= set(metadata)
        assert metadata["dimension names"] == list(reader.info("audio").feature_names)
        entry, frames = file["audio/data/clip_03"], reader.read("audio", 3)
        np.testing.assert_array_equal(entry["features"], frames.values)
        np.testing.assert_allclose(np.mean(entry["intervals"], axis=1), frames.times_s, atol=1e-12)
        np.testing.assert_allclose(entry["intervals"][1:, 0], entry["intervals"][:-1, 1])
    with h5py.File(tmp_path / "csd" / "vision.csd") as file:
        assert "clip_01" not in file["vision/data"]  # it has no face
    imported([tmp_path / "csd" / "audio.csd"], tmp_path / "again.h5", labels=tmp_path / "csd" / "labels.csd")


def test_streams_without_a_clock_are_left_out_and_said(save, mmsa, tmp_path):
    from mmfeat import import_mmsa

    import_mmsa(save(mmsa), tmp_path / "m.h5")
    with pytest.raises(InputError, match="audio: left out, no time of a frame is known"):
        export_csd(tmp_path / "m.h5", tmp_path / "csd")


def test_broken_entries_are_failures_with_their_reason(tmp_path, out):
    rng = np.random.default_rng(0)
    good, (values, intervals) = sequence(rng, 3, 2), sequence(rng, 3, 2)
    entries = {
        "a": good,
        "short": (values, intervals[:2]),
        "wide": (np.ones((3, 5)), intervals),
        "nan": (values, intervals * np.nan),
        "none": (values[:0], intervals[:0]),
        "cube": (np.ones((3, 2, 2)), intervals),
    }
    path = make_csd(tmp_path / "x.csd", "x", entries)
    with h5py.File(path, "r+") as file:
        del file["x/data/short/features"]
        file["x/data/link"] = h5py.ExternalLink("elsewhere.h5", "/")
        file["x/data/empty/intervals"] = intervals
    report = imported([path], out)
    reasons = {clip_id: failure.message for clip_id, failure in report.failures}
    assert set(reasons) == {"short", "wide", "nan", "none", "cube", "link", "empty"}
    assert "'features' is missing" in reasons["short"]
    assert "got (3, 5) and (3, 2)" in reasons["wide"]
    assert "expected finite intervals" in reasons["nan"]
    assert "is a link to elsewhere" in reasons["link"]
    assert dict(report.failures)["none"].status is StreamStatus.EMPTY


def not_hdf5(folder):
    (folder / "x.csd").write_text("hello")
    return [folder / "x.csd"]


def no_data(folder):
    with h5py.File(folder / "x.csd", "w") as file:
        file.create_group("root/metadata")
    return [folder / "x.csd"]


def others_ids(folder):
    return {"a": folder / "covarep.csd", "b": make_csd(folder / "x.csd", "x", {"z": sequence(np.random, 2, 2)})}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: [folder / "none.csd"], "found no file"),
        (not_hdf5, r"expected a computational sequence \(HDF5\)"),
        (no_data, "expected one group with data and metadata"),
        (others_ids, "expected sequences with ids in common, a, b have none"),
        (lambda folder: [folder / "covarep.csd"] * 2, "got 'CMU_MOSI_COVAREP' twice"),
        (lambda folder: {"a": folder / "words.csd", "b": folder / "words.csd"}, "at most one sequence of texts"),
        (lambda folder: {"a/b": folder / "covarep.csd"}, "stream name 'a/b'"),
    ],
)
def test_files_that_are_no_sequences_are_one_error(folder, out, make, message):
    with pytest.raises(InputError, match=message):
        import_csd(make(folder), out)
    assert not out.exists()


def test_the_import_streams(tmp_path):
    """300 MB of entries of 6 MB each are imported in little more memory than the process has anyway."""
    path, rows = tmp_path / "large.csd", np.ones((20_000, 74), dtype=np.float32)
    make_csd(path, "x", {f"v{i}": (rows, np.zeros((20_000, 2))) for i in range(50)})
    code = (
        "import resource, sys; from pathlib import Path; from mmfeat import import_csd, DatasetReader\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "import_csd([Path(sys.argv[1])], Path(sys.argv[2]))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    arguments = [sys.executable, "-c", code, path, tmp_path / "out.h5"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 150_000  # kB


def test_a_claim_of_more_than_the_file_can_hold_is_refused(tmp_path, out):
    path = make_csd(tmp_path / "x.csd", "x", {"a": sequence(np.random.default_rng(0), 3, 2)})
    with h5py.File(path, "r+") as file:
        file.create_dataset("x/data/b/features", shape=(10**10, 2), chunks=(1000, 2), dtype=np.float32)
        file["x/data/b/intervals"] = np.zeros((1, 2))
    ((clip_id, failure),) = imported([path], out).failures
    assert clip_id == "b"
    assert "claims 80,000,000,000 bytes, more than the file can hold" in failure.message


def test_damaged_sequences_are_read_or_refused(tmp_path, out):
    """60 damaged copies of a good file: no foreign exception, and whatever is written is a valid dataset."""
    rng = np.random.default_rng(0)
    good = make_csd(tmp_path / "x.csd", "x", {f"v{i}": sequence(rng, 4, 2) for i in range(3)}).read_bytes()
    for _ in range(60):
        content = bytearray(good)
        for place in rng.integers(0, len(good), rng.integers(1, 6)):
            content[place] = rng.integers(0, 256)
        (tmp_path / "x.csd").write_bytes(content)
        try:
            imported([tmp_path / "x.csd"], out, overwrite=True)
        except InputError:
            continue


def test_a_broken_label_costs_its_clip_the_label_and_no_row(folder, out):
    with h5py.File(folder / "labels.csd", "r+") as file:
        del file["Opinion Segment Labels/data/va/intervals"]
    report = imported([folder / "covarep.csd"], out, labels=folder / "labels.csd")
    with DatasetReader(out) as reader:
        assert reader.clip_ids == ("va", "vb[0]")
        assert reader.read("CMU_MOSI_COVAREP", 0).n_frame == 20
        assert reader.labels("sentiment").present.tolist() == [False, True]
    assert any("its recording is one clip without labels" in note for note in report.notes)
