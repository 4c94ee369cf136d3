"""The report of an evaluation: every metric with its interval, beside what knows less."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mmfeat import Cell, Table, config_sha256, defined
from skesl.label_agreement import LabelAgreement
from skesl.metrics import METRIC_NAMES, suits
from skesl.statistics import Difference, Interval

Metrics = Mapping[str, float]

_SHOWN_OF_CONTROLS = ("mae", "corr", "acc2_has0", "acc2_non0", "acc7_round")
_EXPLAINED = (
    "majority: the best that one and the same answer for every clip could reach on this very part",
    "median: always the median label (of classes the most frequent) of the clips that were trained on",
)


@dataclass(frozen=True, kw_only=True)
class EvaluationReport:
    """The metrics of one model on one part of a dataset.

    Args:
        sources: the run folders, or the files of predictions; several are seeds of one model.
        method: name of the method, or ``predictions``.
        data: name of the dataset.
        content_sha256: content hash of the dataset.
        label: name of the label; several with commas.
        part: train, valid or test.
        scheme: split scheme.
        n_clip: clips of the part.
        n_labelled: those with the label; the metrics are theirs.
        n_recording: recordings that these clips come from.
        label_range: lowest and highest label among them.
        selection: how the epoch was chosen.
        conventions: which threshold, weighting and rounding each name stands for.
        metrics: by the names of ``skesl.metrics``; the mean over the sources.
        intervals: 95 % bootstrap interval of each, recordings resampled.
        n_resample: how often.
        sd: standard deviation over the sources; empty where there is one.
        per_source: the metrics of each source.
        rows: metrics of what stands beside the model: ``median``, ``majority``, ``text_only``, ``without_audio``, ….
        gains: what the model is better or worse by than ``text_only`` and each control, by metric.
        robustness: metrics by what is missing (``frames``, ``modalities``) and how much of it.
        generated_labels: for each human label of one modality, how well generated ones agree with it.
        warnings: what a reader should know.
        versions: of the packages that computed this.
        configs: settings of each run.
    """

    sources: tuple[str, ...]
    method: str
    data: str
    content_sha256: str
    label: str
    part: str
    scheme: str
    n_clip: int
    n_labelled: int
    n_recording: int
    label_range: tuple[float, float]
    selection: str
    conventions: str
    metrics: Metrics
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    n_resample: int = 0
    sd: Metrics = field(default_factory=dict)
    per_source: tuple[Metrics, ...] = ()
    rows: Mapping[str, Metrics] = field(default_factory=dict)
    gains: Mapping[str, Mapping[str, Difference]] = field(default_factory=dict)
    robustness: Mapping[str, Mapping[str, Metrics]] = field(default_factory=dict)
    generated_labels: Mapping[str, LabelAgreement] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    configs: tuple[Mapping[str, Any], ...] = ()

    def to_json(self) -> str:
        """Return the report as JSON.

        ``metrics`` has every name of ``skesl.metrics``; what does not suit the label or is not defined is null.
        """
        known = {**dict.fromkeys(METRIC_NAMES), **self.metrics}
        document = {
            **{field.name: getattr(self, field.name) for field in dataclasses.fields(self)},
            "metrics": known,
            "intervals": {name: self.intervals.get(name) for name in known},
            "generated_labels": {name: dataclasses.asdict(one) for name, one in self.generated_labels.items()},
            "gains": {row: {name: gain.to_dict() for name, gain in gains.items()} for row, gains in self.gains.items()},
        }
        return json.dumps(defined(document), indent=2, allow_nan=False)

    def to_text(self) -> str:
        """Return the report as a table, with the conventions below it."""
        seeds = f" · mean of {len(self.sources)} runs" if len(self.sources) > 1 else ""
        clips = (
            f"{self.n_clip} clips" if self.n_labelled == self.n_clip else f"{self.n_labelled} of {self.n_clip} clips"
        )
        head = [
            f"{self.method} on {self.data}, {self.part} part, {clips}, label {self.label}",
            f"content {self.content_sha256[:16]} · {self.n_recording} recordings{seeds} · {self.selection}",
        ]
        tables = [self.table(), *self._control_tables()]
        drawn = f"interval: 95 %, recordings drawn anew {self.n_resample} times"
        notes = [self.conventions, drawn, *self._origin(), *_EXPLAINED]
        return "\n\n".join(["\n".join(head), *(table.to_text() for table in tables), "\n".join(notes)])

    def to_latex(self) -> str:
        """Return every table as a tabular of the package booktabs; titles and conventions are comments."""
        return self._written(Table.to_latex, "%")

    def to_csv(self) -> str:
        """Return every table with every digit, an empty line between two; titles and conventions begin with ``#``."""
        return self._written(Table.to_csv, "#")

    def _written(self, write: Callable[[Table], str], comment: str) -> str:
        further = (f"{comment} {table.header[0]}\n{write(table)}" for table in self._control_tables())
        return "\n\n".join([f"{write(self.table())}\n{comment} {self.conventions}", *further])

    def _origin(self) -> list[str]:
        """Return a line about the settings of the runs and the versions of what computed this, where they are known."""
        hashes = [config_sha256({**one, "train": {**one["train"], "seed": None}})[:8] for one in self.configs]
        seeds = ", ".join(str(one["train"]["seed"]) for one in self.configs)
        settings = [f"settings {', '.join(dict.fromkeys(hashes))} (--json has them)", f"seed {seeds}"] if hashes else []
        versions = [", ".join(f"{name} {number}" for name, number in self.versions.items())] if self.versions else []
        return [" · ".join([*settings, *versions])] if settings or versions else []

    def table(self) -> Table:
        """Return one row a metric: the number, its spread and interval, and what stands beside it."""
        beside = {name: row for name, row in self.rows.items() if name in ("median", "majority", "text_only")}
        spread = ("sd",) if self.sd else ()
        return Table(
            header=("metric", self.method, *spread, "95 % interval", *beside),
            rows=tuple(
                (
                    name,
                    value,
                    *((self.sd[name],) if self.sd else ()),
                    self.intervals.get(name),
                    *(row.get(name) for row in beside.values()),
                )
                for name, value in self.metrics.items()
                if suits(name, self.label_range)
            ),
        )

    def _control_tables(self) -> list[Table]:
        """Return a table of the ablations, and one for each curve of robustness."""
        chosen = [name for name in _SHOWN_OF_CONTROLS if name in self.metrics] or list(self.metrics)[:5]
        tables = [self._table_of_gains(chosen)] if self.gains else []
        for kind, curve in self.robustness.items():
            tables.append(_of_rows(f"missing {kind}", curve, chosen))
        if self.generated_labels:
            tables.append(_of_generated(self.generated_labels))
        return tables

    def _table_of_gains(self, names: list[str]) -> Table:
        """Return the model and its controls, each with whether the first number's difference exceeds the noise."""
        rows: list[tuple[Cell, ...]] = [(self.method, *(self.metrics[name] for name in names))]
        for row, gains in self.gains.items():
            gain = gains[names[0]]
            answer = "yes" if gain.exceeds_noise else "no" if gain.is_testable else "too few recordings"
            verdict = f"{answer} (p {gain.p:.4f})"
            rows.append((row, *(self.rows[row][name] for name in names), verdict))
        header = ("control", *names, f"{names[0]} differs")
        return Table(header=header, rows=((*rows[0], None), *rows[1:]))


def _of_generated(agreements: Mapping[str, LabelAgreement]) -> Table:
    """Return for each human label how well generated labels, and the clips' own, agree with it."""
    return Table(
        header=("label by people", "clips", "generated corr", "generated mae", "clip's own corr", "clip's own mae"),
        rows=tuple(
            (name, one.n_clip, one.corr, one.mae, one.own_corr, one.own_mae) for name, one in agreements.items()
        ),
    )


def _of_rows(title: str, rows: Mapping[str, Metrics], names: list[str]) -> Table:
    cells: list[tuple[Cell, ...]] = [(key, *(metrics[name] for name in names)) for key, metrics in rows.items()]
    return Table(header=(title, *names), rows=tuple(cells))
