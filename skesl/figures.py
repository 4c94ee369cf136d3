"""The figures of a report, each as one SVG text; in the colours of Okabe and Ito, which the colour-blind tell apart."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mmfeat import MissingExtraError
from skesl.clip_view import ClipView
from skesl.measures import Codes, Values

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, RED, PURPLE, SKY, BLACK = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000",
)  # fmt: skip
COLOURS = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY, BLACK)
_WIDTH = 5.2  # inches: at the width of a phone the letters are still 7 points high
_STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "svg.fonttype": "none",
    "svg.hashsalt": "mmfeat",
    "legend.frameon": False,
}

Record = Mapping[str, Any]


@contextmanager
def _drawn(height: float, *, rows: int = 1, **options: Any) -> Iterator[tuple[Figure, Any, io.StringIO]]:
    """Give a figure with its axes, and write it as SVG afterwards.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingExtraError("matplotlib", extra="report", purpose="a report with figures") from error
    text = io.StringIO()
    with rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        yield figure, figure.subplots(rows, **options), text
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})


def training_curves(logs: Mapping[str, Sequence[Record]], names: Sequence[str], title: str) -> str:
    """Return the numbers of each epoch of one or several runs.

    Args:
        logs: lines of ``metrics.jsonl`` by run.
        names: which numbers; a line style each, a colour for each run.
        title: of the vertical axis.
    """
    with _drawn(2.8) as (_, axes, text):
        for (run, lines), colour in zip(logs.items(), COLOURS * len(logs), strict=False):
            for name, style in zip(names, ("-", "--", ":"), strict=False):
                values = [np.nan if line.get(name) is None else line[name] for line in lines]
                label = " ".join(
                    part for part in (run if len(logs) > 1 else "", name if len(names) > 1 else "") if part
                )
                epochs = [line["epoch"] for line in lines]
                axes.plot(epochs, values, style, color=colour, marker="o", markersize=3, label=label or None)
        axes.set(xlabel="epoch", ylabel=title)
        axes.xaxis.get_major_locator().set_params(integer=True)
        if len(logs) > 1 or len(names) > 1:
            axes.legend(fontsize=8)
    return text.getvalue()


def prediction_against_label(labels: Values, predictions: Values) -> str:
    """Return a scatter plot, both of shape (clip,), with the line on which they are equal."""
    with _drawn(4.4) as (_, axes, text):
        ends = [min(labels.min(), predictions.min()), max(labels.max(), predictions.max())]
        axes.plot(ends, ends, color=BLACK, linewidth=0.8)
        axes.scatter(labels, predictions, s=18, alpha=0.45, color=BLUE, edgecolors="none")
        axes.set(xlabel="label", ylabel="prediction")
    return text.getvalue()


def confusion(truth: Values | Codes, said: Values | Codes, classes: Sequence[tuple[float, str]]) -> str:
    """Return how many clips of each true class were given each class.

    Args:
        truth: shape (clip,).
        said: shape (clip,).
        classes: value and name of each class.
    """
    counts = np.array([[((truth == one) & (said == other)).sum() for other, _ in classes] for one, _ in classes])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = [name for _, name in classes]
    with _drawn(1.2 + 0.5 * len(classes)) as (_, axes, text):
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axes.grid(visible=False)
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=colour)
        axes.set(xlabel="said", ylabel="true", xticks=range(len(names)), yticks=range(len(names)))
        axes.set_xticklabels(names)
        axes.set_yticklabels(names)
    return text.getvalue()


def errors_by_recording(errors: Mapping[str, float], n_clips: Mapping[str, int], *, most: int = 40) -> str:
    """Return the mean absolute error of each recording, the worst first; of many recordings the worst ``most``."""
    worst = sorted(errors, key=lambda name: -errors[name])[:most]
    with _drawn(0.8 + 0.2 * len(worst)) as (_, axes, text):
        axes.barh(range(len(worst)), [errors[name] for name in worst], color=BLUE)
        axes.set(xlabel="mean absolute error", yticks=range(len(worst)))
        axes.set_yticklabels([f"{name} ({n_clips[name]})" for name in worst], fontsize=8)
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
    return text.getvalue()


def ablation_bars(rows: Mapping[str, float], metric: str) -> str:
    """Return one bar for the run and one for each control: what is removed or shuffled."""
    with _drawn(1.0 + 0.3 * len(rows)) as (_, axes, text):
        colours = [BLACK if place == 0 else ORANGE if "shuffled" in row else BLUE for place, row in enumerate(rows)]
        axes.barh(range(len(rows)), list(rows.values()), color=colours)
        for place, value in enumerate(rows.values()):
            axes.text(value, place, f" {value:.3f}", va="center", fontsize=8)
        axes.set(xlabel=metric, yticks=range(len(rows)))
        axes.set_yticklabels([row.replace("_", " ") for row in rows])
        axes.margins(x=0.15)
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
    return text.getvalue()


def robustness_curve(curves: Mapping[str, Mapping[str, float]], metric: str) -> str:
    """Return a metric against the share of what is missing, by kind."""
    with _drawn(2.8) as (_, axes, text):
        for (kind, curve), colour in zip(curves.items(), COLOURS, strict=False):
            axes.plot([float(share) for share in curve], list(curve.values()), "o-", color=colour, label=kind)
        axes.set(xlabel="missing share", ylabel=metric)
        axes.legend(fontsize=8)
    return text.getvalue()


def clip_over_time(view: ClipView) -> str:
    """Return waveform, log-F0, action units, words and attention of one clip on one time axis."""
    panels = list(_panels(view))
    with _drawn(0.8 + 1.15 * len(panels), rows=max(len(panels), 1), sharex=True, squeeze=False) as (_, grid, text):
        for axes, draw in zip(grid[:, 0], panels, strict=False):
            draw(axes)
        grid[-1, 0].set_xlabel("seconds")
    return text.getvalue()


def _panels(view: ClipView) -> Iterator[Callable[[Axes], None]]:
    """Yield what draws each panel of which there is something to draw."""
    if view.waveform is not None:
        yield partial(_draw_waveform, waveform=view.waveform)
    if view.log_f0 is not None:
        yield partial(_draw_pitch, log_f0=view.log_f0)
    for draw, drawn in (
        (_draw_units, view.action_units),
        (_draw_attention, view.attention),
        (_draw_words, view.words),
    ):
        if drawn:
            yield partial(draw, view=view)


def _draw_waveform(axes: Axes, waveform: tuple[Values, Values, Values]) -> None:
    times_s, low, high = waveform
    axes.fill_between(times_s, low, high, color=BLUE, linewidth=0)
    axes.set_ylabel("sound")


def _draw_pitch(axes: Axes, log_f0: tuple[Values, Values]) -> None:
    times_s, values = log_f0
    axes.plot(times_s, values, ".", color=GREEN, markersize=3)
    axes.set_ylabel("log-F0")


def _draw_units(axes: Axes, view: ClipView) -> None:
    for (name, (times_s, values)), colour in zip(view.action_units.items(), COLOURS, strict=False):
        axes.plot(times_s, values, color=colour, linewidth=1, label=name)
    axes.set_ylabel("action units")
    _put_names_above(axes)


def _draw_attention(axes: Axes, view: ClipView) -> None:
    for (name, (times_s, values)), colour in zip(view.attention.items(), COLOURS, strict=False):
        axes.plot(times_s, values, color=colour, linewidth=1, label=name)
    axes.set_ylabel("attention")
    _put_names_above(axes)


def _draw_words(axes: Axes, view: ClipView) -> None:
    for place, (word, start_s, end_s) in enumerate(view.words):
        axes.axvspan(start_s, end_s, color=SKY, alpha=0.25)
        axes.text((start_s + end_s) / 2, 0.2 + 0.3 * (place % 3), word, ha="center", va="center", fontsize=7)
    axes.set(ylim=(0, 1), yticks=[], ylabel="words")


def _put_names_above(axes: Axes) -> None:
    axes.legend(fontsize=7, ncols=4, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0)
