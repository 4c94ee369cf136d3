"""A contact sheet: one row a clip, its frames in order, on one picture to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mmfeat.images import EncodedFrames

Image = npt.NDArray[np.uint8]

_CELL = 128  # height and width of a frame on the sheet, in pixels
_GAP = 6
_HEAD = 34
_CAPTION = 16  # below each frame
_EMPTY = 40  # height of the row of a clip without frames
_MOST_FRAMES = 16  # of a clip
_MOST_LETTERS = 26  # of an id
_LETTER = 8.0  # width in pixels, about
_PAPER, _INK, _PALE, _WARNING = (255, 255, 255), (30, 30, 30), (120, 120, 120), (200, 60, 0)


@dataclass(frozen=True, kw_only=True, eq=False)
class SheetRow:
    """One clip on the sheet: its frames, or why it has none."""

    title: str
    frames: EncodedFrames
    note: str = ""


def draw_contact_sheet(rows: Sequence[SheetRow], *, heading: str = "") -> Image:
    """Return a picture of the frames of some clips.

    Each frame has its time below it. A frame whose face was not tracked has a thick border, a cross in its corner and
    the words "no face" below. Of a clip with more than 16 frames 16 are shown, evenly chosen.

    Args:
        rows: the clips.
        heading: first line.

    Returns:
        uint8, shape (height, width, 3), red, green, blue.
    """
    titles = [_shortened(row.title) for row in rows]
    margin = round(max(map(len, titles), default=0) * _LETTER) + 2 * _GAP
    n_column = max([len(_chosen(row.frames.n_frame)) for row in rows], default=0)
    heights = [_CELL + _CAPTION + _GAP if row.frames.n_frame else _EMPTY for row in rows]
    tops = [_HEAD, *(_HEAD + int(end) for end in np.cumsum(heights))]
    width = max(margin + max(n_column, 3) * (_CELL + _GAP), round(len(heading) * _LETTER) + 2 * _GAP)
    sheet = np.full((tops[-1], width, 3), _PAPER, dtype=np.uint8)
    _write(sheet, heading, _GAP, _HEAD - 12, _INK)
    for row, title, top, height in zip(rows, titles, tops, heights, strict=False):
        base_line = top + (height - _CAPTION) // 2
        _write(sheet, title, _GAP, base_line, _INK)
        _write(sheet, row.note, margin, base_line, _WARNING)
        _draw_frames(sheet, row.frames, margin, top)
    return sheet


def _draw_frames(sheet: Image, frames: EncodedFrames, left: int, top: int) -> None:
    import cv2

    images = frames.decode()
    for place, index in enumerate(_chosen(frames.n_frame)):
        x = left + place * (_CELL + _GAP)
        cell = sheet[top : top + _CELL, x : x + _CELL]
        cell[:] = cv2.resize(images[index], (_CELL, _CELL), interpolation=cv2.INTER_AREA)
        tracked = bool(frames.valid[index])
        if not tracked:
            _mark(cell)
        caption = f"{frames.times_s[index]:.2f} s" + ("" if tracked else "  no face")
        _write(sheet, caption, x, top + _CELL + _CAPTION - 4, _PALE if tracked else _WARNING, scale=0.38)


def _mark(cell: Image) -> None:
    """Draw a border and a cross in a corner."""
    import cv2

    cv2.rectangle(cell, (0, 0), (_CELL - 1, _CELL - 1), _WARNING, 7)
    cv2.rectangle(cell, (0, 0), (26, 26), _WARNING, -1)
    cv2.line(cell, (7, 7), (19, 19), _PAPER, 3, cv2.LINE_AA)
    cv2.line(cell, (19, 7), (7, 19), _PAPER, 3, cv2.LINE_AA)


def _chosen(n_frame: int) -> list[int]:
    """Return the numbers of the frames that are shown."""
    if n_frame <= _MOST_FRAMES:
        return list(range(n_frame))
    return [int(place) for place in np.linspace(0, n_frame - 1, _MOST_FRAMES).round()]


def _shortened(title: str) -> str:
    """Return an id that fits; of a long one the end says more than the start."""
    return title if len(title) <= _MOST_LETTERS else f"...{title[3 - _MOST_LETTERS :]}"


def _write(sheet: Image, text: str, x: int, y: int, colour: tuple[int, int, int], *, scale: float = 0.45) -> None:
    """Write text with its base line at ``y``; OpenCV's letters are ASCII, others become "?"."""
    import cv2

    ascii_text = text.encode("ascii", errors="replace").decode()
    cv2.putText(sheet, ascii_text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, colour, 1, cv2.LINE_AA)
