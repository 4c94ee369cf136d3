"""Sound, video and OpenFace files of CMU-MOSEI: whole recordings, or clips that are cut already."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mmfeat.corpora.corpus import RawSources
from mmfeat.corpora.found import Differences
from mmfeat.corpora.raw_tree import MediaFiles, first_inside
from mmfeat.types import ClipEntry


class Recordings:
    """The recordings of a raw tree."""

    def __init__(self, root: Path, sources: RawSources) -> None:
        self._sounds = MediaFiles(first_inside(root, ["Audio", "Full", "WAV_16000"], ["Audio", "Full"], ["Audio"]))
        self._videos = MediaFiles(
            first_inside(root, ["Videos", "Full", "Combined"], ["Videos", "Full"], ["Videos"], ["Video"])
        )
        self._openface = sources.openface

    def added(self, entry: ClipEntry, found: Differences) -> ClipEntry:
        """Return a clip with the files of its recording, from which it is cut."""
        name = entry.recording_id
        if not entry.end_s > entry.start_s:
            found.add("ends before it begins", entry.clip_id, f"{entry.start_s:.3f} s to {entry.end_s:.3f} s")
            return entry
        audio, video = self._files(name, found)
        openface = self._openface.find(name) if self._openface else None
        is_part = any((audio, video, openface))
        return replace(entry, audio=audio, video=video, openface=openface, is_part=is_part)

    def of_clip(self, clip_id: str, found: Differences) -> dict[str, Path | None]:
        """Return the files of a clip that is cut already."""
        audio, video = self._files(clip_id, found)
        return {
            "audio": audio,
            "video": video,
            "openface": self._openface.find(clip_id) if self._openface else None,
        }

    def _files(self, name: str, found: Differences) -> tuple[Path | None, Path | None]:
        audio = next(iter(self._sounds.sound(name)), None)
        video = next(iter(self._videos.video(name)), None)
        if audio is None and (self._sounds or self._videos) and video is None:
            found.add("recording without sound", name)
            folder = self._sounds.folder or self._videos.folder
            audio = folder / f"{name}.wav" if folder else None
        return audio, video
