"""Vision: OpenFace output, read by column name; video frames, sampled, cropped and encoded."""

from mmfeat.vision.columns import GROUPS, OPENFACE_COLUMNS, Group, select_columns
from mmfeat.vision.contact_sheet import SheetRow, draw_contact_sheet
from mmfeat.vision.container import frame_rate_hz
from mmfeat.vision.frames import VIDEO_SUFFIXES, FrameConfig, frame_stream_info, read_frames
from mmfeat.vision.openface import OpenFaceConfig, openface_stream_info, read_openface_csv

__all__ = [
    "GROUPS",
    "OPENFACE_COLUMNS",
    "VIDEO_SUFFIXES",
    "FrameConfig",
    "Group",
    "OpenFaceConfig",
    "SheetRow",
    "draw_contact_sheet",
    "frame_rate_hz",
    "frame_stream_info",
    "openface_stream_info",
    "read_frames",
    "read_openface_csv",
    "select_columns",
]
