"""The figures of a report, each as one SVG text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmfeat import COLOURS, Colour, drawn_svg
from skesl.measures import Codes, Values

Record = Mapping[str, Any]


def training_curves(logs: Mapping[str, Sequence[Record]], names: Sequence[str], title: str) -> str:
    """Return the numbers of each epoch of one or several runs.

    Args:
        logs: lines of ``metrics.jsonl`` by run.
        names: which numbers; a line style each, a colour for each run.
        title: of the vertical axis.
    """
    with drawn_svg(2.8) as (_, axes, text):
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
    with drawn_svg(4.4) as (_, axes, text):
        ends = [min(labels.min(), predictions.min()), max(labels.max(), predictions.max())]
        axes.plot(ends, ends, color=Colour.BLACK, linewidth=0.8)
        axes.scatter(labels, predictions, s=18, alpha=0.45, color=Colour.BLUE, edgecolors="none")
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
    with drawn_svg(1.2 + 0.5 * len(classes)) as (_, axes, text):
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axes.grid(visible=False)
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=colour)
        axes.set(xlabel="said", ylabel="true", xticks=range(len(names)), yticks=range(len(names)))
        axes.set_xticklabels(names)
        axes.set_yticklabels(names)
    return text.getvalue()


def errors_by_recording(errors: Mapping[str, float], n_clips: Mapping[str, int], error: str, *, most: int = 40) -> str:
    """Return the mean error of each recording, the worst first; of many recordings the worst ``most``.

    Args:
        errors: by recording.
        n_clips: by recording.
        error: its name, of the horizontal axis.
        most: so many are drawn.
    """
    worst = sorted(errors, key=lambda name: -errors[name])[:most]
    with drawn_svg(0.8 + 0.2 * len(worst)) as (_, axes, text):
        axes.barh(range(len(worst)), [errors[name] for name in worst], color=Colour.BLUE)
        axes.set(xlabel=error[:1].lower() + error[1:], yticks=range(len(worst)))
        axes.set_yticklabels([f"{name} ({n_clips[name]})" for name in worst], fontsize=8)
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
    return text.getvalue()


def ablation_bars(rows: Mapping[str, float], metric: str) -> str:
    """Return one bar for the run and one for each control: what is removed or shuffled."""
    with drawn_svg(1.0 + 0.3 * len(rows)) as (_, axes, text):
        colours = [
            Colour.BLACK if place == 0 else Colour.ORANGE if "shuffled" in row else Colour.BLUE
            for place, row in enumerate(rows)
        ]
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
    with drawn_svg(2.8) as (_, axes, text):
        for (kind, curve), colour in zip(curves.items(), COLOURS, strict=False):
            axes.plot([float(share) for share in curve], list(curve.values()), "o-", color=colour, label=kind)
        axes.set(xlabel="missing share", ylabel=metric)
        axes.legend(fontsize=8)
    return text.getvalue()
