"""A finished file again: what was read is kept, what failed is tried once more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from mmfeat.config import config_sha256
from mmfeat.dataset import DatasetReader
from mmfeat.errors import InputError
from mmfeat.images import EncodedFrames
from mmfeat.stamps import quick_stamps_of
from mmfeat.types import ClipEntry, ClipFeatures, FrameFeatures, StreamInfo, StreamStatus


class FinishedClips:
    """The clips of a finished file that nothing failed in; a context manager.

    Args:
        path: the file.
        entries: the clips of the build.
        streams: the streams of the build.
        has_words: whether the build has words.

    Raises:
        InputError: the file was built with other settings, or has clips, labels, split schemes or words that the build
            has not.
    """

    def __init__(
        self, path: Path, entries: Sequence[ClipEntry], streams: Sequence[StreamInfo], *, has_words: bool = False
    ) -> None:
        self.reader = DatasetReader(path)
        self._check_streams(streams)
        self._check_clips(entries)
        self._check_tables(entries, has_words=has_words)
        self._sources = self.reader.source_sha256
        failed = {clip_id for clip_id, *_ in self.reader.failures()}
        self._index = {clip_id: i for i, clip_id in enumerate(self.reader.clip_ids) if clip_id not in failed}

    def __enter__(self) -> FinishedClips:
        return self

    def __exit__(self, *_error: object) -> None:
        self.reader.close()

    def __len__(self) -> int:
        return len(self._index)

    def merged(
        self, entries: Sequence[ClipEntry], extract: Callable[[Sequence[ClipEntry]], Iterator[ClipFeatures]]
    ) -> Iterator[ClipFeatures]:
        """Yield all clips in their order: those of the file, and the others by ``extract``."""
        extracted = extract([entry for entry in entries if entry.clip_id not in self._index])
        for entry in entries:
            yield self._clip(entry) if entry.clip_id in self._index else next(extracted)

    def _clip(self, entry: ClipEntry) -> ClipFeatures:
        index = self._index[entry.clip_id]
        streams: dict[str, FrameFeatures | EncodedFrames] = {}
        for name, status in self._status.items():
            if status[index] is StreamStatus.OK:
                is_image = bool(self._infos[name].codec)
                streams[name] = (self.reader.read_frames if is_image else self.reader.read)(name, index)
        duration_s = float(self.reader.durations_s[index])
        return ClipFeatures(
            entry=entry,
            streams=streams,
            duration_s=duration_s,
            source_sha256=self._sources[index],
            stamps=quick_stamps_of(entry),
        )

    def _check_streams(self, streams: Sequence[StreamInfo]) -> None:
        self._infos = {name: self.reader.info(name) for name in self.reader.stream_names}
        self._status = {name: self.reader.status(name) for name in self._infos}
        wanted = {stream.name: stream for stream in streams}
        changed = [
            name
            for name in sorted({*wanted, *self._infos})
            if name not in wanted or name not in self._infos or _differ(wanted[name], self._infos[name])
        ]
        if changed:
            raise InputError(
                f"{self.reader.path}: expected the settings and versions it was built with, those of {changed[0]!r} "
                "are others; take the same, or build it anew with --overwrite"
            )

    def _check_clips(self, entries: Sequence[ClipEntry]) -> None:
        wanted = {entry.clip_id for entry in entries}
        lost = [clip_id for clip_id in self.reader.clip_ids if clip_id not in wanted]
        if lost:
            raise InputError(
                f"{self.reader.path}: expected all of its clips to be built again, {len(lost)} are missing, first "
                f"{lost[0]!r}; name them as well, or build it anew with --overwrite"
            )

    def _check_tables(self, entries: Sequence[ClipEntry], *, has_words: bool) -> None:
        """Refuse to lose what was added after the build: by a split, or by a join with another file."""
        labels = {name for entry in entries for name in entry.labels}
        schemes = {name for entry in entries for name in entry.splits}
        lost = [f"label {name!r}" for name in self.reader.label_names if name not in labels]
        lost += [f"split scheme {name!r}" for name in self.reader.scheme_names if name not in schemes]
        lost += ["words"] if self.reader.words_origin is not None and not has_words else []
        if lost:
            raise InputError(
                f"{self.reader.path}: expected only labels and splits of this build, got {', '.join(lost)}, which "
                "would be lost; put them into the manifest, or build it anew with --overwrite"
            )


def _differ(one: StreamInfo, other: StreamInfo) -> bool:
    same = ("feature_names", "extractor", "extractor_version")
    return config_sha256(one.config) != config_sha256(other.config) or any(
        getattr(one, name) != getattr(other, name) for name in same
    )
