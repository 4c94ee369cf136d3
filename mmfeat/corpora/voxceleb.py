"""VoxCeleb1, VoxCeleb2 and EmoVoxCeleb: speech of celebrities without labels, to pretrain on.

``<speaker>/<video>/<clip>`` with sound of each clip; EmoVoxCeleb writes ``<speaker>/<video>_<7 digits>.wav`` and has
folders of face crops. A speaker is a name or an id. A corpus has up to a million clips: their names are held packed,
and each clip is made when it is asked for.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from mmfeat.corpora.corpus import Corpus, Piece, RawCorpus, RawSources
from mmfeat.corpora.facts import fact_rows
from mmfeat.corpora.found import Differences
from mmfeat.corpora.packed_texts import PackedTexts
from mmfeat.corpora.raw_tree import AUDIO, VIDEO, check_root, first_inside, is_litter
from mmfeat.corpora.tables import DOUBLED
from mmfeat.csv_table import read_rows
from mmfeat.dataset import DatasetInfo
from mmfeat.errors import InputError
from mmfeat.lazy_entries import LazyEntries
from mmfeat.types import ClipEntry

NATIONALITIES = ("USA", "UK", "Canada", "Australia")
"""Those of SKESL: 1,105 of VoxCeleb1's 1,251 speakers."""
SKIPPED = frozenset(
    [
        "Katie_Aselton/7_ZlkxpOTsY",
        "John_Gallagher_Jr./_VVSc4fe9_6o",
        "Ernest_Borgnine/ize_eiCFEg0",
        "Esai_Morales/_wzYMUt91gc",
        "Moon_Bloodgood/JBhcgwl2pO0/0000002",
    ]
)
"""Four videos and one clip that SKESL leaves out. Source: SKESL, data/EmoVoxCeleb/ignored_av_segment.py."""
_FLAT = re.compile(r"(?P<video>.{11})_(?P<clip>\d+)")
_SUFFIXES = frozenset([*AUDIO, *VIDEO])
_SOUND = ("audio", "wav", "aac", "dev", "test")  # folders between the root and the speakers


@dataclass(frozen=True, kw_only=True)
class SpeakerChoice:
    """Which clips are taken.

    Args:
        nationalities: of the speakers, by the list of VoxCeleb1, where ``skesl`` stands for those of ``NATIONALITIES``;
            None: all speakers, unlisted ones as well.
        language: as a recogniser tells it, such as ``en``; needs recognised texts. Empty: any.
        least_probability: of that language.
    """

    nationalities: tuple[str, ...] | None = None
    language: str = ""
    least_probability: float = 0.5

    def __post_init__(self) -> None:
        if self.nationalities is not None:
            parts = [NATIONALITIES if name == "skesl" else (name,) for name in self.nationalities]
            object.__setattr__(self, "nationalities", tuple(dict.fromkeys(chain.from_iterable(parts))))


def read(root: Path, sources: RawSources, *, choice: SpeakerChoice) -> RawCorpus:
    """Return the clips of the chosen speakers, in the order of their names.

    Raises:
        InputError: no folder of a speaker, or a language is wanted without recognised texts.
    """
    check_root(root)
    if choice.language and sources.recognised is None:
        raise InputError("a choice by language needs the texts of a recogniser: --text-from asr with --transcripts")
    found = Differences()
    listed = _listed_speakers(root)
    folders = list(_speaker_folders(root))
    kept = [(name, folder) for name, folder in folders if _is_chosen(name, listed, choice)]
    for name, _ in folders:
        if choice.nationalities is not None and name not in listed:
            found.add("speaker without nationality", name, "not in the list of VoxCeleb1")
    packed, left_out = PackedTexts(), Counter[str]()
    for name, folder in kept:
        known: set[str] = set()
        for place in _sounds(str(folder), folder.relative_to(root).as_posix()):
            clip = _clip(place, name)
            if clip.clip_id in known:
                found.add(DOUBLED, clip.clip_id, place)
                continue
            known.add(clip.clip_id)
            if reason := _left_out(clip, listed, sources, choice):
                left_out[reason] += 1
            else:
                packed.add(f"{name}\t{place}")
        _check_texts(root, name, known, found)
    notes = _notes(len(folders), len(kept), listed, choice, left_out)
    texts = root / "text"
    make = partial(_entry, packed, root=root, texts=texts if texts.is_dir() else None, sources=sources)
    return RawCorpus(entries=LazyEntries(len(packed), make), differences=found, notes=notes)


class _Clip(NamedTuple):
    speaker: str
    video: str
    number: str

    @property
    def clip_id(self) -> str:
        return f"{self.speaker}/{self.video}/{self.number}"


def _clip(place: str, speaker: str) -> _Clip:
    """Return what a path says: ``…/<speaker>/<video>/<number>.wav`` or ``…/<speaker>/<video>_<number>.wav``."""
    folder, _, name = place.rpartition("/")
    parent, stem = folder.rpartition("/")[2], name.rpartition(".")[0]
    if parent != speaker:
        return _Clip(speaker=speaker, video=parent, number=stem)
    flat = _FLAT.fullmatch(stem)
    return _Clip(speaker=speaker, video=flat["video"] if flat else stem, number=flat["clip"] if flat else stem)


def _listed_speakers(root: Path) -> dict[str, Mapping[str, str]]:
    """Return the speakers of VoxCeleb1 by name and by id: the user's own list, else the one of this package."""
    path = first_inside(root, ["EmoVoxCeleb_meta.csv"], ["vox1_meta.csv"])
    if path is None:
        rows = fact_rows("voxceleb1")
    else:
        columns = ["VoxCeleb1 ID", "VGGFace1 ID", "Nationality"]
        rows = [
            {"speaker_id": row[columns[0]], "name": row[columns[1]], "nationality": row[columns[2]]}
            for _, row in read_rows(path, "list of speakers", columns, delimiter="\t")
        ]
    return {row[key]: row for row in rows for key in ("name", "speaker_id")}


def _speaker_folders(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield (speaker, folder): the folders of the root, or of its folders for sound and for the official parts."""
    tops = [root]
    for _ in range(2):  # such as dev/aac
        below = [first_inside(top, [name]) for top in tops for name in _SOUND]
        tops = [folder for folder in below if folder is not None and folder.is_dir()] or tops
    for top in tops:
        for item in sorted(top.iterdir()):
            if item.is_dir() and not is_litter(item.name) and item.name.lower() not in (*_SOUND, "text", "video"):
                yield item.name, item


def _is_chosen(name: str, listed: Mapping[str, Mapping[str, str]], choice: SpeakerChoice) -> bool:
    if choice.nationalities is None:
        return True
    return name in listed and listed[name]["nationality"] in choice.nationalities


def _sounds(folder: str, place: str) -> Iterator[str]:
    """Yield the places of a speaker's sound files; folders are listed one by one, nothing is collected."""
    with os.scandir(folder) as listing:
        items = sorted((item.name, item.is_dir()) for item in listing)
    for name, is_dir in items:
        if is_litter(name):
            continue
        if is_dir:
            yield from _sounds(f"{folder}/{name}", f"{place}/{name}")
        elif name[name.rfind(".") :].lower() in _SUFFIXES:
            yield f"{place}/{name}"


def _left_out(clip: _Clip, listed: Mapping[str, Mapping[str, str]], sources: RawSources, choice: SpeakerChoice) -> str:
    """Return why a clip is left out; nothing where it is taken."""
    name = listed.get(clip.speaker, {}).get("name", clip.speaker)
    if not SKIPPED.isdisjoint([f"{name}/{clip.video}", f"{name}/{clip.video}/{clip.number}"]):
        return "are on SKESL's list of those to leave out"
    if not _speaks(clip.clip_id, sources, choice):
        return f"are not in {choice.language!r} by the recogniser"
    return ""


def _check_texts(root: Path, speaker: str, known: Collection[str], found: Differences) -> None:
    """Find texts of a speaker that no sound belongs to."""
    folder = root / "text" / speaker
    for item in sorted(folder.iterdir()) if folder.is_dir() else ():
        flat = _FLAT.fullmatch(item.stem)
        if flat and not is_litter(item.name) and f"{speaker}/{flat['video']}/{flat['clip']}" not in known:
            found.add("transcript without clip", f"{speaker}/{item.name}")


def _speaks(clip_id: str, sources: RawSources, choice: SpeakerChoice) -> bool:
    """Return whether a recogniser heard the wanted language."""
    if not choice.language or sources.recognised is None:
        return True
    heard = sources.recognised.find(clip_id)
    return heard is not None and (
        heard.language == choice.language and (heard.language_probability or 0.0) >= choice.least_probability
    )


def _entry(packed: PackedTexts, index: int, *, root: Path, texts: Path | None, sources: RawSources) -> ClipEntry:
    speaker, _, place = packed[index].partition("\t")
    clip, path = _clip(place, speaker), root / place
    names = (clip.clip_id, _flat_name(clip), f"{clip.speaker}/{clip.video}_{clip.number}") if sources.openface else ()
    is_sound = place[place.rfind(".") :].lower() in AUDIO
    return ClipEntry(
        clip_id=clip.clip_id,
        recording_id=f"{clip.speaker}/{clip.video}",
        speaker_id=speaker,
        position=int(clip.number) if clip.number.isdigit() else 0,
        audio=path if is_sound else None,
        video=None if is_sound else path,
        openface=sources.openface.find(*names) if sources.openface else None,
        text=_transcript(texts, clip) if texts else "",
    )


def _flat_name(clip: _Clip) -> str:
    """Return the name that SKESL gives the OpenFace file of a clip: seven digits, points become underscores."""
    return f"{clip.speaker}_{clip.video}_{clip.number.zfill(7)}".replace(".", "_")


def _transcript(texts: Path, clip: _Clip) -> str:
    """Return the text beside the sound, ``text/<speaker>/<video>_<number>.txt``; empty where there is none."""
    folder = texts / clip.speaker
    for name in (f"{clip.video}_{clip.number}.txt", f"{clip.video}/{clip.number}.txt"):
        try:
            return " ".join((folder / name).read_text(encoding="utf-8").split())
        except OSError:
            continue
    return ""


def face_folder(entry: ClipEntry) -> Path | None:
    """Return the folder of face crops of a clip, ``video/<speaker>/1.6/<video>/<number>``; else its own video."""
    if entry.video is not None or entry.audio is None:
        return entry.video
    speaker, video, number = entry.clip_id.split("/")
    roots = [parent for parent in entry.audio.parents if (parent / "video").is_dir()]
    for root in roots[:1]:
        for name in (number, number.lstrip("0") or "0"):
            for middle in ("1.6", ""):
                folder = root / "video" / speaker / middle / video / name
                if folder.is_dir():
                    return folder
    return None


def _notes(
    n_speaker: int,
    n_kept: int,
    listed: Mapping[str, Mapping[str, str]],
    choice: SpeakerChoice,
    left_out: Mapping[str, int],
) -> tuple[str, ...]:
    notes = [f"{n_kept} of {n_speaker} speakers are taken"]
    if choice.nationalities is not None:
        people = {row["name"]: row["nationality"] for row in listed.values()}
        n_listed = sum(nationality in choice.nationalities for nationality in people.values())
        notes.append(
            f"of the {len(people):,} speakers of VoxCeleb1 {n_listed:,} are from {', '.join(choice.nationalities)}"
        )
    return (*notes, *(f"{count} clips {reason}" for reason, count in left_out.items()))


def voxceleb_corpus(choice: SpeakerChoice | None = None) -> Corpus:
    """Return the corpus with chosen speakers; all where None."""
    return Corpus(
        name="voxceleb",
        info=DatasetInfo(
            name="VoxCeleb",
            language="mul",
            license="CC BY 4.0 for the lists; the copyright of the sound and the videos stays with their owners",
            citation="Nagrani et al., VoxCeleb, Interspeech 2017; Chung et al., VoxCeleb2, Interspeech 2018; Albanie "
            "et al., Emotion recognition in speech using cross-modal transfer in the wild, ACM MM 2018",
        ),
        labels=(),
        read=partial(read, choice=choice or SpeakerChoice()),
        licence_at="https://www.robots.ox.ac.uk/~vgg/data/voxceleb/",
        pieces=(
            Piece("sound", ("audio", "wav", "dev/aac", "aac", "dev")),
            Piece("transcripts", ("text",)),
            Piece("face crops", ("video",)),
            Piece("list of speakers", ("EmoVoxCeleb_meta.csv", "vox1_meta.csv")),
        ),
        face_source=face_folder,
    )


VOXCELEB = voxceleb_corpus()
