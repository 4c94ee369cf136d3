"""What the reports of builds and imports have in common: failures as rows, notes and failures as lists."""

from __future__ import annotations

from collections.abc import Sequence

from mmfeat.errors import list_faults
from mmfeat.types import StreamFailure

Failures = Sequence[tuple[str, StreamFailure]]
"""(Clip id, failure) of every stream that could not be read."""


def failure_rows(failures: Failures) -> list[dict[str, str]]:
    """Return failures as plain values."""
    return [
        {"clip_id": clip_id, "stream": failure.stream, "code": failure.status.name.lower(), "reason": failure.message}
        for clip_id, failure in failures
    ]


def with_lists(text: str, notes: Sequence[str], failures: Failures) -> str:
    """Return a sentence with every note and every failure, one a line."""
    reasons = [f"{clip_id}: {failure.stream}: {failure.message}" for clip_id, failure in failures]
    lists = [(f"{len(notes)} note(s)", notes), (f"{len(reasons)} stream(s) failed", reasons)]
    shown = [list_faults(title, items) for title, items in lists if items]
    return "; ".join([text, "\n".join(shown)]) if shown else text
