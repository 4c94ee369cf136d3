"""Which clips and which label a stage uses."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mmfeat import DatasetReader, Float32Array, Float64Array, InputError, LabelTable, Split

Indices = npt.NDArray[np.int64]


def choose_label(reader: DatasetReader, name: str | None) -> LabelTable:
    """Return the label table; where no name is given the file must have exactly one label.

    Raises:
        InputError: no such label, or a choice has to be made.
    """
    known = reader.label_names
    if name is not None:
        return reader.labels(name)
    if len(known) != 1:
        listed = ", ".join(known) or "none"
        raise InputError(f"{reader.path}: expected one label, it has {len(known)} ({listed}); choose with --label NAME")
    return reader.labels(known[0])


def labelled_clips(reader: DatasetReader, label: LabelTable, scheme: str, part: Split) -> Indices:
    """Return the clips of one part that have the label.

    Raises:
        InputError: there are none.
    """
    indices = reader.members(scheme, part)
    labelled = indices[label.present[indices]]
    if not labelled.size:
        raise InputError(
            f"{reader.path}: expected clips with the label {label.name!r} in the {part.name.lower()} part of the split "
            f"{scheme!r}, got {indices.size} clip(s) there and 0 with the label; add them to the manifest"
        )
    return labelled


def pretraining_clips(reader: DatasetReader, scheme: str) -> Indices:
    """Return the clips with text that are not kept for validation or test.

    Raises:
        InputError: there are none, or the file has schemes but not this one.
    """
    free = np.arange(reader.n_clip, dtype=np.int64)
    if reader.scheme_names or scheme != "default":
        parts = reader.parts(scheme)
        free = free[(parts != Split.VALID) & (parts != Split.TEST)]
    spoken = free[[bool(reader.texts[index].strip()) for index in free]]
    if not spoken.size:
        raise InputError(
            f"{reader.path}: expected clips with text outside valid and test, got {free.size} clip(s) and 0 with text; "
            "pretraining hides a word of the text"
        )
    return spoken


def limit_neutral(indices: Indices, neutral: npt.NDArray[np.bool_], fraction: float, *, seed: int) -> Indices:
    """Return clips of which at most a fraction is neutral, in their order; which of those stay is drawn.

    Args:
        indices: the clips.
        neutral: bool, shape (clip,), True for clips without a sentiment word.
        fraction: of the clips that are returned, in [0, 1].
        seed: of the draw.
    """
    n_neutral = int(neutral.sum())
    n_other = indices.size - n_neutral
    n_kept = n_neutral if fraction >= 1.0 else min(n_neutral, int(fraction / (1.0 - fraction) * n_other + 1e-9))
    drawn = np.random.default_rng(seed).permutation(np.flatnonzero(neutral))[:n_kept]
    kept = ~neutral
    kept[drawn] = True
    return indices[kept]


def as_written(values: Float32Array) -> Float64Array:
    """Return labels as the shortest decimals that the file's float32 stand for: 0.1, not 0.10000000149.

    The bins of CH-SIMS end at tenths; with the tail of float32 a label on an edge would fall beyond it.
    """
    return values.astype(str).astype(np.float64)
