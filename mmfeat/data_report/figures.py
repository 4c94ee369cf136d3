"""The figures of a dataset's report, each as one SVG text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from mmfeat.data_report.labels import LabelSurvey
from mmfeat.data_report.streams import N_SHARE, ColumnSurvey, StreamSurvey
from mmfeat.display import Colour, drawn_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHIFT = "test - train"
_FAR = 10.0  # standard deviations: beyond, the axis is logarithmic
_FAR_TICKS = (-1e6, -1e5, -1e4, -1000, -100, -30, -10, -5, 0, 5, 10, 30, 100, 1000, 1e4, 1e5, 1e6)
_PART_COLOURS = {"train": Colour.BLUE, "valid": Colour.ORANGE, "test": Colour.GREEN, "none": Colour.BLACK}


def label_histograms(label: LabelSurvey) -> str:
    """Return the clips of each part by their label: one panel for each part, on one axis of values."""
    n_part = len(label.parts)
    gap = min((b - a for a, b in pairwise(label.centres)), default=1.0)
    with drawn_svg(0.55 + 0.85 * n_part, nrows=n_part, sharex=True, squeeze=False) as (_, grid, text):
        for axes, (name, part) in zip(grid[:, 0], label.parts.items(), strict=True):
            axes.bar(label.centres, part.counts, width=0.9 * gap, color=_PART_COLOURS[name])
            middle = "" if label.class_names else f", mean {part.mean:.2f}, sd {part.sd:.2f}"
            axes.set_title(f"{name}: {part.n_clip} clips{middle}", fontsize=8, loc="left", pad=2)
            axes.set_ylabel("clips", fontsize=8)
            axes.yaxis.get_major_locator().set_params(nbins=3, integer=True)
            axes.tick_params(labelsize=7)
        if label.class_names:
            codes = [int(centre) for centre in label.centres if 0 <= centre < len(label.class_names)]
            grid[-1, 0].set_xticks(codes, [label.class_names[code] for code in codes], rotation=30, ha="right")
        grid[-1, 0].set_xlabel(label.name, fontsize=8)
    return text.getvalue()


def duration_histogram(edges_s: Sequence[float], counts: Sequence[int]) -> str:
    """Return the clips by the length of their sound."""
    with drawn_svg(1.9) as (_, axes, text):
        axes.bar(edges_s[:-1], counts, width=np.diff(edges_s), align="edge", color=Colour.BLUE, edgecolor="white")
        axes.set_xlabel("seconds", fontsize=8)
        axes.set_ylabel("clips", fontsize=8)
        axes.tick_params(labelsize=7)
        axes.yaxis.get_major_locator().set_params(integer=True)
    return text.getvalue()


def validity_histogram(streams: Sequence[StreamSurvey]) -> str:
    """Return the clips by the share of their frames that are valid: one panel for each stream."""
    edges = np.linspace(0, 100, N_SHARE + 1)
    with drawn_svg(0.5 + 0.85 * len(streams), nrows=len(streams), sharex=True, squeeze=False) as (_, grid, text):
        for axes, stream in zip(grid[:, 0], streams, strict=True):
            axes.bar(
                edges[:-1], stream.clips_by_valid_share, width=100 / N_SHARE, align="edge", color=Colour.GREEN,
                edgecolor="white",
            )  # fmt: skip
            axes.set_title(f"{stream.name}: {stream.valid_share:.1%} of all frames", fontsize=8, loc="left", pad=2)
            axes.set_ylabel("clips", fontsize=8)
            axes.tick_params(labelsize=7)
            axes.yaxis.get_major_locator().set_params(nbins=3, integer=True)
        grid[-1, 0].set_xlabel("valid frames of a clip, %", fontsize=8)
    return text.getvalue()


def column_ranges(columns: Sequence[ColumnSurvey]) -> str:
    """Return how far the ends of each column lie from its mean, and the test part from the train part, in its sd."""
    known = [column for column in columns if column.count and not column.is_constant]
    rows = range(len(known))
    low, high = ([(getattr(c, end) - c.mean) / c.sd for c in known] for end in ("low", "high"))
    with drawn_svg(0.75 + 0.15 * max(len(known), 1)) as (figure, axes, text):
        axes.hlines(rows, low, high, color=Colour.SKY, linewidth=0.9, label="range")
        axes.hlines(rows, [-1.0] * len(known), [1.0] * len(known), color=Colour.BLUE, linewidth=3, label="mean ± 1 sd")
        shifts = [(row, column.shift) for row, column in zip(rows, known, strict=True) if np.isfinite(column.shift)]
        if shifts:
            places, values = zip(*shifts, strict=True)
            axes.plot(values, places, "D", color=Colour.RED, markeredgecolor="white", markersize=4.5, label=_SHIFT)
        _scale(axes, min(low, default=-1.0), max(high, default=1.0))
        axes.set_yticks(rows, [column.name for column in known], fontsize=7)
        axes.set_ylim(len(known) - 0.4, -0.6)
        axes.set_xlabel("standard deviations from the column's mean", fontsize=8)
        axes.tick_params(axis="x", labelsize=7)
        axes.grid(visible=False, axis="y")
        figure.legend(loc="outside upper left", ncols=3, fontsize=7)
    return text.getvalue()


def _scale(axes: Axes, low: float, high: float) -> None:
    """Let an axis of standard deviations be logarithmic where values lie far out."""
    if max(-low, high) > _FAR:
        axes.set_xscale("symlog", linthresh=_FAR)
        ticks = [tick for tick in _FAR_TICKS if 1.3 * low <= tick <= 1.3 * high]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
