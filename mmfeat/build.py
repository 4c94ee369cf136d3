"""Build a dataset file from clips: extract every stream of every clip, record what fails, write one file."""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from mmfeat.audio import audio_stream_info, engine_for, prepare_engine
from mmfeat.build_config import BuildConfig
from mmfeat.build_plan import SameClips, content_versions, fingerprint, restart_notes, what_exists
from mmfeat.cluster import extract_on_cluster
from mmfeat.config import config_to_dict
from mmfeat.dataset import Compression, DatasetInfo, DatasetWriter, LabelInfo
from mmfeat.errors import InputError, OutputExistsError, list_faults
from mmfeat.extract import extract_clip, frames_config
from mmfeat.reports import failure_rows, with_lists
from mmfeat.retry import FinishedClips
from mmfeat.shards import Shard
from mmfeat.types import (
    ClipEntry,
    ClipFeatures,
    StreamFailure,
    StreamInfo,
    Track,
    untracked,
)
from mmfeat.versions import versions_of
from mmfeat.vision import fit_to_files, frame_stream_info, openface_stream_info, prepare_loader

_MAX_THREADS = 4


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
    n_jobs: int = 1,
    scheduler: str | None = None,
    shard: Shard | None = None,
    overwrite: bool = False,
    retry_failed: bool = False,
    compression: Compression = "none",
    track: Track[ClipFeatures] = untracked,
    origin: Mapping[str, Any] | None = None,
) -> BuildReport:
    """Extract every stream of every clip into one dataset file.

    An interrupted build is continued by the same call. Other settings, versions or streams start it anew; where the
    clips or their files changed it goes on from the first one that did. A note says so.

    A stream exists when a clip asks for it: ``audio`` where there is an audio or video path, ``vision`` where
    there is an OpenFace path, ``frames`` where there is a video path and the settings have frames. A stream that
    fails is recorded with its reason and the clip keeps its row. The
    content does not depend on ``n_jobs`` or ``scheduler``.

    Args:
        entries: the clips, in the order of the file.
        output: the file to make; it appears whole or not at all.
        config: settings of the streams.
        info: attributes of the dataset; named after the file where None.
        n_jobs: worker processes on this machine.
        scheduler: address of a dask.distributed scheduler, ``tcp://HOST:PORT``, whose workers take the place of those
            of this machine; they must see the same files and have the same versions.
        shard: build this part of the clips alone; ``merge_datasets`` unites all parts to what one build would be.
        overwrite: replace an existing file.
        retry_failed: of an existing file try only those clips again in which a stream failed, and clips that are new;
            the others are kept without a look at their files.
        compression: of features, see ``DatasetWriter``; the content, and its hash, are the same.
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
    plan = _planned(entries, config or BuildConfig(), shard)
    started, same, notes = datetime.now(UTC), SameClips(plan.entries), list(plan.notes)
    with _finished(output, plan, retry_failed=retry_failed) as finished:
        writer = _writer(output, plan, info, compression, same, finished, overwrite=overwrite)
        with writer:
            n_done = writer.restore(plan.entries)
            notes += restart_notes(output, writer.restart_reason, same.reason, n_done)
            extract = partial(_extract_all, plan=plan, n_jobs=n_jobs, scheduler=scheduler)
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


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """What is built; of a shard its own clips, and the streams, labels and schemes of all shards."""

    entries: Sequence[ClipEntry]
    config: BuildConfig
    streams: Sequence[StreamInfo]
    labels: Sequence[LabelInfo]
    schemes: Sequence[str]
    versions: Mapping[str, str]
    notes: Sequence[str]


def _planned(entries: Sequence[ClipEntry], config: BuildConfig, shard: Shard | None) -> _Plan:
    config, notes = _fitted(config, entries)
    streams = _stream_infos(entries, config)
    return _Plan(
        entries=entries if shard is None else shard.of(entries),
        config=config,
        streams=streams,
        labels=[LabelInfo(name=name) for name in _names(entry.labels for entry in entries)],
        schemes=_names(entry.splits for entry in entries),
        versions=content_versions(streams, config),
        notes=notes,
    )


def _finished(output: Path, plan: _Plan, *, retry_failed: bool) -> AbstractContextManager[FinishedClips | None]:
    """Give the clips of an existing file that are kept; None where all are extracted."""
    if not (retry_failed and output.exists()):
        return nullcontext()
    return FinishedClips(output, plan.entries, plan.streams, plan.versions)


def _writer(
    output: Path,
    plan: _Plan,
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
            compression=compression,
            overwrite=overwrite or finished is not None,
            fingerprint=fingerprint(plan.streams, plan.config, plan.versions, kept),
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


def _fitted(config: BuildConfig, entries: Sequence[ClipEntry]) -> tuple[BuildConfig, list[str]]:
    """Return the settings with the columns that the OpenFace files have, and what that leaves out."""
    openface = fit_to_files(config.openface, (entry.openface for entry in entries if entry.openface))
    if openface == config.openface or "vision" not in config.streams:
        return config, []
    n_wanted, n_column = len(config.openface.feature_names), len(openface.feature_names)
    note = f"vision: OpenFace 1.x writes {n_column} of the {n_wanted} columns, without eye landmarks and gaze angles"
    return replace(config, openface=openface), [note]


def _extract_all(
    entries: Sequence[ClipEntry], plan: _Plan, n_jobs: int, scheduler: str | None
) -> Generator[ClipFeatures]:
    """Yield the clips in the order of ``entries``."""
    config = plan.config
    if scheduler is not None:
        yield from extract_on_cluster(entries, config, scheduler, plan.versions)
        return
    if n_jobs == 1:
        yield from (extract_clip(entry, config) for entry in entries)
        return
    import joblib

    if "audio" in config.streams:
        prepare_engine(config.audio, config.engine)  # compiled once here, loaded from the cache by every worker
    if any(entry.openface for entry in entries):
        prepare_loader()
    parallel = joblib.Parallel(n_jobs=n_jobs, return_as="generator", prefer=_workers(entries, config, n_jobs))
    yield from parallel(joblib.delayed(extract_clip)(entry, config) for entry in entries)


def _workers(entries: Sequence[ClipEntry], config: BuildConfig, n_jobs: int) -> str:
    """Return ``threads`` where they are faster: our kernels run without the GIL, and a process costs 2 s to start.

    What of a clip is Python still runs one thread at a time: librosa, and enough of the rest that more than a few
    threads would wait for one another.
    """
    sound = "audio" in config.streams and any(entry.audio or entry.video for entry in entries)
    compiled = not sound or engine_for(config.audio, config.engine) == "fast"
    return "threads" if compiled and 1 < n_jobs <= _MAX_THREADS else "processes"


def _stream_infos(entries: Sequence[ClipEntry], config: BuildConfig) -> list[StreamInfo]:
    infos = []
    if "audio" in config.streams and any(entry.audio or entry.video for entry in entries):
        infos.append(audio_stream_info(config.audio, engine=config.engine))
    if "vision" in config.streams and any(entry.openface for entry in entries):
        infos.append(openface_stream_info(config.openface))
    if (frames := frames_config(config)) and any(entry.video for entry in entries):
        infos.append(frame_stream_info(frames))
    return infos


def _names(mappings: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the keys of all mappings in the order of their first appearance."""
    return list(dict.fromkeys(name for mapping in mappings for name in mapping))


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


def _event(plan: _Plan, started: datetime, failures: Sequence[tuple[str, StreamFailure]]) -> dict[str, Any]:
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
