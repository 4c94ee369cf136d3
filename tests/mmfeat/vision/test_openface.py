"""OpenFace files are read by name, whatever their spelling, and refused with a status."""

import json

import numpy as np
import pytest

from mmfeat import ClipError, OpenFaceConfig, StreamStatus, entries_from_paths, read_openface_csv
from mmfeat.testing import write_openface_csv
from mmfeat.vision import OPENFACE_COLUMNS, openface_stream_info

AU = OpenFaceConfig(groups=("au",))
META = ("frame", "face_id", "timestamp", "confidence", "success")


@pytest.fixture
def written(tmp_path):
    """Write an OpenFace file of ten frames; the last has no face."""
    return write_openface_csv(tmp_path / "a.csv", AU)


def table(path):
    """Return the cells of a file, the header first."""
    return [line.split(", ") for line in path.read_text().splitlines()]


def rewrite(path, rows, separator=", ", newline="\n", encoding="utf-8"):
    path.write_bytes(newline.join([separator.join(row) for row in rows] + [""]).encode(encoding))
    return path


def change(path, column, row, cell):
    """Put a cell into a column of a frame, counted from 0."""
    rows = table(path)
    rows[row + 1][rows[0].index(column)] = cell
    return rewrite(path, rows)


def refusal(path, config=AU):
    with pytest.raises(ClipError, match=r"expected .*") as caught:
        read_openface_csv(path, config)
    assert str(caught.value).startswith(f"{path}: ")
    return caught.value


def assert_equal(features, others):
    for name in ("values", "times_s", "valid", "confidence"):
        np.testing.assert_array_equal(getattr(features, name), getattr(others, name))


def test_all_709_columns_arrive_under_their_names(tmp_path):
    features = read_openface_csv(write_openface_csv(tmp_path / "a.csv"))
    assert features.names == OPENFACE_COLUMNS
    assert features.values.dtype == np.float32
    expected = (np.arange(9) % 5)[:, None] + np.arange(709) / 1000  # what write_openface_csv writes
    np.testing.assert_allclose(features.values[:9], expected, rtol=1e-6)  # float32


def test_times_and_confidence_are_those_of_the_file(written):
    features = read_openface_csv(written, AU)
    np.testing.assert_allclose(features.times_s, np.arange(10) / 25, rtol=1e-12)
    np.testing.assert_allclose(features.confidence, [0.98] * 9 + [0.03], rtol=1e-6)  # float32


def test_a_frame_without_success_is_not_valid_and_0(written):
    features = read_openface_csv(written, AU)
    assert features.valid.tolist() == [True] * 9 + [False]
    assert features.values[:9].any(axis=1).all()
    assert not features.values[9].any()


@pytest.mark.parametrize("separator", [",", ", ", " , ", ";"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_separators_line_ends_and_a_byte_order_mark_change_nothing(written, separator, newline, encoding):
    expected = read_openface_csv(written, AU)
    assert_equal(read_openface_csv(rewrite(written, table(written), separator, newline, encoding), AU), expected)


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_the_columns_changes_nothing(written, seed):
    expected = read_openface_csv(written, AU)
    rows = table(written)
    order = np.random.default_rng(seed).permutation(len(rows[0]))
    assert_equal(read_openface_csv(rewrite(written, [[row[i] for i in order] for row in rows]), AU), expected)


def test_columns_that_nobody_asked_for_are_left_out(tmp_path):
    whole = write_openface_csv(tmp_path / "whole.csv", n_frame=3)
    features = read_openface_csv(whole, AU)
    first = OPENFACE_COLUMNS.index("AU01_r")
    assert features.names == AU.feature_names
    np.testing.assert_allclose(features.values[1], 1 + np.arange(first, 709) / 1000, rtol=1e-6)  # float32


def without(path, *columns):
    rows = table(path)
    kept = [i for i, name in enumerate(rows[0]) if name not in columns]
    return rewrite(path, [[row[i] for i in kept] for row in rows], separator=";")


def test_a_file_without_time_needs_the_frame_rate(written):
    path = without(written, "timestamp")
    error = refusal(path)
    assert error.status is StreamStatus.DECODE_ERROR
    assert "expected timestamps in seconds, got no such column; give the frame rate (--fps)" in str(error)
    features = read_openface_csv(path, OpenFaceConfig(groups=("au",), frame_rate_hz=30.0))
    np.testing.assert_allclose(features.times_s, np.arange(10) / 30, rtol=1e-12)


def test_a_folder_of_images_has_no_times_and_needs_the_frame_rate(written):
    rows = table(written)
    column = rows[0].index("timestamp")
    path = rewrite(written, [rows[0], *([*row[:column], "0", *row[column + 1 :]] for row in rows[1:])])
    error = refusal(path)
    assert "got 0 in all 10 rows (for a folder of images OpenFace writes 0); give the frame rate (--fps)" in str(error)
    features = read_openface_csv(path, OpenFaceConfig(groups=("au",), frame_rate_hz=25.0))
    np.testing.assert_allclose(features.times_s, np.arange(10) / 25, rtol=1e-12)
    assert read_openface_csv(rewrite(path, table(path)[:2]), AU).times_s.tolist() == [0.0]  # one frame begins at 0


def test_without_success_and_confidence_every_frame_counts_as_tracked(written):
    features = read_openface_csv(without(written, "success", "confidence"), AU)
    assert features.valid.all()
    assert (features.confidence == 1).all()


@pytest.mark.parametrize("cell", ["-nan(ind)", "nan", "-nan", "nan(snan)", "1.#IND", "-1.#IND", "1.#QNAN", "inf"])
def test_a_cell_that_is_no_number_makes_its_frame_invalid(written, cell):
    features = read_openface_csv(change(written, "AU12_r", 4, cell), AU)
    assert features.valid.tolist() == [True] * 4 + [False] + [True] * 4 + [False]
    assert not features.values[4].any()


def test_a_last_row_that_was_cut_off_is_left_out(written):
    expected = read_openface_csv(written, AU)
    written.write_text(written.read_text() + "11, 0, 0.400, 0.98, 1, 3.4")
    assert_equal(read_openface_csv(written, AU), expected)


def test_a_cut_off_row_in_the_middle_is_an_error(written):
    rows = table(written)
    rows[5] = rows[5][:9]
    error = refusal(rewrite(written, rows))
    assert error.status is StreamStatus.DECODE_ERROR
    assert "line 6: expected 40 cells as in the header, got 9; run FeatureExtraction again" in str(error)


def test_a_word_in_a_cell_is_an_error(written):
    error = refusal(change(written, "AU12_r", 4, "smile"))
    assert error.status is StreamStatus.DECODE_ERROR
    assert "expected numbers; run FeatureExtraction again:\n  line 6, column 'AU12_r': got 'smile'" in str(error)


def test_of_several_faces_the_surest_is_kept(written):
    rows = table(written)
    own = read_openface_csv(written, AU)
    face, confidence = rows[0].index("face_id"), rows[0].index("confidence")
    crowd = [rows[0]]
    for row in rows[1:]:
        bystander = [*row]
        bystander[face], bystander[confidence] = "1", "0.40"
        bystander[len(META) :] = ["9.9"] * len(AU.feature_names)
        crowd += [bystander, row]
    assert_equal(read_openface_csv(rewrite(written, crowd), AU), own)


def test_missing_columns_lead_to_the_flags_that_write_them(written):
    error = refusal(written, OpenFaceConfig(groups=("au", "pose", "gaze")))
    assert error.status is StreamStatus.DECODE_ERROR
    assert (
        "expected the 49 columns of au,gaze,pose, 14 are missing, first 'gaze_0_x'; "
        "run FeatureExtraction with -gaze -pose, or ask for what is there (--groups au-intensity,au-presence)"
        in str(error)
    )


def test_a_csv_that_is_not_openface_is_refused_with_its_columns(tmp_path):
    (tmp_path / "a.csv").write_text("name,age\nann,30\n")
    error = refusal(tmp_path / "a.csv")
    assert error.status is StreamStatus.DECODE_ERROR
    assert "expected an OpenFace csv with columns such as 'AU01_r', got 'name', 'age'; run FeatureExtr" in str(error)


def test_a_file_in_which_no_frame_has_a_face_is_no_face(written):
    for row in range(10):
        change(written, "success", row, "0")
    error = refusal(written)
    assert error.status is StreamStatus.NO_FACE
    assert "expected a face, OpenFace tracked none in 10 frames; look at the video" in str(error)


@pytest.mark.parametrize("content", [b"", b"\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_empty(tmp_path, content):
    (tmp_path / "a.csv").write_bytes(content)
    error = refusal(tmp_path / "a.csv")
    assert error.status is StreamStatus.EMPTY
    assert "expected an OpenFace csv, got an empty file" in str(error)


def test_a_header_without_frames_is_empty(written):
    error = refusal(rewrite(written, table(written)[:1]))
    assert error.status is StreamStatus.EMPTY
    assert "expected frames below the header, got none" in str(error)


def test_a_missing_file_is_a_missing_source(tmp_path):
    error = refusal(tmp_path / "none.csv")
    assert error.status is StreamStatus.MISSING_SOURCE
    assert "expected an OpenFace csv, found none; correct the path" in str(error)


@pytest.mark.parametrize(
    ("cell", "message"), [("9.0", "that never go back, got 0.16 after 9"), ("nan", "from 0 on, got nan")]
)
def test_timestamps_that_go_back_or_are_no_numbers_are_refused(written, cell, message):
    error = refusal(change(written, "timestamp", 3, cell))
    assert error.status is StreamStatus.DECODE_ERROR
    assert f"expected timestamps in seconds {message}; run FeatureExtraction again" in str(error)


@pytest.mark.parametrize(
    ("groups", "preset", "n_feature"),
    [(("all",), "openface-709", 709), (("au",), "openface-au35", 35), (("pose",), "custom", 6)],
)
def test_a_stream_says_what_it_holds(groups, preset, n_feature):
    info = openface_stream_info(OpenFaceConfig(groups=groups))
    assert (info.preset, len(info.feature_names), len(info.feature_units)) == (preset, n_feature, n_feature)
    assert (info.has_confidence, info.has_voiced, info.hop_s) == (True, False, None)
    assert "non-commercial research use" in info.tool_license


def test_a_column_without_one_number_is_told_from_a_face_that_was_not_tracked(written):
    for row in range(10):
        change(written, "AU12_r", row, "nan")
    error = refusal(written)
    assert error.status is StreamStatus.DECODE_ERROR
    assert "expected numbers, the column 'AU12_r' has none in 10 frames" in str(error)


def test_a_cut_off_last_row_is_noted(written):
    written.write_text(written.read_text()[:-200])
    features = read_openface_csv(written, AU)
    assert features.n_frame == 9
    assert features.notes == (f"{written}: its last row was cut off and is left out; run FeatureExtraction again",)


def test_cells_that_a_table_program_saved_again_are_read(written):
    own = read_openface_csv(written, AU)
    rows = table(written)
    success, unit = rows[0].index("success"), rows[0].index("AU01_r")
    for row in rows[1:]:
        row[success] = "True" if row[success] == "1" else "False"
        row[unit] = f'"{row[unit]}"'
    assert_equal(read_openface_csv(rewrite(written, rows), AU), own)


def test_decimal_commas_are_called_so(written):
    rows = [[cell.replace(".", ",") for cell in row] for row in table(written)]
    assert "expected numbers with decimal points, got commas" in str(refusal(rewrite(written, rows, separator=";")))


def test_a_csv_that_a_run_began_and_that_is_gone_is_missing(tmp_path):
    (tmp_path / "a_of_details.txt").write_text("Input:a.mp4\nOutput csv:a.csv\n")
    assert refusal(tmp_path / "a.csv").status is StreamStatus.MISSING_SOURCE


def test_the_journal_of_a_run_tells_why_a_csv_is_missing(tmp_path):
    lines = [
        {"clip_id": "day/a", "status": "ok", "reason": ""},
        {"clip_id": "day/a", "status": "tool_failed", "reason": "a.mp4: expected exit code 0, got signal SIGSEGV"},
    ]
    (tmp_path / "run-openface.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"clip')
    (tmp_path / "day").mkdir()
    error = refusal(tmp_path / "day" / "a.csv")
    assert error.status is StreamStatus.TOOL_FAILED
    assert str(error).endswith("the run failed: a.mp4: expected exit code 0, got signal SIGSEGV")
    assert refusal(tmp_path / "day" / "b.csv").status is StreamStatus.MISSING_SOURCE
    (entry,) = entries_from_paths([tmp_path], [".csv"], column="openface")
    assert (entry.clip_id, entry.openface) == ("day/a", tmp_path / "day" / "a.csv")
