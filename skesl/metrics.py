"""Metrics of sentiment regression, every convention under its own name.

Conventions. ``y`` is the label and ``p`` the prediction, both in [-3, 3] for MOSI and MOSEI. Everything is computed
in float64 on stored predictions and never rounded. F1 is weighted by the true labels.

================================  ================================================================================
name                              definition, and who uses it
================================  ================================================================================
``acc2_has0``, ``f1_has0``        y >= 0 against p >= 0, all clips (SKESL's published numbers)
``acc2_non0``, ``f1_non0``        clips with y != 0; y > 0 against p > 0 (MulT, MISA, MMSA's right-hand number)
``acc2_mag``, ``f1_mag``,         clips with y != 0 for all four; p >= 0 (MAG-BERT and its descendants)
``mae_mag``, ``corr_mag``
``acc7_round``                    clipped to [-3, 3], rounded half to even (MMSA, MulT, MISA)
``acc7_bins``                     bins away from zero: (0, 1] is 1, (1, 2] is 2, … (CMU-SDK's MOSEI text)
``acc5_round``                    clipped to [-2, 2], rounded half to even (MMSA)
``mae``, ``corr``                 all clips; mean absolute error and Pearson's r
================================  ================================================================================

A number that is not defined (Pearson's r of a constant, an accuracy over no clips) is NaN.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from sklearn.metrics import f1_score

from mmfeat.errors import InputError

Values = npt.NDArray[np.float64]

CONVENTIONS = "acc2: has0 (p>=0) · non0 (p>0) · mag (y!=0, p>=0)   f1: weighted by true labels   acc7: round · bins"


def sentiment_metrics(labels: npt.ArrayLike, predictions: npt.ArrayLike) -> dict[str, float]:
    """Return every metric of the module's table by name.

    Args:
        labels: shape (clip,).
        predictions: shape (clip,).

    Raises:
        InputError: the lengths differ, there is no clip, or a number is not finite.
    """
    y, p = (np.asarray(values, dtype=np.float64) for values in (labels, predictions))
    if y.shape != p.shape or y.ndim != 1 or y.size == 0:
        raise InputError(f"metrics: expected as many predictions as labels, got {p.shape} and {y.shape}")
    if not (np.isfinite(y).all() and np.isfinite(p).all()):
        raise InputError("metrics: expected finite labels and predictions, got NaN or infinity")
    polar = y != 0
    return {
        "mae": mean_absolute_error(y, p),
        "corr": pearson_r(y, p),
        **_binary("has0", y >= 0, p >= 0),
        **_binary("non0", y[polar] > 0, p[polar] > 0),
        **_binary("mag", y[polar] >= 0, p[polar] >= 0),
        "mae_mag": mean_absolute_error(y[polar], p[polar]),
        "corr_mag": pearson_r(y[polar], p[polar]),
        "acc7_round": _agreement(np.round(y.clip(-3, 3)), np.round(p.clip(-3, 3))),
        "acc7_bins": _agreement(_away_from_zero(y), _away_from_zero(p)),
        "acc5_round": _agreement(np.round(y.clip(-2, 2)), np.round(p.clip(-2, 2))),
    }


def mean_absolute_error(y: Values, p: Values) -> float:
    """Return the mean of |y - p|; NaN over no clips."""
    return float(np.abs(y - p).mean()) if y.size else math.nan


def pearson_r(y: Values, p: Values) -> float:
    """Return Pearson's correlation; NaN where labels or predictions are constant."""
    if y.size < 2 or np.ptp(y) == 0 or np.ptp(p) == 0:
        return math.nan
    return float(np.corrcoef(y, p)[0, 1])


def _binary(convention: str, y: npt.NDArray[np.bool_], p: npt.NDArray[np.bool_]) -> dict[str, float]:
    f1 = float(f1_score(y, p, average="weighted", zero_division=0.0)) if y.size else math.nan
    return {f"acc2_{convention}": _agreement(y, p), f"f1_{convention}": f1}


def _agreement(y: npt.NDArray[np.generic], p: npt.NDArray[np.generic]) -> float:
    return float((y == p).mean()) if y.size else math.nan


def _away_from_zero(values: Values) -> Values:
    """Return the bin of each value: the next whole number away from zero, at most 3."""
    return np.asarray(np.sign(values) * np.ceil(np.abs(values)).clip(max=3), dtype=np.float64)
