"""CH-SIMS and CH-SIMS v2: Chinese film and television clips with one label for all modalities and one for each.

``Raw/<video>/<clip>.mp4`` and a table of labels. Clip ids are ``video_clip`` with the zeros of the file names.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from mmfeat.corpora.corpus import Corpus, Piece, RawCorpus, RawSources, counts
from mmfeat.corpora.facts import published_split
from mmfeat.corpora.found import Differences
from mmfeat.corpora.labelled import LabelledRow, labelled_rows
from mmfeat.corpora.raw_tree import MediaFiles, check_root, first_inside, inside
from mmfeat.corpora.tables import required
from mmfeat.dataset import DatasetInfo, LabelInfo
from mmfeat.types import ClipEntry

RANGE = (-1.0, 1.0)
_COLUMNS = {"sentiment": "label", "sentiment_T": "label_T", "sentiment_A": "label_A", "sentiment_V": "label_V"}
_MODALITIES = {
    "sentiment": "all modalities",
    "sentiment_T": "text alone",
    "sentiment_A": "sound alone",
    "sentiment_V": "picture alone",
}


def read(root: Path, sources: RawSources, *, name: str) -> RawCorpus:
    """Return the clips of a raw tree: one for each row of the labels.

    Args:
        root: the folder of ``label.csv`` (v2: ``meta.csv``) and ``Raw``.
        sources: what lies outside of it.
        name: of the published split, ``sims`` or ``simsv2``.

    Raises:
        InputError: there is no table of labels, or it cannot be read.
    """
    check_root(root)
    found = Differences()
    table = sources.labels or first_inside(root, ["label.csv"], ["meta.csv"], ["labels.csv"])
    table = required(table, root, "table of labels", "label.csv, or meta.csv of v2")
    rows = labelled_rows(table, _COLUMNS, RANGE, published_split(name), found)
    media = MediaFiles(inside(root, "Raw"), n_parts=2)
    known = {f"{row.recording_id}/{row.clip}" for row in rows}
    for other in sorted(media.names() - known):
        found.add("file without label", other)
    return RawCorpus(entries=[_entry(row, media, sources, found) for row in rows], differences=found)


def _entry(row: LabelledRow, media: MediaFiles, sources: RawSources, found: Differences) -> ClipEntry:
    name = f"{row.recording_id}/{row.clip}"
    video, audio = row.media(media.video(name), found), row.media(media.sound(name), found)
    if media.folder is not None and video is None and audio is None:
        found.add("clip without file", row.clip_id)
        video = media.folder / f"{name}.mp4"
    return row.entry(
        audio=audio,
        video=video,
        openface=sources.openface.find(row.clip_id, name, f"Raw/{name}") if sources.openface else None,
    )


def _corpus(name: str, title: str, expected: tuple[int, int, int], citation: str, licence_at: str) -> Corpus:
    return Corpus(
        name=name,
        info=DatasetInfo(
            name=title, language="zh", license="research use, by request to the authors", citation=citation
        ),
        labels=tuple(
            LabelInfo(
                name=label,
                value_range=RANGE,
                convention=f"-1 negative … 1 positive, from {_MODALITIES[label]}",
                source=column,
            )
            for label, column in _COLUMNS.items()
        ),
        read=partial(read, name=name),
        expected=counts(*expected),
        published=lambda: published_split(name),
        licence_at=licence_at,
        pieces=(
            Piece("table of labels", ("label.csv", "meta.csv", "labels.csv"), needed=True),
            Piece("videos", ("Raw",)),
        ),
    )


SIMS = _corpus(
    "sims",
    "CH-SIMS",
    (1_368, 456, 457),
    "Yu et al., CH-SIMS: a Chinese multimodal sentiment analysis dataset with fine-grained annotations of modality, "
    "ACL 2020",
    "https://github.com/thuiar/MMSA",
)
SIMS_V2 = _corpus(
    "simsv2",
    "CH-SIMS v2",
    (2_722, 647, 1_034),
    "Liu et al., Make acoustic and visual cues matter: CH-SIMS v2.0 dataset and AV-Mixup consistent module, ICMI 2022",
    "https://github.com/thuiar/ch-sims-v2",
)
