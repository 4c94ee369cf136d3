"""A contact sheet shows the frames in order and marks those without a face by more than a colour."""

import cv2
import numpy as np
import pytest

from mmfeat import EncodedFrames, InputError, OutputExistsError, write_contact_sheet
from mmfeat.images import encode_image
from mmfeat.testing import numbered_image, shown_number, write_example_dataset
from mmfeat.vision import SheetRow, draw_contact_sheet
from mmfeat.vision.contact_sheet import _CAPTION, _CELL, _EMPTY, _GAP, _HEAD


def row(title="clip", n_frame=3, valid=None, note=""):
    images = [numbered_image(number, (64, 64)) for number in range(n_frame)]
    frames = EncodedFrames(
        jpegs=tuple(encode_image(image) for image in images),
        times_s=np.arange(n_frame) / 25,
        valid=np.ones(n_frame, dtype=bool) if valid is None else np.asarray(valid),
        height=64,
        width=64,
    )
    return SheetRow(title=title, frames=frames, note=note)


def cells(sheet, index, n_column):
    """Return the frames of one row, from the right edge."""
    top = _HEAD + index * (_CELL + _CAPTION + _GAP)
    starts = [sheet.shape[1] - (n_column - place) * (_CELL + _GAP) for place in range(n_column)]
    return [sheet[top : top + _CELL, start : start + _CELL] for start in starts]


def test_frames_stand_in_order():
    sheet = draw_contact_sheet([row(), row("other")])
    assert [shown_number(cell) for index in (0, 1) for cell in cells(sheet, index, 3)] == [0, 1, 2] * 2


def test_a_frame_without_a_face_differs_by_border_symbol_and_words():
    tracked = draw_contact_sheet([row()])
    marked = draw_contact_sheet([row(valid=[True, False, True])])
    assert [np.array_equal(*pair) for pair in zip(cells(tracked, 0, 3), cells(marked, 0, 3), strict=True)] == [
        True,
        False,
        True,
    ]
    grey = [cell.mean(axis=2) for cell in (cells(tracked, 0, 3)[1], cells(marked, 0, 3)[1])]
    assert np.ptp(grey[1][4:24, 4:24]) > 100  # the cross is light on dark: seen without colours
    captions = [sheet[_HEAD + _CELL : _HEAD + _CELL + _CAPTION].mean() for sheet in (tracked, marked)]
    assert captions[1] < captions[0]  # more ink


def test_of_many_frames_sixteen_are_shown():
    sheet = draw_contact_sheet([row(n_frame=100)])
    assert [shown_number(cell) for cell in cells(sheet, 0, 16)][::5] == [0, 33, 66, 99]


def test_long_names_and_foreign_letters_fit():
    sheet = draw_contact_sheet([row("x" * 200), row("día")], heading="h" * 300)
    assert sheet.shape[0] == _HEAD + 2 * (_CELL + _CAPTION + _GAP)
    assert sheet.shape[1] < 3000


def test_a_clip_without_frames_says_why():
    empty, silent = row(n_frame=0, note="no frames: no_face"), row(n_frame=0)
    assert draw_contact_sheet([empty]).mean() < draw_contact_sheet([silent]).mean()
    assert draw_contact_sheet([]).shape[0] == _HEAD


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_sheet_is_made_from_a_finished_file(tmp_path, suffix):
    dataset = write_example_dataset(tmp_path / "a.h5", n_clip=30, with_frames=True)
    picture = tmp_path / f"a.{suffix}"
    assert write_contact_sheet(dataset, picture) == 24
    image = cv2.imread(str(picture))
    assert image.shape[0] == _HEAD + 23 * (_CELL + _CAPTION + _GAP) + _EMPTY  # clip 1 has no face
    with pytest.raises(OutputExistsError):
        write_contact_sheet(dataset, picture)
    assert write_contact_sheet(dataset, picture, n_clip=2, overwrite=True) == 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.h5", r"a.h5: expected a picture ending in .png, .jpg, .jpeg; rename it"),
        ("none/a.png", r"a.png: expected a folder .*none, found none; make it"),
    ],
)
def test_a_place_where_no_picture_can_be_written_is_refused(tmp_path, name, message):
    with pytest.raises(InputError, match=message):
        write_contact_sheet(tmp_path / "any.h5", tmp_path / name)


def test_a_file_without_frames_is_refused(tmp_path):
    dataset = write_example_dataset(tmp_path / "a.h5")
    with pytest.raises(InputError, match=r"no stream 'frames'; known: audio, vision"):
        write_contact_sheet(dataset, tmp_path / "a.png")
    with pytest.raises(InputError, match=r"stream 'audio' holds features, not images; read it with read"):
        write_contact_sheet(dataset, tmp_path / "a.png", stream="audio")
