"""The tables beside UniVA's pickles, joined by id; see ``univa_table_files`` for what each of them says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from mmfeat.convert.univa_table_files import PART_NAMES, READERS, TABLES, Table, Utterance
from mmfeat.errors import InputError, list_faults

_N_SHOWN = 3
_Value = TypeVar("_Value")


@dataclass(frozen=True, kw_only=True)
class Tables:
    """The tables as one.

    Args:
        paths: the files, the one that tells the order first; empty where there are none.
        parts: the utterances by part, in the order of the pickles.
        notes: where the tables differ in what does not matter for the join.
    """

    paths: Sequence[Path] = ()
    parts: Mapping[str, Sequence[Utterance]]
    notes: Sequence[str] = ()


def read_tables(paths: Mapping[str, Path]) -> Tables:
    """Return what the tables of a folder say.

    Args:
        paths: of the files that are there, by their names.

    Raises:
        InputError: a table cannot be read, two of them name other utterances, or the order is not known.
    """
    if len(labelled := [str(paths[name]) for name in TABLES[:2] if name in paths]) > 1:
        raise InputError(f"expected the tables of one dataset, got {' and '.join(labelled)}; give one folder of them")
    tables = {name: READERS[name](paths[name]) for name in TABLES if name in paths}
    if not tables:
        return Tables(parts={})
    _check_same_utterances(tables, paths)
    if not labelled:
        _check_same_order(tables, paths)
    joined = {
        part: [_joined(part, clip_id, tables) for clip_id in next(iter(tables.values())).get(part, ())]
        for part in PART_NAMES
        if any(part in table for table in tables.values())
    }
    return Tables(paths=[paths[name] for name in tables], parts=joined, notes=_differences(tables))


def _check_same_utterances(tables: Mapping[str, Table], paths: Mapping[str, Path]) -> None:
    (first, own), *others = tables.items()
    faults = []
    for name, other in others:
        for part in PART_NAMES:
            here, there = own.get(part, {}), other.get(part, {})
            lone = {first: [i for i in here if i not in there], name: [i for i in there if i not in here]}
            if any(lone.values()):
                shown = "; ".join(f"only in {file}: {_shown(ids)}" for file, ids in lone.items() if ids)
                faults.append(f"{part}: {first} has {len(here)} utterances, {name} has {len(there)}; {shown}")
    if faults:
        title = f"{paths[first].parent}: expected tables of the same utterances; correct one, or take it away"
        raise InputError(list_faults(title, faults))


def _check_same_order(tables: Mapping[str, Table], paths: Mapping[str, Path]) -> None:
    """Refuse two orders where nothing tells which one is that of the pickles."""
    (first, own), *others = tables.items()
    for name, other in others:
        for part in own:
            places = [
                (here, there) for here, there in zip(own[part], other.get(part, ()), strict=True) if here != there
            ]
            if places:
                raise InputError(
                    f"{paths[first]} and {paths[name]}: {part}: expected utterances in one order, got {places[0][0]!r} "
                    f"and {places[0][1]!r}; add {TABLES[0]} or {TABLES[1]}, whose order is that of the pickles"
                )


def _joined(part: str, clip_id: str, tables: Mapping[str, Table]) -> Utterance:
    """Return what all tables say of an utterance; of places in a video that of the structure counts."""
    known = [table[part][clip_id] for table in tables.values()]
    video, _, number = clip_id.rpartition("_")
    place = _first(one.position for one in reversed(known))
    if place is None:
        place = int(number) if number.isdecimal() else 0
    return Utterance(
        clip_id=clip_id,
        recording_id=_first(one.recording_id for one in known) or video or clip_id,
        position=place,
        text=_first(one.text for one in known),
        emotions=_first(one.emotions for one in known),
        valence_arousal=_first(one.valence_arousal for one in known),
    )


def _first(values: Iterable[_Value | None]) -> _Value | None:
    """Return the first value that is there."""
    return next((value for value in values if value is not None), None)


def _differences(tables: Mapping[str, Table]) -> list[str]:
    """Return how many texts, videos and places differ between the tables, and which table was believed."""
    notes = []
    for field, believed in (("text", 0), ("recording_id", 0), ("position", -1)):
        saying = {
            name: {
                clip_id: value
                for part in table.values()
                for clip_id, one in part.items()
                if (value := getattr(one, field)) is not None
            }
            for name, table in tables.items()
        }
        names = [name for name, values in saying.items() if values]
        for other in names:
            taken = names[believed]
            differing = [i for i, value in saying[taken].items() if saying[other].get(i, value) != value]
            if differing:
                what = field.removesuffix("_id")
                notes.append(
                    f"{what}: {other} differs from {taken}, which was taken, in {len(differing)} utterances: "
                    f"{_shown(differing)}"
                )
    return notes


def _shown(ids: Sequence[str]) -> str:
    return ", ".join(map(repr, ids[:_N_SHOWN])) + (", …" if len(ids) > _N_SHOWN else "")
