"""The 709 feature columns of OpenFace 2, in groups, with their units and ranges.

Source: OpenFace 2.2 ``FeatureExtraction`` output (Baltrusaitis et al., FG 2018). Coordinates are those of
the camera: pixels in the image, millimetres in space, radians for angles.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass

from mmfeat.errors import ConfigError

_UNITS_WITH_INTENSITY = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)
AU_INTENSITY_CODES = tuple(f"{unit:02d}" for unit in _UNITS_WITH_INTENSITY)
AU_PRESENCE_CODES = (*AU_INTENSITY_CODES[:-1], "28", "45")


Range = tuple[float, float]
_ANY = (-math.inf, math.inf)
_POSITIVE = (0.0, math.inf)
_ANGLE = (-math.pi, math.pi)


@dataclass(frozen=True, kw_only=True)
class Group:
    """One group of columns.

    Args:
        name: how it is asked for.
        columns: OpenFace's names, in its order.
        units: one for each column.
        ranges: lowest and highest possible value of each column.
        flag: the option of ``FeatureExtraction`` that writes the group.
    """

    name: str
    columns: tuple[str, ...]
    units: tuple[str, ...]
    ranges: tuple[Range, ...]
    flag: str


def _indexed(prefixes: Iterable[str], n_point: int) -> tuple[str, ...]:
    return tuple(f"{prefix}_{i}" for prefix in prefixes for i in range(n_point))


def _group(name: str, columns: Iterable[str], unit: str, flag: str, value_range: Range = _ANY) -> Group:
    """Return a group of columns that are all of one kind."""
    columns = tuple(columns)
    n = len(columns)
    return Group(name=name, columns=columns, units=(unit,) * n, ranges=(value_range,) * n, flag=flag)


_GAZE_DIRECTIONS = ("gaze_0_x", "gaze_0_y", "gaze_0_z", "gaze_1_x", "gaze_1_y", "gaze_1_z")
_GAZE = Group(
    name="gaze",
    columns=(*_GAZE_DIRECTIONS, "gaze_angle_x", "gaze_angle_y"),
    units=(*["1"] * 6, "rad", "rad"),
    ranges=(*[(-1.0, 1.0)] * 6, _ANGLE, _ANGLE),
    flag="-gaze",
)
_POSE = Group(
    name="pose",
    columns=("pose_Tx", "pose_Ty", "pose_Tz", "pose_Rx", "pose_Ry", "pose_Rz"),
    units=("mm", "mm", "mm", "rad", "rad", "rad"),
    ranges=(_ANY, _ANY, _ANY, _ANGLE, _ANGLE, _ANGLE),
    flag="-pose",
)
_RIGID = Group(
    name="rigid",
    columns=("p_scale", "p_rx", "p_ry", "p_rz", "p_tx", "p_ty"),
    units=("px/mm", "rad", "rad", "rad", "px", "px"),
    ranges=(_POSITIVE, _ANGLE, _ANGLE, _ANGLE, _ANY, _ANY),
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
        _group("au-intensity", (f"AU{code}_r" for code in AU_INTENSITY_CODES), "0-5", "-aus", (0.0, 5.0)),
        _group("au-presence", (f"AU{code}_c" for code in AU_PRESENCE_CODES), "0|1", "-aus", (0.0, 1.0)),
    )
}
PRESETS: dict[str, tuple[str, ...]] = {
    "openface-709": tuple(GROUPS),  # the set of the SKESL paper
    "openface-au35": ("au-intensity", "au-presence"),
}
ALIASES: dict[str, tuple[str, ...]] = {"all": PRESETS["openface-709"], "au": PRESETS["openface-au35"], **PRESETS}
OPENFACE_COLUMNS: tuple[str, ...] = tuple(column for group in GROUPS.values() for column in group.columns)
UNITS: dict[str, str] = {
    column: unit for group in GROUPS.values() for column, unit in zip(group.columns, group.units, strict=True)
}
RANGES: dict[str, Range] = {
    column: limits for group in GROUPS.values() for column, limits in zip(group.columns, group.ranges, strict=True)
}
AU_INTENSITIES = frozenset(GROUPS["au-intensity"].columns)
_COLUMN_SET = frozenset(OPENFACE_COLUMNS)


def select_columns(names: Iterable[str]) -> tuple[str, ...]:
    """Return the named columns in OpenFace's own order, whatever the order of the names.

    Args:
        names: groups, the aliases ``all`` and ``au``, presets, or single columns.

    Raises:
        ConfigError: a name is none of these.

    Example:
        >>> len(select_columns(["all"])), len(select_columns(["au", "pose"]))
        (709, 41)
    """
    return _select(tuple(names))


@functools.lru_cache(maxsize=32)
def _select(names: tuple[str, ...]) -> tuple[str, ...]:
    wanted: set[str] = set()
    for name in names:
        if name in GROUPS or name in ALIASES:
            wanted.update(column for group in ALIASES.get(name, (name,)) for column in GROUPS[group].columns)
        elif name in _COLUMN_SET:
            wanted.add(name)
        else:
            known = ", ".join([*GROUPS, *ALIASES])
            raise ConfigError(f"unknown OpenFace group {name!r}; known: {known}, and the names of single columns")
    if not wanted:
        raise ConfigError(f"expected at least one OpenFace group of {', '.join([*GROUPS, *ALIASES])}")
    return tuple(column for column in OPENFACE_COLUMNS if column in wanted)


def shortest_names(columns: Iterable[str]) -> tuple[str, ...]:
    """Return the groups that are whole in ``columns``, then the single columns that are left, in OpenFace's order."""
    left = set(columns)
    whole = [name for name, group in GROUPS.items() if left.issuperset(group.columns)]
    left.difference_update(*(GROUPS[name].columns for name in whole))
    return (*whole, *(column for column in OPENFACE_COLUMNS if column in left))


def flags_for(columns: Iterable[str]) -> tuple[str, ...]:
    """Return the flags of ``FeatureExtraction`` that write ``columns``."""
    missing = set(columns)
    flags = [group.flag for group in GROUPS.values() if missing.intersection(group.columns)]
    return tuple(dict.fromkeys(flags))
