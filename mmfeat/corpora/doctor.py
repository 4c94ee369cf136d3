"""Say what a local copy of a corpus is, what it lacks, where its licence is asked for. Nothing is ever downloaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmfeat.convert.csd_file import CsdFile
from mmfeat.convert.unpickle import load_pickle
from mmfeat.corpora.corpus import Corpus, Piece, RawSources
from mmfeat.corpora.facts import fact_rows
from mmfeat.corpora.raw_tree import files_below, first_inside
from mmfeat.corpora.reconcile import UNPUBLISHED, reconcile
from mmfeat.errors import InputError

_PICKLES = (".pkl", ".pickle")
_SEQUENCES = (".csd",)
_LARGEST_LOADED = 1_500_000_000  # bytes of a pickle that is looked into where its hash is unknown
_BLOCK = 1 << 22

Splits = Mapping[str, Mapping[str, Mapping[str, int | None]]]
"""Of each scheme and part the numbers of clips that are expected and found."""


@dataclass(frozen=True, kw_only=True)
class FileFinding:
    """One file that was recognised: what it is, the command that reads it, and its corpus where that is known."""

    path: Path
    what: str
    command: str = ""
    dataset: str = ""


def _of(row: Mapping[str, int | None]) -> str:
    return f"{row['found']}" if row["expected"] is None else f"{row['found']} of {row['expected']}"


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What a local copy is.

    Args:
        corpus: the corpus that it was held against.
        path: the folder or file.
        pieces: each piece of the raw tree and where it was found; None: nowhere.
        files: pickles and computational sequences that were recognised.
        splits: expected and found clips of each part, where the tree can be read.
        problem: why the tree cannot be read as this corpus; empty where it can.
        usable: a command can make a dataset of it.
    """

    corpus: Corpus
    path: Path
    pieces: Mapping[Piece, Path | None]
    files: Sequence[FileFinding]
    splits: Splits
    problem: str
    usable: bool

    def to_json(self) -> str:
        """Return the diagnosis as JSON."""
        pieces = [
            {"what": piece.what, "needed": piece.needed, "found": None if path is None else str(path)}
            for piece, path in self.pieces.items()
        ]
        files = [{"path": str(found.path), "what": found.what, "command": found.command} for found in self.files]
        facts = {"dataset": self.corpus.name, "path": str(self.path), "usable": self.usable, "problem": self.problem}
        rest = {"pieces": pieces, "files": files, "splits": self.splits, "licence_at": self.corpus.licence_at}
        return json.dumps({**facts, **rest, "license": self.corpus.info.license}, indent=2, ensure_ascii=False)

    def summary(self) -> str:
        """Return the diagnosis as text."""
        name = self.corpus.info.name
        lines = [f"{self.path}: {f'can be read as {name}' if self.usable else f'cannot be read as {name}'}"]
        if self.problem:
            lines.append(f"  {self.problem}")
        for piece, path in self.pieces.items():
            state = "missing, needed" if piece.needed else "missing"
            lines.append(f"  {piece.what:<28} {path or f'{state}: {piece.places[0]}'}")
        for found in self.files:
            lines.append(f"  {found.path}: {found.what}{f'; {found.command}' if found.command else ''}")
        for scheme, parts in self.splits.items():
            told = ", ".join(f"{part} {_of(row)}" for part, row in parts.items())
            lines.append(f"  split {scheme}: {told}")
        lines.append(f"  licence: {self.corpus.info.license}; ask at {self.corpus.licence_at}")
        return "\n".join(lines)


def diagnose(corpus: Corpus, path: Path, others: Iterable[Corpus] = ()) -> Diagnosis:
    """Return what a folder, a pickle or a computational sequence is, held against a corpus.

    Args:
        corpus: what it should be.
        path: a folder of raw data, or a file.
        others: what else it may be, where it is not that.

    Raises:
        InputError: there is neither.
    """
    if path.is_file():
        return _of_file(corpus, path)
    if not path.is_dir():
        raise InputError(f"{path}: expected a folder or a file, found neither; correct ROOT")
    files = tuple(_recognised(file) for file in files_below(path, {*_PICKLES, *_SEQUENCES}))
    problem, splits = _read(corpus, path)
    if problem:
        names = [other.info.name for other in others if other is not corpus and not _read(other, path)[0]]
        problem += f"; it looks like {' or '.join(names)}" if names else ""
    return Diagnosis(
        corpus=corpus,
        path=path,
        pieces={piece: _place(path, piece) for piece in corpus.pieces},
        files=files,
        splits=splits,
        problem=problem,
        usable=not problem,
    )


def _of_file(corpus: Corpus, path: Path) -> Diagnosis:
    found = _recognised(path)
    is_other = bool(found.dataset) and not corpus.name.startswith(found.dataset)
    problem = f"it is of another corpus, {found.dataset}" if is_other else ""
    usable = bool(found.command) and not problem
    return Diagnosis(corpus=corpus, path=path, pieces={}, files=(found,), splits={}, problem=problem, usable=usable)


def _read(corpus: Corpus, root: Path) -> tuple[str, Splits]:
    """Return why a raw tree cannot be read as a corpus, and the expected and found clips of each part."""
    try:
        raw = corpus.read(root, RawSources())
        if not len(raw.entries):
            return "no clip was found", {}
        table = reconcile(corpus, raw)
    except InputError as error:
        return str(error), {}
    if len(table.differences.ids(UNPUBLISHED)) == len(raw.entries):
        return f"no clip has an id of {corpus.info.name}: it is another corpus, or ids were changed", {}
    return "", {name: parts for name, parts in table.to_dict()["splits"].items() if name in corpus.expected}


def _place(root: Path, piece: Piece) -> Path | None:
    """Return where a piece of a raw tree is."""
    for place in piece.places:
        if "*" in place:
            found = next((path for path in files_below(root, {Path(place).suffix}) if path.match(place)), None)
        else:
            found = first_inside(root, place.split("/"))
        if found is not None:
            return found
    return None


def _recognised(path: Path) -> FileFinding:
    """Return what a file is, by its hash, else by what is in it."""
    suffix = path.suffix.lower()
    if suffix in _SEQUENCES:
        return FileFinding(path=path, what=_sequence(path), command="mmfeat import-csd")
    if suffix not in _PICKLES:
        return FileFinding(path=path, what="no file that this command knows; give a folder, a .pkl or a .csd file")
    for row in _known_pickles(path):
        what = f"{row['name']} as {row['source']} published it ({row['algorithm']} {row['digest'][:12]}…)"
        return FileFinding(path=path, what=what, command="mmfeat import-mmsa", dataset=row["dataset"])
    return _by_structure(path)


def _known_pickles(path: Path) -> Iterator[dict[str, str]]:
    """Yield the published files that have the bytes of this one."""
    hashes = {"sha1": hashlib.sha1(usedforsecurity=False), "sha256": hashlib.sha256()}
    with path.open("rb") as handle:
        while block := handle.read(_BLOCK):
            for known in hashes.values():
                known.update(block)
    digests = {name: known.hexdigest() for name, known in hashes.items()}
    yield from (row for row in fact_rows("files") if digests[row["algorithm"]] == row["digest"])


def _by_structure(path: Path) -> FileFinding:
    if path.stat().st_size > _LARGEST_LOADED:
        return FileFinding(path=path, what="a pickle of no known hash, too large to look into")
    try:
        content = load_pickle(path)
    except InputError as error:
        return FileFinding(path=path, what=f"not read: {error}")
    keys = {_text(key) for key in content} if isinstance(content, dict) else set()
    part = next((item for item in content.values() if isinstance(item, dict)), {}) if keys else {}
    fields = {_text(key) for key in part}
    if {"id", "text", "audio", "vision"} <= fields:
        return FileFinding(path=path, what="a pickle of MMSA's layout, of no known hash", command="mmfeat import-mmsa")
    if {"raw_text", "audio", "video"} <= (fields or keys):
        what = "a pickle of SKESL's layout: no ids, no lengths"
        return FileFinding(path=path, what=what, command="mmfeat import-skesl-pkl")
    if {"labels_class", "text_utt_mask"} & (fields | keys):
        what = "a pickle of UniVA's layout; its ids lie in the tables beside it, give their folder"
        return FileFinding(path=path, what=what, command="mmfeat import-univa")
    return FileFinding(path=path, what=f"a pickle of another layout, with {', '.join(sorted(keys)[:6]) or 'no dict'}")


def _text(key: object) -> str:
    return key.decode("utf-8", "replace") if isinstance(key, bytes) else str(key)


def _sequence(path: Path) -> str:
    try:
        file = CsdFile(path)
    except InputError as error:
        return f"not read: {error}"
    try:
        kind = "texts" if file.is_text else f"{file.width} column(s)"
        return f"computational sequence {file.root!r} of {len(file.keys):,} recordings, {kind}"
    finally:
        file.close()
