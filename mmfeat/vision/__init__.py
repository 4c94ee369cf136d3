"""Vision: OpenFace output, read by column name."""

from mmfeat.vision.columns import GROUPS, OPENFACE_COLUMNS, Group, select_columns
from mmfeat.vision.openface import OpenFaceConfig, openface_stream_info, read_openface_csv

__all__ = [
    "GROUPS",
    "OPENFACE_COLUMNS",
    "Group",
    "OpenFaceConfig",
    "openface_stream_info",
    "read_openface_csv",
    "select_columns",
]
