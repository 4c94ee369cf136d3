"""Which clips and which label a stage uses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mmfeat import DatasetReader, Float32Array, Float64Array, InputError, LabelTable, Split
from skesl.task import MER23_CLASSES, Problem, Task

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


def choose_labels(reader: DatasetReader, names: Sequence[str]) -> tuple[LabelTable, ...]:
    """Return label tables that can be predicted together; where none is named the file must have exactly one label.

    Of a class and a regression the class comes first, whatever their order.

    Raises:
        InputError: no such label, one is named twice, or no measure takes them together.
    """
    tables = tuple(choose_label(reader, name) for name in (names or (None,)))
    if len({table.name for table in tables}) < len(tables):
        raise InputError(f"{reader.path}: expected different labels, got {', '.join(names)}")
    problem_of(reader, tables)
    return tuple(sorted(tables, key=lambda table: table.problem != "class"))


def problem_of(reader: DatasetReader, labels: Sequence[LabelTable]) -> Problem:
    """Return the problem that some labels pose together.

    Raises:
        InputError: they pose none.
    """
    problems = [label.problem for label in labels]
    if set(problems) == {"multilabel"}:
        return "multilabel"
    if set(problems) == {"regression"}:
        return "regression" if len(labels) == 1 else "regressions"
    if problems == ["class"]:
        return "class"
    emotion = [label for label in labels if label.problem == "class"]
    if sorted(problems) == ["class", "regression"] and set(emotion[0].class_names) == set(MER23_CLASSES):
        return "mer23"
    listed = ", ".join(f"{label.name} ({label.problem})" for label in labels)
    raise InputError(
        f"{reader.path}: expected one label, several yes-or-no labels, several regressions, or MER23's emotion and "
        f"valence, got {listed}; name fewer with --label"
    )


def task_of(reader: DatasetReader, labels: Sequence[LabelTable]) -> Task:
    """Return what some labels ask for; classes without names go by their numbers.

    Raises:
        InputError: they pose no problem together, or a label is no class that has a name.
    """
    problem = problem_of(reader, labels)
    names: tuple[str, ...] = ()
    if problem in ("class", "mer23"):
        values = labels[0].values[labels[0].present]
        names = labels[0].class_names or tuple(map(str, range(int(values.max(initial=0)) + 1)))
    task = Task(problem=problem, labels=tuple(label.name for label in labels), class_names=names)
    present = np.logical_and.reduce([label.present for label in labels])
    task.check(label_values(labels)[present].astype(np.float64))
    return task


def label_values(labels: Sequence[LabelTable]) -> Float32Array:
    """Return labels as columns, shape (clip of the file, label)."""
    return np.stack([label.values for label in labels], axis=1)


def known_values(reader: DatasetReader, name: str) -> Float32Array:
    """Return the values of a label, shape (clip of the file,): NaN where a clip or the whole file has none."""
    if name not in reader.label_names:
        return np.full(reader.n_clip, np.nan, dtype=np.float32)
    table = reader.labels(name)
    return np.where(table.present, table.values, np.float32(np.nan))


def labelled_clips(reader: DatasetReader, labels: Sequence[LabelTable], scheme: str, part: Split) -> Indices:
    """Return the clips of one part that have every one of the labels.

    Raises:
        InputError: there are none.
    """
    indices = reader.members(scheme, part)
    labelled = indices[np.logical_and.reduce([label.present[indices] for label in labels])]
    if not labelled.size:
        names = ", ".join(repr(label.name) for label in labels)
        raise InputError(
            f"{reader.path}: expected clips with the label {names} in the {part.name.lower()} part of the split "
            f"{scheme!r}, got {indices.size} clip(s) there and 0 with the label; add them to the manifest"
        )
    return labelled


def pretraining_clips(reader: DatasetReader, scheme: str, *, streams: Sequence[str] = ()) -> Indices:
    """Return the clips to learn from that are not kept for validation or test: those with text, or with streams.

    Args:
        reader: the dataset file.
        scheme: split scheme.
        streams: where named, the clips with valid frames in each of these streams, whatever their text.

    Raises:
        InputError: there are none, or the file has schemes but not this one.
    """
    free = np.arange(reader.n_clip, dtype=np.int64)
    if reader.scheme_names or scheme != "default":
        parts = reader.parts(scheme)
        free = free[(parts != Split.VALID) & (parts != Split.TEST)]
    if streams:
        return _clips_with(reader, free, streams)
    spoken = free[[bool(reader.texts[index].strip()) for index in free]]
    if not spoken.size:
        raise InputError(
            f"{reader.path}: expected clips with text outside valid and test, got {free.size} clip(s) and 0 with text; "
            "pretraining hides a word of the text"
        )
    return spoken


def _clips_with(reader: DatasetReader, indices: Indices, streams: Sequence[str]) -> Indices:
    for stream in streams:
        has_frames = np.diff(reader.offsets(stream)) > 0
        indices = indices[has_frames[indices]]
    if not indices.size:
        raise InputError(
            f"{reader.path}: expected clips with {' and '.join(streams)} outside valid and test, got none; "
            "the method learns from them"
        )
    return indices


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
