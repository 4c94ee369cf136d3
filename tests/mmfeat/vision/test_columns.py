"""The 709 columns of OpenFace 2, group by group."""

import pytest

from mmfeat import ConfigError
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
