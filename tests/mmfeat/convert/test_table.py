"""Feature files that a manifest names, folders of arrays, and npz out."""

import json
import re

import h5py
import numpy as np
import pytest

from mmfeat import (
    DatasetReader,
    InputError,
    ManifestError,
    StreamStatus,
    export_npz,
    import_arrays,
    import_csv,
    validate,
)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.h5"


def manifest(folder, *rows, header="clip_id,split,text,label:mood,stream:audio,stream:face"):
    path = folder / "clips.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.fixture
def files(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(6, dtype=np.float64).reshape(3, 2) + 1)
    np.save(tmp_path / "b.npy", np.ones((1, 2)))
    (tmp_path / "a.csv").write_text("time_s,AU1,AU2\n0.0,1,2\n0.04,3,4\n")
    (tmp_path / "b.csv").write_text("time_s,AU1,AU2\n0.1,5,6\n")
    return tmp_path


def test_each_file_becomes_a_stream_of_its_clip(files, out):
    path = manifest(files, "a,train,hello,1.5,a.npy,a.csv", "b,test,,,b.npy,", "c,test,bye,2,,b.csv")
    report = import_csv(path, out, hop_s=0.01)
    assert validate(out, level="content").findings == ()
    assert (report.n_ok, report.n_frame) == ({"audio": 2, "face": 2}, {"audio": 4, "face": 3})
    assert report.parts == {"train": 1, "test": 2}
    with DatasetReader(out) as reader:
        assert reader.read("audio", 0).values.tolist() == [[1, 2], [3, 4], [5, 6]]
        assert reader.read("audio", 0).times_s.tolist() == [0, 0.01, 0.02]
        assert reader.info("face").feature_names == ("AU1", "AU2")
        assert reader.read("face", 0).times_s.tolist() == [0.0, 0.04]
        assert reader.status("face")[1] is StreamStatus.NOT_REQUESTED
        assert reader.labels("mood").present.tolist() == [True, False, True]


def test_without_times_and_step_the_stream_has_no_clock(files, out):
    import_csv(manifest(files, "a,,,,a.npy,"), out)
    with DatasetReader(out) as reader:
        assert reader.info("audio").clock == "unknown"


def test_npz_files_bring_names_and_intervals(tmp_path, out):
    np.savez(tmp_path / "a.npz", values=np.ones((2, 1)), names=["x"], intervals_s=[[0, 1], [1, 3]])
    import_csv(manifest(tmp_path, "a,,,,a.npz,"), out)
    assert validate(out, level="content").findings == ()
    with DatasetReader(out) as reader:
        assert reader.info("audio").feature_names == ("x",)
        assert reader.read("audio", 0).times_s.tolist() == [0.5, 2.0]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.npy", b"no numpy", "expected features that can be read"),
        ("x.npz", b"PK\x03\x04", "expected features that can be read"),
        ("x.txt", b"1 2", r"expected a .npy, .npz or .csv file"),
        ("x.csv", b"AU1,AU2\n1,x\n", "expected features that can be read"),
        ("x.csv", b"AU1,AU2,AU3\n1,2\n", "3 names in the header, 2 columns below it"),
        ("x.csv", b"time_s,AU1,AU2\n1,2,3\n0,2,3\n", "times that never go back"),
        ("x.csv", b"time_s,AU1,AU2\nnan,2,3\n", "expected finite times"),
        ("x.csv", b"AU1,AU2\n1,2\n", r"expected the 2 columns and the times \(times\)"),
        ("x.csv", b"time_s,AU9\n1,2\n", "expected the 2 columns"),
    ],
)
def test_a_file_that_cannot_be_read_fails_alone(files, out, name, content, message):
    (files / name).write_bytes(content)
    report = import_csv(manifest(files, "a,,,,,a.csv", f"b,,,,,{name}"), out)
    assert validate(out, level="content").findings == ()
    ((clip_id, failure),) = report.failures
    assert (clip_id, failure.status) == ("b", StreamStatus.DECODE_ERROR)
    assert re.search(message, failure.message)


def test_objects_are_never_unpickled(tmp_path, out):
    np.save(tmp_path / "a.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="no file can be read"):
        import_csv(manifest(tmp_path, "a,,,,a.npy,"), out)


def test_faults_of_the_manifest_are_those_of_a_build(files, out):
    with pytest.raises(ManifestError, match="unknown column 'strm:x'"):
        import_csv(manifest(files, "a,1", header="clip_id,strm:x"), out)
    with pytest.raises(InputError, match="expected a column stream:NAME"):
        import_csv(manifest(files, "a", header="clip_id"), out)


def test_a_build_refuses_streams_instead_of_dropping_them(files):
    from mmfeat import read_manifest

    with pytest.raises(ManifestError, match="unknown column 'stream:audio'"):
        read_manifest(manifest(files, "a,,,,a.npy,"))


@pytest.fixture
def arrays(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "arrays"
    folder.mkdir()
    for part, n_clip in (("train", 3), ("valid", 2), ("test", 2)):
        audio, video = rng.normal(size=(n_clip, 6, 74)), rng.normal(size=(n_clip, 6, 36))
        audio[0, :2] = video[0, :2] = video[1, 4:] = 0
        for name, values in (("audio", audio), ("video", video), ("y", np.arange(n_clip) / 2)):
            with h5py.File(folder / f"{name}_{part}.h5", "w") as file:
                file["d1"] = values
    return folder


def test_a_folder_of_arrays_pads_where_it_is_told(arrays, out):
    report = import_arrays(arrays, out, padding="start")
    assert validate(out, level="content").findings == ()
    assert report.parts == {"train": 3, "valid": 2, "test": 2}
    assert report.n_frame == {"audio": 7 * 6 - 3 * 2, "vision": 7 * 6 - 3 * 2}
    assert "audio: 6 rows of padding left out, 36 kept" in report.notes
    with DatasetReader(out) as reader:
        assert reader.clip_ids[0] == "train_00000"
        assert reader.info("audio").clock == "words"
        assert reader.read("vision", 1).valid.tolist() == [True] * 4 + [False] * 2
        assert reader.labels("sentiment").values.tolist() == [0, 0.5, 1, 0, 0.5, 0, 0.5]


def test_no_padding_keeps_every_row(arrays, out):
    assert import_arrays(arrays, out, padding="none").n_frame == {"audio": 42, "vision": 42}


def test_a_folder_without_arrays_is_one_error(tmp_path, arrays, out):
    with pytest.raises(InputError, match=r"expected files such as audio_train\.h5"):
        import_arrays(tmp_path, out)
    (arrays / "audio_test.h5").write_text("x")
    with pytest.raises(InputError, match=r"audio_test.h5: expected an array that can be read"):
        import_arrays(arrays, out)


def test_npz_holds_everything_without_pickles(example, tmp_path):
    report = export_npz(example, tmp_path / "out.npz")
    assert report.n_clip == 12
    with np.load(tmp_path / "out.npz", allow_pickle=False) as content, DatasetReader(example) as reader:
        assert content["clips/id"].tolist() == list(reader.clip_ids)
        start, end = content["streams/audio/offsets"][3:5]
        np.testing.assert_array_equal(content["streams/audio/values"][start:end], reader.read("audio", 3).values)
        assert content["splits/default"].tolist() == reader.parts("default").tolist()
        attributes = json.loads(content["attributes"].item())
        assert attributes["/"]["content_sha256"] == reader.attributes["content_sha256"]
        assert attributes["streams/audio"]["extractor"] == reader.info("audio").extractor
        with h5py.File(example) as file:
            names = []
            file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        assert sorted([*names, "attributes"]) == sorted(content.files)
