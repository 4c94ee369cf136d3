"""What a corpus is: its labels, its published split, its licence, and the function that reads its raw tree.

A module of this package maps one raw tree to clips and says what does not fit; it extracts nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmfeat.corpora.found import Differences
from mmfeat.corpora.openface_files import OpenFaceFiles
from mmfeat.dataset import DatasetInfo, LabelInfo
from mmfeat.transcripts import TranscriptTable
from mmfeat.types import ClipEntry, Split


@dataclass(frozen=True, kw_only=True)
class RawSources:
    """What lies outside of the raw tree.

    Args:
        labels: the table of labels, where it is not in the tree.
        openface: the csv files of OpenFace.
        recognised: texts of a recogniser, in place of the transcripts.
    """

    labels: Path | None = None
    openface: OpenFaceFiles | None = None
    recognised: TranscriptTable | None = None


@dataclass(frozen=True, kw_only=True)
class RawCorpus:
    """What was found in a raw tree.

    Args:
        entries: the clips in the order of the file; a corpus of a million clips makes them one by one.
        differences: what does not fit the published lists, or is there twice, or lacks its counterpart.
        notes: sentences that a person should read before trusting the values.
        words: where the words of the clips come from, as JSON values; None: no words.
        has_published_ids: the clips are named as in the published split; else only their numbers are compared.
    """

    entries: Sequence[ClipEntry]
    differences: Differences = field(default_factory=Differences)
    notes: tuple[str, ...] = ()
    words: Mapping[str, Any] | None = None
    has_published_ids: bool = True


@dataclass(frozen=True)
class Piece:
    """A piece of a raw tree: what it is, and where it may lie, ``*`` standing for any letters of a file's name."""

    what: str
    places: tuple[str, ...]
    needed: bool = False


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """One corpus.

    Args:
        name: of the command ``build-NAME``.
        info: name, language, licence and citation of the dataset.
        labels: of the clips.
        read: returns what is in a raw tree.
        expected: clips of each part in each scheme, by the published split.
        published: returns the published part of each clip id in the scheme ``default``, where it is known.
        licence_at: where the licence is asked for.
        pieces: of the raw tree; what is needed comes first.
        face_source: returns the video or the folder of pictures from which OpenFace gets the face of a clip.
    """

    name: str
    info: DatasetInfo
    labels: tuple[LabelInfo, ...]
    read: Callable[[Path, RawSources], RawCorpus]
    expected: Mapping[str, Mapping[Split, int]] = field(default_factory=dict)
    published: Callable[[], Mapping[str, Split]] | None = None
    licence_at: str = ""
    pieces: tuple[Piece, ...] = ()
    face_source: Callable[[ClipEntry], Path | None] = lambda entry: entry.video


def emotion_labels(names: tuple[str, ...], *, convention: str, source: str) -> tuple[LabelInfo, ...]:
    """Return the labels of emotions of which a clip may have several: one for each, 1 where the clip has it."""
    return tuple(
        LabelInfo(
            name=name,
            problem="multilabel",
            value_range=(0.0, 1.0),
            class_names=names,
            convention=convention,
            source=source,
        )
        for name in names
    )


def counts(train: int, valid: int, test: int) -> dict[str, dict[Split, int]]:
    """Return the expected clips of the scheme ``default``; a part of 0 clips is left out."""
    parts = {Split.TRAIN: train, Split.VALID: valid, Split.TEST: test}
    return {"default": {part: count for part, count in parts.items() if count}}
