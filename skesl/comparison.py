"""Hold two models to each other on the same clips, and say whether the difference exceeds the noise."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mmfeat import ConfigError, InputError, Split, Table, defined
from skesl.errors import CheckpointError, check_train_extra
from skesl.external import read_predictions
from skesl.measures import Mean, Values
from skesl.metrics import CONVENTIONS, smaller_is_better, suits
from skesl.statistics import (
    N_RESAMPLE,
    Difference,
    Interval,
    McNemar,
    Measures,
    compare_measures,
    mcnemar,
)
from skesl.target import Target, open_target

_SHARES = ("acc", "f1", "sims_acc", "sims_f1", "ml_acc", "micro_f1", "macro_f1", "class_", "mer23_f1", "hamming")
_ACCURACIES = ("acc", "sims_acc", "class_acc")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two models on the same clips.

    Args:
        first: run folder, folder of runs or file of predictions.
        second: the same.
        data: name of the dataset.
        content_sha256: its content hash.
        label: name of the label; several with commas.
        part: train, valid or test.
        scheme: split scheme.
        n_labelled: clips that are compared.
        n_recording: recordings that they come from.
        label_range: lowest and highest label among them.
        conventions: which threshold, weighting and rounding each name stands for.
        metric: what the sentence is about.
        differences: by metric.
        mcnemar: of the accuracies, where each model is one set of predictions.
        n_resample: resamples and permutations.
    """

    first: str
    second: str
    data: str
    content_sha256: str
    label: str
    part: str
    scheme: str
    n_labelled: int
    n_recording: int
    label_range: tuple[float, float]
    conventions: str
    metric: str
    differences: Mapping[str, Difference]
    mcnemar: Mapping[str, McNemar]
    n_resample: int

    @property
    def exceeds_noise(self) -> bool:
        """Whether the difference of ``metric`` exceeds the noise."""
        return self.differences[self.metric].exceeds_noise

    def sentence(self) -> str:
        """Return what the numbers say, plainly."""
        found = self.differences[self.metric]
        if math.isnan(found.difference):
            return f"nothing can be said: {self.metric} is not defined on these clips"
        p = "no permutation test" if math.isnan(found.p) else f"permutation p {found.p:.4f}"
        noise = f"(95 % interval {self._span(found.interval)}, {p})"
        if not found.is_testable:
            return (
                f"no difference can be shown: {self.n_recording} recording(s) are too few for any test; "
                f"{self._direction(found)} {noise}"
            )
        if not found.exceeds_noise:
            return f"no difference: {self._direction(found)}, which is within the noise {noise}"
        better = (found.difference < 0) == smaller_is_better(self.metric)
        return (
            f"{self.second if better else self.first} is better: {self._direction(found)}, "
            f"which exceeds the noise {noise}"
        )

    def _direction(self, found: Difference) -> str:
        word = "above" if found.difference > 0 else "below"
        numbers = f"{found.second:.4f} against {found.first:.4f}"
        if found.difference == 0:
            return f"{self.metric} of both is {found.first:.4f}"
        size = self._size(abs(found.difference))
        return f"{self.metric} of {self.second} is {size} {word} that of {self.first} ({numbers})"

    def _size(self, *differences: float) -> str:
        """Return differences of shares in points, of anything else as they are."""
        if self.metric.startswith(_SHARES):
            return " … ".join(f"{100 * difference:.2f}" for difference in differences) + " points"
        return " … ".join(f"{difference:.4f}" for difference in differences)

    def _span(self, interval: Interval) -> str:
        return "undefined" if math.isnan(interval[0]) else self._size(*interval)

    def table(self) -> Table:
        """Return one row a metric."""
        return Table(
            header=("metric", "A", "B", "B - A", "95 % interval", "permutation p", "McNemar p"),
            rows=tuple(
                (
                    name,
                    found.first,
                    found.second,
                    found.difference,
                    found.interval,
                    found.p,
                    self.mcnemar[name].p if name in self.mcnemar else None,
                )
                for name, found in self.differences.items()
                if suits(name, self.label_range)
            ),
        )

    def to_text(self) -> str:
        """Return the table, the conventions and the sentence."""
        head = [
            f"A  {self.first}",
            f"B  {self.second}",
            f"{self.data}, {self.part} part, {self.n_labelled} clips of {self.n_recording} recordings, "
            f"label {self.label}, content {self.content_sha256[:16]}",
        ]
        return "\n\n".join(["\n".join(head), self.table().to_text(), self.conventions, self.sentence()])

    def to_json(self) -> str:
        """Return everything as JSON; numbers that are not defined are null."""
        document = {
            **self.__dict__,
            "differences": {name: found.to_dict() for name, found in self.differences.items()},
            "mcnemar": {name: asdict(found) for name, found in self.mcnemar.items()},
            "exceeds_noise": self.exceeds_noise,
            "sentence": self.sentence(),
        }
        return json.dumps(defined(document), indent=2, allow_nan=False)


@check_train_extra()
def compare(
    first: Path,
    second: Path,
    data: Path,
    *,
    labels: Sequence[str] = (),
    metric: str | None = None,
    part: Split = Split.TEST,
    scheme: str | None = None,
    device: str = "auto",
    n_resample: int = N_RESAMPLE,
    seed: int = 0,
) -> Comparison:
    """Return how two models differ on the same clips.

    Args:
        first: a run, a folder of runs that differ by their seed, or a csv file of predictions (``skesl.external``).
        second: the same.
        data: the dataset file with the labels.
        labels: names of the labels; those of the runs where empty, of which they may be no others.
        metric: what the sentence is about; ``acc2_non0`` for sentiment where None.
        part: train, valid or test.
        scheme: split scheme; that of the runs, which have to be of one, or ``default``, where None.
        device: auto, cpu, cuda or mps.
        n_resample: resamples and permutations.
        seed: of both.

    Raises:
        InputError: there is no such file, or it has faults, or the part no labelled clip.
        CheckpointError: a run is no fine-tuned run, or was trained for another label, or on another split of the same
            data where ``scheme`` is None.
        ConfigError: there is no such metric for this label.
    """
    target = _target((first, second), data, labels, part, scheme)
    one, other = ([target.measures(values) for values in _said(source, target, device)] for source in (first, second))
    chosen = metric or target.main_metric
    if chosen not in one[0]:
        raise ConfigError(f"metric: expected one of {', '.join(one[0])}, got {chosen!r}")
    names = [str(source) if first.name == second.name else source.name for source in (first, second)]
    return Comparison(
        first=names[0],
        second=names[1],
        data=target.name,
        content_sha256=target.content_sha256,
        label=", ".join(target.label_names),
        part=part.name.lower(),
        scheme=target.scheme,
        n_labelled=len(target.clip_ids),
        n_recording=target.n_recording,
        label_range=target.label_range,
        conventions=CONVENTIONS[target.problem],
        metric=chosen,
        differences=compare_measures(one, other, target.recordings, n_resample=n_resample, seed=seed),
        mcnemar=_mcnemar(one, other),
        n_resample=n_resample,
    )


def _target(sources: Sequence[Path], data: Path, labels: Sequence[str], part: Split, scheme: str | None) -> Target:
    """Return the labels of the sources that are runs, else those that are asked for."""
    for source in sources:
        if not source.exists():
            raise InputError(f"{source}: expected a run folder or a file of predictions, found none; correct the path")
    folders = [source for source in sources if source.is_dir()]
    if not folders:
        return open_target(data, labels=labels, part=part, scheme=scheme or "default")
    from skesl.runs import check_comparable, settings_of_runs, target_of_runs

    settings = {folder: settings_of_runs([folder])[1][0] for folder in folders}
    learned = list(dict.fromkeys(", ".join(one["data"]["task"]["labels"]) for one in settings.values()))
    if len(learned) > 1:
        raise CheckpointError(f"{folders[0]}, {folders[1]}: expected runs of one label, got {' and '.join(learned)}")
    if labels and set(labels) != set(settings[folders[0]]["data"]["task"]["labels"]):
        raise CheckpointError(
            f"{folders[0]}: expected a run for the label {', '.join(labels)}, got one for {learned[0]}; "
            "leave --label out or name another run"
        )
    target = target_of_runs(list(settings.values()), data, part=part, scheme=scheme)
    check_comparable(settings, target, scheme=scheme)
    return target


def _said(source: Path, target: Target, device: str) -> list[Values]:
    """Return the predictions of each seed of a model."""
    if not source.is_dir():
        return [read_predictions(source, target)[0]]
    from skesl.runs import settings_of_runs, values_of_run

    return [values_of_run(run, target, device=device) for run in settings_of_runs([source])[0]]


def _mcnemar(first: Sequence[Measures], second: Sequence[Measures]) -> dict[str, McNemar]:
    """Return McNemar's test of each accuracy; none over several seeds, whose clips are not one sample."""
    if len(first) > 1 or len(second) > 1:
        return {}
    found = {}
    for name, one in first[0].items():
        other = second[0][name]
        if name.startswith(_ACCURACIES) and isinstance(one, Mean) and isinstance(other, Mean):
            rights = [np.asarray(measure.values[measure.kept] > 0) for measure in (one, other)]
            found[name] = mcnemar(*rights)
    return found
