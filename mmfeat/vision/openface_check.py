"""A trial of the user's OpenFace on a few grey pictures, before thousands of clips fail one by one."""

from __future__ import annotations

import struct
import tempfile
from pathlib import Path

from mmfeat.errors import MissingToolError, list_faults
from mmfeat.types import StreamStatus
from mmfeat.vision.openface_run import OpenFaceRunner

_WIDTH, _HEIGHT, _GREY = 320, 240, 128
_N_FRAME = 10  # more than the 7 frames over which OpenFace smooths


def check_openface(runner: OpenFaceRunner, folder: Path | None = None) -> None:
    """Run OpenFace on grey pictures.

    Args:
        runner: the program and what it is asked for.
        folder: where the pictures are made; containers must be able to see it.

    Raises:
        MissingToolError: the program does not start, crashes, misses a library or its models; with its own words.
    """
    with tempfile.TemporaryDirectory(prefix="self-test-", dir=folder) as name:
        frames, work = Path(name, "grey"), Path(name, "work")
        frames.mkdir()
        work.mkdir()
        for index in range(_N_FRAME):
            (frames / f"{index:02d}.bmp").write_bytes(_grey_picture())
        result = runner.run(frames, work)
    lines = [str(line) for line in result.facts.get("last_lines", ())]
    missing = [line for line in lines if "WARNING: no " in line and _is_asked_for(line, runner)]
    if result.status in (StreamStatus.OK, StreamStatus.NO_FACE) and not missing:
        return
    reason = missing[0] if missing else result.reason.partition(": ")[2]
    title = f"{runner.tool.program}: the self-test on grey pictures failed: {reason}; repair it, or pass --no-self-test"
    raise MissingToolError(list_faults(title, lines) if lines else title)


def _is_asked_for(warning: str, runner: OpenFaceRunner) -> bool:
    """Return whether the models that OpenFace warns of are needed for the columns."""
    wanted = {"Action Unit": "-aus", "eye model": "-gaze"}
    return any(word in warning and flag in runner.config.flags for word, flag in wanted.items())


def _grey_picture() -> bytes:
    """Return a BMP file of one grey; rows of 24-bit pixels, a multiple of 4 bytes each."""
    pixels = bytes([_GREY]) * (3 * _WIDTH * _HEIGHT)
    info = struct.pack("<IiiHHIIiiII", 40, _WIDTH, _HEIGHT, 1, 24, 0, len(pixels), 2835, 2835, 0, 0)
    return struct.pack("<2sIHHI", b"BM", 54 + len(pixels), 0, 0, 54) + info + pixels
