"""Build a dataset file from clips: extract every stream of every clip, record what fails, write one file."""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mmfeat.audio import audio_stream_info, engine_for, prepare_engine
from mmfeat.build_config import BuildConfig
from mmfeat.config import config_sha256, config_to_dict
from mmfeat.dataset import Compression, DatasetInfo, DatasetWriter, LabelInfo
from mmfeat.errors import InputError, list_faults
from mmfeat.extract import extract_clip, frames_config
from mmfeat.reports import failure_rows, with_lists
from mmfeat.retry import FinishedClips
from mmfeat.stamps import changed_source
from mmfeat.transcripts import TranscriptTable
from mmfeat.types import (
    ClipEntry,
    ClipFeatures,
    StreamFailure,
    StreamInfo,
    Track,
    untracked,
)
from mmfeat.vision import fit_to_files, frame_stream_info, openface_stream_info, prepare_loader

_MAX_THREADS = 4
_CONTENT_VERSIONS = ("mmfeat", "librosa", "numpy", "soxr")


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
    there is an OpenFace path, ``frames`` where there is a video path and the settings have frames. A stream that
    fails is recorded with its reason and the clip keeps its row. The
    content does not depend on ``n_jobs``.

    Args:
        entries: the clips, in the order of the file.
        output: the file to make; it appears whole or not at all.
        config: settings of the streams.
        info: attributes of the dataset; named after the file where None.
        n_jobs: worker processes.
        overwrite: replace an existing file.
        retry_failed: of an existing file try only those clips again in which a stream failed, and clips that are new;
            the others are kept without a look at their files.
        compression: of features, ``none`` or ``gzip``; the content, and its hash, are the same.
        transcripts: words with their times, texts of clips that have none, and the language of the dataset.
        track: shows progress.
        origin: what the provenance event says about where the clips come from.

    Raises:
        InputError: no clips; or nothing but failures, so that the file would hold no data.
        OutputExistsError: the file exists, and neither ``overwrite`` nor ``retry_failed`` is true.
    """
    output = Path(output)
    if not entries:
        raise InputError(f"{output}: expected at least one clip to build from, got none")
    config, notes = _fitted(config or BuildConfig(), entries)
    if transcripts is not None:
        entries, told = transcripts.fill(entries)
        notes += told
        origin = {**(origin or {}), "transcripts": transcripts.origin}
    started = datetime.now(UTC)
    has_words = transcripts is not None and transcripts.words_origin is not None
    streams, same = _stream_infos(entries, config), _SameClips(entries)
    labels = [LabelInfo(name=name) for name in _names(entry.labels for entry in entries)]
    with _finished(output, entries, streams, retry_failed=retry_failed, has_words=has_words) as finished:
        writer = DatasetWriter(
            output,
            info=info or DatasetInfo(name=output.stem, language="" if transcripts is None else transcripts.language),
            streams=streams,
            labels=labels,
            schemes=_names(entry.splits for entry in entries),
            words=None if transcripts is None else transcripts.words_origin,
            compression=compression,
            overwrite=overwrite or finished is not None,
            fingerprint=_fingerprint(streams, config, finished, transcripts),
            keep=same,
        )
        with writer:
            n_done = writer.restore(entries)
            notes += _restart_notes(output, writer.restart_reason, same.reason, n_done)
            clips = _with_words(_clips(entries[n_done:], config, n_jobs, finished), transcripts)
            for clip in track(clips, len(entries) - n_done, "clips"):
                writer.write(clip)
            failures, n_ok = writer.failures, writer.n_ok
            notes += [f"{clip_id}: {note}" for clip_id, note in writer.notes]
            _refuse_an_empty_dataset(entries, n_ok, failures)
            for event in () if finished is None else finished.reader.events():
                writer.add_event(event)
            writer.add_event({**_event(config, started, len(entries), failures, origin), "notes": notes})
    return BuildReport(
        path=output,
        n_clip=len(entries),
        n_ok=n_ok,
        failures=failures,
        n_continued=n_done,
        n_kept=0 if finished is None else len(finished),
        notes=tuple(notes),
    )


def _finished(
    output: Path, entries: Sequence[ClipEntry], streams: Sequence[StreamInfo], *, retry_failed: bool, has_words: bool
) -> AbstractContextManager[FinishedClips | None]:
    """Give the clips of an existing file that are kept; None where all are extracted."""
    if not retry_failed or not output.exists():
        return nullcontext()
    return FinishedClips(output, entries, streams, has_words=has_words)


def _clips(
    entries: Sequence[ClipEntry], config: BuildConfig, n_jobs: int, finished: FinishedClips | None
) -> Iterator[ClipFeatures]:
    """Yield the clips in the order of ``entries``: those that are kept, the others extracted."""
    extract = partial(_extract_all, config=config, n_jobs=n_jobs)
    return extract(entries) if finished is None else finished.merged(entries, extract)


def _fitted(config: BuildConfig, entries: Sequence[ClipEntry]) -> tuple[BuildConfig, list[str]]:
    """Return the settings with the columns that the OpenFace files have, and what that leaves out."""
    openface = fit_to_files(config.openface, (entry.openface for entry in entries if entry.openface))
    if openface == config.openface or "vision" not in config.streams:
        return config, []
    n_wanted, n_column = len(config.openface.feature_names), len(openface.feature_names)
    note = f"vision: OpenFace 1.x writes {n_column} of the {n_wanted} columns, without eye landmarks and gaze angles"
    return replace(config, openface=openface), [note]


def _extract_all(entries: Sequence[ClipEntry], config: BuildConfig, n_jobs: int) -> Iterator[ClipFeatures]:
    """Yield the clips in the order of ``entries``."""
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


def _event(
    config: BuildConfig,
    started: datetime,
    n_clip: int,
    failures: Sequence[tuple[str, StreamFailure]],
    origin: Mapping[str, Any] | None,
) -> dict[str, Any]:
    codes = Counter(f"{failure.stream}:{failure.status.name.lower()}" for _, failure in failures)
    return {
        "action": "build",
        **(origin or {}),
        "config": config_to_dict(config),
        "start": started.isoformat(timespec="seconds"),
        "end": datetime.now(UTC).isoformat(timespec="seconds"),
        "n_clip": n_clip,
        "failures": dict(codes),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("mmfeat", "librosa", "numpy", "h5py", "soxr")},
            **_image_versions(config),
        },
    }


def _with_words(clips: Iterable[ClipFeatures], transcripts: TranscriptTable | None) -> Iterator[ClipFeatures]:
    """Yield clips with their words, and what is to be known of them."""
    for clip in clips:
        if transcripts is None:
            yield clip
        else:
            notes = (*clip.notes, *transcripts.notes(clip.entry))
            yield replace(clip, words=transcripts.words(clip.entry), notes=notes)


def _fingerprint(
    streams: Sequence[StreamInfo],
    config: BuildConfig,
    finished: FinishedClips | None,
    transcripts: TranscriptTable | None,
) -> dict[str, str]:
    """Return hashes of what decides the content of all clips; the files of each are looked at one by one."""
    versions = {name: version(name) for name in _CONTENT_VERSIONS} | _image_versions(config)
    return {
        "settings": config_sha256(config_to_dict(config)),
        "streams": ", ".join(stream.name for stream in streams),
        "versions": ", ".join(f"{name} {number}" for name, number in versions.items()),
        "transcripts": "" if transcripts is None else transcripts.sha256,
        "finished file": "" if finished is None else finished.reader.attributes["content_sha256"],
    }


class _SameClips:
    """Tells of the clips of an interrupted build, one by one, whether they are the same; ``reason`` says why not."""

    def __init__(self, entries: Sequence[ClipEntry]) -> None:
        self.reason = ""
        self._entries = iter(entries)

    def __call__(self, record: Mapping[str, Any]) -> bool:
        entry = next(self._entries, None)
        if entry is None or entry.clip_id != record["clip_id"]:
            self.reason = f"the clips are others from {record['clip_id']!r} on"
        else:
            self.reason = changed_source(entry, record["stamps"])
        return not self.reason


def _restart_notes(output: Path, plan_changed: str, clip_changed: str, n_done: int) -> list[str]:
    if plan_changed:
        return [f"{output}: an interrupted build was begun anew: other {plan_changed}"]
    if clip_changed:
        return [f"{output}: an interrupted build was continued after {n_done} clips only: {clip_changed}"]
    return []


def _image_versions(config: BuildConfig) -> dict[str, str]:
    """Return what decoded and encoded the frames, where there are any."""
    if frames_config(config) is None:
        return {}
    import av
    import cv2

    return {"av": av.__version__, "opencv": cv2.__version__}
