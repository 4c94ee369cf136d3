"""Read the CSV files of OpenFace 2 by column name, with time and validity.

A frame without a face is not zero in OpenFace's output: the action units keep their last values. Such frames
(``success`` 0) are stored as zeros with ``valid`` false.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmfeat.config import config_to_dict
from mmfeat.errors import ClipError, ConfigError
from mmfeat.types import BoolArray, Float64Array, FrameFeatures, StreamInfo, StreamStatus
from mmfeat.vision.columns import ALIASES, GROUPS, OPENFACE_COLUMNS, UNITS, flags_for, select_columns

_META_COLUMNS = ("frame", "face_id", "timestamp", "confidence", "success")
_WINDOWS_NAN = re.compile(r"-?(?:nan|1\.#(?:QNAN|IND))(?:\((?:ind|snan)\))?", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class OpenFaceConfig:
    """Which columns are read, and the time base of files that carry none."""

    groups: tuple[str, ...] = ("all",)  # names of mmfeat.vision.columns.GROUPS, or "all", "au"
    frame_rate_hz: float | None = None  # frames per second, for files without times

    def __post_init__(self) -> None:
        select_columns(self.groups)
        # The order of the names means nothing: equal columns have equal settings in the file.
        in_order = tuple(name for name in (*ALIASES, *GROUPS) if name in self.groups)
        object.__setattr__(self, "groups", in_order)
        if self.frame_rate_hz is not None and not 0 < self.frame_rate_hz < math.inf:
            raise ConfigError(f"frame_rate_hz must be positive and finite, got {self.frame_rate_hz}")

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the columns, in OpenFace's own order."""
        return select_columns(self.groups)


def read_openface_csv(path: Path | str, config: OpenFaceConfig | None = None) -> FrameFeatures:
    """Return the features of every frame of an OpenFace file.

    Columns may stand in any order, names may carry spaces, cells are separated by ``,`` or ``;``. Of several
    faces the one with the largest summed confidence is kept. A last row with missing cells is left out: the run was
    interrupted while it wrote it.

    Args:
        path: the CSV file that ``FeatureExtraction`` or ``FaceLandmarkVidMulti`` wrote.
        config: column groups and frame rate; all 709 columns where None.

    Returns:
        values of shape (frame, feature); ``valid`` is false, and the values 0, where no face was tracked.

    Raises:
        ClipError: no such file, not OpenFace, columns missing, a cell that is no number, no frame with a face.
    """
    path = Path(path)
    config = config or OpenFaceConfig()
    lines = _read_lines(path)
    separator = ";" if ";" in lines[0] else ","
    header = [name.strip() for name in lines[0].split(separator)]
    _check_columns(path, header, config)
    wanted = [name for name in (*_META_COLUMNS, *config.feature_names) if name in header]
    table = _read_cells(path, lines, separator, header, wanted)
    table = _keep_one_face(table)
    _drop_empty_times(path, table, config)
    return _frame_features(path, table, config)


def _read_lines(path: Path) -> list[str]:
    if not path.is_file():
        raise ClipError(
            f"{path}: expected an OpenFace csv, found none; correct the path (OpenFace writes no file when a "
            "multi-face run meets no face)",
            StreamStatus.MISSING_SOURCE,
        )
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    lines = text.splitlines()
    if not lines or not lines[0].strip():
        raise ClipError(f"{path}: expected an OpenFace csv, got an empty file", StreamStatus.EMPTY)
    return lines


def _check_columns(path: Path, header: list[str], config: OpenFaceConfig) -> None:
    present = set(header)
    if not present.intersection(OPENFACE_COLUMNS):
        raise ClipError(
            f"{path}: expected an OpenFace csv with columns such as 'AU01_r', got {', '.join(map(repr, header[:4]))}; "
            "run FeatureExtraction, or correct the path",
            StreamStatus.DECODE_ERROR,
        )
    missing = [name for name in config.feature_names if name not in present]
    if missing:
        raise ClipError(
            f"{path}: expected the {len(config.feature_names)} columns of {','.join(config.groups)}, "
            f"{len(missing)} are missing, first {missing[0]!r}; run FeatureExtraction with "
            f"{' '.join(flags_for(missing))}, or ask for fewer groups",
            StreamStatus.DECODE_ERROR,
        )
    if "timestamp" not in present and config.frame_rate_hz is None:
        raise ClipError(
            f"{path}: expected a 'timestamp' column, found none; give the video's frame rate (--fps)",
            StreamStatus.DECODE_ERROR,
        )


def _read_cells(
    path: Path, lines: list[str], separator: str, header: list[str], wanted: list[str]
) -> dict[str, Float64Array]:
    """Return the wanted columns as float64 arrays of shape (row,)."""
    rows = [line for line in lines[1:] if line.strip()]
    if rows and (rows[-1].count(separator) < len(header) - 1 or rows[-1].rstrip().endswith(separator)):
        rows.pop()  # the run was interrupted while it wrote this row
    if not rows:
        raise ClipError(f"{path}: expected frames below the header, got none", StreamStatus.EMPTY)
    rows = [_WINDOWS_NAN.sub("nan", row) if "n" in row or "#" in row else row for row in rows]
    positions = [header.index(name) for name in wanted]
    try:
        cells = np.loadtxt(rows, delimiter=separator, usecols=positions, dtype=np.float64, ndmin=2)
    except ValueError as error:
        message = f"{path}: expected a number in every cell: {str(error).rstrip('.')}; run FeatureExtraction again"
        raise ClipError(message, StreamStatus.DECODE_ERROR) from error
    return {name: cells[:, column] for column, name in enumerate(wanted)}


def _keep_one_face(table: dict[str, Float64Array]) -> dict[str, Float64Array]:
    """Keep the rows of the face with the largest summed confidence."""
    if "face_id" not in table or "confidence" not in table:
        return table
    faces, row_face = np.unique(table["face_id"], return_inverse=True)
    if faces.size <= 1:
        return table
    certainty = np.bincount(row_face, weights=np.nan_to_num(table["confidence"]))
    rows = row_face == int(certainty.argmax())
    return {name: column[rows] for name, column in table.items()}


def _drop_empty_times(path: Path, table: dict[str, Float64Array], config: OpenFaceConfig) -> None:
    """Remove the times of a folder of images: OpenFace writes 0 for each frame.

    Source: OpenFace 2.2, ``SequenceCapture::CaptureThread``.
    """
    times_s = table.get("timestamp")
    if times_s is None or times_s.size < 2 or times_s.any():
        return
    if config.frame_rate_hz is None:
        raise ClipError(
            f"{path}: expected timestamps in seconds, got 0 in all {times_s.size} frames, as OpenFace writes for a "
            "folder of images; give their frame rate (--fps)",
            StreamStatus.DECODE_ERROR,
        )
    del table["timestamp"]


def _frame_features(path: Path, table: dict[str, Float64Array], config: OpenFaceConfig) -> FrameFeatures:
    values = np.stack([table[name] for name in config.feature_names], axis=1)
    valid = _tracked(table) & np.isfinite(values).all(axis=1)
    if not valid.any():
        raise ClipError(
            f"{path}: expected a face, OpenFace tracked none in {valid.size} frames; look at the video",
            StreamStatus.NO_FACE,
        )
    confidence = np.nan_to_num(table.get("confidence", np.ones(valid.size))).astype(np.float32)
    return FrameFeatures(
        values=np.where(valid[:, None], values, 0.0).astype(np.float32),
        times_s=_times_s(path, table, config),
        names=config.feature_names,
        units=tuple(UNITS[name] for name in config.feature_names),
        valid=valid,
        confidence=np.clip(confidence, 0.0, 1.0),
    )


def _tracked(table: dict[str, Float64Array]) -> BoolArray:
    if "success" in table:
        return np.asarray(table["success"] == 1)
    n_row = next(iter(table.values())).size
    return np.ones(n_row, dtype=np.bool_)


def _times_s(path: Path, table: dict[str, Float64Array], config: OpenFaceConfig) -> Float64Array:
    if "timestamp" not in table:
        n_row = next(iter(table.values())).size
        return np.arange(n_row, dtype=np.float64) / float(config.frame_rate_hz or 1.0)
    times_s = table["timestamp"]
    if not np.isfinite(times_s).all() or (np.diff(times_s) < 0).any():
        raise ClipError(
            f"{path}: expected timestamps in seconds that never go back, got {times_s[0]} … {times_s[-1]}",
            StreamStatus.DECODE_ERROR,
        )
    return times_s


def openface_stream_info(config: OpenFaceConfig) -> StreamInfo:
    """Return what the dataset file says of a vision stream read with ``config``."""
    names = config.feature_names
    return StreamInfo(
        name="vision",
        feature_names=names,
        feature_units=tuple(UNITS[name] for name in names),
        extractor="OpenFace",
        extractor_version="2",
        preset={OPENFACE_COLUMNS: "openface-709", select_columns(["au"]): "openface-au35"}.get(names, "custom"),
        config=config_to_dict(config),
        has_confidence=True,
        tool_license="OpenFace 2: academic or non-profit non-commercial research use",
    )
