"""The tables beside UniVA's pickles: who says what, in which video, in which part, and in which order.

``final_multi_labels.csv``     CMU-MOSEI: a row for each utterance with its text, the scores of six emotions (what is
                               not 0 is there), its part (``mode``) and its place in the video (``truely_sort``)
``utt_annot.json``             M3ED: ``{part: {utterance: {"Emotion": "Happy,Sad", "text": …}}}``
``raw_utt_text_textVA.json``   ``{part: {utterance: [text, valence, arousal]}}``, M3ED with one more field in front; the
                               numbers are texts
``videos_structure.json``      ``{part: {video: [utterance, …]}}``

Row ``i`` of the pickles is the utterance ``i`` of the first of these tables that is there. All of them must name the
same utterances. Source: NUSTM/UniVA at ce59bbc, utils/ExtraTextDetail.py and utils/dataset.py.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmfeat.convert.fields import mapping, text, texts
from mmfeat.convert.parts import PARTS
from mmfeat.csv_table import read_rows
from mmfeat.errors import InputError, list_faults

MOSEI_EMOTIONS = ("happy", "sad", "anger", "surprise", "disgust", "fear")
M3ED_EMOTIONS = ("happy", "surprise", "sad", "disgust", "anger", "fear", "neutral")
PART_NAMES = tuple(name for name in PARTS if name != "none")
_COLUMNS = ("video_id", "clip_id", "text", *MOSEI_EMOTIONS, "mode")
_ORDER = "truely_sort"


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """What the tables say of an utterance; a field is None where none says it.

    Args:
        clip_id: its id.
        recording_id: the video.
        position: place in the video, from 0.
        text: what is said.
        emotions: 1 for each emotion that is there and 0 for the others.
        valence_arousal: the scores of the text.
    """

    clip_id: str
    recording_id: str | None = None
    position: int | None = None
    text: str | None = None
    emotions: tuple[float, ...] | None = None
    valence_arousal: tuple[float, float] | None = None


Table = Mapping[str, Mapping[str, Utterance]]


def _read_labels(path: Path) -> Table:
    found: dict[str, list[Utterance]] = {}
    for line, cells in read_rows(path, "table of labels", _COLUMNS):
        where = f"{path}: line {line}"
        present = tuple(float(_number(cells[name], f"{where}: {name}") != 0) for name in MOSEI_EMOTIONS)
        order = cells.get(_ORDER, "")
        utterance = Utterance(
            clip_id=f"{cells['video_id']}_{cells['clip_id']}",
            recording_id=cells["video_id"],
            position=int(_number(order, f"{where}: {_ORDER}")) if order else None,
            text=cells["text"],
            emotions=present,
        )
        found.setdefault(_part(cells["mode"], where), []).append(utterance)
    return {part: _by_id(utterances, f"{path}: {part}") for part, utterances in found.items()}


def _read_annotations(path: Path) -> Table:
    def utterance(clip_id: str, value: Any, where: str) -> Utterance:
        fields = mapping(value, where)
        named = {name.strip().lower() for name in text(fields.get("Emotion", "")).split(",")}
        if not named or named - set(M3ED_EMOTIONS):
            raise InputError(
                f"{where}: expected 'Emotion' with some of {', '.join(M3ED_EMOTIONS)}, "
                f"got {fields.get('Emotion')!r}; correct the source"
            )
        return Utterance(
            clip_id=clip_id,
            text=text(fields["text"]).strip() if "text" in fields else None,
            emotions=tuple(float(name in named) for name in M3ED_EMOTIONS),
        )

    return {part: _each(content, utterance, where) for part, content, where in _json_parts(path)}


def _read_text_scores(path: Path) -> Table:
    def utterance(clip_id: str, value: Any, where: str) -> Utterance:
        fields = texts(value, where)
        if len(fields) not in (3, 4):
            raise InputError(
                f"{where}: expected text, valence and arousal, got {len(fields)} fields; correct the source"
            )
        scores = (_number(fields[-2], f"{where}: valence"), _number(fields[-1], f"{where}: arousal"))
        return Utterance(clip_id=clip_id, text=fields[-3].strip(), valence_arousal=scores)

    return {part: _each(content, utterance, where) for part, content, where in _json_parts(path)}


def _read_structure(path: Path) -> Table:
    return {
        part: _by_id(
            [
                Utterance(clip_id=clip_id, recording_id=video, position=place)
                for video, clip_ids in content.items()
                for place, clip_id in enumerate(texts(clip_ids, f"{where}: {video}"))
            ],
            where,
        )
        for part, content, where in _json_parts(path)
    }


def _json_parts(path: Path) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    """Yield the name of each part, what is in it, and where that is for messages."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content = dict(pairs)
        if len(content) < len(pairs):
            name, count = Counter(key for key, _ in pairs).most_common(1)[0]
            raise InputError(f"{path}: expected each key once, got {name!r} {count} times; correct the source")
        return content

    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=once)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: expected JSON, cannot read it: {error}; get the file again") from error
    for part, items in mapping(content, str(path)).items():
        yield _part(part, str(path)), mapping(items, f"{path}: {part}"), f"{path}: {part}"


def _each(
    content: Mapping[str, Any], utterance: Callable[[str, Any, str], Utterance], where: str
) -> dict[str, Utterance]:
    return {clip_id: utterance(clip_id, value, f"{where}: {clip_id}") for clip_id, value in content.items()}


def _by_id(utterances: Sequence[Utterance], where: str) -> dict[str, Utterance]:
    counts = Counter(utterance.clip_id for utterance in utterances)
    doubled = [f"{clip_id!r} is there {count} times" for clip_id, count in counts.items() if count > 1]
    if doubled:
        raise InputError(list_faults(f"{where}: expected each utterance once; correct the source", doubled))
    return {utterance.clip_id: utterance for utterance in utterances}


def _part(name: str, where: str) -> str:
    if name not in PART_NAMES:
        raise InputError(f"{where}: expected a part train, valid or test, got {name!r}; correct the source")
    return name


def _number(cell: str, where: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{where}: expected a number, got {cell!r}; correct the source")
    return value


READERS: Mapping[str, Callable[[Path], Table]] = {
    "final_multi_labels.csv": _read_labels,
    "utt_annot.json": _read_annotations,
    "raw_utt_text_textVA.json": _read_text_scores,
    "videos_structure.json": _read_structure,
}
TABLES = tuple(READERS)
