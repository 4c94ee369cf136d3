"""Read the CSV files of OpenFace by column name, with time and validity.

A frame without a face is not zero in OpenFace's output: pose, landmarks and shape keep numbers, the action units for
some frames. Such frames (``success`` 0) are stored as zeros with ``valid`` false.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mmfeat.config import config_to_dict
from mmfeat.errors import ClipError, ConfigError
from mmfeat.types import BoolArray, Float32Array, FrameFeatures, StreamInfo, StreamStatus
from mmfeat.vision.columns import (
    ALIASES,
    AU_INTENSITIES,
    GROUPS,
    OPENFACE_COLUMNS,
    PRESETS,
    RANGES,
    UNITS,
    flags_for,
    select_columns,
    shortest_names,
)
from mmfeat.vision.faces import check_policy, columns_for, is_tracked, rows_of_face
from mmfeat.vision.openface_missing import missing_csv
from mmfeat.vision.table import Loader, Table, read_header, read_table
from mmfeat.vision.timeline import Timeline, timeline

_META_COLUMNS = ("frame", "face_id", "timestamp", "confidence", "success")
_KNOWN_NAMES = (*ALIASES, *GROUPS, *OPENFACE_COLUMNS)


@dataclass(frozen=True, kw_only=True)
class OpenFaceConfig:
    """Which columns are read, whose face is meant, and the time base of files that carry none."""

    groups: tuple[str, ...] = ("all",)  # groups, presets or single columns of mmfeat.vision.columns
    face: str = "most-confident"  # of several: or "largest", "longest", "id=N"; see rows_of_face
    frame_rate_hz: float | None = None  # frames per second, for files whose timestamps are missing or all 0

    def __post_init__(self) -> None:
        select_columns(self.groups)
        # The order of the names means nothing: equal columns have equal settings in the file.
        wanted = set(self.groups)
        object.__setattr__(self, "groups", tuple(name for name in _KNOWN_NAMES if name in wanted))
        check_policy(self.face)
        if self.frame_rate_hz is not None and not 0 < self.frame_rate_hz < math.inf:
            raise ConfigError(f"frame_rate_hz must be positive and finite, got {self.frame_rate_hz}")

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the columns, in OpenFace's own order."""
        return select_columns(self.groups)


def read_openface_csv(
    path: Path | str, config: OpenFaceConfig | None = None, *, loader: Loader = "compiled"
) -> FrameFeatures:
    """Return the features of every frame of an OpenFace file.

    Columns may stand in any order, names and cells may carry spaces, cells are separated by ``,`` or ``;``. Of several
    faces one is kept (``config.face``); frames that the multi-face tool skipped come back as not valid. A last row with
    missing cells is left out: the run was interrupted while it wrote it. A file of OpenFace 1.x (no ``face_id``, no
    gaze angles) is read for the wanted columns that it has: it knows no eye landmarks.

    Args:
        path: the CSV file that ``FeatureExtraction`` or ``FaceLandmarkVidMulti`` wrote.
        config: columns, face and frame rate; all 709 columns where None.
        loader: ``compiled``, or ``numpy`` for the same values more slowly.

    Returns:
        values of shape (frame, feature); ``valid`` is false, and the values 0, where no face was tracked. ``notes``
        tells of action units outside their range.

    Raises:
        ClipError: no such file, not OpenFace, columns missing, cells that are no numbers, no face, no clock.

    Source: output format of OpenFace 2.2 (Baltrusaitis et al., FG 2018).
    """
    path = Path(path)
    config = config or OpenFaceConfig()
    if not path.is_file():
        raise missing_csv(path)

    def choose(header: tuple[str, ...]) -> tuple[str, ...]:
        meta = [name for name in _META_COLUMNS if name in header]
        return tuple(dict.fromkeys((*meta, *columns_for(config.face, header), *_features(path, header, config))))

    table = read_table(path, choose, loader=loader)
    rows = rows_of_face(table, config.face)
    return _frame_features(table, rows, timeline(table, rows, config.frame_rate_hz), config)


def fit_to_files(config: OpenFaceConfig, paths: Iterable[Path]) -> OpenFaceConfig:
    """Return the settings for some files: fewer columns where all that can be read are of OpenFace 1.x."""
    present: set[str] = set()
    for path in paths:
        header = read_header(path) or ()
        known = set(OPENFACE_COLUMNS).intersection(header)
        if known and not is_version_1(header):
            return config
        present |= known
    columns = [name for name in config.feature_names if name in present]
    return replace(config, groups=shortest_names(columns)) if columns else config


def is_version_1(header: tuple[str, ...]) -> bool:
    """Return whether a header is one of OpenFace 1.x, which has gaze directions and no angles, and no ``face_id``."""
    names = set(header)
    return "gaze_0_x" in names and not names & {"face_id", "gaze_angle_x", "eye_lmk_x_0"}


def _features(path: Path, header: tuple[str, ...], config: OpenFaceConfig) -> tuple[str, ...]:
    """Return the wanted columns that the file has; refuse a file that lacks what it could have."""
    present = set(header)
    if not present.intersection(OPENFACE_COLUMNS):
        raise ClipError(
            f"{path}: expected an OpenFace csv with columns such as 'AU01_r', got {', '.join(map(repr, header[:4]))}; "
            "run FeatureExtraction, or correct the path",
            StreamStatus.DECODE_ERROR,
        )
    wanted = config.feature_names
    missing = [name for name in wanted if name not in present]
    if not missing or (is_version_1(header) and len(missing) < len(wanted)):
        return tuple(name for name in wanted if name in present)
    there = ",".join(name for name in shortest_names(present) if name in GROUPS) or "single columns"
    raise ClipError(
        f"{path}: expected the {len(wanted)} columns of {','.join(config.groups)}, "
        f"{len(missing)} are missing, first {missing[0]!r}; run FeatureExtraction with "
        f"{' '.join(flags_for(missing))}, or ask for what is there (--groups {there})",
        StreamStatus.DECODE_ERROR,
    )


def _frame_features(table: Table, rows: BoolArray, frames: Timeline, config: OpenFaceConfig) -> FrameFeatures:
    """Return the rows of the face at their places among all frames."""
    present = set(table.names)
    names = tuple(name for name in config.feature_names if name in present)
    n_frame = frames.times_s.size
    cells = table.columns(names)
    with np.errstate(over="ignore"):
        read = (cells if rows.all() else cells[rows]).astype(np.float32)
    finite: BoolArray = np.isfinite(read)
    tracked = is_tracked(table)[rows] & finite.all(axis=1)
    if not tracked.any():
        raise _no_face(table, n_frame, [names[column] for column in np.flatnonzero(~finite.any(axis=0))])
    read[~tracked] = 0.0
    values = read
    if frames.n_skipped:
        values = np.zeros((n_frame, len(names)), dtype=np.float32)
        values[frames.places] = read
    valid = np.zeros(n_frame, dtype=np.bool_)
    valid[frames.places] = tracked
    return FrameFeatures(
        values=values,
        times_s=frames.times_s,
        names=names,
        units=tuple(UNITS[name] for name in names),
        valid=valid,
        confidence=_confidence(table, rows, frames),
        notes=_notes(table, frames, values, names),
    )


def _no_face(table: Table, n_frame: int, empty: list[str]) -> ClipError:
    """Return the error for a file without one whole frame; ``empty`` are the columns without one number."""
    if empty and is_tracked(table).any():
        return ClipError(
            f"{table.path}: expected numbers, the column {empty[0]!r} has none in {n_frame} frames; run "
            "FeatureExtraction again, or ask for other columns (--groups)",
            StreamStatus.DECODE_ERROR,
        )
    message = f"{table.path}: expected a face, OpenFace tracked none in {n_frame} frames; look at the video"
    return ClipError(message, StreamStatus.NO_FACE)


def _confidence(table: Table, rows: BoolArray, frames: Timeline) -> Float32Array:
    """Return OpenFace's confidence of every frame, 0 where it skipped one, 1 where the file has no such column."""
    confidence = np.zeros(frames.times_s.size, dtype=np.float32)
    known = np.nan_to_num(table["confidence"][rows]) if "confidence" in table else 1.0
    confidence[frames.places] = np.clip(known, 0.0, 1.0)
    return confidence


def _notes(table: Table, frames: Timeline, values: Float32Array, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return sentences about what looks like an interrupted run, and about a clip that begins late."""
    units = values[:, [i for i, name in enumerate(names) if name in AU_INTENSITIES]]
    low, high = RANGES["AU01_r"]
    notes = []
    if n_outside := int(((units < low) | (units > high)).sum()):
        notes.append(
            f"{table.path}: expected action unit intensities from {low:g} to {high:g}, got {n_outside} outside, from "
            f"{units.min():g} to {units.max():g}; an interrupted run leaves such numbers: run FeatureExtraction again"
        )
    if table.is_cut_off:
        notes.append(f"{table.path}: its last row was cut off and is left out; run FeatureExtraction again")
    if frames.first_frame > 1:
        begins = f"begins with frame {frames.first_frame}, at {frames.times_s[0]:g} s"
        notes.append(f"{table.path}: {begins}: cut out of a longer file")
    return tuple(notes)


def openface_stream_info(config: OpenFaceConfig) -> StreamInfo:
    """Return what the dataset file says of a vision stream read with ``config``."""
    names = config.feature_names
    presets = {select_columns(groups): name for name, groups in PRESETS.items()}
    return StreamInfo(
        name="vision",
        feature_names=names,
        feature_units=tuple(UNITS[name] for name in names),
        extractor="OpenFace",
        extractor_version="2",
        preset=presets.get(names, "custom"),
        config=config_to_dict(config),
        has_confidence=True,
        tool_license="OpenFace: academic or non-profit non-commercial research use",
    )
