"""What a run of OpenFace leaves in a folder beside its csv files: details, and the journal of ``run-openface``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from mmfeat.journal import lines_so_far

DETAILS_SUFFIX = "_of_details.txt"
JOURNAL = "run-openface.jsonl"
_CSV_LINE = "Output csv:"  # in the details of every run that began a csv


def names_a_csv(details: Path) -> bool:
    """Return whether the details of a run say that it began a csv: the multi-face tool begins none without a face."""
    try:
        return _CSV_LINE in details.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def clips_told(journal: Path) -> Mapping[str, tuple[str, str]]:
    """Return the last status and reason of every clip that a journal tells of."""
    records = (record for record in lines_so_far(journal) if {"clip_id", "status"} <= record.keys())
    return {str(record["clip_id"]): (str(record["status"]), str(record.get("reason", ""))) for record in records}


def unwritten_csvs(files: Iterable[Path]) -> Iterator[Path]:
    """Yield the csv files that are not there though OpenFace was run: no face was met, or the run failed."""
    for file in files:
        told: Iterable[Path] = ()
        if file.name.endswith(DETAILS_SUFFIX) and not names_a_csv(file):
            told = (file.with_name(f"{file.name.removesuffix(DETAILS_SUFFIX)}.csv"),)
        elif file.name == JOURNAL:
            told = (file.parent / f"{clip_id}.csv" for clip_id in clips_told(file))
        yield from (path for path in told if not path.exists())
