"""The 709 columns of OpenFace 2, group by group."""

import pytest

from mmfeat import ConfigError, read_openface_csv
from mmfeat.vision import GROUPS, OPENFACE_COLUMNS, select_columns
from mmfeat.vision.columns import UNITS, flags_for

COUNTS = {
    "gaze": 8,
    "eye-2d": 112,
    "eye-3d": 168,
    "pose": 6,
    "face-2d": 136,
    "face-3d": 204,
    "rigid": 6,
    "non-rigid": 34,
    "au-intensity": 17,
    "au-presence": 18,
}


def test_there_are_709_different_columns_with_a_unit_each():
    assert len(OPENFACE_COLUMNS) == len(set(OPENFACE_COLUMNS)) == len(UNITS) == 709


def openface_header():
    """Return the header that FeatureExtraction writes, spelt out group by group: no name comes from mmfeat."""
    units = ["01", "02", "04", "05", "06", "07", "09", "10", "12", "14", "15", "17", "20", "23", "25", "26", "45"]
    present = sorted([*units, "28"])
    return [
        *("frame", "face_id", "timestamp", "confidence", "success"),
        *(f"gaze_{eye}_{axis}" for eye in (0, 1) for axis in "xyz"),
        *("gaze_angle_x", "gaze_angle_y"),
        *(f"eye_lmk_{axis}_{point}" for axis in "xyXYZ" for point in range(56)),
        *(f"pose_{kind}{axis}" for kind in "TR" for axis in "xyz"),
        *(f"{axis}_{point}" for axis in "xyXYZ" for point in range(68)),
        *("p_scale", "p_rx", "p_ry", "p_rz", "p_tx", "p_ty"),
        *(f"p_{number}" for number in range(34)),
        *(f"AU{unit}_r" for unit in units),
        *(f"AU{unit}_c" for unit in present),
    ]


def test_the_709_columns_are_those_of_an_openface_header_in_their_order(tmp_path):
    header = openface_header()
    path = tmp_path / "a.csv"
    row = ["1", "0", "0.000", "0.98", "1", *map(str, range(709))]
    path.write_text(f"{', '.join(header)}\n{', '.join(row)}\n")

    features = read_openface_csv(path)

    assert features.names == OPENFACE_COLUMNS == tuple(header[5:])
    assert features.values[0].tolist() == list(range(709))


def test_every_group_has_its_number_of_columns():
    assert {name: len(group.columns) for name, group in GROUPS.items()} == COUNTS


@pytest.mark.parametrize(
    ("group", "first", "last"),
    [
        ("gaze", "gaze_0_x", "gaze_angle_y"),
        ("eye-2d", "eye_lmk_x_0", "eye_lmk_y_55"),
        ("eye-3d", "eye_lmk_X_0", "eye_lmk_Z_55"),
        ("pose", "pose_Tx", "pose_Rz"),
        ("face-2d", "x_0", "y_67"),
        ("face-3d", "X_0", "Z_67"),
        ("rigid", "p_scale", "p_ty"),
        ("non-rigid", "p_0", "p_33"),
        ("au-intensity", "AU01_r", "AU45_r"),
        ("au-presence", "AU01_c", "AU45_c"),
    ],
)
def test_every_group_begins_and_ends_where_openface_says(group, first, last):
    assert (GROUPS[group].columns[0], GROUPS[group].columns[-1]) == (first, last)


def test_lip_suck_has_presence_and_no_intensity():
    assert "AU28_c" in OPENFACE_COLUMNS
    assert "AU28_r" not in OPENFACE_COLUMNS


def test_lengths_are_in_millimetres_and_angles_in_radians():
    assert (UNITS["pose_Tz"], UNITS["pose_Rx"], UNITS["gaze_angle_x"]) == ("mm", "rad", "rad")
    assert (UNITS["X_3"], UNITS["x_3"], UNITS["AU12_r"], UNITS["AU12_c"]) == ("mm", "px", "0-5", "0|1")


def test_a_selection_stands_in_the_order_of_openface():
    assert select_columns(["au", "pose"]) == select_columns(["pose", "au-presence", "au-intensity", "pose"])
    assert select_columns(["all"]) == OPENFACE_COLUMNS
    assert select_columns(["au"])[16:18] == ("AU45_r", "AU01_c")


def test_an_unknown_group_is_refused_with_the_known_ones():
    with pytest.raises(
        ConfigError,
        match=r"unknown OpenFace group 'mouth'; known: gaze, .*, and the names of single columns$",
    ):
        select_columns(["mouth"])


def test_no_group_is_refused():
    with pytest.raises(ConfigError, match=r"expected at least one OpenFace group of gaze"):
        select_columns([])


def test_missing_columns_lead_to_the_flags_that_write_them():
    assert flags_for(["AU01_r", "AU01_c", "x_0", "p_scale", "p_3"]) == ("-2Dfp", "-pdmparams", "-aus")
    assert set(flags_for(OPENFACE_COLUMNS)) == {"-gaze", "-pose", "-2Dfp", "-3Dfp", "-pdmparams", "-aus"}
