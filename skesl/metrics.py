"""Metrics, every convention under its own name.

Conventions. ``y`` is the label and ``p`` the prediction. Everything is computed in float64 on stored predictions of
the whole part and never rounded. F1 has the true labels first and is weighted by them unless it is called otherwise.
A number that is not defined (Pearson's r of a constant, an accuracy over no clips) is NaN.

Sentiment regression, MOSI and MOSEI, labels in [-3, 3]:

================================  ================================================================================
``acc2_has0``, ``f1_has0``        y >= 0 against p >= 0, all clips (SKESL's published numbers)
``acc2_non0``, ``f1_non0``        clips with y != 0; y > 0 against p > 0 (MulT, MISA, MMSA's right-hand number)
``f1_non0_swapped``               ``f1_non0`` with its arguments swapped, weighted by what was said; only to compare
                                  with numbers of MulT and MISA
``acc2_mag``, ``f1_mag``,         clips with y != 0 for all four; p >= 0 (MAG-BERT and its descendants)
``mae_mag``, ``corr_mag``
``acc7_round``                    clipped to [-3, 3], rounded half to even (MMSA, MulT, MISA)
``acc7_bins``                     bins away from zero: (0, 1] is 1, (1, 2] is 2, … (CMU-SDK's MOSEI text)
``acc5_round``                    clipped to [-2, 2], rounded half to even (MMSA)
``mae``, ``corr``                 all clips; mean absolute error and Pearson's r
================================  ================================================================================

CH-SIMS, labels in [-1, 1]; labels and predictions are clipped to that range first:

================================  ================================================================================
``sims_acc2``, ``sims_f1``        y <= 0 against y > 0, neutral counts as negative
``sims_acc3``                     bins (-1.01, -.1] (-.1, .1] (.1, 1.01]
``sims_acc5``                     bins (-1.01, -.7] (-.7, -.1] (-.1, .1] (.1, .7] (.7, 1.01]
``sims_mae``, ``sims_corr``       after clipping
================================  ================================================================================

Several yes-or-no labels, MOSEI emotions and M3ED; a label is said where its score is 0.5 or more:

================================  ================================================================================
``ml_acc``                        mean over the clips of the Jaccard index, 1 where nothing is true and nothing said
``ml_acc_empty0``                 the same with 0 there (UniVA's code)
``hamming_loss``                  share of labels that are wrong
``micro_f1``, ``macro_f1``        of all labels together, and the mean over the labels
``f1_<label>``, ``ap_<label>``    F1 and average precision of one label
================================  ================================================================================

Classes, MER23 and MuSe-Mimic:

================================  ================================================================================
``class_acc``, ``class_recall``   share of right clips; mean over the true classes of that share
``class_f1_weighted``,            over the classes of the label
``class_f1_macro``
``mer23_f1``                      weighted F1 over neutral, angry, happy, sad, worried, surprise
``mer23_mse``                     mean squared error of valence; placeholders (-10) are refused
``mer23_combined``                ``mer23_f1`` - 0.25 ``mer23_mse``
``mimic_pearson``                 mean of Pearson's r of Approval, Disappointment and Uncertainty
``corr_<label>``, ``mae_<label>`` of one of several regression labels
``mean_corr``, ``mean_mae``       their means over the labels
================================  ================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from mmfeat.errors import InputError
from skesl.measures import AveragePrecision, ClassF1, Codes, Combined, Flags, LabelF1, Mean, Measure, Pearson, Values
from skesl.task import MER23_CLASSES

CONVENTIONS = {
    "regression": (
        "acc2=has0(p>=0)·non0(y!=0,p>0)·mag(y!=0,p>=0) f1=weighted(true first) acc7=round(half even)·bins(away from 0) "
        "acc5=round mae,corr=all clips sims=clipped to [-1,1]"
    ),
    "regressions": "mae,corr=each label, all clips mimic_pearson=mean of three r",
    "multilabel": "said=score>=0.5 ml_acc=Jaccard(empty 1)·empty0(empty 0) macro_f1=mean over all labels",
    "class": "class_recall=mean over true classes class_f1=weighted(true first)·macro(classes that occur)",
    "mer23": "mer23_f1=weighted(6 classes) mer23_mse=valence mer23_combined=f1-0.25*mse",
}
SENTIMENT_NAMES = (
    "mae", "corr", "acc2_has0", "f1_has0", "acc2_non0", "f1_non0", "f1_non0_swapped", "acc2_mag", "f1_mag", "mae_mag",
    "corr_mag", "acc7_round", "acc7_bins", "acc5_round",
)  # fmt: skip
SIMS_NAMES = ("sims_acc2", "sims_acc3", "sims_acc5", "sims_f1", "sims_mae", "sims_corr")
MULTILABEL_NAMES = ("ml_acc", "ml_acc_empty0", "hamming_loss", "micro_f1", "macro_f1")
CLASS_NAMES = ("class_acc", "class_recall", "class_f1_weighted", "class_f1_macro")
CHALLENGE_NAMES = ("mer23_f1", "mer23_mse", "mer23_combined", "mimic_pearson")
METRIC_NAMES = (*SENTIMENT_NAMES, *SIMS_NAMES, *MULTILABEL_NAMES, *CLASS_NAMES, *CHALLENGE_NAMES)

MER23_PLACEHOLDER = -10.0
MIMIC_LABELS = ("approval", "disappointment", "uncertainty")
SAID_FROM = 0.5  # the score from which on a yes-or-no label is said

_SIMS_EDGES = {2: (0.0,), 3: (-0.1, 0.1), 5: (-0.7, -0.1, 0.1, 0.7)}
_ERRORS = ("mae", "mean_mae", "mer23_mse", "hamming_loss", "sims_mae")


def smaller_is_better(metric: str) -> bool:
    """Return whether a metric measures errors."""
    return metric in _ERRORS or metric.startswith("mae_")


def suits(metric: str, label_range: tuple[float, float]) -> bool:
    """Return whether a metric says something of labels in this range: CH-SIMS' bins do not beyond [-1, 1]."""
    return metric not in SIMS_NAMES or max(map(abs, label_range)) <= 1


def sentiment_metrics(labels: npt.ArrayLike, predictions: npt.ArrayLike) -> dict[str, float]:
    """Return every metric of sentiment regression by name.

    Args:
        labels: shape (clip,).
        predictions: shape (clip,).

    Raises:
        InputError: the lengths differ, there is no clip, or a number is not finite.
    """
    return numbers(sentiment_measures(labels, predictions))


def sims_metrics(labels: npt.ArrayLike, predictions: npt.ArrayLike) -> dict[str, float]:
    """Return every metric of CH-SIMS by name; arguments and errors as in ``sentiment_metrics``."""
    return numbers(sims_measures(labels, predictions))


def multilabel_metrics(
    truth: npt.ArrayLike, scores: npt.ArrayLike, label_names: Sequence[str] | None = None
) -> dict[str, float]:
    """Return every metric of yes-or-no labels by name.

    Args:
        truth: shape (clip, label), true where it is more than 0.
        scores: shape (clip, label), said where it is 0.5 or more.
        label_names: names of the labels; 0, 1, … where None.

    Raises:
        InputError: the shapes differ, there is no clip, or a number is not finite.
    """
    return numbers(multilabel_measures(truth, scores, label_names))


def class_metrics(classes: npt.ArrayLike, predictions: npt.ArrayLike) -> dict[str, float]:
    """Return every metric of one class a clip by name; both are the numbers of classes, shape (clip,)."""
    return numbers(class_measures(classes, predictions))


def numbers(measures: Mapping[str, Measure]) -> dict[str, float]:
    """Return the number of each measure."""
    return {name: measure.number() for name, measure in measures.items()}


def sentiment_measures(labels: npt.ArrayLike, predictions: npt.ArrayLike) -> dict[str, Measure]:
    """Return what ``sentiment_metrics`` measures."""
    y, p = _columns(labels, predictions)
    polar = y != 0
    return {
        "mae": Mean(np.abs(y - p)),
        "corr": Pearson(y, p),
        "acc2_has0": Mean((y >= 0) == (p >= 0)),
        "f1_has0": ClassF1(y >= 0, p >= 0),
        "acc2_non0": Mean((y > 0) == (p > 0), polar),
        "f1_non0": ClassF1(y > 0, p > 0, polar),
        "f1_non0_swapped": ClassF1(p > 0, y > 0, polar),
        "acc2_mag": Mean((y >= 0) == (p >= 0), polar),
        "f1_mag": ClassF1(y >= 0, p >= 0, polar),
        "mae_mag": Mean(np.abs(y - p), polar),
        "corr_mag": Pearson(y, p, polar),
        "acc7_round": Mean(rounded(y, 3) == rounded(p, 3)),
        "acc7_bins": Mean(away_from_zero(y) == away_from_zero(p)),
        "acc5_round": Mean(rounded(y, 2) == rounded(p, 2)),
    }


def sims_measures(labels: npt.ArrayLike, predictions: npt.ArrayLike) -> dict[str, Measure]:
    """Return what ``sims_metrics`` measures."""
    y, p = (column.clip(-1, 1) for column in _columns(labels, predictions))
    return {
        "sims_acc2": Mean(sims_bins(y, 2) == sims_bins(p, 2)),
        "sims_acc3": Mean(sims_bins(y, 3) == sims_bins(p, 3)),
        "sims_acc5": Mean(sims_bins(y, 5) == sims_bins(p, 5)),
        "sims_f1": ClassF1(sims_bins(y, 2), sims_bins(p, 2)),
        "sims_mae": Mean(np.abs(y - p)),
        "sims_corr": Pearson(y, p),
    }


def multilabel_measures(
    truth: npt.ArrayLike, scores: npt.ArrayLike, label_names: Sequence[str] | None = None
) -> dict[str, Measure]:
    """Return what ``multilabel_metrics`` measures."""
    y, p = _columns(truth, scores, n_axis=2)
    true, said = y > 0, p >= SAID_FROM
    names = label_names or [str(index) for index in range(y.shape[1])]
    measures: dict[str, Measure] = {
        "ml_acc": Mean(_jaccard(true, said, empty=1.0)),
        "ml_acc_empty0": Mean(_jaccard(true, said, empty=0.0)),
        "hamming_loss": Mean((true != said).mean(axis=1)),
        "micro_f1": LabelF1(true, said, average="micro"),
        "macro_f1": LabelF1(true, said, average="macro"),
    }
    for column, name in enumerate(names):
        one = slice(column, column + 1)
        measures[f"f1_{name}"] = LabelF1(true[:, one], said[:, one], average="macro")
        measures[f"ap_{name}"] = AveragePrecision(true[:, column], p[:, column])
    return measures


def class_measures(
    classes: npt.ArrayLike, predictions: npt.ArrayLike, n_class: int | None = None
) -> dict[str, Measure]:
    """Return what ``class_metrics`` measures; ``n_class`` as in ``ClassF1``."""
    y, p = _columns(classes, predictions)
    known = np.unique(y)
    return {
        "class_acc": Mean(y == p),
        "class_recall": Combined([Mean(p == value, y == value) for value in known], [1 / known.size] * known.size),
        "class_f1_weighted": ClassF1(y, p, n_class=n_class),
        "class_f1_macro": ClassF1(y, p, average="macro", n_class=n_class),
    }


def mer23_measures(
    emotions: npt.ArrayLike, said: npt.ArrayLike, valence: npt.ArrayLike, predicted_valence: npt.ArrayLike
) -> dict[str, Measure]:
    """Return the measures of MER23: classes as numbers, valence as it is; all of shape (clip,).

    Raises:
        InputError: a valence is the placeholder -10, or as in ``sentiment_metrics``.
    """
    y, p = _columns(valence, predicted_valence)
    if n_placeholder := int((y == MER23_PLACEHOLDER).sum()):
        raise InputError(
            f"mer23: expected valences, got the placeholder {MER23_PLACEHOLDER:g} for {n_placeholder} clip(s); "
            "leave out the clips of the test sets whose labels were not published"
        )
    f1, mse = ClassF1(*_columns(emotions, said), n_class=len(MER23_CLASSES)), Mean((y - p) ** 2)
    return {"mer23_f1": f1, "mer23_mse": mse, "mer23_combined": Combined([f1, mse], [1.0, -0.25])}


def several_regressions(
    labels: npt.ArrayLike, predictions: npt.ArrayLike, label_names: Sequence[str]
) -> dict[str, Measure]:
    """Return error and correlation of each of several regression labels, and MuSe-Mimic's mean where it is these three.

    Args:
        labels: shape (clip, label).
        predictions: shape (clip, label).
        label_names: names of the labels.

    Raises:
        InputError: as in ``sentiment_metrics``.
    """
    y, p = _columns(labels, predictions, n_axis=2)
    rs = {name: Pearson(y[:, column], p[:, column]) for column, name in enumerate(label_names)}
    mean_r = Combined(list(rs.values()), [1 / len(rs)] * len(rs))
    is_mimic = {name.strip("_").lower() for name in label_names} == set(MIMIC_LABELS)
    measures: dict[str, Measure] = {"mimic_pearson": mean_r} if is_mimic else {}
    measures |= {"mean_mae": Mean(np.abs(y - p).mean(axis=1)), "mean_corr": mean_r}
    for column, name in enumerate(label_names):
        measures[f"mae_{name}"] = Mean(np.abs(y[:, column] - p[:, column]))
        measures[f"corr_{name}"] = rs[name]
    return measures


def rounded(values: Values, limit: int) -> Values:
    """Return values clipped to [-limit, limit] and rounded half to even."""
    return np.asarray(np.round(values.clip(-limit, limit)))


def away_from_zero(values: Values) -> Values:
    """Return the bin of each value: the next whole number away from zero, at most 3."""
    return np.asarray(np.sign(values) * np.ceil(np.abs(values)).clip(max=3), dtype=np.float64)


def sims_bins(values: Values, n_bin: int) -> Codes:
    """Return CH-SIMS' bin of each value, of 2, 3 or 5; a value on an edge belongs to the bin below."""
    return np.digitize(values, _SIMS_EDGES[n_bin], right=True)


def _jaccard(true: Flags, said: Flags, *, empty: float) -> Values:
    """Return the Jaccard index of each clip; ``empty`` where nothing is true and nothing said."""
    union = (true | said).sum(axis=1)
    return np.where(union > 0, (true & said).sum(axis=1) / np.maximum(union, 1), empty)


def _columns(labels: npt.ArrayLike, predictions: npt.ArrayLike, *, n_axis: int = 1) -> tuple[Values, Values]:
    """Return both as float64; refuse what is not equally long, empty or not finite."""
    y, p = (np.asarray(values, dtype=np.float64) for values in (labels, predictions))
    if y.shape != p.shape or y.ndim != n_axis or y.size == 0:
        raise InputError(f"metrics: expected as many predictions as labels, got {p.shape} and {y.shape}")
    if not (np.isfinite(y).all() and np.isfinite(p).all()):
        raise InputError("metrics: expected finite labels and predictions, got NaN or infinity")
    return y, p
