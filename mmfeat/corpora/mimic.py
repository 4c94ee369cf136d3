"""MuSe-Mimic (MuSe 2023, Hume-Vidmimic): how strongly people approve, are disappointed, are uncertain.

``labels.csv``, ``partition.csv`` and finished features, ``features/<set>/<id>.csv``. The ids of the tables carry quotes
that the names of the files lack. The partition is the user's own: it is not public.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from mmfeat.corpora.corpus import Corpus, Piece, RawCorpus, RawSources
from mmfeat.corpora.found import Differences
from mmfeat.corpora.raw_tree import MediaFiles, check_root, files_below, first_inside, is_litter
from mmfeat.corpora.tables import DOUBLED, number, required
from mmfeat.csv_table import open_csv, read_rows
from mmfeat.dataset import DatasetInfo, LabelInfo
from mmfeat.errors import InputError
from mmfeat.types import ClipEntry, Split

COLUMNS = {"approval": "Approval_", "disappointment": "Disappointment_", "uncertainty": "Uncertainty_"}
RANGE = (0.0, 1.0)
_PARTS = {"train": Split.TRAIN, "devel": Split.VALID, "dev": Split.VALID, "valid": Split.VALID, "test": Split.TEST}


def read(root: Path, sources: RawSources, *, features: Sequence[str] | None = None) -> RawCorpus:
    """Return the clips of ``labels.csv`` and ``partition.csv``.

    Args:
        root: the folder ``c1_muse_mimic``.
        sources: what lies outside of it.
        features: which sets of finished features are taken; all where None.

    Raises:
        InputError: a table is missing or cannot be read, or there is no such set.
    """
    check_root(root)
    found = Differences()
    table = sources.labels or first_inside(root, ["labels.csv"])
    labels = _labels(required(table, root, "table of labels", "labels.csv"), found)
    table = required(first_inside(root, ["partition.csv"]), root, "partition", "partition.csv")
    parts = _partition(table, found)
    for clip_id in labels:
        if clip_id not in parts:
            found.add("label without partition", clip_id)
    for clip_id, part in parts.items():
        if clip_id not in labels and part != Split.TEST:
            found.add("partition without label", clip_id)
    sets = {
        name: {path.stem: path for path in files_below(folder, {".csv"})}
        for name, folder in _feature_sets(root, features).items()
    }
    media = MediaFiles(root)
    names = list(dict.fromkeys([*parts, *labels]))
    entries = [_entry(name, parts, labels, sets, media, sources, found) for name in names]
    for name, files in sets.items():
        for clip_id in files:
            if clip_id not in parts and clip_id not in labels:
                found.add(f"features {name} without clip", clip_id)
    note = f"the split is that of {table.name}; no list of it is public"
    return RawCorpus(entries=entries, differences=found, notes=(note,))


def _labels(path: Path, found: Differences) -> dict[str, dict[str, float]]:
    labels: dict[str, dict[str, float]] = {}
    for line, row in read_rows(path, "table of labels", ["filename"]):
        clip_id = _bare(row["filename"])
        if clip_id in labels:
            found.add(DOUBLED, clip_id, f"{path.name}, line {line}; the first counts")
            continue
        values = {name: number(row.get(column, ""), RANGE, clip_id, column, found) for name, column in COLUMNS.items()}
        labels[clip_id] = {name: value for name, value in values.items() if value is not None}
    return labels


def _partition(path: Path, found: Differences) -> dict[str, Split]:
    """Return the part of each id: first and last column, whatever their names."""
    with open_csv(path, "partition") as handle:
        rows = [row for row in csv.reader(handle) if row][1:]
    parts: dict[str, Split] = {}
    for row in rows:
        clip_id, name = _bare(row[0]), row[-1].strip().lower()
        if name not in _PARTS:
            found.add("unknown part", clip_id, f"expected train, devel or test, got {row[-1]!r}")
        if clip_id in parts:
            found.add(DOUBLED, clip_id, f"in {path.name}; the first counts")
            continue
        parts[clip_id] = _PARTS.get(name, Split.NONE)
    return parts


def _bare(cell: str) -> str:
    """Return an id without the quotes that the tables carry as characters."""
    return cell.strip().strip('"').strip()


def _feature_sets(root: Path, wanted: Sequence[str] | None) -> dict[str, Path]:
    folder = first_inside(root, ["features"])
    items = () if folder is None else sorted(folder.iterdir())
    sets = {item.name: item for item in items if item.is_dir() and not is_litter(item.name)}
    unknown = [name for name in wanted or () if name not in sets]
    if unknown:
        raise InputError(f"{root}: expected features/{unknown[0]}, found {', '.join(sets) or 'no features'}")
    wanted = list(sets) if wanted is None else wanted
    return {name: sets[name] for name in wanted if any(files_below(sets[name], {".csv"}))}


def _entry(
    clip_id: str,
    parts: dict[str, Split],
    labels: dict[str, dict[str, float]],
    sets: dict[str, dict[str, Path]],
    media: MediaFiles,
    sources: RawSources,
    found: Differences,
) -> ClipEntry:
    audio, video = next(iter(media.sound(clip_id)), None), next(iter(media.video(clip_id)), None)
    if media and audio is None and video is None:
        found.add("clip without file", clip_id)
    return ClipEntry(
        clip_id=clip_id,
        splits={"default": parts.get(clip_id, Split.NONE)},
        audio=audio,
        video=video,
        openface=sources.openface.find(clip_id) if sources.openface else None,
        features={name: _file(files, clip_id) for name, files in sets.items()},
        labels=labels.get(clip_id, {}),
    )


def _file(files: dict[str, Path], clip_id: str) -> Path:
    """Return the features of a clip, or where they should be: the build then says that they are missing."""
    return files[clip_id] if clip_id in files else next(iter(files.values())).with_name(f"{clip_id}.csv")


def mimic_corpus(features: Sequence[str] | None = None) -> Corpus:
    """Return the corpus with chosen sets of finished features; all where None."""
    return Corpus(
        name="mimic",
        info=DatasetInfo(
            name="MuSe-Mimic",
            language="en",
            license="MuSe 2023 end user licence agreement: academic research, no redistribution",
            citation="Christ et al., The MuSe 2023 multimodal sentiment analysis challenge: mimicked emotions, "
            "cross-cultural humour, and personalisation, MuSe 2023",
        ),
        labels=tuple(
            LabelInfo(name=name, value_range=RANGE, convention="intensity, mean of raters, 0 … 1", source="labels.csv")
            for name in COLUMNS
        ),
        read=partial(read, features=features),
        licence_at="https://www.muse-challenge.org/challenge/data",
        pieces=(
            Piece("labels", ("labels.csv",), needed=True),
            Piece("partition", ("partition.csv",), needed=True),
            Piece("finished features", ("features",)),
        ),
    )


MIMIC = mimic_corpus()
