"""Write split schemes into a dataset file. The file is copied first: at any kill it is the old one or the new one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py

from mmfeat.dataset.assemble import new_event
from mmfeat.dataset.columns import IntArray
from mmfeat.dataset.disjoint import is_disjoint
from mmfeat.dataset.finish import UNFINISHED, check_output, unfinished_file
from mmfeat.dataset.part import PartFolder
from mmfeat.dataset.partition import strata_of
from mmfeat.dataset.schemes import ClipColumns, Scheme, SplitConfig, make_schemes, part_sizes
from mmfeat.dataset.source import Source, open_source, texts
from mmfeat.dataset.tables import make_scheme, store_texts
from mmfeat.errors import InputError
from mmfeat.types import Track, untracked


@dataclass(frozen=True, kw_only=True)
class SplitReport:
    """Which schemes were written.

    Args:
        path: the file that has them.
        schemes: of each: ``name``, the clips in ``train``, ``valid``, ``test`` and ``none``, ``recording_disjoint``,
            ``speaker_disjoint`` (None where no speaker is known) and ``source``.
    """

    path: Path
    schemes: tuple[Mapping[str, Any], ...]

    def to_json(self) -> str:
        """Return the report as JSON."""
        return json.dumps({"path": str(self.path), "schemes": self.schemes}, indent=2)

    def summary(self) -> str:
        """Return one line for each scheme."""
        return "\n".join(f"{self.path}: {_line(scheme)}" for scheme in self.schemes)


def split_dataset(
    path: Path | str,
    name: str,
    config: SplitConfig | None = None,
    *,
    output: Path | str | None = None,
    overwrite: bool = False,
    verify: bool = True,
    track: Track[str] = untracked,
    origin: Mapping[str, Any] | None = None,
) -> SplitReport:
    """Add a split scheme to a dataset file, or several: ``NAME-0``, ``NAME-1``, … for folds and speakers.

    Args:
        path: the file.
        name: of the scheme.
        config: how the clips are dealt out.
        output: write a new file instead of changing this one.
        overwrite: replace schemes of the same name, and an existing output.
        verify: recompute the content hash of the file first; without it damage goes unnoticed.
        track: shows progress over the objects of the file that are hashed.
        origin: what the provenance event says of where the request comes from.

    Raises:
        InputError: the request cannot be met, a scheme of that name is there, or nothing can be written.
        SchemaError: the file breaks a rule of the format, or was damaged.
        OutputExistsError: ``output`` exists and ``overwrite`` is false.

    Example:
        >>> from mmfeat import SplitConfig, split_dataset
        >>> from mmfeat.testing import write_example_dataset
        >>> report = split_dataset(write_example_dataset(), "folds", SplitConfig(k_fold=3, valid_fraction=0.25))
        >>> [(scheme["name"], scheme["train"], scheme["valid"], scheme["test"]) for scheme in report.schemes]
        [('folds-0', 6, 2, 4), ('folds-1', 6, 2, 4), ('folds-2', 6, 2, 4)]
    """
    config = config or SplitConfig()
    _check_name(name)
    started = datetime.now(UTC)
    if output is not None:
        check_output(Path(output), overwrite=overwrite)
    source = open_source(path, verify=verify, track=track)
    with source.opened() as file:
        columns = _columns(source, file, config)
    schemes = _made(source, name, columns, config)
    _refuse_known(source, schemes, overwrite=overwrite)
    target = Path(output) if output is not None else source.path.resolve()
    with _copied(source, target, sum(scheme.parts.nbytes for scheme in schemes), track) as file:
        for scheme in schemes:
            _store(file, scheme, columns)
        settings = {**asdict(config), "table": config.table.name if config.table else None}
        event = {"action": "split", "scheme": name, "config": settings, **(origin or {})}
        del file["/provenance/events"]
        store_texts(file, "/provenance/events", [*source.events, new_event(event, [source], started)])
    facts = tuple(_facts(scheme, columns) for scheme in schemes)
    return SplitReport(path=Path(path) if output is None else target, schemes=facts)


@contextmanager
def _copied(source: Source, output: Path, n_byte: int, track: Track[str]) -> Iterator[h5py.File]:
    """Open a copy of a file for changes by ``n_byte``; it takes the name of the output when the block ends."""
    folder = PartFolder(output, None)
    try:
        with source.opened():
            shutil.copy(source.path, folder.path / UNFINISHED)
        n_byte += source.stamp[1] + 2 * source.n_table_byte
        with unfinished_file(folder.path, output, mode="r+", n_byte=n_byte, track=track) as file:
            yield file
    except OSError as error:
        message = f"{output}: expected to write the file: {error}; make room, or name another file with --out"
        raise InputError(message) from error
    finally:
        folder.close(discard=True)


def _made(source: Source, name: str, columns: ClipColumns, config: SplitConfig) -> list[Scheme]:
    try:
        return make_schemes(name, columns, config)
    except InputError as error:
        raise InputError(f"{source.path}: {error}") from error


def _columns(source: Source, file: h5py.File, config: SplitConfig) -> ClipColumns:
    return ClipColumns(
        clip=source.clip_ids,
        recording=texts(file["/clips/recording_id"]),
        speaker=texts(file["/clips/speaker_id"]),
        strata=_strata(source, file, config.stratify),
    )


def _strata(source: Source, file: h5py.File, label: str) -> IntArray | None:
    if not label:
        return None
    if label not in source.names("labels"):
        known = ", ".join(source.names("labels")) or "none"
        raise InputError(f"{source.path}: no label {label!r} to stratify by; known: {known}")
    group = file[f"/labels/{label}"]
    return strata_of(group["values"][:], group["present"][:], str(group.attrs["problem"]))


def _check_name(name: str) -> None:
    if not name.strip(".") or "/" in name or "\0" in name:
        raise InputError(f"split scheme {name!r}: expected a name without '/'; choose another one")


def _refuse_known(source: Source, schemes: Sequence[Scheme], *, overwrite: bool) -> None:
    known = [scheme.name for scheme in schemes if scheme.name in source.names("splits")]
    if known and not overwrite:
        message = f"{source.path}: expected new split schemes, {', '.join(known)} exist; choose another name"
        raise InputError(f"{message} or pass --overwrite")


def _store(file: h5py.File, scheme: Scheme, columns: ClipColumns) -> None:
    path = f"/splits/{scheme.name}"
    if path in file:
        del file[path]
    stored = make_scheme(file, path, len(scheme.parts), scheme.source)
    stored[:] = scheme.parts
    stored.attrs["recording_disjoint"] = is_disjoint(columns.recording, scheme.parts.tolist())


def _facts(scheme: Scheme, columns: ClipColumns) -> dict[str, Any]:
    parts = scheme.parts.tolist()
    with_speaker = [(speaker, part) for speaker, part in zip(columns.speaker, parts, strict=True) if speaker]
    return {
        "name": scheme.name,
        **part_sizes(scheme),
        "recording_disjoint": is_disjoint(columns.recording, parts),
        "speaker_disjoint": is_disjoint(*zip(*with_speaker, strict=True)) if with_speaker else None,
        "source": scheme.source,
    }


def _line(scheme: Mapping[str, Any]) -> str:
    sizes = " · ".join(f"{part} {scheme[part]}" for part in ("train", "valid", "test", "none"))
    words = {True: "disjoint", False: "shared between parts", None: "unknown"}
    groups = f"recordings {words[scheme['recording_disjoint']]}, speakers {words[scheme['speaker_disjoint']]}"
    return f"{scheme['name']}: {sizes} ({groups})"
