"""A build keeps every clip, records every failure, and gives the same content with any number of workers."""

import hashlib
import json
import time

import h5py
import numpy as np
import pytest
import soundfile

import mmfeat.extract_all
from mmfeat import (
    BuildConfig,
    ClipEntry,
    DatasetInfo,
    DatasetReader,
    DatasetWriter,
    InputError,
    OpenFaceConfig,
    OutputExistsError,
    StreamStatus,
    build_dataset,
    entries_from_paths,
    extract_audio,
    extract_clip,
    read_audio,
    read_manifest,
    read_openface_csv,
    validate,
)
from mmfeat.testing import write_example_manifest, write_openface_csv
from mmfeat.vision import OPENFACE_COLUMNS


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return write_example_manifest(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def entries(manifest):
    return read_manifest(manifest)


@pytest.fixture(scope="module")
def built(entries, tmp_path_factory):
    path = tmp_path_factory.mktemp("built") / "corpus.h5"
    build_dataset(entries, path, origin={"command": ["mmfeat", "build"]})
    return path


@pytest.fixture
def silent_wav(tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(0), 16_000)
    return tmp_path / "silent.wav"


def test_a_build_holds_what_the_readers_and_extractors_give(entries, built):
    with DatasetReader(built) as reader:
        assert reader.clip_ids == ("clip_0", "clip_1", "clip_2", "clip_3")
        assert reader.labels("sentiment").values.tolist() == [-3, -2, -1, 0]
        assert reader.parts("default").tolist() == [0, 0, 1, 2]
        for index, entry in enumerate(entries):
            heard = extract_audio(read_audio(entry.audio, 16_000))
            seen = read_openface_csv(entry.openface)
            np.testing.assert_array_equal(reader.read("audio", index).values, heard.values)
            np.testing.assert_array_equal(reader.read("vision", index).values, seen.values)
        np.testing.assert_array_equal(reader.durations_s, 0.5)
        assert reader.failures() == ()


def test_a_build_is_a_sound_file(built):
    assert validate(built, level="content").findings == ()


def test_the_content_does_not_depend_on_the_number_of_workers(entries, built, tmp_path):
    build_dataset(entries, tmp_path / "two.h5", n_jobs=2)
    with DatasetReader(built) as one, DatasetReader(tmp_path / "two.h5") as two:
        assert one.attributes["content_sha256"] == two.attributes["content_sha256"]


def test_a_clip_that_takes_long_holds_few_others_up_in_memory(tmp_path, monkeypatch):
    """Whatever the number of clips: those behind the first one wait for it."""
    extracted = []

    def extract(entry, config, named):
        if entry.clip_id == "00":
            time.sleep(0.5)
        extracted.append(entry.clip_id)
        return extract_clip(entry, config, named)

    monkeypatch.setattr(mmfeat.extract_all, "extract_clip", extract)
    monkeypatch.setattr(mmfeat.extract_all, "_CLIPS_PER_JOB", 4)
    n_seen = []

    def track(clips, _total, _description):
        for clip in clips:
            n_seen.append(len(extracted))
            yield clip

    soundfile.write(tmp_path / "a.wav", np.zeros(8_000), 16_000)
    entries = [ClipEntry(clip_id=f"{number:02d}", audio=tmp_path / "a.wav") for number in range(40)]
    build_dataset(entries, tmp_path / "a.h5", n_jobs=2, track=track)
    assert extracted[0] != "00"
    assert n_seen[0] <= 8
    with DatasetReader(tmp_path / "a.h5") as reader:
        assert reader.clip_ids == tuple(entry.clip_id for entry in entries)


def test_the_provenance_says_how_the_file_was_made(built):
    with DatasetReader(built) as reader:
        (event,) = reader.events()
    assert (event["action"], event["command"], event["n_clip"]) == ("build", ["mmfeat", "build"], 4)
    assert event["config"]["audio"]["hop_length"] == 512
    of_sound = {"av", "librosa", "llvmlite", "numba", "soundfile", "soxr"}
    assert set(event["versions"]) == {"python", "mmfeat", "numpy", "h5py"} | of_sound
    assert event["start"] <= event["end"]


def test_a_failing_clip_is_recorded_and_the_rest_is_built(entries, silent_wav, tmp_path):
    bad = ClipEntry(clip_id="bad", audio=silent_wav, openface=tmp_path / "none.csv", labels={"sentiment": 1.0})
    report = build_dataset([entries[0], bad, entries[1]], tmp_path / "a.h5")
    assert (report.n_clip, report.n_ok) == (3, {"audio": 2, "vision": 2})
    assert [(clip_id, failure.stream, failure.status) for clip_id, failure in report.failures] == [
        ("bad", "audio", StreamStatus.EMPTY),
        ("bad", "vision", StreamStatus.MISSING_SOURCE),
    ]
    assert validate(tmp_path / "a.h5", level="content").ok
    with DatasetReader(tmp_path / "a.h5") as reader:
        assert reader.clip_ids == ("clip_0", "bad", "clip_1")
        assert reader.status("audio") == (StreamStatus.OK, StreamStatus.EMPTY, StreamStatus.OK)
        assert [row[:3] for row in reader.failures()] == [
            ("bad", "audio", "empty"),
            ("bad", "vision", "missing_source"),
        ]
        assert reader.read("audio", 2).n_frame == 16
        assert reader.labels("sentiment").present.all()


def test_the_summary_counts_and_gives_every_reason(entries, silent_wav, tmp_path):
    report = build_dataset([entries[0], ClipEntry(clip_id="bad", audio=silent_wav)], tmp_path / "a.h5")
    assert report.summary() == (
        f"{tmp_path}/a.h5: 2 clips (audio 1, vision 1); 1 stream(s) failed:\n"
        f"  bad: audio: {silent_wav}: expected sound, got 0 samples; remove the clip"
    )


def test_a_stream_that_a_clip_did_not_ask_for_is_no_failure(entries, tmp_path):
    report = build_dataset([entries[0], ClipEntry(clip_id="text", text="Only words.")], tmp_path / "a.h5")
    assert report.failures == ()
    with DatasetReader(tmp_path / "a.h5") as reader:
        assert reader.status("vision") == (StreamStatus.OK, StreamStatus.NOT_REQUESTED)


def test_a_dataset_of_texts_needs_no_sound(tmp_path):
    report = build_dataset([ClipEntry(clip_id="a", text="Fine.")], tmp_path / "a.h5")
    assert report.summary() == f"{tmp_path}/a.h5: 1 clips (texts and labels only)"
    with DatasetReader(tmp_path / "a.h5") as reader:
        assert reader.stream_names == ()


def test_the_sound_of_the_video_is_used_where_there_is_no_sound_file(entries):
    entry = ClipEntry(clip_id="a", video=entries[2].audio, audio=None)
    assert extract_clip(entry, BuildConfig()).streams["audio"].n_frame == 16


def test_the_configuration_reaches_the_streams(entries, tmp_path):
    config = BuildConfig(openface=OpenFaceConfig(groups=("pose",)))
    build_dataset(entries[:1], tmp_path / "a.h5", config, info=DatasetInfo(name="mine", language="en"))
    with DatasetReader(tmp_path / "a.h5") as reader:
        assert reader.info("vision").feature_names == ("pose_Tx", "pose_Ty", "pose_Tz", "pose_Rx", "pose_Ry", "pose_Rz")
        assert reader.info("vision").config == {"groups": ["pose"], "face": "most-confident", "frame_rate_hz": None}
        assert (reader.attributes["name"], reader.attributes["language"]) == ("mine", "en")


def test_every_clip_passes_the_progress_bar(entries, tmp_path):
    seen = []

    def track(items, total, description):
        for clip in items:
            seen.append((clip.entry.clip_id, total, description))
            yield clip

    build_dataset(entries[:2], tmp_path / "a.h5", track=track)
    assert seen == [("clip_0", 2, "clips"), ("clip_1", 2, "clips")]


def test_an_existing_output_is_refused_before_anything_is_read(tmp_path):
    (tmp_path / "a.h5").write_text("mine")
    with pytest.raises(OutputExistsError, match=r"a.h5: expected a new output"):
        build_dataset([ClipEntry(clip_id="a", text="Fine.")], tmp_path / "a.h5")
    assert (tmp_path / "a.h5").read_text() == "mine"


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        ([], r"a.h5: expected at least one clip to build from, got none"),
        (
            [ClipEntry(clip_id="a")],
            r"expected sound, OpenFace output, frames, texts or labels; the clips have none",
        ),
    ],
)
def test_a_build_from_nothing_is_refused(tmp_path, clips, message):
    with pytest.raises(InputError, match=message):
        build_dataset(clips, tmp_path / "a.h5")
    assert list(tmp_path.iterdir()) == []


def test_a_build_in_which_everything_fails_leaves_no_file_and_gives_the_reasons(silent_wav, tmp_path):
    clips = [ClipEntry(clip_id="a", audio=silent_wav), ClipEntry(clip_id="b", openface=write_text(tmp_path))]
    with pytest.raises(
        InputError, match=r"expected at least one clip that can be read, got none:\n.*0 samples.*\n.*'name'"
    ):
        build_dataset(clips, tmp_path / "a.h5")
    assert not (tmp_path / "a.h5").exists()
    assert not (tmp_path / "a.h5.part").exists()


def write_text(folder):
    (folder / "notes.csv").write_text("name,age\nann,30\n")
    return folder / "notes.csv"


def test_an_old_file_outlives_a_build_that_fails(silent_wav, tmp_path):
    (tmp_path / "a.h5").write_text("mine")
    with pytest.raises(InputError, match=r"silent.wav: expected sound, got 0 samples"):
        build_dataset([ClipEntry(clip_id="a", audio=silent_wav)], tmp_path / "a.h5", overwrite=True)
    assert (tmp_path / "a.h5").read_text() == "mine"


def test_a_source_is_remembered_by_name_and_hash(built, entries):
    with h5py.File(built) as file:
        assert file["/clips/source"].asstr()[:].tolist() == ["0.wav", "1.wav", "2.wav", "3.wav"]
        expected = hashlib.sha256(entries[1].audio.read_bytes()).hexdigest()
        assert file["/clips/source_sha256"].asstr()[1] == expected
        assert json.loads(file["/streams/audio"].attrs["config"])["sample_rate"] == 16_000


def test_a_clip_below_two_hops_is_recorded_as_too_short(tmp_path):
    soundfile.write(tmp_path / "short.wav", np.full(500, 0.1), 16_000)
    clip = extract_clip(ClipEntry(clip_id="a", audio=tmp_path / "short.wav"), BuildConfig())
    assert [(failure.stream, failure.status) for failure in clip.failures] == [("audio", StreamStatus.TOO_SHORT)]
    assert clip.duration_s == 500 / 16_000


def test_a_face_that_was_never_tracked_is_recorded_as_no_face(tmp_path):
    path = write_openface_csv(tmp_path / "a.csv", n_frame=1)
    clip = extract_clip(ClipEntry(clip_id="a", openface=path), BuildConfig())
    assert [(failure.stream, failure.status) for failure in clip.failures] == [("vision", StreamStatus.NO_FACE)]


def test_files_of_openface_1_make_a_stream_of_what_they_have(tmp_path):
    version_1 = [name for name in OPENFACE_COLUMNS if not name.startswith(("eye_lmk", "gaze_angle"))]
    entries = [
        ClipEntry(clip_id=name, openface=rows_of(tmp_path / name, columns, face_id=face_id))
        for name, columns, face_id in (("old", version_1, False), ("new", OPENFACE_COLUMNS, True))
    ]
    report = build_dataset(entries[:1], tmp_path / "a.h5")
    assert report.notes == (
        "vision: OpenFace 1.x writes 427 of the 709 columns, without eye landmarks and gaze angles",
    )
    with DatasetReader(tmp_path / "a.h5") as reader:
        assert reader.info("vision").feature_names == tuple(version_1)
        expected = [OPENFACE_COLUMNS.index(name) / 1000 for name in version_1]
        np.testing.assert_allclose(reader.read("vision", 0).values[0], expected, rtol=1e-6)  # float32
    report = build_dataset(entries, tmp_path / "b.h5")  # one file of version 2 has all columns
    assert [(clip_id, failure.status.name) for clip_id, failure in report.failures] == [("old", "DECODE_ERROR")]
    assert "expected the 709 columns of the other files, OpenFace 1.x writes 427" in report.failures[0][1].message


def rows_of(path, columns, *, face_id):
    """Write three frames in which a column holds its own number among the 709."""
    meta = ["frame", *(["face_id"] if face_id else []), "timestamp", "confidence", "success"]
    lines = [", ".join([*meta, *columns])]
    for frame in range(3):
        cells = [str(frame + 1), *(["0"] if face_id else []), f"{frame / 25}", "0.9", "1"]
        lines.append(", ".join([*cells, *(f"{OPENFACE_COLUMNS.index(name) / 1000}" for name in columns)]))
    path.write_text("\n".join(lines) + "\n")
    return path


def test_action_units_outside_their_range_are_noted_and_survive_a_resumed_build(tmp_path, monkeypatch):
    for name in ("a", "b"):
        rows_of(tmp_path / f"{name}.csv", ["AU01_r", "AU12_r"], face_id=True)
    (tmp_path / "a.csv").write_text((tmp_path / "a.csv").read_text().replace(", 0.682\n", ", -1.5\n"))
    entries = entries_from_paths([tmp_path], [".csv"], column="openface")
    config = BuildConfig(openface=OpenFaceConfig(groups=("AU01_r", "AU12_r")))
    n_written = 0
    write = DatasetWriter.write

    def stop_at_the_second(self, clip):
        nonlocal n_written
        n_written += 1
        if n_written == 2:
            raise KeyboardInterrupt
        write(self, clip)

    with monkeypatch.context() as patched:
        patched.setattr(DatasetWriter, "write", stop_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            build_dataset(entries, tmp_path / "faces.h5", config)
    report = build_dataset(entries, tmp_path / "faces.h5", config)
    assert report.n_continued == 1
    (note,) = report.notes
    assert note.startswith(f"a: {tmp_path / 'a.csv'}: expected action unit intensities from 0 to 5, got 3 outside")
    assert "1 note(s):\n  a: " in report.summary()
    with DatasetReader(tmp_path / "faces.h5") as reader:
        assert reader.events()[-1]["notes"] == [note]


def test_a_folder_tells_of_clips_for_which_openface_wrote_no_csv(tmp_path):
    rows_of(tmp_path / "seen.csv", ["AU01_r"], face_id=True)
    for name in ("seen", "unseen"):
        (tmp_path / f"{name}_of_details.txt").write_text("Input:a.mp4\n")
    entries = entries_from_paths([tmp_path], [".csv"], column="openface")
    report = build_dataset(entries, tmp_path / "faces.h5", BuildConfig(openface=OpenFaceConfig(groups=("AU01_r",))))
    assert [(clip_id, failure.status.name) for clip_id, failure in report.failures] == [("unseen", "NO_FACE")]
    assert report.n_ok == {"vision": 1}
