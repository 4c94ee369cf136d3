"""One job for each clip, several at a time, into one folder; what an earlier run finished is not done again."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmfeat.errors import InputError, list_faults
from mmfeat.run_folder import FINISHED, RunFolder, source_stamp
from mmfeat.types import ClipEntry, StreamStatus, Track, untracked


@dataclass(frozen=True, kw_only=True)
class JobResult:
    """What one job made of one clip.

    Args:
        status: ok, no_face, or why there is no output.
        reason: a sentence for people, where it failed.
        files: the finished files in the work folder, by the suffix that follows the clip's id.
        facts: what else the journal keeps.
    """

    status: StreamStatus
    reason: str = ""
    files: Mapping[str, Path] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


Job = Callable[[ClipEntry, Path, Path], JobResult]
"""``job(entry, source, work)`` makes the files of one clip in the empty folder ``work``; it runs in a thread."""


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """What a run did.

    Args:
        path: the output folder.
        records: the journal's last line of each clip, in the order of the clips.
        n_skipped: clips that an earlier run had finished.
        notes: sentences about the whole.
    """

    path: Path
    records: tuple[Mapping[str, Any], ...]
    n_skipped: int = 0
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Number of clips by status, in the order of ``StreamStatus``."""
        found = Counter(record["status"] for record in self.records)
        return {name: found[name] for name in (status.name.lower() for status in StreamStatus) if found[name]}

    @property
    def failures(self) -> tuple[Mapping[str, Any], ...]:
        """The lines of the clips that have no output for a reason that is not their content."""
        return tuple(record for record in self.records if record["status"] not in FINISHED)

    def to_json(self) -> str:
        """Return the report as JSON."""
        rows = [{"clip_id": row["clip_id"], "code": row["status"], "reason": row["reason"]} for row in self.failures]
        counts = {"n_clip": len(self.records), "counts": self.counts, "n_skipped": self.n_skipped}
        report = {"path": str(self.path), **counts, "notes": list(self.notes), "failures": rows}
        return json.dumps(report, indent=2)

    def summary(self) -> str:
        """Return what was done and every failure with its reason."""
        counts = ", ".join(f"{name} {count}" for name, count in self.counts.items())
        done = f"{self.path}: {len(self.records)} clips ({counts})"
        if self.n_skipped:
            done += f", {self.n_skipped} of them from an earlier run"
        done = "; ".join([done, *self.notes])
        if not self.failures:
            return done
        reasons = [f"{record['clip_id']}: {record['reason']}" for record in self.failures]
        return list_faults(f"{done}; {len(reasons)} failed", reasons)


@dataclass(frozen=True, kw_only=True)
class RunPlan:
    """How the jobs of a run are done.

    Args:
        journal: name of the journal in the output folder.
        suffixes: of all files that a clip may have; the last one is renamed last.
        settings: everything but the source that decides the outputs, as JSON can hold it.
        n_jobs: how many clips at a time.
        overwrite: do everything again, and replace files of other programs.
        prepare: called once before the first job, with a folder for its files, if there is anything to do.
        stop: ends what still runs, when the run is interrupted.
        end_leftovers: ends what killed runs left running, given the work folders that they abandoned.
        settings_of: more settings, of a single clip.
        keeper: what holds the output and its journal.
    """

    journal: str
    suffixes: tuple[str, ...]
    settings: Mapping[str, Any]
    n_jobs: int = 1
    overwrite: bool = False
    prepare: Callable[[Path], None] = lambda _work: None
    stop: Callable[[], None] = lambda: None
    end_leftovers: Callable[[Sequence[Path]], None] = lambda _abandoned: None
    settings_of: Callable[[ClipEntry], Mapping[str, Any]] = lambda _entry: {}
    keeper: Callable[[Path, str], RunFolder] = RunFolder


def run_jobs(
    entries: Sequence[ClipEntry], output: Path, job: Job, plan: RunPlan, *, track: Track[str] = untracked
) -> RunReport:
    """Do one job for each clip that is not done, and keep a journal.

    Raises:
        InputError: no clips; another process writes the folder; files in it are not from such a run.
    """
    with closing(plan.keeper(output, plan.journal)) as folder:
        if folder.abandoned:
            plan.end_leftovers(folder.abandoned)
        # Sounds that an earlier run wrote may lie where this one searches.
        written = folder.written()
        entries = [entry for entry in entries if _source(entry).resolve() not in written]
        if not entries:
            raise InputError(f"{output}: expected at least one clip to work on, got none")
        due = [entry for entry in entries if plan.overwrite or not _is_done(folder, entry, plan)]
        folder.refuse_sources({entry.clip_id: _source(entry) for entry in due}, plan.suffixes)
        if not plan.overwrite:
            folder.refuse_foreign([entry.clip_id for entry in due], plan.suffixes)
        if due:
            plan.prepare(folder.work)
        with _started(due, folder, job, plan) as results:
            for _ in track(_committed(results, folder, plan), len(due), "clips"):
                pass
        folder.finish([entry.clip_id for entry in entries])
        records = tuple(folder.last[entry.clip_id] for entry in entries)
    return RunReport(path=output, records=records, n_skipped=len(entries) - len(due))


def _source(entry: ClipEntry) -> Path:
    """Return the one file or folder that a clip's job reads."""
    source = entry.video or entry.audio
    if source is None:
        raise InputError(f"clip {entry.clip_id!r}: expected a video or a sound file, got neither")
    return source


def _settings(entry: ClipEntry, plan: RunPlan) -> dict[str, Any]:
    return {**plan.settings, **plan.settings_of(entry)}


def _is_done(folder: RunFolder, entry: ClipEntry, plan: RunPlan) -> bool:
    try:
        return folder.is_done(entry.clip_id, source_stamp(_source(entry)), _settings(entry, plan))
    except OSError:
        return False


_Finished = tuple[dict[str, Any], JobResult, Path]


@contextmanager
def _started(entries: Sequence[ClipEntry], folder: RunFolder, job: Job, plan: RunPlan) -> Iterator[Iterator[_Finished]]:
    """Give the results in the order in which they come; whatever happens, nothing runs on afterwards."""
    pool = ThreadPoolExecutor(plan.n_jobs)
    try:
        works = (folder.work / f"{index:06d}" for index in range(len(entries)))
        futures = [pool.submit(_attempt, job, entry, work, plan) for entry, work in zip(entries, works, strict=True)]
        yield (future.result() for future in as_completed(futures))
    finally:
        plan.stop()
        pool.shutdown(cancel_futures=True)


def _attempt(job: Job, entry: ClipEntry, work: Path, plan: RunPlan) -> _Finished:
    source = _source(entry)
    stamp: list[int | str]
    try:
        stamp = source_stamp(source)
    except OSError as error:
        stamp = []
        reason = f"{source}: expected a file that is there, got {error.strerror!r}; correct the path"
        result = JobResult(status=StreamStatus.MISSING_SOURCE, reason=reason)
    else:
        result = _done(job, entry, source, work)
    record = {
        "clip_id": entry.clip_id,
        "status": result.status.name.lower(),
        "reason": result.reason,
        "source": str(source),
        "stamp": stamp,
        "settings": _settings(entry, plan),
        **result.facts,
    }
    return record, result, work


def _done(job: Job, entry: ClipEntry, source: Path, work: Path) -> JobResult:
    """Return what a job made; an error of the operating system is the clip's, the others go on."""
    try:
        work.mkdir()
        return job(entry, source, work)
    except OSError as error:
        return JobResult(status=StreamStatus.TOOL_FAILED, reason=f"{source}: {error}")


def _committed(results: Iterator[_Finished], folder: RunFolder, plan: RunPlan) -> Iterator[str]:
    """Yield the status of each clip when its files are in place."""
    for record, result, work in results:
        try:
            folder.commit(record, result.files, plan.suffixes)
        except OSError as error:
            record.update(status=StreamStatus.TOOL_FAILED.name.lower(), reason=f"{record['source']}: {error}")
            folder.note({**record, "outputs": {}})
        shutil.rmtree(work, ignore_errors=True)
        yield record["status"]
