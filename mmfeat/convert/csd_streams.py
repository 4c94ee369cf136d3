"""What a computational sequence becomes: a stream with named columns, or labels with names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mmfeat.convert.columns import Columns, columns_for, named_columns
from mmfeat.convert.csd_file import CsdFile
from mmfeat.errors import InputError
from mmfeat.types import StreamInfo

_EMOTIONS = ("happy", "sad", "anger", "surprise", "disgust", "fear")
LABEL_NAMES = {1: ("sentiment",), 6: _EMOTIONS, 7: ("sentiment", *_EMOTIONS)}  # SDK issues 144 and 191
_KINDS = {"covarep": "audio", "facet": "vision", "glove": "text"}


def label_names(labels: CsdFile | None) -> tuple[str, ...]:
    """Return names for the columns of a sequence of labels; none where there is no such sequence.

    Raises:
        InputError: it holds texts.
    """
    if labels is None:
        return ()
    if labels.is_text:
        raise InputError(f"{labels.path}: expected labels that are numbers, got texts; give it among the sequences")
    names = labels.dimension_names or LABEL_NAMES.get(labels.width, [f"label_{i}" for i in range(labels.width)])
    cleaned = [name.replace("/", "_") if name.strip(".") else f"label_{i}" for i, name in enumerate(names)]
    return named_columns(cleaned).names


def sequence_origin(file: CsdFile) -> dict[str, Any]:
    """Return what ``export_csd`` needs to give a sequence back: its root name and metadata."""
    return {"root": file.root, "metadata": file.metadata}


def sequence_info(name: str, file: CsdFile) -> StreamInfo:
    """Return columns and origin of the stream that a sequence becomes."""
    return _columns(name, file).stream_info(name, config=sequence_origin(file), has_intervals=True)


def _columns(name: str, file: CsdFile) -> Columns:
    """Return the columns by the file's own names, else by what is known of its kind."""
    lowered = f"{name} {file.root}".lower()
    kind = next((kind for word, kind in _KINDS.items() if word in lowered), name)
    known = columns_for(kind, file.width)
    if not file.dimension_names:
        return known
    return replace(known, names=named_columns(file.dimension_names).names, note="")
