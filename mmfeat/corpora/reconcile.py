"""What a corpus should hold and what it does: rows by part, failures by reason, and every difference by its id."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mmfeat.corpora.corpus import Corpus, RawCorpus
from mmfeat.corpora.found import Differences
from mmfeat.errors import list_faults
from mmfeat.reports import Failures
from mmfeat.types import Split

MISSING = "in the published split, not in the raw tree"
UNPUBLISHED = "in the raw tree, not in the published split"


@dataclass(frozen=True, kw_only=True)
class Reconciliation:
    """The table of one corpus.

    Args:
        corpus: its name.
        expected: clips of each part in each scheme by the published split; empty where nothing is published.
        found: clips of each part in each scheme that the file holds or would hold.
        n_clip: all of them.
        n_labelled: clips with each label.
        differences: everything that does not fit, with its ids.
        failed: of each stream the clips that failed, by reason.
        limited: the rest of the clips was left out on request; what is missing then is no difference.
    """

    corpus: str
    expected: Mapping[str, Mapping[Split, int]]
    found: Mapping[str, Mapping[Split, int]]
    n_clip: int
    n_labelled: Mapping[str, int]
    differences: Differences
    failed: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    limited: bool = False

    @property
    def n_missing(self) -> int:
        """Number of clips that the published split has and the raw tree has not; 0 where not all were wanted."""
        if self.limited:
            return 0
        return sum(
            max(0, count - self.found.get(scheme, {}).get(part, 0))
            for scheme, parts in self.expected.items()
            for part, count in parts.items()
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the table as plain values."""
        schemes = dict.fromkeys([*self.expected, *self.found])
        return {
            "corpus": self.corpus,
            "n_clip": self.n_clip,
            "labels": dict(self.n_labelled),
            "limited": self.limited,
            "splits": {name: self._parts(name) for name in schemes},
            "failed": {stream: dict(codes) for stream, codes in self.failed.items()},
            "differences": self.differences.rows(),
        }

    def to_json(self) -> str:
        """Return the table as JSON."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)

    def summary(self) -> str:
        """Return the table as text, with the ids of every difference, of many the first."""
        lines = []
        for scheme in dict.fromkeys([*self.expected, *self.found]):
            lines.append(f"{'split ' + scheme:<20} {'expected':>9} {'found':>9}")
            for part, row in self._parts(scheme).items():
                expected = "" if row["expected"] is None else row["expected"]
                mark = "" if self.limited or row["expected"] in (None, row["found"]) else "  differs"
                lines.append(f"  {part:<18} {expected:>9} {row['found']:>9}{mark}")
        lines += [f"label {name:<14} {'':>9} {count:>9}" for name, count in self.n_labelled.items()]
        for stream, codes in self.failed.items():
            lines += [f"{stream + ' failed':<20} {'':>9} {count:>9}  {code}" for code, count in codes.items()]
        return "\n".join([*lines, *self._lists()])

    def _parts(self, scheme: str) -> dict[str, dict[str, int | None]]:
        expected, found = self.expected.get(scheme, {}), self.found.get(scheme, {})
        parts = [part for part in Split if part in expected or found.get(part)]
        return {part.name.lower(): {"expected": expected.get(part), "found": found.get(part, 0)} for part in parts}

    def _lists(self) -> list[str]:
        lists = []
        for kind, count in self.differences.kinds.items():
            rows = [item for item in self.differences if item.kind == kind]
            told = [f"{item.clip_id}: {item.detail}" if item.detail else item.clip_id for item in rows]
            lists.append(list_faults(f"{count} {kind}", told))
        return lists


def reconcile(
    corpus: Corpus,
    raw: RawCorpus,
    *,
    failures: Failures = (),
    limited: bool = False,
) -> Reconciliation:
    """Return the table of a corpus.

    Args:
        corpus: what was expected.
        raw: what was found; the clips that the published split has beside them are added to its differences.
        failures: of the build.
        limited: not all clips were wanted.
    """
    differences = raw.differences
    published = corpus.published() if corpus.published and raw.has_published_ids else {}
    missing = dict.fromkeys(published)
    found: dict[str, Counter[Split]] = {}
    labelled: Counter[str] = Counter()
    n_clip = 0
    for entry in raw.entries:
        n_clip += 1
        missing.pop(entry.clip_id, None)
        if published and entry.clip_id not in published:
            differences.add(UNPUBLISHED, entry.clip_id)
        labelled.update(entry.labels.keys())
        for scheme, part in entry.splits.items():
            found.setdefault(scheme, Counter())[part] += 1
    for clip_id in () if limited else missing:
        differences.add(MISSING, clip_id, published[clip_id].name.lower())
    return Reconciliation(
        corpus=corpus.info.name,
        expected=corpus.expected,
        found=found,
        n_clip=n_clip,
        n_labelled={label.name: labelled[label.name] for label in corpus.labels},
        differences=differences,
        failed=_by_reason(failures),
        limited=limited,
    )


def _by_reason(failures: Failures) -> dict[str, dict[str, int]]:
    rows: Sequence[tuple[str, str]] = [(failure.stream, failure.status.name.lower()) for _, failure in failures]
    return {
        stream: dict(Counter(code for name, code in rows if name == stream))
        for stream in dict.fromkeys(s for s, _ in rows)
    }
