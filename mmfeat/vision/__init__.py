"""Vision: OpenFace output by column name, runs of the user's own OpenFace, video frames."""

from mmfeat.vision.columns import GROUPS, OPENFACE_COLUMNS, Group, select_columns
from mmfeat.vision.contact_sheet import SheetRow, draw_contact_sheet
from mmfeat.vision.container import frame_rate_hz, picture_offset_s
from mmfeat.vision.frames import VIDEO_SUFFIXES, FrameConfig, frame_stream_info, read_frames
from mmfeat.vision.openface import OpenFaceConfig, fit_to_files, openface_stream_info, read_openface_csv
from mmfeat.vision.openface_run import OpenFaceRunConfig
from mmfeat.vision.openface_tool import FRAME_SUFFIXES, OpenFaceTool, find_openface
from mmfeat.vision.run_openface import run_openface
from mmfeat.vision.table import prepare_loader

__all__ = [
    "FRAME_SUFFIXES",
    "GROUPS",
    "OPENFACE_COLUMNS",
    "VIDEO_SUFFIXES",
    "FrameConfig",
    "Group",
    "OpenFaceConfig",
    "OpenFaceRunConfig",
    "OpenFaceTool",
    "SheetRow",
    "draw_contact_sheet",
    "find_openface",
    "fit_to_files",
    "frame_rate_hz",
    "frame_stream_info",
    "openface_stream_info",
    "picture_offset_s",
    "prepare_loader",
    "read_frames",
    "read_openface_csv",
    "run_openface",
    "select_columns",
]
