"""The figure of one clip: panels above one another on one time axis."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmfeat.display import PAGE_WIDTH, drawn, drawn_svg
from mmfeat.errors import InputError
from mmfeat.plot import panels
from mmfeat.plot.view import ClipView
from mmfeat.types import BoolArray, FrameFeatures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Draw = Callable[["Axes", "Axes"], None]

KINDS = ("sound", "pitch", "mfcc", "chroma", "features", "units", "valid", "words")
_PICTURE_WIDTH = 7.2  # inches: two columns of a paper
_N_UNIT = 8
_N_WORD_ROW = 8
_NAMES, _BESIDE = 0.95, 0.9  # inches to the left and to the right of the time axis, about
_MOST_FEATURES = 200  # of a stream that is drawn as one picture
_NATURAL = {0: "C", 2: "D", 4: "E", 5: "F", 7: "G", 9: "A", 11: "B"}


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One panel: its height in inches, and what draws it, given its axes and those of its scale of colours."""

    height: float
    draw: Draw


def clip_svg(
    view: ClipView,
    *,
    kinds: Collection[str] = KINDS,
    lines: Mapping[str, Mapping[str, panels.Track]] | None = None,
) -> str:
    """Return the figure of a clip for a page, as SVG.

    Args:
        view: the clip.
        kinds: which panels, of those for which the clip has something.
        lines: further panels of curves: their titles, and times and values by the name of each curve.

    Raises:
        InputError: there is nothing to draw.
        MissingExtraError: matplotlib is not installed.
    """
    chosen = [*_panels(view, kinds, PAGE_WIDTH), *_line_panels(lines or {})]
    with drawn_svg(_height(view, chosen), **_grid(chosen, PAGE_WIDTH)) as (figure, axes, text):
        _draw(view, chosen, figure, axes)
    return text.getvalue()


def write_clip_figure(view: ClipView, output: Path) -> None:
    """Write the figure of a clip with its name, facts and text above it, as the file's suffix says.

    Raises:
        InputError: there is nothing to draw.
        MissingExtraError: matplotlib is not installed.
    """
    chosen = list(_panels(view, KINDS, _PICTURE_WIDTH))
    title = [" · ".join([view.clip_id, *view.facts]), *textwrap.wrap(view.text, 110, max_lines=3, placeholder=" …")]
    height = _height(view, chosen) + 0.18 * len(title)
    file_format = output.suffix.lower().removeprefix(".")
    with drawn(output, file_format, height, width=_PICTURE_WIDTH, **_grid(chosen, _PICTURE_WIDTH)) as (figure, axes):
        figure.suptitle("\n".join(title), fontsize=8, x=0.01, ha="left")
        _draw(view, chosen, figure, axes)


def _height(view: ClipView, chosen: list[Panel]) -> float:
    if not chosen:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in view.missing.items())
        raise InputError(
            f"clip {view.clip_id!r}: expected features, words or sound to draw, got none"
            f"{f' ({reasons})' if reasons else ''}; --media names the folder of its sound"
        )
    return 0.45 + sum(panel.height + 0.08 for panel in chosen)


def _grid(chosen: list[Panel], width: float) -> dict[str, Any]:
    """Return how the panels stand: beside each one there is place for a scale of colours."""
    heights = [panel.height for panel in chosen]
    return {
        "nrows": len(chosen), "ncols": 2, "sharex": "col", "squeeze": False, "height_ratios": heights,
        "width_ratios": [_time_width(width), _BESIDE],
    }  # fmt: skip


def _time_width(width: float) -> float:
    return width - _NAMES - _BESIDE


def _draw(view: ClipView, chosen: list[Panel], figure: Figure, axes: list[list[Axes]]) -> None:
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.01, hspace=0.01)  # type: ignore[union-attr,call-arg]
    for panel, (own, bar) in zip(chosen, axes, strict=True):
        bar.set_axis_off()
        panel.draw(own, bar)
    axes[-1][0].set_xlim(0, view.end_s or 1.0)
    axes[-1][0].set_xlabel("seconds", fontsize=8)
    figure.align_ylabels([own for own, _ in axes])


def _panels(view: ClipView, kinds: Collection[str], width: float) -> Iterator[Panel]:
    """Yield a panel for each kind of which there is something to draw, from top to bottom."""
    if "sound" in kinds and view.sound is not None:
        yield Panel(height=0.6, draw=partial(panels.draw_sound, sound=view.sound))
    if "pitch" in kinds:
        yield from _pitch(view)
    for frames in view.streams.values():
        yield from _pictures(frames, kinds)
    if "features" in kinds:
        yield from _other_features(view)
    if "units" in kinds:
        for frames in view.streams.values():
            yield from _units(frames)
    if "valid" in kinds and view.streams:
        flags = dict(_flags(view))
        yield Panel(height=0.16 * len(flags), draw=partial(panels.draw_validity, rows=flags))
    if "words" in kinds and view.words:
        rows = panels.word_rows(view.words, _time_width(width) / (view.end_s or 1.0), _N_WORD_ROW)
        n_row = 1 + max(row or 0 for row in rows)
        yield Panel(height=0.06 + 0.14 * n_row, draw=partial(panels.draw_words, words=view.words, rows=rows))


def _flags(view: ClipView) -> Iterator[tuple[str, tuple[FrameFeatures, BoolArray]]]:
    """Yield which frames of each stream are valid, and which are voiced."""
    for name, frames in view.streams.items():
        yield name, (frames, frames.valid)
        if frames.voiced is not None:
            yield f"{name}, voiced", (frames, frames.voiced)


def _line_panels(lines: Mapping[str, Mapping[str, panels.Track]]) -> Iterator[Panel]:
    for title, tracks in lines.items():
        yield Panel(height=1.0, draw=partial(panels.draw_lines, tracks=tracks, title=title))


def _pitch(view: ClipView) -> Iterator[Panel]:
    frames = next((frames for frames in view.streams.values() if "log_f0" in frames.names), None)
    if frames is not None or view.sound is not None:
        height = 0.9 if view.sound is None else 1.5
        yield Panel(height=height, draw=partial(panels.draw_pitch, sound=view.sound, frames=frames))


def _columns(frames: FrameFeatures, pattern: str) -> list[int]:
    return [column for column, name in enumerate(frames.names) if re.fullmatch(pattern, name)]


def _pictures(frames: FrameFeatures, kinds: Collection[str]) -> Iterator[Panel]:
    """Yield pictures of MFCC, chroma and log-mel columns."""
    for kind, pattern, title in (("mfcc", r"mfcc_\d+", "MFCC"), ("mfcc", r"log_mel_\d+", "log-mel")):
        if kind in kinds and (columns := _columns(frames, pattern)):
            step = 5 if len(columns) <= 40 else 32
            ticks = {row: str(row) for row in range(0, len(columns), step)}
            yield _picture(frames, columns, title, ticks, height=0.95, as_deviations=True)
    if "chroma" in kinds and (columns := _columns(frames, r"chroma_.+")):
        ticks = _NATURAL if len(columns) == 12 else {}
        yield _picture(frames, columns, "chroma", ticks, height=0.95, as_deviations=False)


def _other_features(view: ClipView) -> Iterator[Panel]:
    """Yield a picture of each stream of which no other panel draws anything."""
    drawn_elsewhere = r"log_f0|mfcc_\d+|log_mel_\d+|chroma_.+|AU\d+_[rc]"
    for name, frames in view.streams.items():
        if not _columns(frames, drawn_elsewhere) and len(frames.names) <= _MOST_FEATURES:
            ticks = dict(enumerate(frames.names)) if len(frames.names) <= 12 else {}
            columns = list(range(len(frames.names)))
            yield _picture(frames, columns, name, ticks, height=1.0, as_deviations=True)


def _picture(
    frames: FrameFeatures,
    columns: list[int],
    title: str,
    ticks: Mapping[int, str],
    *,
    height: float,
    as_deviations: bool,
) -> Panel:
    draw = partial(
        panels.draw_picture, frames=frames, columns=columns, title=title, ticks=ticks, as_deviations=as_deviations
    )
    return Panel(height=height, draw=draw)


def _units(frames: FrameFeatures) -> Iterator[Panel]:
    """Yield the intensities of the action units that move most."""
    columns = _columns(frames, r"AU\d+_r")
    if columns and frames.valid.any():
        most = panels.most_moving(frames.values, frames.valid, columns, _N_UNIT)
        title = "action units" if len(most) == len(columns) else f"action units\n({len(most)} of {len(columns)})"
        yield Panel(height=0.19 * len(most), draw=partial(panels.draw_units, frames=frames, columns=most, title=title))
