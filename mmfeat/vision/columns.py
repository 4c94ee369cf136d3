"""The 709 feature columns of OpenFace 2, in groups, with their units.

Source: OpenFace 2.2 ``FeatureExtraction`` output (Baltrusaitis et al., FG 2018). Coordinates are those of
the camera: pixels in the image, millimetres in space, radians for angles.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mmfeat.errors import ConfigError

_UNITS_WITH_INTENSITY = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)
AU_INTENSITY_CODES = tuple(f"{unit:02d}" for unit in _UNITS_WITH_INTENSITY)
AU_PRESENCE_CODES = (*AU_INTENSITY_CODES[:-1], "28", "45")


@dataclass(frozen=True, kw_only=True)
class Group:
    """One group of columns and the flag of ``FeatureExtraction`` that writes it."""

    name: str
    columns: tuple[str, ...]
    units: tuple[str, ...]
    flag: str


def _indexed(prefixes: Iterable[str], n_point: int) -> tuple[str, ...]:
    return tuple(f"{prefix}_{i}" for prefix in prefixes for i in range(n_point))


def _group(name: str, columns: Iterable[str], unit: str, flag: str) -> Group:
    columns = tuple(columns)
    return Group(name=name, columns=columns, units=(unit,) * len(columns), flag=flag)


_GAZE_DIRECTIONS = ("gaze_0_x", "gaze_0_y", "gaze_0_z", "gaze_1_x", "gaze_1_y", "gaze_1_z")
_GAZE = Group(
    name="gaze",
    columns=(*_GAZE_DIRECTIONS, "gaze_angle_x", "gaze_angle_y"),
    units=(*["1"] * 6, "rad", "rad"),
    flag="-gaze",
)
_POSE = Group(
    name="pose",
    columns=("pose_Tx", "pose_Ty", "pose_Tz", "pose_Rx", "pose_Ry", "pose_Rz"),
    units=("mm", "mm", "mm", "rad", "rad", "rad"),
    flag="-pose",
)
_RIGID = Group(
    name="rigid",
    columns=("p_scale", "p_rx", "p_ry", "p_rz", "p_tx", "p_ty"),
    units=("px/mm", "rad", "rad", "rad", "px", "px"),
    flag="-pdmparams",
)

GROUPS: dict[str, Group] = {
    group.name: group
    for group in (
        _GAZE,
        _group("eye-2d", _indexed(("eye_lmk_x", "eye_lmk_y"), 56), "px", "-gaze"),
        _group("eye-3d", _indexed(("eye_lmk_X", "eye_lmk_Y", "eye_lmk_Z"), 56), "mm", "-gaze"),
        _POSE,
        _group("face-2d", _indexed(("x", "y"), 68), "px", "-2Dfp"),
        _group("face-3d", _indexed(("X", "Y", "Z"), 68), "mm", "-3Dfp"),
        _RIGID,
        _group("non-rigid", _indexed(("p",), 34), "1", "-pdmparams"),
        _group("au-intensity", (f"AU{code}_r" for code in AU_INTENSITY_CODES), "0-5", "-aus"),
        _group("au-presence", (f"AU{code}_c" for code in AU_PRESENCE_CODES), "0|1", "-aus"),
    )
}
ALIASES: dict[str, tuple[str, ...]] = {"all": tuple(GROUPS), "au": ("au-intensity", "au-presence")}
OPENFACE_COLUMNS: tuple[str, ...] = tuple(column for group in GROUPS.values() for column in group.columns)
UNITS: dict[str, str] = {
    column: unit for group in GROUPS.values() for column, unit in zip(group.columns, group.units, strict=True)
}


def select_columns(groups: Iterable[str]) -> tuple[str, ...]:
    """Return the columns of the named groups in OpenFace's own order, whatever the order of the names.

    Args:
        groups: group names, or the aliases ``all`` and ``au``.

    Raises:
        ConfigError: a name is no group.

    Example:
        >>> len(select_columns(["all"])), len(select_columns(["au", "pose"]))
        (709, 41)
    """
    wanted: set[str] = set()
    for name in groups:
        if name not in GROUPS and name not in ALIASES:
            raise ConfigError(f"unknown OpenFace group {name!r}; known: {', '.join([*GROUPS, *ALIASES])}")
        wanted.update(ALIASES.get(name, (name,)))
    if not wanted:
        raise ConfigError(f"expected at least one OpenFace group of {', '.join([*GROUPS, *ALIASES])}")
    return tuple(column for name, group in GROUPS.items() if name in wanted for column in group.columns)


def flags_for(columns: Iterable[str]) -> tuple[str, ...]:
    """Return the flags of ``FeatureExtraction`` that write ``columns``."""
    missing = set(columns)
    flags = [group.flag for group in GROUPS.values() if missing.intersection(group.columns)]
    return tuple(dict.fromkeys(flags))
