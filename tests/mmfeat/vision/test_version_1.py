"""Files of OpenFace 1.x are read for what they have; action units outside their range are told."""

import numpy as np
import pytest

from mmfeat import ClipError, OpenFaceConfig, StreamStatus, read_openface_csv
from mmfeat.testing import write_openface_csv
from mmfeat.vision import GROUPS, OPENFACE_COLUMNS
from mmfeat.vision.columns import shortest_names
from mmfeat.vision.openface import fit_to_files, is_version_1
from mmfeat.vision.table import read_header

META = ("frame", "timestamp", "confidence", "success")
GAZE = GROUPS["gaze"].columns[:6]  # directions, no angles
GROUPS_OF_VERSION_1 = ("pose", "face-2d", "face-3d", "rigid", "non-rigid", "au-intensity", "au-presence")
HEADER = (*META, *GAZE, *(name for group in GROUPS_OF_VERSION_1 for name in GROUPS[group].columns))
FEATURES = tuple(name for name in OPENFACE_COLUMNS if name in HEADER)


@pytest.fixture
def written(tmp_path):
    """Write three frames in version 1's layout; column j of frame i is i + j / 1000."""
    path = tmp_path / "a.csv"
    lines = [", ".join(HEADER)]
    for frame in range(3):
        cells = [str(frame + 1), f"{frame / 30:.5f}", "0.9", "1", *(f"{frame + j / 1000:.3f}" for j in range(427))]
        lines.append(", ".join(cells))
    path.write_text("\n".join(lines) + "\n")
    return path


def refusal(path, config):
    with pytest.raises(ClipError, match=r"expected .*") as caught:
        read_openface_csv(path, config)
    assert caught.value.status is StreamStatus.DECODE_ERROR
    return str(caught.value)


def test_the_layout_of_version_1_has_431_columns():
    assert len(HEADER) == len(set(HEADER)) == 431
    assert is_version_1(HEADER)


@pytest.mark.parametrize("loader", ["compiled", "numpy"])
def test_all_of_version_1_are_427_columns_in_the_order_of_version_2(written, loader):
    features = read_openface_csv(written, OpenFaceConfig(groups=("all",)), loader=loader)
    assert features.names == FEATURES
    assert len(features.names) == len(features.units) == 427
    at = [HEADER.index(name) - 4 for name in FEATURES]
    expected = np.arange(3)[:, None] + np.array(at) / 1000
    np.testing.assert_array_equal(features.values, expected.round(3).astype(np.float32))
    assert features.times_s.tolist() == [0, 0.03333, 0.06667]


@pytest.mark.parametrize("groups", [("eye-2d",), ("eye-3d",), ("gaze_angle_x",)])
def test_what_version_1_does_not_know_is_refused(written, groups):
    assert "are missing, first " in refusal(written, OpenFaceConfig(groups=groups))


@pytest.mark.parametrize("groups", [("au",), ("pose",), ("AU12_r",), ("face-2d", "pose")])
def test_what_version_1_knows_is_read_whole(written, groups):
    config = OpenFaceConfig(groups=groups)
    assert read_openface_csv(written, config).names == config.feature_names


def test_settings_are_fitted_to_version_1(written):
    fitted = fit_to_files(OpenFaceConfig(groups=("all",), face="longest", frame_rate_hz=5.0), [written])
    assert fitted.feature_names == FEATURES
    assert (fitted.face, fitted.frame_rate_hz) == ("longest", 5.0)
    assert set(fitted.groups) == {*GROUPS_OF_VERSION_1, *GAZE}
    assert read_openface_csv(written, fitted).names == fitted.feature_names


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_header_of_version_1_is_known_in_every_spelling(written, newline, encoding):
    written.write_bytes(written.read_text().replace("\n", newline).encode(encoding))
    assert read_header(written) == HEADER
    assert fit_to_files(OpenFaceConfig(), [written]).feature_names == FEATURES


def test_settings_are_fitted_where_every_file_that_can_be_read_is_of_version_1(written, tmp_path):
    second = write_openface_csv(tmp_path / "b.csv")
    (tmp_path / "notes.csv").write_text("name,age\nann,30\n")
    config = OpenFaceConfig()
    assert fit_to_files(config, [tmp_path / "none.csv", tmp_path / "notes.csv", written]).feature_names == FEATURES
    assert fit_to_files(config, [second, written]) == config
    assert fit_to_files(config, [written, second]) == config
    assert fit_to_files(config, [tmp_path / "none.csv"]) == config
    assert fit_to_files(config, []) == config


def test_settings_that_version_1_cannot_fill_at_all_stay_as_they_are(written):
    config = OpenFaceConfig(groups=("eye-2d",))
    assert fit_to_files(config, [written]) == config


@pytest.mark.parametrize("name", ["face_id", "gaze_angle_x", "eye_lmk_x_0"])
def test_a_column_that_only_version_2_writes_makes_it_version_2(name):
    assert not is_version_1((*HEADER, name))


def test_version_2_and_other_files_are_not_version_1(tmp_path):
    assert not is_version_1(read_header(write_openface_csv(tmp_path / "a.csv")))
    assert not is_version_1(())
    assert not is_version_1(tuple(GROUPS["au-intensity"].columns))  # no gaze: nothing tells its version


def test_a_file_of_version_2_that_lacks_columns_is_refused(tmp_path):
    path = write_openface_csv(tmp_path / "a.csv", OpenFaceConfig(groups=("gaze", "pose")))
    assert "expected the 709 columns of all, 695 are missing, first 'eye_lmk_x_0'" in refusal(path, OpenFaceConfig())


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        (OPENFACE_COLUMNS, tuple(GROUPS)),
        (GAZE, GAZE),
        (FEATURES, (*GROUPS_OF_VERSION_1, *GAZE)),
        (("AU01_r", *GROUPS["pose"].columns), ("pose", "AU01_r")),
        ((), ()),
    ],
)
def test_the_shortest_names_are_whole_groups_and_what_is_left(columns, names):
    assert shortest_names(columns) == names
    assert (
        not names
        or OpenFaceConfig(groups=names).feature_names == tuple(columns if columns != names else GAZE)
        or (set(OpenFaceConfig(groups=names).feature_names) == set(columns))
    )


AU = OpenFaceConfig(groups=("au",))


def with_cells(path, cells):
    """Write an AU file of ten frames in which every AU is 1, with some other cells: {(frame, column): cell}."""
    header, *rows = (line.split(", ") for line in write_openface_csv(path, AU).read_text().splitlines())
    for frame, row in enumerate(rows):
        row[5:] = ["1.00"] * 35
        row[4] = "1"
        for (at, name), cell in cells.items():
            if at == frame:
                row[header.index(name)] = cell
    path.write_text("\n".join(", ".join(row) for row in [header, *rows]) + "\n")
    return path


def test_action_units_outside_their_range_are_told_with_their_count(tmp_path):
    path = with_cells(tmp_path / "a.csv", {(0, "AU01_r"): "-1.61", (3, "AU45_r"): "5.01", (3, "AU12_r"): "7.25"})
    (note,) = read_openface_csv(path, AU).notes
    assert note == (
        f"{path}: expected action unit intensities from 0 to 5, got 3 outside, from -1.61 to 7.25; "
        "an interrupted run leaves such numbers: run FeatureExtraction again"
    )


@pytest.mark.parametrize(
    "cells",
    [
        {},
        {(0, "AU01_r"): "0.00", (1, "AU01_r"): "5.00"},  # the limits
        {(0, "AU01_r"): "nan", (1, "AU02_r"): ""},
        {(0, "AU01_r"): "inf"},
        {(2, "AU01_r"): "9", (2, "success"): "0"},  # of a frame without a face
    ],
)
def test_what_is_no_intensity_outside_the_range_is_not_told(tmp_path, cells):
    assert read_openface_csv(with_cells(tmp_path / "a.csv", cells), AU).notes == ()


def test_other_columns_have_no_such_range(tmp_path):
    path = write_openface_csv(tmp_path / "a.csv", OpenFaceConfig(groups=("pose", "face-3d")), n_frame=40)
    assert read_openface_csv(path, OpenFaceConfig(groups=("pose", "face-3d"))).notes == ()
