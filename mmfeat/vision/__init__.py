"""Vision: OpenFace output, read by column name, and runs of the user's own OpenFace."""

from mmfeat.vision.columns import GROUPS, OPENFACE_COLUMNS, Group, select_columns
from mmfeat.vision.openface import OpenFaceConfig, openface_stream_info, read_openface_csv
from mmfeat.vision.openface_run import OpenFaceRunConfig
from mmfeat.vision.openface_tool import FRAME_SUFFIXES, VIDEO_SUFFIXES, OpenFaceTool, find_openface
from mmfeat.vision.run_openface import run_openface

__all__ = [
    "FRAME_SUFFIXES",
    "GROUPS",
    "OPENFACE_COLUMNS",
    "VIDEO_SUFFIXES",
    "Group",
    "OpenFaceConfig",
    "OpenFaceRunConfig",
    "OpenFaceTool",
    "find_openface",
    "openface_stream_info",
    "read_openface_csv",
    "run_openface",
    "select_columns",
]
