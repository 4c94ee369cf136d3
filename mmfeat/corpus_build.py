"""Build a dataset file from the raw tree of a corpus, and reconcile it with what was published."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmfeat.build import BuildReport, build_dataset
from mmfeat.build_config import BuildConfig
from mmfeat.corpora import Corpus, OpenFaceFiles, RawCorpus, RawSources, Reconciliation, reconcile
from mmfeat.corpus_size import expected_bytes, n_with
from mmfeat.dataset import Compression
from mmfeat.errors import InputError
from mmfeat.lazy_entries import changed
from mmfeat.shards import Shard
from mmfeat.transcripts import TranscriptTable
from mmfeat.types import ClipEntry, ClipFeatures, Track, Words, untracked
from mmfeat.vision import OpenFaceRunConfig, OpenFaceTool, run_openface


@dataclass(frozen=True, kw_only=True)
class CorpusReport:
    """What a build of a corpus did, and how it compares with what was published."""

    build: BuildReport
    table: Reconciliation
    table_path: Path

    @property
    def failed(self) -> bool:
        """Whether streams failed or published clips are missing."""
        return bool(self.build.failures or self.table.n_missing)

    def to_json(self) -> str:
        """Return both as JSON."""
        build = json.loads(self.build.to_json())
        return json.dumps({**build, "reconciliation": self.table.to_dict()}, indent=2, ensure_ascii=False)

    def summary(self) -> str:
        """Return both as text."""
        parts = (self.build.summary(), self.table.summary(), f"all of it as JSON: {self.table_path}")
        return "\n".join(filter(None, parts))


@dataclass(frozen=True, kw_only=True)
class CorpusPlan:
    """What a build of a corpus would do: what was found, what is missing, what comes out."""

    output: Path
    facts: Mapping[str, Any]
    table: Reconciliation
    notes: tuple[str, ...]

    def to_json(self) -> str:
        """Return the plan as JSON."""
        plan = {"output": str(self.output), **self.facts, "notes": self.notes}
        return json.dumps({**plan, "reconciliation": self.table.to_dict()}, indent=2, ensure_ascii=False)

    def summary(self) -> str:
        """Return the plan as text."""
        facts = {**self.facts, "size": f"about {self.facts['size'] / 1e6:,.1f} MB"}
        exists = " (exists)" if self.output.exists() else ""
        lines = [f"{name:<20} {value}" for name, value in facts.items()]
        notes = [f"note: {note}" for note in self.notes]
        parts = [f"{'output':<20} {self.output}{exists}", *lines, self.table.summary(), *notes]
        return "\n".join(filter(None, parts))


@dataclass(frozen=True, kw_only=True)
class CorpusChoice:
    """What is taken of a corpus.

    Args:
        labels: the table of labels, where it is not in the raw tree.
        openface: folder of the csv files of OpenFace.
        recognised: ``transcripts.jsonl`` of a recogniser, whose texts take the place of the transcripts.
        limit: only so many clips, the first ones.
    """

    labels: Path | None = None
    openface: Path | None = None
    recognised: Path | None = None
    limit: int | None = None


def build_corpus(
    corpus: Corpus,
    root: Path | str,
    output: Path | str,
    config: BuildConfig | None = None,
    choice: CorpusChoice | None = None,
    *,
    n_jobs: int = 1,
    scheduler: str | None = None,
    shard: Shard | None = None,
    overwrite: bool = False,
    retry_failed: bool = False,
    compression: Compression = "none",
    track: Track[ClipFeatures] = untracked,
    origin: Mapping[str, Any] | None = None,
) -> CorpusReport:
    """Turn the raw tree of a corpus into a dataset file with its published split.

    The table of what was expected and what was found is written beside the file, as ``NAME.reconciliation.json``. An
    interrupted build is continued by the same call.

    Args:
        corpus: one of ``mmfeat.corpora.CORPORA``.
        root: the folder of the unpacked corpus.
        output: the file to make; it appears whole or not at all.
        config: settings of the streams.
        choice: what is taken of the corpus.
        n_jobs: worker processes on this machine.
        scheduler: address of a dask.distributed scheduler, see ``build_dataset``.
        shard: build this part of the clips alone; ``merge_datasets`` unites all parts.
        overwrite: replace an existing file.
        retry_failed: of an existing file try only those clips again in which a stream failed, and clips that are new.
        compression: of features, see ``DatasetWriter``.
        track: shows progress.
        origin: what the provenance event says beside the corpus.

    Raises:
        InputError: the raw tree lacks what must be there, or nothing in it can be read.
        OutputExistsError: the file exists and ``overwrite`` is false.
    """
    output, choice = Path(output), choice or CorpusChoice()
    raw = read_corpus(corpus, Path(root), choice)
    report = build_dataset(
        raw.entries,
        output,
        config,
        info=corpus.info,
        labels=corpus.labels,
        words=raw.words,
        n_jobs=n_jobs,
        scheduler=scheduler,
        shard=shard,
        overwrite=overwrite,
        retry_failed=retry_failed,
        compression=compression,
        track=track,
        origin={"corpus": corpus.name, "root": str(root), **(origin or {})},
    )
    limited = choice.limit is not None or shard is not None
    table = reconcile(corpus, raw, failures=report.failures, limited=limited)
    table_path = output.with_name(f"{output.stem}.reconciliation.json")
    table_path.write_text(table.to_json() + "\n", encoding="utf-8")
    return CorpusReport(build=replace(report, notes=(*raw.notes, *report.notes)), table=table, table_path=table_path)


def plan_corpus(
    corpus: Corpus,
    root: Path | str,
    output: Path | str,
    config: BuildConfig | None = None,
    choice: CorpusChoice | None = None,
) -> CorpusPlan:
    """Return what ``build_corpus`` would do; nothing is extracted and nothing is written.

    Raises:
        InputError: the raw tree lacks what must be there.
    """
    config, choice = config or BuildConfig(), choice or CorpusChoice()
    raw = read_corpus(corpus, Path(root), choice)
    facts = {"clips": len(raw.entries), **n_with(raw.entries), "size": expected_bytes(raw.entries, config)}
    table = reconcile(corpus, raw, limited=choice.limit is not None)
    return CorpusPlan(output=Path(output), facts=facts, table=table, notes=raw.notes)


def read_corpus(corpus: Corpus, root: Path, choice: CorpusChoice) -> RawCorpus:
    """Return the clips of a raw tree that are taken, with the texts that are wanted.

    Raises:
        InputError: the raw tree lacks what must be there, or no clip has a file in the folder of OpenFace.
    """
    recognised = TranscriptTable(choice.recognised) if choice.recognised else None
    sources = RawSources(
        labels=choice.labels,
        openface=OpenFaceFiles(choice.openface) if choice.openface else None,
        recognised=recognised,
    )
    raw = corpus.read(root, sources)
    if not len(raw.entries):
        raise InputError(f"{root}: expected clips of {corpus.info.name}, found none; is it the folder of the corpus?")
    entries: Sequence[ClipEntry] = raw.entries if choice.limit is None else raw.entries[: choice.limit]
    if sources.openface:
        _check_openface(entries, sources.openface)
    if recognised is None:
        return replace(raw, entries=entries)
    return replace(
        raw,
        entries=changed(entries, lambda entry: _with_recognised(entry, recognised)),
        words=recognised.words_origin,
    )


def run_openface_over(
    corpus: Corpus,
    root: Path,
    choice: CorpusChoice,
    output: Path,
    tool: OpenFaceTool,
    *,
    n_jobs: int = 1,
    track: Track[str] = untracked,
) -> CorpusChoice:
    """Run OpenFace over the videos of a corpus, and return the choice with the folder of its files.

    Recordings of which clips are parts are run once. What an earlier run finished is not done again.

    Args:
        corpus: the corpus.
        root: its raw tree.
        choice: what is taken of it.
        output: the folder of the csv files.
        tool: the program, from ``find_openface``.
        n_jobs: processes at a time.
        track: shows progress.

    Raises:
        InputError: the corpus has no videos.
        MissingToolError: the program does not run.
    """
    sources: dict[str, Path] = {}
    for entry in read_corpus(corpus, root, replace(choice, openface=None)).entries:
        if (source := corpus.face_source(entry)) is not None:
            sources.setdefault(entry.recording_id if entry.is_part else entry.clip_id, source)
    if not sources:
        raise InputError(f"{root}: expected videos for OpenFace, found none; leave out --openface-bin")
    entries = [ClipEntry(clip_id=name, video=path) for name, path in sources.items()]
    run_openface(entries, output, tool, OpenFaceRunConfig(), n_jobs=n_jobs, track=track)
    return replace(choice, openface=output)


def _check_openface(entries: Sequence[ClipEntry], openface: OpenFaceFiles) -> None:
    """A folder in which not one clip has its file is a wrong folder, not a thousand failing clips."""
    wanted = (entry.openface for entry in entries if entry.openface is not None)
    first = next(wanted, None)
    if first is None or first.exists() or any(path.exists() for path in wanted):
        return
    there = next((path.name for path in openface.folder.rglob("*.csv")), "no csv file")
    raise InputError(f"{openface.folder}: expected files such as {first.name!r}, found {there!r}; correct --openface")


def _with_recognised(entry: ClipEntry, recognised: TranscriptTable) -> ClipEntry:
    """Return a clip with what a recogniser heard; of a recording's words those in the time of the clip."""
    if recognised.find(entry.clip_id) is not None:
        return recognised.filled(replace(entry, text=""))
    recording = recognised.find(entry.recording_id) if entry.is_part else None
    if recording is None or not recording.words:
        return replace(entry, text="", words=None)
    heard = recording.to_words()
    middles = heard.intervals_s.mean(axis=1)
    rows = ((middles >= entry.start_s) & (middles < entry.end_s)).nonzero()[0]
    tokens = tuple(heard.tokens[row] for row in rows)
    words = Words(tokens=tokens, intervals_s=heard.intervals_s[rows])
    return replace(entry, text=" ".join(tokens), words=words if tokens else None)
