"""The figures of a dataset's report, each as one SVG text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from mmfeat.data_report.labels import LabelSurvey
from mmfeat.data_report.streams import N_SHARE, ColumnSurvey, StreamSurvey
from mmfeat.display import Colour, drawn_svg

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
    """Return the range, and the mean with one standard deviation, of each column; none of them without values."""
    known = [column for column in columns if column.count]
    rows = range(len(known))
    with drawn_svg(0.6 + 0.135 * len(known)) as (_, axes, text):
        axes.hlines(rows, [c.low for c in known], [c.high for c in known], color=Colour.SKY, linewidth=1)
        axes.hlines(
            rows, [c.mean - c.sd for c in known], [c.mean + c.sd for c in known], color=Colour.BLUE, linewidth=4
        )
        axes.plot([c.mean for c in known], rows, "|", color="white", markersize=5)
        largest = max((max(abs(c.low), abs(c.high)) for c in known), default=1.0)
        if largest > 20:
            axes.set_xscale("symlog", linthresh=1.0)
        axes.set_yticks(rows, [column.name for column in known], fontsize=6)
        axes.set_ylim(len(known) - 0.4, -0.6)
        axes.tick_params(axis="x", labelsize=7)
        axes.grid(visible=False, axis="y")
    return text.getvalue()
