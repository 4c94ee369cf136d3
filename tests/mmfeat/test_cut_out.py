"""Clips that are parts of recordings: their sound, faces and frames are those of their time."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile

from mmfeat import (
    BuildConfig,
    ClipEntry,
    ClipError,
    DatasetReader,
    InputError,
    OpenFaceConfig,
    Words,
    build_dataset,
    extract_clip,
    read_frames,
    read_openface_csv,
)
from mmfeat.cut_out import cut_out
from mmfeat.testing import shown_number, write_example_video, write_openface_csv
from mmfeat.vision import FrameConfig

AU = OpenFaceConfig(groups=("au",))


@pytest.fixture
def faces(tmp_path):
    return read_openface_csv(write_openface_csv(tmp_path / "a.csv", n_frame=50), AU)


def test_the_rows_of_a_part_count_from_its_start(faces):
    part = cut_out(faces, start_s=0.4, end_s=0.8)
    np.testing.assert_array_equal(part.values, faces.values[10:20])
    np.testing.assert_allclose(part.times_s, np.arange(10) * 0.04, atol=1e-9)
    assert part.valid.shape == part.confidence.shape == (10,)


def test_neighbouring_parts_share_no_row_and_lose_none(faces):
    parts = [cut_out(faces, start_s=start, end_s=start + 0.5) for start in (0.0, 0.5, 1.0, 1.5)]
    np.testing.assert_array_equal(np.concatenate([part.values for part in parts]), faces.values)


def test_a_whole_file_stays_as_it_is(faces):
    assert cut_out(faces) is faces


def test_a_part_without_rows_or_without_a_face_says_so(faces):
    with pytest.raises(ClipError, match=r"expected rows from 5 s to 6 s of the recording, got none"):
        cut_out(faces, start_s=5.0, end_s=6.0)
    with pytest.raises(ClipError, match=r"expected a face from 1.96 s to 2 s of the recording, none was tracked"):
        cut_out(faces, start_s=1.96, end_s=2.0)


def test_frames_of_a_part_are_those_shown_in_it(tmp_path):
    video = write_example_video(tmp_path / "a.mp4", n_frame=50)
    frames = read_frames(video, FrameConfig(n_frames=2, size=64), start_s=1.0, end_s=1.4)
    assert [shown_number(image) for image in frames.decode()] == [27, 32]
    np.testing.assert_allclose(frames.times_s, [0.08, 0.28])
    with pytest.raises(ClipError, match=r"expected frames from 9 s to 10 s, got none"):
        read_frames(video, FrameConfig(size=64), start_s=9.0, end_s=10.0)


@pytest.mark.parametrize("span", [(float("nan"), float("nan")), (2.0, 1.0), (-1.0, 1.0)])
def test_times_that_cannot_be_fail_the_clip_and_not_the_build(tmp_path, span):
    soundfile.write(tmp_path / "a.wav", np.zeros(32_000), 16_000)
    entry = ClipEntry(clip_id="a", audio=tmp_path / "a.wav", start_s=span[0], end_s=span[1], is_part=True)
    clip = extract_clip(entry, BuildConfig())
    assert [failure.stream for failure in clip.failures] == ["audio"]


def test_words_of_clips_are_stored_with_their_origin(tmp_path):
    words = Words(tokens=("a", "b"), intervals_s=np.asarray([[0.0, 0.5], [0.5, 1.0]]))
    entries = [ClipEntry(clip_id="one", text="a b", words=words), ClipEntry(clip_id="two", text="c")]
    build_dataset(entries, tmp_path / "a.h5", words={"source": "by hand"})
    with DatasetReader(tmp_path / "a.h5") as reader:
        assert reader.words_origin == {"source": "by hand"}
        assert reader.words(0).tokens == ("a", "b")
        assert reader.words(1).tokens == ()
    build_dataset(entries[1:], tmp_path / "b.h5", words={"source": "by hand"})
    with DatasetReader(tmp_path / "b.h5") as reader:
        assert reader.words_origin is None


def test_finished_features_are_read_beside_what_is_extracted(tmp_path):
    for index in range(2):
        (tmp_path / f"{index}.csv").write_text(f"timestamp,segment_id,f\n0,x,{index}\n500,x,{index + 0.5}\n")
    entries = [ClipEntry(clip_id=str(i), features={"mine": tmp_path / f"{i}.csv"}, text="a") for i in range(3)]
    report = build_dataset(entries, tmp_path / "a.h5")
    assert report.n_ok == {"mine": 2}
    assert [clip_id for clip_id, _ in report.failures] == ["2"]
    with DatasetReader(tmp_path / "a.h5") as reader:
        assert reader.read("mine", 1).times_s.tolist() == [0.0, 0.5]
        assert reader.read("mine", 1).values[:, 0].tolist() == [1.0, 1.5]


def test_finished_features_cannot_take_the_name_of_an_extracted_stream(tmp_path):
    entry = ClipEntry(clip_id="a", features={"audio": tmp_path / "a.npy"})
    with pytest.raises(InputError, match=r"stream audio: expected another name for finished features"):
        build_dataset([entry], tmp_path / "a.h5")


def test_an_interrupted_build_of_other_times_is_begun_anew(tmp_path):
    def stop_after_one(clips, _total, _description):
        yield next(iter(clips))
        raise KeyboardInterrupt

    soundfile.write(tmp_path / "a.wav", np.zeros(48_000), 16_000)
    times = [(0.0, 1.0), (1.0, 2.0), (2.0, 3.0)]
    entries = [
        ClipEntry(clip_id=str(i), audio=tmp_path / "a.wav", start_s=start, end_s=end, is_part=True)
        for i, (start, end) in enumerate(times)
    ]
    with pytest.raises(KeyboardInterrupt):
        build_dataset(entries, tmp_path / "a.h5", track=stop_after_one)
    shorter = [replace(entry, end_s=entry.end_s - 0.5) for entry in entries]
    report = build_dataset(shorter, tmp_path / "a.h5")
    (note,) = report.notes
    assert note.startswith(f"{tmp_path}/a.h5: an interrupted build was begun anew: hash of cuts and words was ")
    with DatasetReader(tmp_path / "a.h5") as reader:
        np.testing.assert_array_equal(reader.durations_s, 0.5)
