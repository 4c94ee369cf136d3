"""Frames in a build: beside other streams or alone, with any number of workers, through kills."""

import os
import signal
import subprocess
import sys
import time

import pytest

from mmfeat import (
    BuildConfig,
    ClipEntry,
    ConfigError,
    DatasetReader,
    FrameConfig,
    SchemaError,
    StreamStatus,
    build_dataset,
    extract_clip,
    resolve_build_config,
    validate,
)
from mmfeat.testing import (
    shown_number,
    tone,
    write_example_video,
    write_landmark_csv,
    write_openface_csv,
    write_sound_as,
)
from mmfeat.vision import OpenFaceConfig

N_CLIP = 30
FRAMES = BuildConfig(frames=FrameConfig(n_frames=4, size=32), streams=("frames",))
PROGRAM = """
import sys, time
from pathlib import Path
from mmfeat import BuildConfig, FrameConfig, build_dataset, entries_from_paths
entries = entries_from_paths([Path(sys.argv[1])], [".mp4"], column="video")

def slowly(clips, *_):
    for clip in clips:
        yield clip
        time.sleep(0.01)

config = BuildConfig(frames=FrameConfig(n_frames=4, size=32), streams=("frames",))
build_dataset(entries, sys.argv[2], config, track=slowly)
"""


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Return a folder of clips of 1 to 30 frames, every tenth of them damaged."""
    folder = tmp_path_factory.mktemp("videos")
    for index in range(N_CLIP):
        path = write_example_video(folder / f"{index:02d}.mp4", n_frame=1 + index)
        if index % 10 == 9:
            path.write_bytes(path.read_bytes()[:200])
    return folder


@pytest.fixture(scope="module")
def entries(videos):
    return [ClipEntry(clip_id=path.stem, video=path) for path in sorted(videos.iterdir())]


@pytest.fixture(scope="module")
def whole(entries, tmp_path_factory):
    """Return the file of a build that nothing interrupted."""
    return build_dataset(entries, tmp_path_factory.mktemp("whole") / "a.h5", FRAMES).path


def content(path):
    with DatasetReader(path) as reader:
        return reader.attributes["content_sha256"]


def n_committed(out):
    journal = out.with_name("a.h5.part") / "journal.jsonl"
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def status_of(entry, config):
    (failure,) = extract_clip(entry, config).failures
    return failure.status, failure.message


# Frames alone


def test_a_file_of_frames_alone_holds_the_frames_of_each_clip(entries, whole):
    assert validate(whole, level="content").ok
    with DatasetReader(whole) as reader:
        assert reader.stream_names == ("frames",)
        for index in (0, 2, 7, 28):
            frames = reader.read_frames("frames", index)
            alone = extract_clip(entries[index], FRAMES).streams["frames"]
            assert frames.jpegs == alone.jpegs
            assert [shown_number(image) for image in frames.decode()][-1] <= index
        assert reader.read_frames("frames", 2).n_frame == 3
        statuses = reader.status("frames")
        assert [index for index, status in enumerate(statuses) if status is not StreamStatus.OK] == [9, 19, 29]


@pytest.mark.parametrize("n_jobs", [2, 3])
def test_the_number_of_workers_changes_nothing(entries, whole, tmp_path, n_jobs):
    build_dataset(entries, tmp_path / "a.h5", FRAMES, n_jobs=n_jobs)
    assert content(tmp_path / "a.h5") == content(whole)


def test_a_build_that_is_killed_again_and_again_ends_with_the_same_content(videos, whole, tmp_path):
    out = tmp_path / "a.h5"
    command = [sys.executable, "-c", PROGRAM, videos, out]
    for n_wanted in (1, 8, 15, 22):
        process = subprocess.Popen(command)
        while process.poll() is None and n_committed(out) < n_wanted:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert not out.exists()
    with (out.with_name("a.h5.part") / "frames.bytes").open("ab") as stray:
        stray.write(b"\xff\xd8 of a clip that was not committed")
    subprocess.run(command, check=True)
    assert content(out) == content(whole)
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


@pytest.mark.parametrize("column", ["bytes", "frame_sizes", "valid", "times_s"])
def test_bytes_that_a_power_cut_lost_are_noticed(entries, tmp_path, column):
    def stop(clips, _total, _description):
        for index, clip in enumerate(clips):
            if index == 5:
                raise KeyboardInterrupt
            yield clip

    out = tmp_path / "a.h5"
    with pytest.raises(KeyboardInterrupt):
        build_dataset(entries, out, FRAMES, track=stop)
    flat = out.with_name("a.h5.part") / f"frames.{column}"
    os.truncate(flat, flat.stat().st_size - 1)
    with pytest.raises(SchemaError, match=rf"frames.{column}: expected \d+ bytes from the interrupted run, got fewer"):
        build_dataset(entries, out, FRAMES)


def test_other_settings_start_the_build_anew(entries, tmp_path):
    def stop(clips, _total, _description):
        yield next(iter(clips))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_dataset(entries, tmp_path / "a.h5", FRAMES, track=stop)
    other = BuildConfig(frames=FrameConfig(n_frames=4, size=48), streams=("frames",))
    assert build_dataset(entries, tmp_path / "a.h5", other).n_continued == 0


# Beside other streams


@pytest.fixture
def clip(tmp_path):
    """Return a clip with sound, OpenFace output and video."""
    return ClipEntry(
        clip_id="a",
        audio=write_sound_as(tmp_path / "a.m4a", tone(200.0, duration_s=0.5)),
        openface=write_landmark_csv(tmp_path / "a.csv", [(32, 32)] * 20),
        video=write_example_video(tmp_path / "a.mp4", n_frame=20),
    )


def test_frames_stand_beside_sound_and_features(clip, tmp_path):
    config = resolve_build_config(overrides=['openface.groups=["face-2d"]'], frames=True)
    report = build_dataset([clip], tmp_path / "a.h5", config)
    assert report.n_ok == {"audio": 1, "vision": 1, "frames": 1}
    assert validate(report.path, level="content").ok
    with DatasetReader(report.path) as reader:
        assert reader.read_frames("frames", 0).n_frame == 8
        event = reader.events()[0]
    assert event["config"]["frames"]["n_frames"] == 8
    assert {"av", "opencv"} <= event["versions"].keys()


def test_without_settings_there_are_no_frames(clip):
    config = resolve_build_config(overrides=['openface.groups=["face-2d"]'])
    assert config.frames is None
    assert set(extract_clip(clip, config).streams) == {"audio", "vision"}


@pytest.mark.parametrize("stream", ["audio", "vision", "frames"])
def test_one_stream_alone_can_be_extracted(clip, stream, tmp_path):
    settings = ['openface.groups=["face-2d"]', "frames.size=32", f'streams=["{stream}"]']
    config = resolve_build_config(overrides=settings)
    assert build_dataset([clip], tmp_path / "a.h5", config).n_ok == {stream: 1}


def test_an_unknown_stream_is_refused():
    with pytest.raises(ConfigError, match=r"unknown stream 'touch'; known: audio, vision, frames"):
        resolve_build_config(overrides=['streams=["touch"]'])


def test_frames_are_configured_by_a_section(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text('[frames]\nfps = 2\ncrop = "face"\n')
    expected = FrameConfig(fps=2.0, crop="face", size=112)
    assert resolve_build_config(file=file, overrides=["frames.size=112"]).frames == expected
    assert resolve_build_config(file=file, overrides=["frames.size=112"], frames=True).frames == expected
    with pytest.raises(ConfigError, match=r"frames: n_frames \(3\) and fps \(2\) exclude each other; give one"):
        resolve_build_config(file=file, overrides=["frames.n_frames=3"])


# Faces

FACES = BuildConfig(frames=FrameConfig(crop="face", size=32), streams=("frames",))


def test_openface_output_that_is_not_there_is_a_missing_source(clip, tmp_path):
    video = clip.video
    status, message = status_of(ClipEntry(clip_id="a", video=video), FACES)
    assert status is StreamStatus.MISSING_SOURCE
    assert message == (
        f"{video}: a face crop needs an OpenFace csv, the clip has none; run FeatureExtraction -2Dfp, or take crop none"
    )
    absent = tmp_path / "none.csv"
    status, message = status_of(ClipEntry(clip_id="a", video=video, openface=absent), FACES)
    assert (status, message.partition(";")[0]) == (
        StreamStatus.MISSING_SOURCE,
        f"{absent}: expected an OpenFace csv, found none",
    )


def test_openface_s_details_without_a_csv_are_no_face(clip, tmp_path):
    (tmp_path / "none_of_details.txt").touch()
    entry = ClipEntry(clip_id="a", video=clip.video, openface=tmp_path / "none.csv")
    assert status_of(entry, FACES)[0] is StreamStatus.NO_FACE


def test_a_face_that_was_never_tracked_is_no_face(clip, tmp_path):
    blind = write_landmark_csv(tmp_path / "blind.csv", [(float("nan"), 32)] * 20)
    entry = ClipEntry(clip_id="a", video=clip.video, openface=blind)
    assert status_of(entry, FACES)[0] is StreamStatus.NO_FACE


def test_openface_output_without_times_has_those_of_the_video(clip, tmp_path):
    rows = [line.split(", ") for line in clip.openface.read_text().splitlines()]
    (tmp_path / "b.csv").write_text(
        "\n".join(", ".join([*row[:2], *row[3:]]) for row in rows[:-3])
    )  # fewer than frames
    untimed = ClipEntry(clip_id="a", video=clip.video, openface=tmp_path / "b.csv")
    assert extract_clip(untimed, FACES).streams["frames"].jpegs == extract_clip(clip, FACES).streams["frames"].jpegs


def test_openface_output_without_landmarks_says_which_flag_writes_them(clip, tmp_path):
    path = write_openface_csv(tmp_path / "au.csv", OpenFaceConfig(groups=("au",)))
    status, message = status_of(ClipEntry(clip_id="a", video=clip.video, openface=path), FACES)
    assert status is StreamStatus.DECODE_ERROR
    assert "run FeatureExtraction with -2Dfp" in message
