"""Write the figure of one clip."""

from __future__ import annotations

from pathlib import Path

from mmfeat.dataset import DatasetReader
from mmfeat.errors import InputError, OutputExistsError
from mmfeat.plot.figure import write_clip_figure
from mmfeat.plot.view import view_clip

PLOT_SUFFIXES = (".png", ".svg", ".pdf")


def write_clip_plot(
    dataset: Path | str, clip_id: str, output: Path | str, *, media: Path | None = None, overwrite: bool = False
) -> tuple[str, ...]:
    """Draw one clip of a dataset over time, and return what a person should know of the figure.

    The panels share one time axis: waveform and spectrogram where the sound is at hand, log-F0, MFCC, chroma (or what
    else a stream has), the action units that move most, where frames are valid, words.

    Args:
        dataset: the file.
        clip_id: name of the clip.
        output: png, svg or pdf to write; it appears whole or not at all.
        media: the sound file, or a folder in which it lies under the clip's id or the name of its source.
        overwrite: replace an existing picture.

    Raises:
        InputError: there is no such clip, it has nothing to show, or the picture cannot be written.
        ClipError: the sound cannot be read.
        OutputExistsError: the picture exists and ``overwrite`` is false.
        MissingExtraError: matplotlib is not installed.
    """
    output = Path(output)
    _check_output(output, overwrite=overwrite)
    with DatasetReader(dataset) as reader:
        view = view_clip(reader, clip_id, media=media)
    unfinished = output.with_name(f".{output.name}.part{output.suffix}")
    try:
        write_clip_figure(view, unfinished)
        unfinished.replace(output)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        message = f"{output}: expected a place to write a picture, got {error.strerror!r}; choose another name"
        raise InputError(message) from error
    missing = [f"no {name}: {reason}" for name, reason in view.missing.items()]
    sound = [f"no sound of {clip_id!r} in {media}"] if media is not None and view.sound is None else []
    return (*view.notes, *missing, *sound)


def _check_output(output: Path, *, overwrite: bool) -> None:
    if output.suffix.lower() not in PLOT_SUFFIXES:
        raise InputError(f"{output}: expected a picture ending in {', '.join(PLOT_SUFFIXES)}; rename it")
    if not output.parent.is_dir():
        raise InputError(f"{output}: expected a folder {output.parent}, found none; make it")
    if output.exists() and not overwrite:
        raise OutputExistsError(output)
