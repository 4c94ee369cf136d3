"""Describe a dataset file: what is in it, from its tables alone."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from mmfeat.dataset.damage import refusing_damage
from mmfeat.dataset.reader import DatasetReader
from mmfeat.types import Split


def describe(path: Path | str) -> dict[str, Any]:
    """Return counts, durations, splits, labels, streams and failures as plain nested values.

    Raises:
        InputError: there is no such file, it is not HDF5, or it is damaged.
        SchemaError: it is not a dataset of this format.
    """
    with DatasetReader(path) as reader, refusing_damage(Path(path)):
        return {
            "name": reader.attributes["name"],
            "format_version": reader.attributes["format_version"],
            "content_sha256": reader.attributes["content_sha256"],
            "n_clip": reader.n_clip,
            "n_recording": reader.n_recording,
            "n_text": reader.n_text,
            "duration_s": float(np.nansum(reader.durations_s)),
            "splits": {name: _split(reader, name) for name in reader.scheme_names},
            "labels": {name: _label(reader, name) for name in reader.label_names},
            "streams": {name: _stream(reader, name) for name in reader.stream_names},
            "failures": dict(Counter(f"{stage}: {code}" for stage, code in reader.failure_codes())),
        }


def format_description(description: dict[str, Any]) -> str:
    """Return a description as a table of one fact a line."""
    rows = [
        ("dataset", f"{description['name']} (format {description['format_version']})"),
        (
            "clips",
            f"{description['n_clip']} in {description['n_recording']} recordings, {description['n_text']} with text",
        ),
        ("sound", f"{description['duration_s'] / 60:.1f} minutes"),
    ]
    for name, counts in description["splits"].items():
        text = " · ".join(f"{part} {count}" for part, count in counts.items() if part != "recording_disjoint")
        note = "" if counts["recording_disjoint"] else " (recordings shared between parts)"
        rows.append((f"split {name}", text + note))
    for name, label in description["labels"].items():
        values = f"{label['min']:g} … {label['max']:g}, mean {label['mean']:.3g}" if label["n_present"] else "no values"
        rows.append((f"label {name}", f"{label['problem']}, {label['n_present']} clips, {values}"))
    for name, stream in description["streams"].items():
        size = f"x {stream['n_feature']}" if "n_feature" in stream else f"of {stream['height']} x {stream['width']}"
        text = f"{stream['n_clip']} clips, {stream['n_frame']} frames {size} ({stream['preset']})"
        if "n_byte" in stream:
            text += f", {stream['codec']}, {stream['n_byte'] / 1e6:.1f} MB"
        rows.append((f"stream {name}", text))
    for reason, count in description["failures"].items():
        rows.append(("failed", f"{reason} ({count})"))
    rows.append(("content", description["content_sha256"][:16]))
    width = max(len(title) for title, _ in rows)
    return "\n".join(f"{title:<{width}}  {text}" for title, text in rows)


def _split(reader: DatasetReader, scheme: str) -> dict[str, Any]:
    parts = reader.parts(scheme)
    counts: dict[str, Any] = {part.name.lower(): int((parts == part).sum()) for part in Split}
    return {**counts, "recording_disjoint": reader.recording_disjoint(scheme)}


def _label(reader: DatasetReader, name: str) -> dict[str, Any]:
    table = reader.labels(name)
    values = table.values[table.present].astype(np.float64)
    summary: dict[str, Any] = {"problem": table.problem, "n_present": int(table.present.sum())}
    if values.size:
        summary |= {"min": float(values.min()), "max": float(values.max()), "mean": float(values.mean())}
    return summary


def _stream(reader: DatasetReader, name: str) -> dict[str, Any]:
    info = reader.info(name)
    summary: dict[str, Any] = {
        "n_clip": reader.n_ok(name),
        "n_frame": int(reader.offsets(name)[-1]),
        "extractor": f"{info.extractor} {info.extractor_version}",
        "preset": info.preset,
        "hop_s": info.hop_s,
    }
    if not info.codec:
        return {**summary, "n_feature": len(info.feature_names)}
    images = {"codec": info.codec, "height": info.height, "width": info.width, "n_byte": reader.n_byte(name)}
    return {**summary, **images}
