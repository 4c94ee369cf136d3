"""Why an OpenFace csv is not there: its run failed, met no face, or never was."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

from mmfeat.errors import ClipError
from mmfeat.openface_output import DETAILS_SUFFIX, JOURNAL, clips_told, names_a_csv
from mmfeat.types import StreamStatus

_N_FOLDER_UP = 8


def missing_csv(path: Path) -> ClipError:
    """Return the error for a csv that is not there.

    The details file beside it tells whether OpenFace began a csv: its multi-face tool begins none where it meets no
    face. Else the journal of ``run-openface``, in the folder or above it, tells what became of the clip.
    """
    details = path.with_name(path.stem + DETAILS_SUFFIX)
    if details.is_file() and not names_a_csv(details):
        return ClipError(
            f"{path}: expected a face, OpenFace wrote {details.name} and no csv, as its multi-face tool does where it "
            "meets none; look at the video",
            StreamStatus.NO_FACE,
        )
    if (told := _told_by_journal(path)) is not None:
        return told
    return ClipError(
        f"{path}: expected an OpenFace csv, found none; correct the path, or run FeatureExtraction",
        StreamStatus.MISSING_SOURCE,
    )


def _told_by_journal(path: Path) -> ClipError | None:
    """Return what ``run-openface`` says of a clip."""
    for folder in list(path.parents)[:_N_FOLDER_UP]:
        journal = folder / JOURNAL
        if not journal.is_file():
            continue
        clip_id = path.relative_to(folder).with_suffix("").as_posix()
        status, reason = _records(journal, journal.stat().st_mtime_ns).get(clip_id, ("", ""))
        if status == "ok" or status.upper() not in StreamStatus.__members__:
            return None
        return ClipError(f"{path}: expected an OpenFace csv, the run failed: {reason}", StreamStatus[status.upper()])
    return None


@functools.lru_cache(maxsize=4)
def _records(journal: Path, _mtime_ns: int) -> Mapping[str, tuple[str, str]]:
    """Return what a journal tells; many clips ask the same one."""
    return clips_told(journal)
