"""CMU-MOSI: 2,199 clips of 93 film reviews, sentiment in [-3, 3].

The raw download has transcripts, sound and videos; the table of labels is the one that MMSA and SKESL use. All are
joined by id. Clip ids are ``video_number``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from mmfeat.convert.csd_file import CsdFile
from mmfeat.convert.fields import text
from mmfeat.corpora.corpus import Corpus, Piece, RawCorpus, RawSources, counts
from mmfeat.corpora.facts import published_split
from mmfeat.corpora.found import Differences
from mmfeat.corpora.labelled import LabelledRow, labelled_rows
from mmfeat.corpora.raw_tree import MediaFiles, check_root, files_below, first_inside, is_litter
from mmfeat.corpora.tables import DOUBLED, required
from mmfeat.corpora.word_times import words_of_clips
from mmfeat.dataset import DatasetInfo, LabelInfo
from mmfeat.types import ClipEntry, Words

RANGE = (-3.0, 3.0)
_DELIMITER = "_DELIM_"


def read(root: Path, sources: RawSources) -> RawCorpus:
    """Return the clips of a raw tree: one for each row of the labels.

    Raises:
        InputError: there is no table of labels, or a file cannot be read.
    """
    check_root(root)
    found = Differences()
    table = sources.labels or first_inside(root, ["MOSI-label.csv"], ["label.csv"])
    table = required(table, root, "table of labels", "MOSI-label.csv")
    rows = labelled_rows(table, {"sentiment": "label"}, RANGE, published_split("mosi"), found)
    transcripts = _transcripts(root, found)
    sounds = MediaFiles(first_inside(root, ["Audio", "WAV_16000", "Segmented"], ["Audio", "Segmented"], ["Audio"]))
    videos = MediaFiles(first_inside(root, ["Video", "Segmented"], ["Video"]))
    entries = [_entry(row, transcripts, sounds, videos, sources, found) for row in rows]
    _check_counterparts({row.clip_id for row in rows}, transcripts, found)
    entries, words, notes = _with_word_times(root, entries)
    return RawCorpus(entries=entries, differences=found, notes=notes, words=words)


def _transcripts(root: Path, found: Differences) -> dict[str, str]:
    """Return the text of each clip, in the capitals of the transcripts."""
    texts: dict[str, str] = {}
    folder = first_inside(root, ["Transcript", "Segmented"], ["Transcript"])
    for path in () if folder is None else files_below(folder, {".annotprocessed"}):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            number, delimiter, spoken = line.partition(_DELIMITER)
            if not delimiter:
                if line.strip():
                    found.add("transcript line without _DELIM_", path.name, line[:80])
                continue
            clip_id = f"{path.stem}_{number.strip()}"
            if clip_id in texts:
                found.add(DOUBLED, clip_id, f"in {path.name}")
                continue
            texts[clip_id] = spoken.strip()
    return texts


def _entry(
    row: LabelledRow,
    transcripts: Mapping[str, str],
    sounds: MediaFiles,
    videos: MediaFiles,
    sources: RawSources,
    found: Differences,
) -> ClipEntry:
    clip_id = row.clip_id
    if transcripts and clip_id not in transcripts:
        found.add("label without transcript", clip_id)
    return row.entry(
        text=transcripts.get(clip_id) or row.text,
        audio=_audio(clip_id, sounds, found),
        video=row.media(videos.video(clip_id), found),
        openface=sources.openface.find(clip_id) if sources.openface else None,
    )


def _audio(clip_id: str, sounds: MediaFiles, found: Differences) -> Path | None:
    """Return the sound of a clip, or where it should be: the build then says that it is missing."""
    if not sounds.has_sounds or sounds.folder is None:
        return None
    paths = sounds.sound(clip_id)
    if not paths:
        found.add("clip without sound", clip_id)
        return sounds.folder / f"{clip_id}.wav"
    return paths[0]


def _check_counterparts(known: set[str], transcripts: Mapping[str, str], found: Differences) -> None:
    for clip_id in transcripts:
        if clip_id not in known:
            found.add("transcript without clip", clip_id, "it has no row among the labels and is left out")


def _with_word_times(
    root: Path, entries: Sequence[ClipEntry]
) -> tuple[list[ClipEntry], Mapping[str, object] | None, tuple[str, ...]]:
    """Return the clips with the words of a computational sequence, where one lies in the root."""
    path = next(_word_sequences(root), None)
    if path is None:
        return list(entries), None, ()
    by_recording: dict[str, list[ClipEntry]] = {}
    for entry in entries:
        by_recording.setdefault(entry.recording_id, []).append(entry)
    words_of: dict[str, Words] = {}
    with closing(CsdFile(path)) as sequence:
        known, origin = set(sequence.keys), {"source": path.name, "root": sequence.root}
        for recording, clips in by_recording.items():
            if recording in known:
                values, intervals_s = sequence.read(recording)
                tokens = [text(token) for token in values[:, 0]]
                clips = sorted(clips, key=lambda clip: clip.position)
                words = words_of_clips([clip.text for clip in clips], tokens, intervals_s)
                words_of |= {clip.clip_id: own for clip, own in zip(clips, words, strict=True) if own}
    note = f"words: {len(words_of)} of {len(entries)} clips have word times from {path.name}, on the recording's clock"
    return [replace(entry, words=words_of.get(entry.clip_id)) for entry in entries], origin, (note,)


def _word_sequences(root: Path) -> Iterator[Path]:
    paths = (path for path in sorted(root.iterdir()) if path.suffix.lower() == ".csd" and not is_litter(path.name))
    return (path for path in paths if path.stem.endswith("Words"))


MOSI = Corpus(
    name="mosi",
    info=DatasetInfo(
        name="CMU-MOSI",
        language="en",
        license="research use, by agreement with CMU MultiComp Lab",
        citation="Zadeh et al., Multimodal sentiment intensity analysis in videos, IEEE Intelligent Systems 2016",
    ),
    labels=(
        LabelInfo(
            name="sentiment",
            value_range=RANGE,
            convention="-3 strongly negative … 3 strongly positive, mean of 5 raters",
            source="MOSI-label.csv",
        ),
    ),
    read=read,
    expected=counts(1_284, 229, 686),
    published=lambda: published_split("mosi"),
    licence_at="http://multicomp.cs.cmu.edu/resources/cmu-mosi-dataset/",
    pieces=(
        Piece("table of labels", ("MOSI-label.csv", "label.csv"), needed=True),
        Piece("transcripts", ("Transcript/Segmented",)),
        Piece("sound", ("Audio/WAV_16000/Segmented", "Audio")),
        Piece("videos", ("Video/Segmented", "Video")),
        Piece("word times", ("*Words.csd",)),
    ),
)
