"""Make split schemes: by fractions, in k folds, one speaker left out, or from a table."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from mmfeat.csv_table import open_csv
from mmfeat.dataset.columns import IntArray
from mmfeat.dataset.partition import deal
from mmfeat.errors import ConfigError, InputError, list_faults
from mmfeat.types import Split

Unit = Literal["recording", "speaker", "clip"]
Parts = npt.NDArray[np.uint8]

_UNITS = ("recording", "speaker", "clip")
_TABLE_IDS = ("clip_id", "recording_id", "speaker_id")
_MOST_FAULTS = 200


@dataclass(frozen=True, kw_only=True)
class SplitConfig:
    """How clips are dealt out; ``k_fold``, ``leave_one_speaker_out`` and ``table`` exclude each other.

    Args:
        by: what must stay together: recording, speaker or clip.
        fractions: of train, valid and test; sum up to 1.
        seed: of the order in which equal groups are dealt out.
        stratify: name of the label of which each part should have its share.
        k_fold: make this many schemes, each with another fold as test.
        leave_one_speaker_out: make a scheme for each speaker, with that speaker as test.
        valid_fraction: of k folds and of speakers: of the clips that are not test.
        table: CSV file with the columns clip_id, recording_id or speaker_id, and split.
    """

    by: Unit = "recording"
    fractions: tuple[float, float, float] = (0.7, 0.1, 0.2)
    seed: int = 0
    stratify: str = ""
    k_fold: int | None = None
    leave_one_speaker_out: bool = False
    valid_fraction: float = 0.1
    table: Path | None = None

    def __post_init__(self) -> None:
        faults = []
        if sum((self.k_fold is not None, self.leave_one_speaker_out, self.table is not None)) > 1:
            faults.append("k folds, one speaker left out and a table exclude each other; choose one")
        if self.by not in _UNITS:
            faults.append(f"by must be one of {', '.join(_UNITS)}, got {self.by!r}")
        if len(self.fractions) != 3 or min(self.fractions) < 0 or abs(sum(self.fractions) - 1) > 1e-6:
            faults.append(f"fractions must be three numbers from 0 that sum up to 1, got {self.fractions}")
        if self.k_fold is not None and self.k_fold < 2:
            faults.append(f"k_fold must be at least 2, got {self.k_fold}")
        if not 0 <= self.valid_fraction < 1:
            faults.append(f"valid_fraction must be from 0 to below 1, got {self.valid_fraction}")
        if self.seed < 0:
            faults.append(f"seed must be at least 0, got {self.seed}")
        if faults:
            raise ConfigError("; ".join(faults))


@dataclass(frozen=True, kw_only=True, eq=False)
class ClipColumns:
    """What decides how clips are dealt out; one value for each clip, empty texts where unknown."""

    clip: Sequence[str]
    recording: Sequence[str]
    speaker: Sequence[str]
    strata: IntArray | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Scheme:
    """A split scheme: the part of each clip, and a sentence that says where it comes from."""

    name: str
    parts: Parts
    source: str


def make_schemes(name: str, columns: ClipColumns, config: SplitConfig) -> list[Scheme]:
    """Return one scheme of the name, or several with ``-0``, ``-1``, … behind it.

    Raises:
        InputError: there are too few groups, clips without a speaker, or the table does not fit.
    """
    if config.table is not None:
        return [Scheme(name=name, parts=_from_table(columns, config.table), source=f"table {config.table.name}")]
    if config.leave_one_speaker_out:
        return _one_speaker_out(name, columns, config)
    if config.k_fold is not None:
        return _folds(name, columns, config, config.k_fold)
    parts = deal(_groups(columns, config.by), config.fractions, seed=config.seed, strata=columns.strata, unit=config.by)
    return [Scheme(name=name, parts=parts.astype(np.uint8), source=_told(config, f"fractions {config.fractions}"))]


def _folds(name: str, columns: ClipColumns, config: SplitConfig, n_fold: int) -> list[Scheme]:
    groups = _groups(columns, config.by)
    folds = deal(groups, [1.0] * n_fold, seed=config.seed, strata=columns.strata, unit=config.by)
    return [
        Scheme(
            name=f"{name}-{fold}",
            parts=_with_valid(folds == fold, groups, columns, config),
            source=_told(config, f"fold {fold} of {n_fold}, valid {config.valid_fraction}"),
        )
        for fold in range(n_fold)
    ]


def _one_speaker_out(name: str, columns: ClipColumns, config: SplitConfig) -> list[Scheme]:
    speakers = np.asarray(_groups(columns, "speaker"))
    names = np.unique(speakers)
    if names.size < 2:
        raise InputError(f"expected at least 2 speakers to leave one out, got {names.size}")
    return [
        Scheme(
            name=f"{name}-{number}",
            parts=_with_valid(speakers == speaker, speakers.tolist(), columns, config),
            source=f"speaker {str(speaker)!r} left out, valid {config.valid_fraction} by speaker, seed {config.seed}",
        )
        for number, speaker in enumerate(names)
    ]


def _with_valid(
    is_test: npt.NDArray[np.bool_], groups: Sequence[str], columns: ClipColumns, config: SplitConfig
) -> Parts:
    """Return a scheme with these test clips and a validation part carved from the others."""
    parts = np.where(is_test, Split.TEST, Split.TRAIN).astype(np.uint8)
    if config.valid_fraction:
        rest = np.flatnonzero(~is_test).tolist()
        strata = None if columns.strata is None else columns.strata[rest]
        shares = (1 - config.valid_fraction, config.valid_fraction)
        try:
            parts[rest] = deal([groups[row] for row in rest], shares, seed=config.seed, strata=strata)
        except InputError as error:
            message = (
                "expected at least 2 groups beside each test part, to take valid from; or set the valid fraction to 0"
            )
            raise InputError(message) from error
    return parts


def _groups(columns: ClipColumns, by: Unit) -> Sequence[str]:
    """Return what must stay together.

    Raises:
        InputError: a clip has no speaker, where speakers are asked for.
    """
    groups: Sequence[str] = getattr(columns, by)
    n_unknown = sum(not group for group in groups)
    if n_unknown:
        raise InputError(
            f"expected a {by} for every clip, {n_unknown} have none; add the column {by}_id and build anew"
        )
    return groups


def _told(config: SplitConfig, how: str) -> str:
    stratified = f", stratified by {config.stratify}" if config.stratify else ""
    return f"{how} by {config.by}{stratified}, seed {config.seed}"


def _from_table(columns: ClipColumns, table: Path) -> Parts:
    """Return the parts that a CSV file names; clips that it does not name have none.

    Raises:
        InputError: columns are missing, a part or an id is unknown, or an id stands there with two parts.
    """
    key, rows = _read_table(table)
    ids: Sequence[str] = getattr(columns, key.removesuffix("_id"))
    known, part_of, faults = set(ids), dict[str, Split](), []
    for line, identifier, word in rows:
        if word.upper() not in Split.__members__:
            faults.append(f"line {line}: expected train, valid, test or none, got {word!r}")
        elif identifier not in known:
            faults.append(f"line {line}: unknown {key} {identifier!r}")
        elif part_of.setdefault(identifier, part := Split[word.upper()]) is not part:
            faults.append(f"line {line}: {key} {identifier!r} stands there with another part before")
    if faults:
        raise InputError(list_faults(f"{table}: the table does not fit the clips", faults, most=_MOST_FAULTS))
    return np.array([part_of.get(identifier, Split.NONE) for identifier in ids], dtype=np.uint8)


def _read_table(table: Path) -> tuple[str, list[tuple[int, str, str]]]:
    """Return the column of ids, and (line, id, part) of each row."""
    with open_csv(table, "table") as handle:
        reader = csv.DictReader(handle, strict=True, restval="")
        header = reader.fieldnames or []
        keys = [key for key in _TABLE_IDS if key in header]
        if len(keys) != 1 or "split" not in header:
            expected = f"the column split and one of {', '.join(_TABLE_IDS)}"
            raise InputError(f"{table}: expected {expected}, got {', '.join(header) or 'nothing'}")
        return keys[0], [(reader.line_num, row[keys[0]].strip(), row["split"].strip()) for row in reader]


def part_sizes(scheme: Scheme) -> dict[str, int]:
    """Return the number of clips in each part."""
    return {part.name.lower(): int((scheme.parts == part).sum()) for part in Split}
