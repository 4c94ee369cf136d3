"""Rows of a table of labels in the layout of MMSA: ``video_id, clip_id, text, label, …, mode``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmfeat.corpora.found import Differences
from mmfeat.corpora.tables import DOUBLED, number
from mmfeat.csv_table import read_rows
from mmfeat.types import ClipEntry, Split

DOUBLED_FILE = "file stands twice"
OTHER_PART = "part differs from the published split"
_MODES = {Split.TRAIN: ("train",), Split.VALID: ("valid", "val", "dev"), Split.TEST: ("test",)}


@dataclass(frozen=True, kw_only=True)
class LabelledRow:
    """One clip of such a table; ``clip`` is its number inside the recording, as the table writes it."""

    clip_id: str
    recording_id: str
    clip: str
    text: str
    labels: Mapping[str, float]
    split: Split
    line: int

    def entry(self, **facts: Any) -> ClipEntry:
        """Return the clip with what else is known of it."""
        return ClipEntry(
            clip_id=self.clip_id,
            recording_id=self.recording_id,
            position=int(self.clip) if self.clip.isdigit() else 0,
            splits={"default": self.split},
            labels=self.labels,
            line=self.line,
            **{"text": self.text, **facts},
        )

    def media(self, paths: Sequence[Path], found: Differences) -> Path | None:
        """Return the clip's file of a kind; None where there is none, the first where there are several."""
        if len(paths) > 1:
            found.add(DOUBLED_FILE, self.clip_id, ", ".join(str(path) for path in paths))
        return paths[0] if paths else None


def labelled_rows(
    table: Path,
    labels: Mapping[str, str],
    value_range: tuple[float, float],
    published: Mapping[str, Split],
    found: Differences,
) -> list[LabelledRow]:
    """Return the rows of a table, each clip once.

    Table programs drop leading zeros of clip numbers; they are put back where the published split has them.

    Args:
        table: the csv file.
        labels: name of each label and its column.
        value_range: of all labels; a value outside is a difference, and the clip has no such label.
        published: the published part of each clip id.
        found: gets what does not fit.

    Raises:
        InputError: it cannot be read, or columns are missing.
    """
    numbered = {_numbered(clip_id): clip_id for clip_id in published}
    rows: dict[str, LabelledRow] = {}
    for line, cells in read_rows(table, "table of labels", ["video_id", "clip_id", next(iter(labels.values()))]):
        written = f"{cells['video_id']}_{cells['clip_id']}"
        clip_id = written if written in published else numbered.get(_numbered(written), written)
        if clip_id in rows:
            found.add(DOUBLED, clip_id, f"{table.name}, lines {rows[clip_id].line} and {line}; the first counts")
            continue
        values = {
            name: number(cells.get(column, ""), value_range, clip_id, column, found) for name, column in labels.items()
        }
        rows[clip_id] = LabelledRow(
            clip_id=clip_id,
            recording_id=cells["video_id"],
            clip=clip_id.removeprefix(f"{cells['video_id']}_"),
            text=cells.get("text", ""),
            labels={name: value for name, value in values.items() if value is not None},
            split=_part(clip_id, cells.get("mode", ""), published, found),
            line=line,
        )
    return list(rows.values())


def _part(clip_id: str, mode: str, published: Mapping[str, Split], found: Differences) -> Split:
    """Return the published part of a clip, whatever the table says; none for a clip that was not published."""
    part = published.get(clip_id, Split.NONE)
    if clip_id in published and mode and mode.lower() not in _MODES[part]:
        found.add(OTHER_PART, clip_id, f"published {part.name.lower()}, the table says {mode!r}")
    return part


def _numbered(clip_id: str) -> tuple[str, int | str]:
    """Return an id with its clip's number as a number."""
    recording, _, clip = clip_id.rpartition("_")
    return recording, int(clip) if clip.isdigit() else clip
