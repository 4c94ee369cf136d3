"""How labels and durations are spread over the parts of a split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mmfeat.dataset import LabelTable
from mmfeat.types import Float64Array, Split

_MOST_VALUES = 31  # a label with so few different values has a bar for each
_N_BIN = 30


@dataclass(frozen=True, kw_only=True)
class PartOfLabel:
    """The label in one part: clips that have it, and the mean, spread, median and range of their values."""

    n_clip: int
    mean: float
    sd: float
    median: float
    low: float
    high: float
    counts: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class LabelSurvey:
    """One label.

    Args:
        name: of the label.
        problem: regression, class or multilabel.
        class_names: of the classes 0, 1, ….
        edges: of the bins in which ``counts`` of each part counts clips.
        centres: what stands below each bin: a value of its own, or the middle of the bin.
        parts: by name, for the parts that have the label.
    """

    name: str
    problem: str
    class_names: tuple[str, ...]
    edges: tuple[float, ...]
    centres: tuple[float, ...]
    parts: dict[str, PartOfLabel]

    @property
    def n_clip(self) -> int:
        """Clips that have the label."""
        return sum(part.n_clip for part in self.parts.values())


def survey_label(label: LabelTable, parts: npt.NDArray[np.uint8]) -> LabelSurvey:
    """Return how a label is spread over the parts; values that are not finite are left out."""
    usable = label.present & np.isfinite(label.values)
    values = label.values.astype(np.float64)
    edges, centres = _bins(values[usable])
    rows = {part.name.lower(): values[usable & (parts == part)] for part in Split}
    return LabelSurvey(
        name=label.name,
        problem=label.problem,
        class_names=label.class_names,
        edges=tuple(edges.tolist()),
        centres=tuple(centres.tolist()),
        parts={name: _part(row, edges) for name, row in rows.items() if row.size},
    )


def _part(values: Float64Array, edges: Float64Array) -> PartOfLabel:
    return PartOfLabel(
        n_clip=values.size,
        mean=float(values.mean()),
        sd=float(values.std()),
        median=float(np.median(values)),
        low=float(values.min()),
        high=float(values.max()),
        counts=tuple(np.histogram(values, bins=edges)[0].tolist()),
    )


def _bins(values: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Return edges and centres of bins: one for each value where they are few, else equal ones."""
    different = np.unique(values)
    if not different.size:
        return np.array([0.0, 1.0]), np.array([0.5])
    if different.size <= _MOST_VALUES:
        middles = (different[1:] + different[:-1]) / 2
        half = np.diff(different).min() / 2 if different.size > 1 else 0.5
        return np.concatenate([[different[0] - half], middles, [different[-1] + half]]), different
    edges = np.linspace(different[0], different[-1], _N_BIN + 1)
    return edges, (edges[1:] + edges[:-1]) / 2
