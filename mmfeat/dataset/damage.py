"""Whatever h5py says of a damaged or foreign file becomes one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmfeat.errors import InputError

DAMAGE = (
    OSError,
    KeyError,
    IndexError,
    RuntimeError,
    ValueError,
    TypeError,
    AttributeError,
    MemoryError,
    OverflowError,
)
"""What h5py and numpy raise while they read what is not what it says it is."""


@contextmanager
def refusing_damage(path: Path) -> Iterator[None]:
    """Name the file where it cannot be read.

    Raises:
        InputError: the file is damaged or is not what it says it is.
    """
    try:
        yield
    except DAMAGE as error:
        message = (
            f"{path}: expected a whole file of this format: {in_a_line(error)}; copy it again, or mmfeat validate it"
        )
        raise InputError(message) from error


def in_a_line(error: BaseException) -> str:
    """Return what an error says, without line breaks."""
    text = str(error.args[0]) if error.args and isinstance(error, KeyError) else str(error)
    return " ".join(text.split()) or type(error).__name__
