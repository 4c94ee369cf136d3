"""What each panel of a clip's figure draws; all panels share the time axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mmfeat.display import COLOURS, Colour
from mmfeat.plot.spectrogram import HIGHEST_HZ, LOWEST_HZ, spectrogram
from mmfeat.types import BoolArray, Float32Array, Float64Array, FrameFeatures, Waveform

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Track = tuple[Float64Array, Float64Array]
"""Times in seconds and values."""
Word = tuple[str, float, float]
"""A word with its start and end in seconds."""

_MOST_COLUMNS = 1_500  # of a picture; of more, neighbours are averaged
_PALE = "#f2f2f2"
_LETTER = 0.065  # width in inches of a letter of 7 points, about
_FREQUENCY_TICKS = (50, 100, 200, 500, 1_000, 2_000, 4_000, 8_000)
_ACTIONS = {
    "AU01": "inner brow raiser", "AU02": "outer brow raiser", "AU04": "brow lowerer", "AU05": "upper lid raiser",
    "AU06": "cheek raiser", "AU07": "lid tightener", "AU09": "nose wrinkler", "AU10": "upper lip raiser",
    "AU12": "lip corner puller", "AU14": "dimpler", "AU15": "lip corner depressor", "AU17": "chin raiser",
    "AU20": "lip stretcher", "AU23": "lip tightener", "AU25": "lips part", "AU26": "jaw drop", "AU28": "lip suck",
    "AU45": "blink",
}  # fmt: skip
"""What each action unit does; Ekman, Friesen and Hager, Facial Action Coding System, 2002."""


def draw_sound(axes: Axes, _bar: Axes, *, sound: Waveform) -> None:
    """Draw the lowest and the highest sample of each of so many stretches."""
    stretches = np.array_split(sound.samples, min(_MOST_COLUMNS, sound.samples.size))
    times_s = np.linspace(0, sound.duration_s, len(stretches), endpoint=False)
    low, high = ([float(end(part)) for part in stretches] for end in (np.min, np.max))
    axes.fill_between(times_s, low, high, color=Colour.BLUE, linewidth=0.3)
    largest = max(*map(abs, low), *map(abs, high), 1e-6)
    axes.set(ylim=(-1.05 * largest, 1.05 * largest), yticks=[0])
    _name(axes, "sound")


def draw_pitch(axes: Axes, bar: Axes, *, sound: Waveform | None, frames: FrameFeatures | None) -> None:
    """Draw log-F0 on an axis of Hz, over the spectrogram where the sound is at hand."""
    lowest_hz, highest_hz = LOWEST_HZ, 500.0
    if sound is not None:
        found = spectrogram(sound)
        highest_hz = min(HIGHEST_HZ, float(found.frequencies_hz[-1]))
        edges_hz = np.sqrt(found.frequencies_hz[1:] * found.frequencies_hz[:-1])
        rows = np.concatenate([[LOWEST_HZ], edges_hz, [highest_hz]])
        image = axes.pcolormesh(
            _edges(found.times_s), rows, found.levels_db, cmap="Greys", vmin=-70, vmax=0, rasterized=True
        )
        _draw_bar(axes, bar, image, "dB", [-60, -30, 0])
    if frames is not None:
        times_s, hz = _voiced(frames)
        lowest_hz, highest_hz = min(lowest_hz, 0.9 * hz.min(initial=np.inf)), max(highest_hz, 1.1 * hz.max(initial=0.0))
        axes.plot(times_s, hz, ".", color="white", markersize=5)
        axes.plot(times_s, hz, ".", color=Colour.ORANGE, markersize=3)
    axes.set(yscale="log", ylim=(lowest_hz, highest_hz))
    ticks = [hz for hz in _FREQUENCY_TICKS if hz <= highest_hz]
    axes.set_yticks(ticks, [f"{hz / 1000:g}k" if hz >= 1000 else str(hz) for hz in ticks])
    axes.minorticks_off()
    axes.grid(visible=False)
    _name(axes, "log-F0\n(Hz)" if frames is not None else "spectrum\n(Hz)")


def _voiced(frames: FrameFeatures) -> Track:
    """Return the times and the pitch in Hz of the voiced frames."""
    shown = frames.valid if frames.voiced is None else frames.valid & frames.voiced
    values = frames.values[shown, frames.names.index("log_f0")].astype(np.float64)
    return frames.times_s[shown], np.exp(values)


def draw_picture(
    axes: Axes,
    bar: Axes,
    *,
    frames: FrameFeatures,
    columns: Sequence[int],
    title: str,
    ticks: Mapping[int, str],
    as_deviations: bool,
) -> None:
    """Draw columns of features as a picture, the first one at the bottom; frames that are not valid stay pale.

    Args:
        axes: where to draw.
        bar: where the scale of the colours is drawn.
        frames: the features.
        columns: which of them.
        title: what they are.
        ticks: names of some of the rows.
        as_deviations: show how many standard deviations of this clip a value lies from its column's mean here.
    """
    values = frames.values[:, list(columns)].astype(np.float64)
    if as_deviations:
        spread = values[frames.valid].std(axis=0) if frames.valid.any() else np.ones(len(columns))
        middle = values[frames.valid].mean(axis=0) if frames.valid.any() else np.zeros(len(columns))
        values = (values - middle) / np.where(spread > 0, spread, 1.0)
    times_s, values = _condensed(frames.times_s, np.where(frames.valid[:, None], values, np.nan))
    low, high = (-3.0, 3.0) if as_deviations else (0.0, max(1.0, float(np.nanmax(values, initial=0.0))))
    image = axes.pcolormesh(
        _edges(times_s),
        np.arange(len(columns) + 1),
        np.ma.masked_invalid(values.T),
        cmap="PuOr_r" if as_deviations else "cividis",
        vmin=low,
        vmax=high,
        rasterized=True,
    )
    axes.set_facecolor(_PALE)
    axes.set_yticks([row + 0.5 for row in ticks], list(ticks.values()), fontsize=7)
    axes.grid(visible=False)
    _draw_bar(axes, bar, image, "sd" if as_deviations else "", [low, (low + high) / 2, high])
    _name(axes, title)


def draw_units(axes: Axes, _bar: Axes, *, frames: FrameFeatures, columns: Sequence[int], title: str) -> None:
    """Draw the intensity of action units as curves above one another, with gaps where no face was tracked."""
    times_s, values = _condensed(
        frames.times_s, np.where(frames.valid[:, None], frames.values[:, list(columns)].astype(np.float64), np.nan)
    )
    step = max(1.0, float(np.nanmax(values, initial=0.0)))
    for row, curve in enumerate(values.T[::-1]):
        axes.axhline(row * step, color="#bbbbbb", linewidth=0.5)
        axes.fill_between(times_s, row * step, row * step + curve, color=Colour.SKY, alpha=0.25, linewidth=0)
        axes.plot(times_s, row * step + curve, color=Colour.BLUE, linewidth=0.9)
    names = [frames.names[column].partition("_")[0] for column in columns[::-1]]
    axes.set_yticks([row * step for row in range(len(columns))], names, fontsize=7)
    for row, name in enumerate(names):
        _beside(axes, row * step, _ACTIONS.get(name, ""))
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-0.1 * step, (len(columns) + 0.1) * step)
    axes.grid(visible=False, axis="y")
    _name(axes, f"{title}\n0 … {step:.1f} each")


def draw_lines(axes: Axes, _bar: Axes, *, tracks: Mapping[str, Track], title: str) -> None:
    """Draw curves of one panel with their names above it."""
    for (name, (times_s, values)), colour in zip(tracks.items(), COLOURS, strict=False):
        axes.plot(times_s, values, color=colour, linewidth=1, label=name)
    axes.legend(fontsize=7, ncols=4, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0)
    _name(axes, title)


def draw_validity(axes: Axes, _bar: Axes, *, rows: Mapping[str, tuple[FrameFeatures, BoolArray]]) -> None:
    """Draw where the frames of each stream are valid, and voiced; the share stands beside it."""
    for row, (frames, flags) in enumerate(list(rows.values())[::-1]):
        axes.broken_barh([(0, float(frames.times_s[-1]))], (row + 0.15, 0.7), color="#dddddd")
        axes.broken_barh(_stretches(frames, flags), (row + 0.15, 0.7), color=Colour.GREEN)
        _beside(axes, row + 0.35, f"{flags.mean():.0%}")
    axes.set(ylim=(0, len(rows)))
    axes.set_yticks([row + 0.5 for row in range(len(rows))], list(rows)[::-1], fontsize=7)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    _name(axes, "valid")


def draw_words(axes: Axes, _bar: Axes, *, words: Sequence[Word], rows: Sequence[int | None]) -> None:
    """Draw each word in a stretch of its length, in the row that ``word_rows`` gives it."""
    n_row = 1 + max((row for row in rows if row is not None), default=0)
    for (word, start_s, end_s), row in zip(words, rows, strict=True):
        low = n_row - 1 - (row or 0)
        axes.broken_barh([(start_s, end_s - start_s)], (low, 0.9), color=Colour.SKY, alpha=0.25)
        axes.plot([start_s, start_s], [low, low + 0.9], color=Colour.SKY, linewidth=0.8)
        if row is not None:
            axes.annotate(
                word, (start_s, low + 0.42), (2, 0), textcoords="offset points", va="center", fontsize=7,
                annotation_clip=True,
            )  # fmt: skip
    axes.set(ylim=(0, n_row), yticks=[])
    _name(axes, "words")


def word_rows(words: Sequence[Word], inches_per_s: float, n_most: int) -> list[int | None]:
    """Return the first row in which each word has room beside those before it, None where none of ``n_most`` has."""
    ends_s = [-np.inf] * n_most
    rows: list[int | None] = []
    for word, start_s, end_s in words:
        row = next((row for row, row_end_s in enumerate(ends_s) if row_end_s <= start_s), None)
        if row is not None:
            ends_s[row] = max(end_s, start_s + (len(word) + 1) * _LETTER / inches_per_s)
        rows.append(row)
    return rows


def _beside(axes: Axes, height: float, words: str) -> None:
    """Write something to the right of a panel."""
    text = axes.text(1.008, height, words, transform=axes.get_yaxis_transform(), fontsize=6.5, va="baseline")
    text.set_in_layout(False)  # the column of the scales of colours has room for it


def _name(axes: Axes, title: str) -> None:
    axes.set_ylabel(title, fontsize=8)
    axes.tick_params(labelsize=7)
    axes.tick_params(axis="x", length=0)


def _draw_bar(axes: Axes, bar: Axes, image: Any, title: str, ticks: Sequence[float]) -> None:
    """Draw the scale of a picture's colours beside it."""
    inside = bar.inset_axes((0.05, 0.0, 0.12, 1.0))
    colour_bar = axes.figure.colorbar(image, cax=inside)
    colour_bar.set_ticks(list(ticks), labels=[f"{tick:.2g}" for tick in ticks])
    inside.tick_params(labelsize=6.5, length=2)
    inside.grid(visible=False)
    inside.set_ylabel(title, fontsize=6.5, labelpad=1)


def _edges(times_s: Float64Array) -> Float64Array:
    """Return where the columns of a picture end, half-way between their centres."""
    if times_s.size == 1:
        return np.array([times_s[0] - 0.02, times_s[0] + 0.02])
    middles = (times_s[1:] + times_s[:-1]) / 2
    return np.concatenate([[times_s[0] * 2 - middles[0]], middles, [times_s[-1] * 2 - middles[-1]]])


def _condensed(times_s: Float64Array, values: Float64Array) -> Track:
    """Return times and values with neighbours averaged, so that there are no more than a picture can show."""
    size = -(-times_s.size // _MOST_COLUMNS)
    if size == 1:
        return times_s, values
    starts = np.arange(0, times_s.size, size)
    counts = np.diff([*starts, times_s.size])
    known = ~np.isnan(values)
    n_known = np.add.reduceat(known, starts, axis=0, dtype=np.int64)
    sums = np.add.reduceat(np.where(known, values, 0.0), starts, axis=0)
    return np.add.reduceat(times_s, starts) / counts, np.where(n_known > 0, sums / np.maximum(n_known, 1), np.nan)


def _stretches(frames: FrameFeatures, flags: BoolArray) -> list[tuple[float, float]]:
    """Return start and length in seconds of each stretch of frames whose flag is set."""
    edges_s = np.maximum(_edges(frames.times_s), 0.0)
    changes = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [
        (float(edges_s[a]), float(edges_s[b] - edges_s[a])) for a, b in zip(changes[::2], changes[1::2], strict=True)
    ]


def most_moving(values: Float32Array, valid: BoolArray, columns: Sequence[int], n_most: int) -> list[int]:
    """Return the columns with the largest standard deviations over valid frames, in their own order."""
    if not valid.any():
        return list(columns[:n_most])
    spreads = values[valid][:, list(columns)].astype(np.float64).std(axis=0)
    return sorted(np.asarray(columns)[np.argsort(-spreads, kind="stable")[:n_most]].tolist())
