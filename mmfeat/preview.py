"""A picture of the frames in a dataset file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mmfeat.dataset import DatasetReader
from mmfeat.errors import InputError, OutputExistsError
from mmfeat.types import StreamStatus
from mmfeat.vision import SheetRow, draw_contact_sheet

PREVIEW_SUFFIXES = (".png", ".jpg", ".jpeg")


def check_preview_path(path: Path, *, overwrite: bool = False) -> None:
    """Refuse a path to which no contact sheet can be written.

    Raises:
        InputError: another suffix than png or jpg, or the folder is not there.
        OutputExistsError: the file exists and ``overwrite`` is false.
    """
    if path.suffix.lower() not in PREVIEW_SUFFIXES:
        raise InputError(f"{path}: expected a picture ending in {', '.join(PREVIEW_SUFFIXES)}; rename it")
    if not path.parent.is_dir():
        raise InputError(f"{path}: expected a folder {path.parent}, found none; make it")
    if path.exists() and not overwrite:
        raise OutputExistsError(path)


def write_contact_sheet(
    dataset: Path | str, picture: Path | str, *, stream: str = "frames", n_clip: int = 24, overwrite: bool = False
) -> int:
    """Draw the frames of some clips of a dataset file, one row a clip, and return how many rows there are.

    Args:
        dataset: the file.
        picture: png or jpg to write.
        stream: name of the stream of images.
        n_clip: clips on the sheet; of more they are chosen evenly.
        overwrite: replace an existing picture.

    Raises:
        InputError: the file has no such stream of images, or the picture cannot be written.
        OutputExistsError: the picture exists and ``overwrite`` is false.
    """
    import cv2

    picture = Path(picture)
    check_preview_path(picture, overwrite=overwrite)
    with DatasetReader(dataset) as reader:
        indices = np.unique(np.linspace(0, reader.n_clip - 1, min(n_clip, reader.n_clip)).round().astype(int))
        status = reader.status(stream)
        rows = [
            SheetRow(
                title=reader.clip_ids[index],
                frames=reader.read_frames(stream, int(index)),
                note="" if status[index] is StreamStatus.OK else f"no frames: {status[index].name.lower()}",
            )
            for index in indices
        ]
        heading = f"{Path(dataset).name}: {len(rows)} of {reader.n_clip} clips"
    image = draw_contact_sheet(rows, heading=heading)
    done, encoded = cv2.imencode(picture.suffix.lower(), image[..., ::-1])
    if not done:
        raise InputError(
            f"{picture}: expected a picture that can be written, got shape {image.shape}; show fewer clips"
        )
    picture.write_bytes(bytes(encoded))
    return len(rows)
