"""M3ED: 990 dialogues of 56 Chinese television series, seven emotions, of which an utterance may have several.

Clip ids are those of the utterances, ``series_dialogue_number``; a dialogue is the recording.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmfeat.corpora.corpus import Corpus, Piece, RawCorpus, RawSources, counts, emotion_labels
from mmfeat.corpora.facts import published_recordings
from mmfeat.corpora.found import Differences
from mmfeat.corpora.raw_tree import MediaFiles, check_root, first_inside
from mmfeat.corpora.tables import DOUBLED
from mmfeat.dataset import DatasetInfo
from mmfeat.errors import InputError
from mmfeat.types import ClipEntry, Split

EMOTIONS = ("happy", "surprise", "sad", "disgust", "anger", "fear", "neutral")
_FRAMES_PER_S = 25  # of the times HH:MM:SS:FF


@dataclass(frozen=True, kw_only=True)
class _Utterance:
    """One utterance of either annotation file."""

    clip_id: str
    series: str
    dialogue: str
    speaker: str
    speaker_name: str
    text: str
    emotions: str
    start_s: float
    end_s: float


def read(root: Path, sources: RawSources) -> RawCorpus:
    """Return the utterances of ``annotation.json`` (RUCM3ED) or ``utt_annot.json`` (UniVA).

    Raises:
        InputError: there is neither, or it is no such file.
    """
    check_root(root)
    found = Differences()
    path = sources.labels or first_inside(root, ["annotation.json"], ["utt_annot.json"])
    if path is None:
        raise InputError(
            f"{root}: expected annotation.json or utt_annot.json, found neither; put it there or give --labels"
        )
    parts, media = published_recordings("m3ed"), MediaFiles(root)
    entries: dict[str, ClipEntry] = {}
    for utterance in _utterances(path):
        if utterance.clip_id in entries:
            found.add(DOUBLED, utterance.clip_id)
            continue
        part = parts.get(utterance.series, Split.NONE)
        if part == Split.NONE:
            found.add("series without a part", utterance.series)
        entries[utterance.clip_id] = _entry(utterance, part, media, sources, found)
    for series in sorted(set(parts) - {clip_id.rsplit("_", 2)[0] for clip_id in entries}):
        found.add("series without an utterance", series, parts[series].name.lower())
    return RawCorpus(entries=list(entries.values()), differences=found)


def _utterances(path: Path) -> Iterator[_Utterance]:
    content = _json(path)
    try:
        if set(content) & {"train", "val", "valid", "test"}:
            for utterances in content.values():
                for clip_id, fields in utterances.items():
                    yield _utterance(clip_id, fields, {})
            return
        for dialogues in content.values():
            for dialogue in dialogues.values():
                for clip_id, fields in dialogue["Dialog"].items():
                    yield _utterance(clip_id, fields, dialogue.get("SpeakerInfo", {}))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: expected the annotations of M3ED (series, dialogue, 'Dialog', utterance), got something else: "
            f"{type(error).__name__} {error}; get the file again"
        ) from error


def _json(path: Path) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        """Keep the first of doubled keys under its name and the others under names that are doubled as well."""
        content: dict[str, Any] = {}
        for key, value in pairs:
            content[key if key not in content else f"{key}\0"] = value
        return content

    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=once)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: expected annotations (JSON), cannot read them: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a JSON object, got {type(content).__name__}; get the file again")
    return content


def _utterance(key: str, fields: Mapping[str, Any], speakers: Mapping[str, Any]) -> _Utterance:
    clip_id = key.rstrip("\0")
    series, _, _ = clip_id.rsplit("_", 2)
    speaker = str(fields.get("Speaker", "")).strip()
    emotions = fields["EmoAnnotation"]["final_mul_emo"] if "EmoAnnotation" in fields else fields["Emotion"]
    return _Utterance(
        clip_id=clip_id,
        series=series,
        dialogue=clip_id.rpartition("_")[0],
        speaker=speaker,
        speaker_name=str(speakers.get(speaker, {}).get("Name", speaker)),
        text=str(fields.get("Text", fields.get("text", ""))).strip(),
        emotions=str(emotions),
        start_s=_seconds(fields.get("StartTime")),
        end_s=_seconds(fields.get("EndTime")),
    )


def _seconds(time: str | None) -> float:
    """Return a time HH:MM:SS:FF in seconds; NaN where there is none.

    Source: MEmoConv, cut_audio_segments.py: a frame lasts 40 ms.
    """
    if not time:
        return float("nan")
    hours, minutes, seconds, frames = (int(part) for part in time.split(":"))
    return 3600 * hours + 60 * minutes + seconds + frames / _FRAMES_PER_S


def _entry(utterance: _Utterance, part: Split, media: MediaFiles, sources: RawSources, found: Differences) -> ClipEntry:
    files = _files(utterance, media, found)
    return ClipEntry(
        clip_id=utterance.clip_id,
        recording_id=utterance.dialogue,
        speaker_id=f"{utterance.series}:{utterance.speaker_name}" if utterance.speaker else "",
        position=int(utterance.clip_id.rpartition("_")[2]),
        splits={"default": part},
        audio=files.audio,
        video=files.video,
        openface=sources.openface.find(*files.names) if sources.openface else None,
        text=utterance.text,
        labels=_labels(utterance, found),
        start_s=utterance.start_s,
        end_s=utterance.end_s,
        is_part=files.is_part,
    )


@dataclass(frozen=True, kw_only=True)
class _Files:
    """Where an utterance is heard and seen, and by which names OpenFace may know it."""

    names: tuple[str, ...]
    audio: Path | None = None
    video: Path | None = None
    is_part: bool = False


def _files(utterance: _Utterance, media: MediaFiles, found: Differences) -> _Files:
    """Return the files of an utterance, else those of its dialogue, out of which it is cut."""
    clip_id = utterance.clip_id
    names = (clip_id, f"{utterance.speaker}_{clip_id}")  # the released sound is named after the speaker as well
    audio = next((path for name in names for path in media.sound(name)), None)
    video = next((path for name in names for path in media.video(name)), None)
    if audio or video or not media:
        return _Files(names=names, audio=audio, video=video)
    audio = next(iter(media.sound(utterance.dialogue)), None)
    video = next(iter(media.video(utterance.dialogue)), None)
    if (audio or video) and utterance.end_s > utterance.start_s:
        return _Files(names=(utterance.dialogue,), audio=audio, video=video, is_part=True)
    found.add("utterance without file", clip_id)
    return _Files(names=names, audio=media.folder / f"{names[1]}.wav" if media.folder else None)


def _labels(utterance: _Utterance, found: Differences) -> dict[str, float]:
    """Return 1 for each emotion of ``"A, B"``, 0 for the others; none where a name is unknown."""
    named = {name.strip().lower() for name in utterance.emotions.split(",") if name.strip()}
    if not named or named - set(EMOTIONS):
        found.add("unknown emotion", utterance.clip_id, repr(utterance.emotions))
        return {}
    return {name: float(name in named) for name in EMOTIONS}


M3ED = Corpus(
    name="m3ed",
    info=DatasetInfo(
        name="M3ED",
        language="zh",
        license="academic research use, by agreement with the AI-M3 lab of Renmin University of China",
        citation="Zhao et al., M3ED: multi-modal multi-scene multi-label emotional dialogue database, ACL 2022",
    ),
    labels=emotion_labels(
        EMOTIONS,
        convention="1 where the utterance has the emotion; class_names holds the order of all seven",
        source="final_mul_emo of annotation.json",
    ),
    read=read,
    expected=counts(17_427, 2_821, 4_201),
    licence_at="https://github.com/AIM3-RUC/RUCM3ED",
    pieces=(
        Piece("annotations", ("annotation.json", "utt_annot.json"), needed=True),
        Piece("sound", ("audio",)),
    ),
)
