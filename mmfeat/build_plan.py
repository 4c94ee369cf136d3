"""The plan of a build: its clips, and what decides their content; and how that differs from an earlier run's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmfeat.audio import audio_stream_info, engine_for
from mmfeat.build_config import BuildConfig
from mmfeat.clip_survey import survey_clips
from mmfeat.config import changed_values, config_to_dict, listed
from mmfeat.dataset import DatasetReader, LabelInfo
from mmfeat.errors import MmfeatError
from mmfeat.extract import frames_config
from mmfeat.feature_files import feature_file_streams
from mmfeat.shards import Shard
from mmfeat.stamps import changed_source
from mmfeat.types import ClipEntry, StreamInfo
from mmfeat.versions import versions_of
from mmfeat.vision import fit_to_files, frame_stream_info, openface_stream_info

_ALWAYS = ("mmfeat", "numpy")
_OF_SOUND = ("soundfile", "av", "soxr", "librosa")
_OF_THE_FAST_ENGINE = ("numba", "llvmlite")
_OF_FRAMES = ("av", "opencv")


@dataclass(frozen=True, kw_only=True)
class BuildPlan:
    """What is built; of a shard its own clips, and the streams, labels and schemes of all shards.

    Args:
        entries: the clips, in the order of the file.
        config: settings of the streams that are extracted.
        streams: all streams.
        named: those of them whose files the clips name.
        labels: what is known of each label.
        schemes: names of the split schemes.
        words: where the words come from; None where no words are stored.
        cuts_sha256: hash of the times of clips that are parts of recordings, and of their words; empty without any.
        versions: of all that has a say in the values.
        notes: sentences that a person should read.
    """

    entries: Sequence[ClipEntry]
    config: BuildConfig
    streams: Sequence[StreamInfo]
    named: Mapping[str, StreamInfo]
    labels: Sequence[LabelInfo]
    schemes: Sequence[str]
    words: Mapping[str, Any] | None
    cuts_sha256: str
    versions: Mapping[str, str]
    notes: Sequence[str]

    def fingerprint(self, finished: str) -> dict[str, Any]:
        """Return what decides the content of all clips; the files of each are looked at one by one.

        Args:
            finished: content hash of the finished file whose failed clips are tried again; empty where all are
                extracted.
        """
        return {
            **config_to_dict(self.config),
            "the list of streams": [stream.name for stream in self.streams],
            "version": dict(self.versions),
            "hash of cuts and words": self.cuts_sha256[:12],  # whoever reads the message wants no more of it
            "the finished file": finished,
        }


def plan_build(
    entries: Sequence[ClipEntry],
    config: BuildConfig,
    *,
    labels: Sequence[LabelInfo] = (),
    words: Mapping[str, Any] | None = None,
    shard: Shard | None = None,
) -> BuildPlan:
    """Return the plan of a build; see ``build_dataset`` for the arguments.

    Raises:
        InputError: there are fewer clips than shards, or no file of a stream of finished features can be read.
    """
    config, notes = _fitted(config, entries)
    survey = survey_clips(entries)
    named = feature_file_streams(survey.features, entries)
    streams = [*_extracted_streams(entries, config), *named.values()]
    return BuildPlan(
        entries=entries if shard is None else shard.of(entries),
        config=config,
        streams=streams,
        named=named,
        labels=_label_infos(survey.labels, labels),
        schemes=survey.schemes,
        words=words if survey.has_words else None,
        cuts_sha256=survey.cuts_sha256,
        versions=content_versions(streams, config),
        notes=notes,
    )


def _fitted(config: BuildConfig, entries: Sequence[ClipEntry]) -> tuple[BuildConfig, list[str]]:
    """Return the settings with the columns that the OpenFace files have, and what that leaves out."""
    openface = fit_to_files(config.openface, (entry.openface for entry in entries if entry.openface))
    if openface == config.openface or "vision" not in config.streams:
        return config, []
    n_wanted, n_column = len(config.openface.feature_names), len(openface.feature_names)
    note = f"vision: OpenFace 1.x writes {n_column} of the {n_wanted} columns, without eye landmarks and gaze angles"
    return replace(config, openface=openface), [note]


def _extracted_streams(entries: Sequence[ClipEntry], config: BuildConfig) -> list[StreamInfo]:
    infos = []
    if "audio" in config.streams and any(entry.audio or entry.video for entry in entries):
        infos.append(audio_stream_info(config.audio, engine=config.engine))
    if "vision" in config.streams and any(entry.openface for entry in entries):
        infos.append(openface_stream_info(config.openface))
    if (frames := frames_config(config)) and any(entry.video for entry in entries):
        infos.append(frame_stream_info(frames))
    return infos


def _label_infos(names: Sequence[str], known: Sequence[LabelInfo]) -> list[LabelInfo]:
    """Return the known labels that a clip has, in their order, then the others."""
    infos = {info.name: info for info in known if info.name in names}
    return list({**infos, **{name: infos.get(name, LabelInfo(name=name)) for name in names}}.values())


def content_versions(streams: Sequence[StreamInfo], config: BuildConfig) -> dict[str, str]:
    """Return the versions of all that has a say in the values of the streams."""
    names = [*_ALWAYS]
    if any(stream.name == "audio" for stream in streams):
        names += _OF_SOUND
        names += _OF_THE_FAST_ENGINE if engine_for(config.audio, config.engine) == "fast" else ()
    if any(stream.name == "vision" for stream in streams):
        names += _OF_THE_FAST_ENGINE
    names += () if frames_config(config) is None else _OF_FRAMES
    return versions_of(dict.fromkeys(names))


def changes_since(reader: DatasetReader, streams: Sequence[StreamInfo], versions: Mapping[str, str]) -> list[str]:
    """Return a few words for each setting and version of a finished file that a build would not have.

    Args:
        reader: the file.
        streams: of the build.
        versions: of all that has a say in its values; those are compared that the file's own builds noted.
    """
    stored = [reader.info(name) for name in reader.stream_names]
    changes = changed_values(
        {info.name: _facts(info) for info in stored}, {info.name: _facts(info) for info in streams}
    )
    for event in reader.events():
        noted = event.get("versions", {}) if event["action"] == "build" else {}
        both = [name for name in versions if name in noted]
        changes += changed_values(
            {"version": {name: noted[name] for name in both}}, {"version": {name: versions[name] for name in both}}
        )
    return list(dict.fromkeys(changes))


def what_exists(path: Path, streams: Sequence[StreamInfo], versions: Mapping[str, str], clip_ids: Sequence[str]) -> str:
    """Return in a few words how a finished file differs from what a build would make; empty where it cannot be read."""
    try:
        with DatasetReader(path) as reader:
            changes = changes_since(reader, streams, versions)
            same_clips, n_clip = reader.clip_ids == tuple(clip_ids), reader.n_clip
            n_failed = len({clip_id for clip_id, *_ in reader.failures()})
    except (MmfeatError, OSError):
        return ""
    if changes:
        return f"built with other settings or versions: {listed(changes)}"
    if not same_clips:
        return f"built with the same settings from other clips: it has {n_clip}, the build {len(clip_ids)}"
    failed = f", of which {n_failed} failed (--retry-failed tries them again)" if n_failed else ""
    return f"built with the same settings from these {n_clip} clips{failed}"


class SameClips:
    """Tells of the clips of an interrupted build, one by one, whether they are the same; ``reason`` says why not."""

    def __init__(self, entries: Sequence[ClipEntry]) -> None:
        self.reason = ""
        self._entries = iter(entries)

    def __call__(self, record: Mapping[str, Any]) -> bool:
        """Return whether the next clip is the one of this record, and its files are the same."""
        entry = next(self._entries, None)
        if entry is None or entry.clip_id != record["clip_id"]:
            self.reason = f"the clips are others from {record['clip_id']!r} on"
        else:
            self.reason = changed_source(entry, record["stamps"])
        return not self.reason


def restart_notes(output: Path, plan_changed: str, clip_changed: str, n_done: int) -> list[str]:
    """Return a note on an interrupted build that is not continued, or only from a clip on."""
    if plan_changed:
        return [f"{output}: an interrupted build was begun anew: {plan_changed}"]
    if clip_changed:
        return [f"{output}: an interrupted build was continued after {n_done} clips only: {clip_changed}"]
    return []


def _facts(info: StreamInfo) -> dict[str, Any]:
    """Return what has to be equal where streams of one name are, by the names that messages use.

    The columns follow from the settings, in whose place a list of hundreds would only be hard to read.
    """
    return {**info.config, "extractor": f"{info.extractor} {info.extractor_version}"}
