"""Frames stand at their time: skipped ones come back, damaged numbers are refused."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from mmfeat import ClipError, OpenFaceConfig, StreamStatus, read_openface_csv
from mmfeat.vision import GROUPS

AU = GROUPS["au-intensity"].columns
RATE_HZ = 25.0


def write_rows(path, rows, columns=("frame", "face_id", "timestamp")):
    """Write rows of the given columns; the AUs of a row are 1 + its place in the file / 100."""
    lines = [", ".join([*columns, "confidence", "success", *AU])]
    for place, row in enumerate(rows):
        lines.append(", ".join(map(str, [*row, 0.9, 1, *[f"{1 + place / 100:.2f}"] * len(AU)])))
    path.write_text("\n".join(lines) + "\n")
    return path


def read(path, *, face="id=0", frame_rate_hz=None):
    return read_openface_csv(path, OpenFaceConfig(groups=("au-intensity",), face=face, frame_rate_hz=frame_rate_hz))


def refusal(path, **options):
    with pytest.raises(ClipError, match=r"expected .*") as caught:
        read(path, **options)
    assert str(caught.value).startswith(f"{path}: ")
    assert caught.value.status is StreamStatus.DECODE_ERROR
    return str(caught.value)


def one_face(frames, times_s=None):
    times_s = [(frame - 1) / RATE_HZ for frame in frames] if times_s is None else times_s
    return [(frame, 0, time_s) for frame, time_s in zip(frames, times_s, strict=True)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.csv"


@pytest.mark.parametrize(
    ("present", "others"),
    [
        ([3, 4, 6], []),  # in front
        ([1, 2, 5, 6], []),  # in the middle
        ([1, 2, 3, 4], [5, 6]),  # at the end: another face is there
        ([2, 5], [3, 6]),
        ([6], [1]),
        ([4], [1, 2, 3, 4, 5, 6]),
    ],
)
def test_skipped_frames_come_back_not_valid_and_0_at_regular_times(path, present, others):
    rows = one_face(present) + [(frame, 1, (frame - 1) / RATE_HZ) for frame in others]
    features = read(write_rows(path, sorted(rows)))
    np.testing.assert_allclose(features.times_s, np.arange(6) / RATE_HZ, rtol=0, atol=1e-12)  # float64 rounding
    there = np.isin(np.arange(1, 7), present)
    np.testing.assert_array_equal(features.valid, there)
    np.testing.assert_array_equal(features.confidence, np.where(there, np.float32(0.9), 0))
    assert (features.values[there] >= 1).all()
    assert (features.values[~there] == 0).all()


@settings(max_examples=60, deadline=None)  # the kernels are compiled in the first example
@given(
    faces=st.lists(st.lists(st.booleans(), min_size=12, max_size=12), min_size=2, max_size=3), first=st.integers(0, 1)
)
def test_every_row_stands_at_the_frame_it_names(tmp_path_factory, faces, first):
    faces[0][0] = True  # frame 0 tells that a file counts from 0
    path = tmp_path_factory.mktemp("timeline") / "a.csv"
    rows = [(i + first, face, i / 8) for i in range(12) for face, there in enumerate(faces) if there[i]]
    features = read(write_rows(path, rows))
    n_frame = max(frame for frame, _, _ in rows) + 1 - first
    assert features.times_s.tolist() == [i / 8 for i in range(n_frame)]
    assert features.valid.tolist() == faces[0][:n_frame]
    own = [1 + place / 100 for place, row in enumerate(rows) if row[1] == 0]
    np.testing.assert_allclose(features.values[features.valid, 0], own, rtol=1e-6)  # float32


@settings(max_examples=60, deadline=None)
@given(steps_s=st.lists(st.floats(0, 0.2), min_size=1, max_size=30))
def test_the_timestamps_of_a_variable_frame_rate_survive_exactly(tmp_path_factory, steps_s):
    path = tmp_path_factory.mktemp("timeline") / "a.csv"
    times_s = [0.0, *np.cumsum([*steps_s, 0.04]).tolist()]
    write_rows(path, one_face(range(1, len(times_s) + 1), times_s))
    assert read(path).times_s.tolist() == times_s


def test_a_gap_in_a_variable_frame_rate_takes_the_times_of_other_faces(path):
    times_s = [0.0, 0.03, 0.08, 0.1, 0.19]
    rows = [(1, 0, 0.0), (1, 1, 0.0), (2, 1, 0.03), (3, 1, 0.08), (4, 1, 0.1), (5, 0, 0.19)]
    features = read(write_rows(path, rows))
    assert features.times_s.tolist() == times_s
    assert features.valid.tolist() == [True, False, False, False, True]


def test_frames_may_be_counted_from_0(path):
    features = read(write_rows(path, one_face([0, 1, 2, 4], [0, 0.04, 0.08, 0.16])))
    np.testing.assert_allclose(features.times_s, np.arange(5) / RATE_HZ, rtol=0, atol=1e-12)  # float64 rounding
    assert features.valid.tolist() == [True, True, True, False, True]


def test_timestamps_that_are_all_0_need_the_frame_rate(path):
    write_rows(path, one_face([1, 2, 3, 5], [0, 0, 0, 0]))
    assert "expected timestamps in seconds, got 0 in all 4 rows (for a folder of images OpenFace writes 0)" in refusal(
        path
    )
    features = read(path, frame_rate_hz=20.0)
    np.testing.assert_allclose(features.times_s, np.arange(5) / 20, rtol=1e-12)
    assert features.valid.tolist() == [True, True, True, False, True]


def test_a_single_frame_at_0_s_is_a_clock(path):
    assert read(write_rows(path, one_face([1]))).times_s.tolist() == [0]


@pytest.mark.parametrize("first", [0, 1])
def test_several_faces_in_the_first_frame_alone_have_a_clock(path, first):
    features = read(write_rows(path, [(first, 0, 0.0), (first, 1, 0.0)]))
    assert (features.times_s.tolist(), features.valid.tolist()) == ([0], [True])


def test_a_single_later_frame_at_0_s_has_no_clock(path):
    write_rows(path, [(5, 0, 0.0), (5, 1, 0.0)])
    assert "expected timestamps in seconds, got 0 in all 2 rows" in refusal(path)
    np.testing.assert_allclose(read(path, frame_rate_hz=8.0).times_s, np.arange(5) / 8, rtol=1e-12)


def test_real_timestamps_win_over_the_frame_rate(path):
    features = read(write_rows(path, one_face([1, 2, 3])), frame_rate_hz=10.0)
    np.testing.assert_allclose(features.times_s, [0, 0.04, 0.08], rtol=1e-12)


def test_without_timestamps_gaps_are_counted_by_the_frame_rate(path):
    write_rows(path, [(2, 0), (3, 0), (3, 1), (7, 1), (8, 0)], ("frame", "face_id"))
    assert "expected timestamps in seconds, got no such column; give the frame rate" in refusal(path)
    features = read(path, frame_rate_hz=50.0)
    np.testing.assert_allclose(features.times_s, np.arange(8) / 50, rtol=1e-12)
    assert np.flatnonzero(features.valid).tolist() == [1, 2, 7]


def test_without_frame_numbers_every_row_is_a_frame(path):
    write_rows(path, [(0, 0.0), (0, 0.1), (1, 0.1), (0, 0.4)], ("face_id", "timestamp"))
    assert read(path).times_s.tolist() == [0.0, 0.1, 0.4]
    assert read(path).valid.all()


def test_without_frame_numbers_and_timestamps_rows_are_counted(path):
    write_rows(path, [()] * 4, ())
    np.testing.assert_allclose(read(path, frame_rate_hz=8.0).times_s, np.arange(4) / 8, rtol=1e-12)
    assert "got no such column; give the frame rate (--fps)" in refusal(path)


@pytest.mark.parametrize("cell", ["5e8", "-1", "1.5", "nan", "", "inf", "-inf", "1e300", "100000000"])
def test_a_frame_number_that_is_none_is_refused(path, cell):
    found = refusal(write_rows(path, one_face([1, 2, cell, 4], [0, 0.04, 0.08, 0.12])))
    assert "expected frame numbers from 0 on, got " in found
    assert "; run FeatureExtraction again" in found


@pytest.mark.parametrize("number", [99_999_999, 1_000_000, 50_000, 5_000])
def test_a_damaged_frame_number_makes_no_millions_of_frames(path, number):
    found = refusal(write_rows(path, one_face([1, 2, 3, number], [0, 0.04, 0.08, 0.12])))
    assert f"expected frame numbers that fit the time, got {number - 3} frames from 0.08 to 0.12 s; run" in found


def test_a_first_frame_far_from_0_s_is_refused(path):
    found = refusal(write_rows(path, one_face([501, 502, 504], [0, 0.04, 0.12])))
    assert "expected frame numbers that fit the time, got 500 frames from 0 to 0 s" in found


def test_a_file_cut_out_of_a_longer_one_gets_no_frames_in_front_and_a_note(path):
    features = read(write_rows(path, one_face([501, 502, 503], [20.0, 20.04, 20.08])))
    assert features.times_s.tolist() == [20.0, 20.04, 20.08]
    assert features.valid.all()
    assert features.notes == (f"{path}: begins with frame 501, at 20 s: cut out of a longer file",)


def test_timestamps_that_stand_still_are_no_clock(path):
    write_rows(path, one_face([1, 2, 3], [5.0, 5.0, 5.0]))
    assert "expected timestamps in seconds, got 5 in all 3 rows" in refusal(path)
    assert read(path, frame_rate_hz=10.0).times_s.tolist() == [0.0, 0.1, 0.2]


def test_frames_without_a_face_have_a_limit(path):
    found = refusal(write_rows(path, one_face([1, 99_000_000], [0.0, 9_900_000.0])))
    assert "expected at most 1000000 frames without a face, got 98999998" in found


@pytest.mark.parametrize("number", [99_999_999, 1_000_000])
def test_a_damaged_frame_number_without_a_clock_makes_no_millions_of_frames(path, number):
    write_rows(path, [(1, 0), (2, 0), (number, 0)], ("frame", "face_id"))
    found = refusal(path, frame_rate_hz=25.0)
    assert f"expected frame numbers that fit the rows, got frame {number} in 3 rows" in found


def test_a_face_that_comes_after_an_hour_is_no_damage(path):
    features = read(write_rows(path, one_face([1, 90_000, 90_001])))
    assert features.times_s.size == 90_001
    assert features.times_s[45_000] == pytest.approx(45_000 / RATE_HZ, abs=1e-9)
    assert np.flatnonzero(features.valid).tolist() == [0, 89_999, 90_000]


def test_a_fast_camera_is_no_damage(path):
    features = read(write_rows(path, one_face([1, 2, 12, 30], [0, 0.001, 0.003, 0.006])))  # 5000 Hz
    assert features.times_s.size == 30


@pytest.mark.parametrize(("frames", "after"), [([1, 2, 2, 3], 2), ([1, 3, 2, 4], 3), ([4, 3, 2, 1], 4)])
def test_frame_numbers_that_repeat_or_go_back_are_refused(path, frames, after):
    found = refusal(write_rows(path, one_face(frames, [0, 0.04, 0.08, 0.12])))
    assert f"expected one row for each frame of a face, got another one for frame {after} or an earlier one" in found


@pytest.mark.parametrize(
    ("times_s", "message"),
    [
        ([0, 0.08, 0.04], "that never go back, got 0.04 after 0.08"),
        ([0, "nan", 0.08], "from 0 on, got nan"),
        ([0, "", 0.08], "from 0 on, got nan"),
        ([0, 0.04, "inf"], "from 0 on, got inf"),
        ([-1, 0, 1], "from 0 on, got -1"),
    ],
)
@pytest.mark.parametrize("columns", [("frame", "face_id", "timestamp"), ("timestamp",)])
def test_timestamps_that_go_back_or_are_none_are_refused(path, times_s, message, columns):
    rows = [tuple({"frame": i, "face_id": 0, "timestamp": t}[name] for name in columns) for i, t in enumerate(times_s)]
    assert f"expected timestamps in seconds {message}; run" in refusal(write_rows(path, rows, columns))


def test_a_damaged_time_of_another_face_in_the_same_frame_is_refused(path):
    rows = [(1, 0, 0.0), (1, 1, 0.0), (2, 0, 0.04), (2, 1, "inf"), (3, 0, 0.08)]
    assert "expected timestamps in seconds from 0 on, got inf" in refusal(write_rows(path, rows))


def test_the_times_of_one_face_do_not_depend_on_which_face_is_kept(path):
    rows = [(1, 0, 0.0), (2, 1, 0.03), (3, 0, 0.08), (3, 1, 0.08), (5, 1, 0.2)]
    write_rows(path, rows)
    first, second = read(path, face="id=0"), read(path, face="id=1")
    np.testing.assert_array_equal(first.times_s, second.times_s)
    assert (first.valid.tolist(), second.valid.tolist()) == (
        [True, False, True, False, False],
        [False, True, True, False, True],
    )
