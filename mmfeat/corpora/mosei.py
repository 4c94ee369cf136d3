"""CMU-MOSEI: sentiment in [-3, 3] and six emotions in [0, 3] for sentences of 3,228 videos.

The labels and the times of the sentences come from the CMU SDK's sequence of labels, whose rows have no number. The
number by which the published split knows a clip stands in the transcripts, beside the same times. Sound and video are
those of whole recordings, from which clips are cut by time.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from mmfeat.convert.csd_file import CsdFile
from mmfeat.convert.fields import text
from mmfeat.corpora.corpus import Corpus, Piece, RawCorpus, RawSources, counts, emotion_labels
from mmfeat.corpora.facts import published_split
from mmfeat.corpora.found import Differences
from mmfeat.corpora.labelled import labelled_rows
from mmfeat.corpora.mosei_media import Recordings
from mmfeat.corpora.mosei_transcripts import Sentence, read_sentences
from mmfeat.corpora.raw_tree import check_root, files_below, first_inside
from mmfeat.corpora.tables import DOUBLED, OUT_OF_RANGE
from mmfeat.csv_table import open_csv
from mmfeat.dataset import DatasetInfo, LabelInfo
from mmfeat.errors import InputError
from mmfeat.types import ClipEntry, Split, Words

EMOTIONS = ("happy", "sad", "anger", "surprise", "disgust", "fear")
RANGES = {"sentiment": (-3.0, 3.0), **dict.fromkeys(EMOTIONS, (0.0, 3.0))}
_ROUNDING = 1e-4  # values are means of three raters, stored as float32
_PAUSES = frozenset(["sp", ""])
_NOTE = (
    "the published split has 22,856 clips, 1,871 of them to validate on; the 1,861 (22,846) of SKESL's table are in no "
    "public list"
)
_NOT_COMPARED = "no transcripts: clips are numbered by their rows, and only the numbers of clips can be compared"

LabelsOf = Callable[[Mapping[str, float]], dict[str, float]]


def read(root: Path, sources: RawSources, *, labels_of: LabelsOf) -> RawCorpus:
    """Return the clips of a raw tree: one for each row of the labels.

    Args:
        root: the folder of ``CMU_MOSEI_Labels.csd``, ``Transcript``, ``Audio`` and ``Videos``; or of a table of labels
            in the layout of MMSA (``label.csv``) or UniVA (``final_multi_labels.csv``).
        sources: what lies outside of it.
        labels_of: turns the seven values of a row into the labels of the clip.

    Raises:
        InputError: there are no labels, or a file cannot be read.
    """
    check_root(root)
    path = sources.labels or _labels_in(root)
    media = Recordings(root, sources)
    if path.suffix.lower() == ".csv":
        return _from_table(path, media, labels_of)
    found = Differences()
    sentences = read_sentences(root, found)
    with ExitStack() as stack:
        labels = stack.enter_context(closing(CsdFile(path)))
        words = _open_words(root, stack)
        rows = [row for video in labels.keys for row in _rows(video, labels, words, sentences, found)]
    entries = _entries(rows, media, labels_of, found, numbered=bool(sentences))
    notes = (_NOTE,) if sentences else (_NOTE, _NOT_COMPARED)
    origin = None if words is None else {"source": words.path.name, "root": words.root}
    return RawCorpus(entries=entries, differences=found, notes=notes, words=origin, has_published_ids=bool(sentences))


def _labels_in(root: Path) -> Path:
    sequences = (path for path in files_below(root, {".csd"}) if "label" in path.stem.lower())
    found = next(sequences, None) or first_inside(root, ["label.csv"], ["final_multi_labels.csv"])
    if found is None:
        raise InputError(
            f"{root}: expected CMU_MOSEI_Labels.csd, or label.csv, found neither; put it there or give --labels"
        )
    return found


def _open_words(root: Path, stack: ExitStack) -> CsdFile | None:
    path = next((path for path in files_below(root, {".csd"}) if path.stem.endswith("Words")), None)
    return None if path is None else stack.enter_context(closing(CsdFile(path)))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Row:
    """One row of the labels: where it lies, what it is labelled, and its sentence where one has the same times."""

    video: str
    number: int
    start_s: float
    end_s: float
    values: Mapping[str, float]
    sentence: Sentence | None
    words: Words | None

    def clip_id(self, *, numbered: bool) -> str:
        if not numbered or self.sentence is None:
            return f"{self.video}[{self.number}]"
        return f"{self.video}_{self.sentence.number}"


def _rows(
    video: str, labels: CsdFile, words: CsdFile | None, sentences: Mapping[str, Sequence[Sentence]], found: Differences
) -> Iterator[_Row]:
    values, intervals_s = labels.read(video)
    if values.shape[1] != len(RANGES):
        raise InputError(
            f"{labels.path}: expected sentiment and six emotions in {video!r}, got {values.shape[1]} columns"
        )
    spoken = words.read(video) if words is not None and video in words.keys else None
    for number, (row, (start_s, end_s)) in enumerate(zip(values, intervals_s, strict=True)):
        sentence = next((one for one in sentences.get(video, ()) if one.is_at(start_s, end_s)), None)
        name = f"{video}[{number}]"
        if sentences and sentence is None:
            found.add("label without transcript", name, f"{start_s:.3f} s to {end_s:.3f} s")
        yield _Row(
            video=video,
            number=number,
            start_s=max(0.0, float(start_s)),
            end_s=float(end_s),
            values=_checked(row, name, found),
            sentence=sentence,
            words=None if spoken is None else _words_in(*spoken, start_s, end_s),
        )


def _checked(row: np.ndarray, name: str, found: Differences) -> dict[str, float]:
    """Return the values that are in range."""
    values = {}
    for (label, (low, high)), value in zip(RANGES.items(), row.tolist(), strict=True):
        if low - _ROUNDING <= value <= high + _ROUNDING:
            values[label] = value
        else:
            found.add(OUT_OF_RANGE, name, f"{label}: expected {low:g} … {high:g}, got {value:g}")
    return values


def _words_in(features: np.ndarray, intervals_s: np.ndarray, start_s: float, end_s: float) -> Words | None:
    """Return the words whose middle lies in a part of the recording."""
    middles = intervals_s.mean(axis=1)
    rows = np.flatnonzero((middles >= start_s) & (middles < end_s))
    tokens = {row: token for row in rows if (token := text(features[row, 0])) not in _PAUSES}
    return Words(tokens=tuple(tokens.values()), intervals_s=intervals_s[list(tokens)]) if tokens else None


def _entries(
    rows: Sequence[_Row], media: Recordings, labels_of: LabelsOf, found: Differences, *, numbered: bool
) -> list[ClipEntry]:
    published = published_split("mosei")
    videos = {clip_id.rpartition("_")[0]: part for clip_id, part in published.items()}
    entries: dict[str, ClipEntry] = {}
    for row in rows:
        clip_id = row.clip_id(numbered=numbered)
        if clip_id in entries:
            found.add(DOUBLED, clip_id, f"row {row.number} has the times of another")
            continue
        part = published.get(clip_id, Split.NONE) if numbered else videos.get(row.video, Split.NONE)
        spoken = " ".join(row.words.tokens) if row.words else ""
        entry = ClipEntry(
            clip_id=clip_id,
            recording_id=row.video,
            position=row.number,
            splits={"default": part},
            text=row.sentence.text if row.sentence else spoken,
            labels=labels_of(row.values),
            start_s=row.start_s,
            end_s=row.end_s,
            words=row.words,
        )
        entries[clip_id] = media.added(entry, found)
    return _in_time(list(entries.values()))


def _in_time(entries: Sequence[ClipEntry]) -> list[ClipEntry]:
    """Return the clips with their order inside the recording as position: rows of the labels stand in any order."""
    order: dict[str, list[float]] = {}
    for entry in entries:
        order.setdefault(entry.recording_id, []).append(entry.start_s)
    places = {recording: sorted(starts) for recording, starts in order.items()}
    return [replace(entry, position=places[entry.recording_id].index(entry.start_s)) for entry in entries]


def _from_table(path: Path, media: Recordings, labels_of: LabelsOf) -> RawCorpus:
    """Return the clips of a table of labels; their files, if any, are those of single clips."""
    found = Differences()
    with open_csv(path, "table of labels") as handle:
        header = [name.strip() for name in next(csv.reader(handle), [])]
    columns = {"sentiment": "label"} if "label" in header else {name: name for name in EMOTIONS}
    value_range = RANGES[next(iter(columns))]
    rows = labelled_rows(path, columns, value_range, published_split("mosei"), found)
    entries = [row.entry(**media.of_clip(row.clip_id, found)) for row in rows]
    entries = [replace(entry, labels=labels_of(entry.labels)) for entry in entries]
    return RawCorpus(entries=entries, differences=found, notes=(_NOTE,))


def _intensities(values: Mapping[str, float]) -> dict[str, float]:
    """Return the labels of ``build-mosei``: as they are."""
    return dict(values)


def _presence(values: Mapping[str, float]) -> dict[str, float]:
    """Return the labels of ``build-mosei-emotions``: whether each emotion is there at all."""
    return {name: float(values[name] > 0) for name in EMOTIONS if name in values}


def _published() -> Mapping[str, Split]:
    return published_split("mosei")


MOSEI = Corpus(
    name="mosei",
    info=DatasetInfo(
        name="CMU-MOSEI",
        language="en",
        license="research use, by agreement with CMU MultiComp Lab",
        citation="Zadeh et al., Multimodal language analysis in the wild: CMU-MOSEI dataset and interpretable dynamic "
        "fusion graph, ACL 2018",
    ),
    labels=(
        LabelInfo(
            name="sentiment",
            value_range=RANGES["sentiment"],
            convention="-3 highly negative … 3 highly positive, mean of 3 raters",
            source="CMU_MOSEI_Labels.csd",
        ),
        *(
            LabelInfo(
                name=name,
                value_range=RANGES[name],
                convention="0 no evidence … 3 high, mean of 3 raters",
                source="CMU_MOSEI_Labels.csd",
            )
            for name in EMOTIONS
        ),
    ),
    read=partial(read, labels_of=_intensities),
    expected=counts(16_326, 1_871, 4_659),
    published=_published,
    licence_at="http://multicomp.cs.cmu.edu/resources/cmu-mosei-dataset/",
    pieces=(
        Piece("labels with times", ("*Labels*.csd", "label.csv", "final_multi_labels.csv"), needed=True),
        Piece("transcripts", ("Transcript/Segmented/Combined", "Transcript")),
        Piece("sound", ("Audio/Full/WAV_16000", "Audio")),
        Piece("videos", ("Videos/Full/Combined", "Videos", "Video")),
        Piece("word times", ("*Words.csd",)),
    ),
)
MOSEI_EMOTIONS = replace(
    MOSEI,
    name="mosei-emotions",
    info=replace(MOSEI.info, name="CMU-MOSEI emotions"),
    labels=emotion_labels(
        EMOTIONS,
        convention="1 where the emotion's value is above 0; class_names holds the order of all six",
        source="CMU_MOSEI_Labels.csd",
    ),
    read=partial(read, labels_of=_presence),
)
