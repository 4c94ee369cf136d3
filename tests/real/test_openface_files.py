"""Real OpenFace files: single and several faces, vanishing ones, none, interrupted runs, version 1, third parties."""

import itertools
import json
import os
from pathlib import Path

import numpy as np
import pandas
import pytest

from mmfeat import ClipError, OpenFaceConfig, StreamStatus, read_audio, read_openface_csv
from mmfeat.vision import GROUPS, OPENFACE_COLUMNS
from mmfeat.vision.openface import fit_to_files, is_version_1
from mmfeat.vision.table import read_header, read_table

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif("MMFEAT_REAL_DATA" not in os.environ, reason="MMFEAT_REAL_DATA names no folder of real clips"),
]

LOADERS = ("compiled", "numpy")
MOUTH = OpenFaceConfig(groups=("AU25_r", "AU26_r"))
AU = OpenFaceConfig(groups=("au",))
MULTI = ("clip1", "multi_face", "short_hamilton_clip")
# The video of a file that does not lie beside it under the same name.
VIDEOS = {
    "talking/openface/fi_protagonist.csv": "fi_protagonist.mp4",
    "openface/single/1.csv": "retalking_1_vfr.mp4",
    "openface/single/default.csv": "openface_default.wmv",
    "openface/single/nasa_13013.csv": "nasa_13013.mp4",
    "openface/single/no_face.csv": "no_face.mp4",
    "openface/single/short_hamilton_clip.csv": "hamilton_many_faces.mp4",
    "openface/single/timo1.csv": "timo1_face_vanishes.mp4",
}
LAGS_S = np.arange(-15, 16) * 0.04  # steps of one frame of 25 Hz


@pytest.fixture(scope="module")
def data():
    return Path(os.environ["MMFEAT_REAL_DATA"])


@pytest.fixture(scope="module")
def talking(data):
    return json.loads((data / "talking" / "clips.json").read_text(encoding="utf-8"))


def all_files(data):
    folders = ("grid/openface", "talking/openface", "openface", "ravdess/openface_au")
    files = [path for folder in folders for path in sorted((data / folder).rglob("*.csv"))]
    assert len(files) == 46 + 13 + 21 + 300
    return files


def n_decoded(video):
    """Return the number of frames that FFmpeg decodes."""
    av = pytest.importorskip("av")
    with av.open(str(video)) as container:
        return sum(1 for _ in container.decode(video=0))


def refusal(path, config=None):
    with pytest.raises(ClipError, match=r"expected .*") as caught:
        read_openface_csv(path, config)
    assert str(caught.value).startswith(f"{path}: ")
    return caught.value


def raw(path):
    """Return the file as pandas reads it."""
    separator = ";" if b";" in path.read_bytes() else ","
    frame = pandas.read_csv(path, sep=separator, skipinitialspace=True)
    return frame.rename(columns=str.strip)


def valid_runs(features):
    """Return (valid, number of frames) of each run."""
    return [(bool(valid), len(list(run))) for valid, run in itertools.groupby(features.valid)]


def assert_regular(times_s):
    """Check that the steps between frames differ by no more than the millisecond that OpenFace rounds to."""
    steps_s = np.diff(times_s)
    assert times_s[0] == 0
    assert np.ptp(steps_s) <= 0.001 + 1e-9
    assert steps_s.min() > 0


def test_every_cell_is_the_number_that_pandas_reads(data):
    for path in all_files(data):
        expected = raw(path)
        for loader in LOADERS:
            table = read_table(path, tuple, loader=loader)
            assert table.names == tuple(expected.columns), path
            n_cut_off = len(expected) - table.n_row
            assert n_cut_off == (path.stem == "no_spaces_truncated_last_row"), path
            np.testing.assert_array_equal(table.values, expected.to_numpy(np.float64)[: table.n_row], err_msg=str(path))


def test_both_loaders_give_the_same_features_of_every_file(data):
    for path in all_files(data):
        header = read_header(path)
        groups = tuple(name for name in OPENFACE_COLUMNS if name in header)
        config = OpenFaceConfig(groups=groups, frame_rate_hz=None if "timestamp" in header else 29.97)
        try:
            features = read_openface_csv(path, config)
        except ClipError as error:
            message = str(error)
            assert path.stem in ("no_face", "nasa_13013", "nasa_noface"), message
            continue
        other = read_openface_csv(path, config, loader="numpy")
        assert features.names == other.names == groups
        for name in ("values", "times_s", "valid", "confidence"):
            np.testing.assert_array_equal(getattr(features, name), getattr(other, name), err_msg=str(path))
        assert_regular(features.times_s)


def test_a_grid_file_has_a_row_for_each_decoded_frame(data):
    videos = sorted((data / "grid" / "video").glob("*.mpg"))
    assert len(videos) == 46
    for video in videos:
        features = read_openface_csv(data / "grid" / "openface" / f"{video.stem}.csv")
        n_unwritten = 2 if video.stem == "srbu6n" else 0  # OpenFace wrote two frames less for this clip
        assert features.n_frame == n_decoded(video) - n_unwritten, video.stem


def test_a_talking_file_has_a_row_for_each_frame_of_its_video(data, talking):
    assert len(talking) == 13
    for clip in talking:
        table = read_table(data / "talking" / clip["openface"], lambda _: ("timestamp",))
        assert table.n_row == clip["video_frames"], clip["id"]
        assert (table.n_row - 1) / table["timestamp"][-1] == pytest.approx(clip["fps"], rel=0.01)  # VFR: a mean


@pytest.mark.parametrize(("file", "video"), VIDEOS.items())
def test_a_file_has_a_row_for_each_decoded_frame(data, file, video):
    assert read_table(data / file, lambda _: ("frame",)).n_row == n_decoded(data / "video" / video)


def log_energy(sound, times_s):
    """Return the log energy of 40 ms of sound around each time."""
    energy = np.concatenate([[0.0], np.cumsum(sound.samples.astype(np.float64) ** 2)])
    edges = [np.round((times_s + side * 0.02) * sound.sample_rate).astype(int) for side in (-1, 1)]
    return np.log(1e-8 + energy[edges[1]] - energy[edges[0]])


def lag_correlations(sound, mouth, *, join_shift_s=0.0):
    """Return the correlation of mouth opening with the log energy ``LAGS_S`` earlier."""
    opening = mouth.values.sum(axis=1)
    correlations = []
    for lag_s in LAGS_S:
        times_s = mouth.times_s + join_shift_s - lag_s
        inside = mouth.valid & (times_s > 0.05) & (times_s < sound.duration_s - 0.05)
        correlations.append(np.corrcoef(opening[inside], log_energy(sound, times_s[inside]))[0, 1])
    return np.array(correlations)


def joins(data, talking, name):
    """Return sound and mouth of every clip of a set in which there is a face."""
    if name == "grid":
        videos = sorted((data / "grid" / "video").glob("*.mpg"))
        pairs = [(video, data / "grid" / "openface" / f"{video.stem}.csv") for video in videos]
    else:
        folder = data / "talking"
        pairs = [(folder / clip["wav"], folder / clip["openface"]) for clip in talking if clip["id"] != "nasa_noface"]
    return [(read_audio(sound, 16_000), read_openface_csv(path, MOUTH)) for sound, path in pairs]


@pytest.fixture(scope="module", params=["grid", "talking"])
def joined(request, data, talking):
    return joins(data, talking, request.param)


def peak_lag_s(joined, **options):
    correlations = np.mean([lag_correlations(*pair, **options) for pair in joined], axis=0)
    return LAGS_S[correlations.argmax()], correlations.max()


def test_the_mouth_opens_with_the_voice(joined, capsys):
    lag_s, correlation = peak_lag_s(joined)
    with capsys.disabled():
        print(f"\nmouth and voice of {len(joined)} clips: r = {correlation:.2f} at a lag of {lag_s:.2f} s")
    assert 0 <= lag_s <= 0.1


@pytest.mark.parametrize("join_shift_s", [-0.4, 0.4])
def test_a_shifted_join_of_sound_and_face_shows(joined, join_shift_s):
    lag_s, _ = peak_lag_s(joined, join_shift_s=join_shift_s)
    assert not 0 <= lag_s <= 0.1
    assert lag_s == pytest.approx(join_shift_s, abs=0.021)  # half a step


@pytest.mark.parametrize(
    "file", ["openface/single/no_face", "openface/single/nasa_13013", "talking/openface/nasa_noface"]
)
def test_a_video_without_a_face_is_no_face(data, file):
    error = refusal(data / f"{file}.csv")
    assert error.status is StreamStatus.NO_FACE
    assert "expected a face, OpenFace tracked none in " in str(error)


def test_a_run_over_several_faces_that_met_none_is_no_face(data):
    error = refusal(data / "openface" / "multi" / "nasa_13013.csv")
    assert error.status is StreamStatus.NO_FACE
    assert "OpenFace wrote nasa_13013_of_details.txt and no csv" in str(error)


@pytest.mark.parametrize(
    ("name", "runs"),
    [
        ("face_noface", [(True, 72), (False, 97)]),
        ("noface_face", [(False, 96), (True, 72), (False, 1)]),
    ],
)
def test_a_face_that_vanishes_or_returns_is_valid_in_one_run(data, name, runs):
    path = data / "openface" / "single" / f"{name}.csv"
    features = read_openface_csv(path)
    assert valid_runs(features) == runs
    assert not features.values[~features.valid].any()
    written = raw(path)
    lost = written.loc[written["success"] == 0]
    # The file itself goes on with old numbers: pose in every lost frame, action units in the first ones.
    assert (lost[list(GROUPS["pose"].columns)] != 0).any(axis=1).all()
    assert (lost[list(GROUPS["au-intensity"].columns)] != 0).any(axis=None)


def test_action_units_stay_in_frames_without_a_face_of_many_files(data):
    """What the raw files hold where no face is: if it were 0, nobody would need ``valid``."""
    stale = {}
    for path in (data / "openface" / "single" / "short_hamilton_clip.csv", data / "openface" / "single" / "timo1.csv"):
        written = raw(path)
        lost = written.loc[written["success"] == 0, list(GROUPS["au-intensity"].columns)]
        stale[path.stem] = int((lost != 0).any(axis=1).sum())
        assert not read_openface_csv(path, AU).values[written["success"].to_numpy() == 0].any()
    assert stale == {"short_hamilton_clip": 16, "timo1": 8}


def test_frames_that_the_run_over_several_faces_skipped_come_back(data):
    path = data / "openface" / "multi" / "short_hamilton_clip.csv"
    written = raw(path)
    assert written["frame"].nunique() == 238
    assert sorted(written["face_id"].unique()) == [0, 1, 2, 3]
    tracked = written.loc[written["success"] == 1, "face_id"].unique()
    assert len(tracked) > 1
    for face in ("most-confident", "largest", "longest", *(f"id={number}" for number in tracked)):
        features = read_openface_csv(path, OpenFaceConfig(groups=("au",), face=face))
        assert features.n_frame == 275
        assert_regular(features.times_s)
    single = read_openface_csv(path.parents[1] / "single" / path.name, AU)
    np.testing.assert_allclose(features.times_s, single.times_s, rtol=0, atol=0.0015)  # both rounded to 1 ms


def test_a_clip_whose_first_frame_is_25_begins_at_0_s(data):
    path = data / "openface" / "multi" / "clip1.csv"
    written = raw(path)
    assert (written["frame"].min(), written["timestamp"].min()) == (25, 1.0)
    features = read_openface_csv(path, AU)
    assert (features.n_frame, features.valid[:24].any()) == (728, False)
    assert_regular(features.times_s)
    assert features.times_s[24] == 1.0


@pytest.mark.parametrize("name", MULTI)
@pytest.mark.parametrize("face", ["most-confident", "largest", "longest", "id=0", "id=1"])
def test_every_policy_keeps_a_face_of_real_crowds(data, name, face):
    path = data / "openface" / "multi" / f"{name}.csv"
    features = read_openface_csv(path, OpenFaceConfig(face=face))
    written = raw(path)
    counts = written.loc[written["success"] == 1, "face_id"].value_counts()
    assert features.n_frame == written["frame"].max()
    assert features.valid.sum() in counts.to_list()
    if face == "longest":
        assert features.valid.sum() == counts.max()
    if face.startswith("id="):
        assert features.valid.sum() == counts[int(face.removeprefix("id="))]


def test_a_face_that_is_not_there_is_refused_with_those_that_are(data):
    error = refusal(data / "openface" / "multi" / "clip1.csv", OpenFaceConfig(face="id=7"))
    assert error.status is StreamStatus.NO_FACE
    assert "expected the face 7, got 0, 1; choose one of them (--face id=N)" in str(error)


def test_an_interrupted_last_row_is_left_out(data):
    path = data / "openface" / "other" / "no_spaces_truncated_last_row.csv"
    written = raw(path)
    assert written.iloc[-1, 6:].isna().all()
    assert written.iloc[:-1].notna().all(axis=None)
    features = read_openface_csv(path, OpenFaceConfig(groups=("au-intensity",)))
    assert features.n_frame == len(written) - 1


def test_a_file_of_some_groups_gives_them_and_refuses_the_others(data):
    path = data / "openface" / "other" / "partial_334_columns.csv"
    config = OpenFaceConfig(groups=("gaze", "eye-2d", "eye-3d", "pose", "au"))
    assert read_openface_csv(path, config).values.shape == (19, 329)
    error = refusal(path, OpenFaceConfig(groups=("face-2d",)))
    assert error.status is StreamStatus.DECODE_ERROR
    assert "expected the 136 columns of face-2d, 136 are missing, first 'x_0'; " in str(error)
    assert "run FeatureExtraction with -2Dfp, or ask for what is there (--groups gaze,eye-2d,eye-3d,pose," in str(error)


def test_a_file_of_version_1_gives_its_427_columns(data):
    path = data / "openface" / "other" / "openface1_431_columns.csv"
    assert len(read_header(path)) == 431
    assert is_version_1(read_header(path))
    features = read_openface_csv(path)
    assert features.values.shape == (608, 427)
    assert features.valid.all()
    assert fit_to_files(OpenFaceConfig(), [path]).feature_names == features.names
    written = raw(path)
    np.testing.assert_array_equal(features.values, written[list(features.names)].to_numpy(np.float32))
    assert "are missing, first 'eye_lmk_x_0'" in str(refusal(path, OpenFaceConfig(groups=("eye-2d",))))


def test_the_files_without_time_need_the_frame_rate(data):
    paths = sorted((data / "ravdess" / "openface_au").glob("*.csv"))
    assert "expected timestamps in seconds, got no such column; give the frame rate" in str(refusal(paths[0], AU))
    for path in paths:
        features = read_openface_csv(path, OpenFaceConfig(groups=("au",), frame_rate_hz=29.97))
        np.testing.assert_allclose(features.times_s, np.arange(features.n_frame) / 29.97, rtol=1e-12)
        assert features.notes == ()


def test_a_third_partys_file_of_version_2_has_all_columns(data):
    path = data / "openface" / "other" / "genuine_2.2_714_columns.csv"
    features = read_openface_csv(path)
    assert features.values.shape == (374, 709)
    assert features.valid.all()
    expected = raw(path)[list(OPENFACE_COLUMNS)].to_numpy(np.float64).astype(np.float32)
    np.testing.assert_array_equal(features.values, expected)
