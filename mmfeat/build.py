"""Build a dataset file from clips: extract every stream of every clip, record what fails, write one file."""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from mmfeat.build_config import BuildConfig
from mmfeat.build_plan import BuildPlan, SameClips, plan_build, restart_notes, what_exists
from mmfeat.config import config_to_dict
from mmfeat.dataset import Compression, DatasetInfo, DatasetWriter, LabelInfo
from mmfeat.errors import InputError, OutputExistsError, list_faults
from mmfeat.extract_all import extract_all
from mmfeat.reports import failure_rows, with_lists
from mmfeat.retry import FinishedClips
from mmfeat.shards import Shard
from mmfeat.transcripts import TranscriptTable
from mmfeat.types import ClipEntry, ClipFeatures, StreamFailure, Track, untracked
from mmfeat.versions import versions_of


@dataclass(frozen=True, kw_only=True)
class BuildReport:
    """What a build did.

    Args:
        path: the dataset file.
        n_clip: clips in the file, failed ones included.
        n_ok: clips with each stream.
        failures: (clip id, failure) of every stream that could not be read.
        n_continued: clips that an interrupted run of the same build had finished.
        n_kept: clips of the finished file that were kept while the failed ones were tried again.
        notes: sentences that a person should read before trusting the values.
    """

    path: Path
    n_clip: int
    n_ok: Mapping[str, int]
    failures: tuple[tuple[str, StreamFailure], ...]
    n_continued: int = 0
    n_kept: int = 0
    notes: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Return the report as JSON."""
        counts = {"n_clip": self.n_clip, "n_ok": dict(self.n_ok), "n_continued": self.n_continued}
        counts["n_kept"] = self.n_kept
        return json.dumps(
            {"path": str(self.path), **counts, "notes": self.notes, "failures": failure_rows(self.failures)}, indent=2
        )

    def summary(self) -> str:
        """Return what was built, every note, and every failure with its reason."""
        streams = ", ".join(f"{name} {count}" for name, count in self.n_ok.items()) or "texts and labels only"
        text = f"{self.path}: {self.n_clip} clips ({streams})"
        if self.n_continued:
            text += f", {self.n_continued} of them from an interrupted run"
        if self.n_kept:
            text += f", {self.n_kept} of them kept"
        return with_lists(text, self.notes, self.failures)


def build_dataset(
    entries: Sequence[ClipEntry],
    output: Path | str,
    config: BuildConfig | None = None,
    *,
    info: DatasetInfo | None = None,
    labels: Sequence[LabelInfo] = (),
    words: Mapping[str, Any] | None = None,
    n_jobs: int = 1,
    scheduler: str | None = None,
    shard: Shard | None = None,
    overwrite: bool = False,
    retry_failed: bool = False,
    compression: Compression = "none",
    transcripts: TranscriptTable | None = None,
    track: Track[ClipFeatures] = untracked,
    origin: Mapping[str, Any] | None = None,
) -> BuildReport:
    """Extract every stream of every clip into one dataset file.

    An interrupted build is continued by the same call. Other settings, versions or streams start it anew; where the
    clips or their files changed it goes on from the first one that did. A note says so.

    A stream exists when a clip asks for it: ``audio`` where there is an audio or video path, ``vision`` where
    there is an OpenFace path, ``frames`` where there is a video path and the settings have frames, and one for each
    name in ``features``. A stream that fails is recorded with its reason and the clip keeps its row. The content does
    not depend on ``n_jobs`` or ``scheduler``.

    Args:
        entries: the clips, in the order of the file.
        output: the file to make; it appears whole or not at all.
        config: settings of the streams.
        info: attributes of the dataset; named after the file where None.
        labels: what is known of labels; others that clips have get their name alone.
        words: where the words of the clips come from, as JSON values; None: words are not stored.
        n_jobs: worker processes on this machine.
        scheduler: address of a dask.distributed scheduler, ``tcp://HOST:PORT``, whose workers take the place of those
            of this machine; they must see the same files and have the same versions.
        shard: build this part of the clips alone; ``merge_datasets`` unites all parts to what one build would be.
        overwrite: replace an existing file.
        retry_failed: of an existing file try only those clips again in which a stream failed, and clips that are new;
            the others are kept without a look at their files.
        compression: of features, see ``DatasetWriter``; the content, and its hash, are the same.
        transcripts: words with their times, texts of clips that have none, and the language of the dataset.
        track: shows progress.
        origin: what the provenance event says about where the clips come from.

    Raises:
        InputError: no clips, or fewer than shards; or nothing but failures, so that the file would hold no data.
        OutputExistsError: the file exists, and neither ``overwrite`` nor ``retry_failed`` is true.
        ClusterError: there is no scheduler or no worker, or they are gone; what was done is kept.
        MissingExtraError: ``scheduler`` is given, and dask.distributed is not installed.
    """
    output = Path(output)
    if not entries:
        raise InputError(f"{output}: expected at least one clip to build from, got none")
    notes: list[str] = []
    if transcripts is not None:
        entries, notes = transcripts.fill(entries)
        words = transcripts.words_origin
        info = info or DatasetInfo(name=output.stem, language=transcripts.language)
        origin = {**(origin or {}), "transcripts": transcripts.origin}
    plan = plan_build(entries, config or BuildConfig(), labels=labels, words=words, shard=shard)
    started, same, notes = datetime.now(UTC), SameClips(plan.entries), [*plan.notes, *notes]
    with _finished(output, plan, retry_failed=retry_failed) as finished:
        writer = _writer(output, plan, info, compression, same, finished, overwrite=overwrite)
        with writer:
            n_done = writer.restore(plan.entries)
            notes += restart_notes(output, writer.restart_reason, same.reason, n_done)
            extract = partial(extract_all, plan=plan, n_jobs=n_jobs, scheduler=scheduler)
            with closing(_clips(plan.entries[n_done:], extract, finished)) as clips:
                for clip in track(clips, len(plan.entries) - n_done, "clips"):
                    writer.write(clip)
            failures, n_ok = writer.failures, writer.n_ok
            notes += [f"{clip_id}: {note}" for clip_id, note in writer.notes]
            if shard is None:  # of a shard all clips may fail
                _refuse_an_empty_dataset(plan.entries, n_ok, failures)
            for event in () if finished is None else finished.reader.events():
                writer.add_event(event)
            shard_of = {} if shard is None else {"shard": shard.event(len(entries))}
            writer.add_event({**_event(plan, started, failures), **shard_of, **(origin or {}), "notes": notes})
    return BuildReport(
        path=output,
        n_clip=len(plan.entries),
        n_ok=n_ok,
        failures=failures,
        n_continued=n_done,
        n_kept=0 if finished is None else len(finished),
        notes=tuple(notes),
    )


def _finished(output: Path, plan: BuildPlan, *, retry_failed: bool) -> AbstractContextManager[FinishedClips | None]:
    """Give the clips of an existing file that are kept; None where all are extracted."""
    if not (retry_failed and output.exists()):
        return nullcontext()
    return FinishedClips(output, plan.entries, plan.streams, plan.versions)


def _writer(
    output: Path,
    plan: BuildPlan,
    info: DatasetInfo | None,
    compression: Compression,
    keep: SameClips,
    finished: FinishedClips | None,
    *,
    overwrite: bool,
) -> DatasetWriter:
    """Return the writer of a build; an output that is there already is refused with what it is."""
    kept = "" if finished is None else finished.reader.attributes["content_sha256"]
    try:
        return DatasetWriter(
            output,
            info=info or DatasetInfo(name=output.stem),
            streams=plan.streams,
            labels=plan.labels,
            schemes=plan.schemes,
            words=plan.words,
            compression=compression,
            overwrite=overwrite or finished is not None,
            fingerprint=plan.fingerprint(kept),
            keep=keep,
        )
    except OutputExistsError as error:
        found = what_exists(output, plan.streams, plan.versions, [entry.clip_id for entry in plan.entries])
        raise OutputExistsError(output, found) from error


def _clips(
    entries: Sequence[ClipEntry],
    extract: Callable[[Sequence[ClipEntry]], Generator[ClipFeatures]],
    finished: FinishedClips | None,
) -> Generator[ClipFeatures]:
    """Yield the clips in the order of ``entries``: those that are kept, the others extracted."""
    return extract(entries) if finished is None else finished.merged(entries, extract)


def _refuse_an_empty_dataset(
    entries: Sequence[ClipEntry], n_ok: Mapping[str, int], failures: Sequence[tuple[str, StreamFailure]]
) -> None:
    """A file without one frame, text or label is no dataset: say why instead."""
    if any(n_ok.values()) or any(entry.text or entry.labels for entry in entries):
        return
    if not failures:
        raise InputError("expected sound, OpenFace output, frames, texts or labels; the clips have none")
    if len(failures) == 1:
        raise InputError(failures[0][1].message)
    reasons = [failure.message for _, failure in failures]
    raise InputError(list_faults("expected at least one clip that can be read, got none", reasons))


def _event(plan: BuildPlan, started: datetime, failures: Sequence[tuple[str, StreamFailure]]) -> dict[str, Any]:
    codes = Counter(f"{failure.stream}:{failure.status.name.lower()}" for _, failure in failures)
    return {
        "action": "build",
        "config": config_to_dict(plan.config),
        "start": started.isoformat(timespec="seconds"),
        "end": datetime.now(UTC).isoformat(timespec="seconds"),
        "n_clip": len(plan.entries),
        "failures": dict(codes),
        "versions": {"python": platform.python_version(), **versions_of(["h5py"]), **plan.versions},
    }
