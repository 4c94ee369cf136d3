"""Deal clips out to parts: whole groups, near the wished sizes, the same for the same seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmfeat.dataset.columns import AnyArray, IntArray
from mmfeat.errors import InputError
from mmfeat.types import BoolArray, Float32Array

_MOST_CLASSES = 10
_QUANTILES = (0.2, 0.4, 0.6, 0.8)
_MOST_ORDERS = 50
_MOST_STEPS = 100_000


def deal(
    groups: Sequence[str],
    shares: Sequence[float],
    *,
    seed: int,
    strata: IntArray | None = None,
    unit: str = "group",
) -> IntArray:
    """Return the part of each clip: whole groups in each part, sizes near ``shares``, no part empty.

    Groups are taken in an order that the seed gives, and each goes where it is missed most: to the part ``p`` for which
    ``sum over s of g_s * (2 * (n_ps - N_s * share_p) + g_s) / share_p`` is least. There ``g_s`` are the group's clips
    of stratum ``s``, ``n_ps`` those that the part has, ``N_s`` those of all; one stratum more holds all clips. With
    groups of one clip these are the quotients of Sainte-Laguë. Of several orders the one that comes nearest is kept.
    The order of the clips changes nothing.

    Args:
        groups: what must stay together, such as the recording of each clip.
        shares: of each part, at least 0; a part with 0 stays empty. They are scaled to sum up to 1.
        seed: of the orders.
        strata: int64, shape (clip,): what each part should have its share of as well.
        unit: what a message calls a group.

    Returns:
        int64, shape (clip,), indices into ``shares``.

    Raises:
        InputError: there are fewer groups than parts.
    """
    index_of = {name: index for index, name in enumerate(sorted(set(groups)))}
    group_of = np.array([index_of[name] for name in groups], dtype=np.int64)
    wanted = np.flatnonzero(np.asarray(shares) > 0)
    if len(index_of) < wanted.size:
        raise InputError(f"expected at least {wanted.size} {unit}s for {wanted.size} parts, got {len(index_of)}")
    counts = _counts(group_of, len(index_of), strata)
    weights = np.asarray(shares, dtype=np.float64)[wanted]
    part_of = _dealt(counts, weights / weights.sum(), np.random.default_rng(seed))
    _fill_empty(part_of, counts[:, 0], wanted.size)
    return np.asarray(wanted[part_of][group_of], dtype=np.int64)


def strata_of(values: Float32Array, present: BoolArray, problem: str) -> IntArray:
    """Return a stratum for each clip from a label: its value, or its fifth where a regression has many values.

    Args:
        values: shape (clip,) or (clip, label).
        present: clips without the label are a stratum of their own.
        problem: regression, class or multilabel.
    """
    table = values.reshape(len(values), -1)
    if problem == "regression" and np.unique(table[present]).size > _MOST_CLASSES:
        fifths = np.searchsorted(np.quantile(table[present], _QUANTILES), table[:, 0])[:, None]
        return strata_of(fifths.astype(np.float32), present, problem)
    strata = np.unique(table, axis=0, return_inverse=True)[1].reshape(-1) + 1
    return np.where(present, strata, 0).astype(np.int64)


def _counts(group_of: IntArray, n_group: int, strata: IntArray | None) -> AnyArray:
    """Return the clips of each group, all and by stratum; float64, shape (group, 1 + stratum)."""
    totals = np.bincount(group_of, minlength=n_group)[:, None].astype(np.float64)
    if strata is None:
        return totals
    names, columns = np.unique(strata, return_inverse=True)
    cells = np.bincount(group_of * names.size + columns, minlength=n_group * names.size)
    return np.hstack([totals, cells.reshape(n_group, names.size)])


def _dealt(counts: AnyArray, shares: AnyArray, rng: np.random.Generator) -> AnyArray:
    """Return the part of each group; see ``deal``."""
    n_order = min(_MOST_ORDERS, max(1, _MOST_STEPS // len(counts)))
    dealt = [_dealt_in_order(counts, shares, rng.permutation(len(counts))) for _ in range(n_order)]
    return min(dealt, key=lambda result: result[0])[1]


def _dealt_in_order(counts: AnyArray, shares: AnyArray, order: AnyArray) -> tuple[float, AnyArray]:
    """Return how far the parts are from the wished sizes, and the part of each group."""
    excess = -np.outer(shares, counts.sum(axis=0))  # clips above the wished number, by part and stratum
    part_of = np.empty(len(counts), dtype=np.int64)
    for group in order:
        cost = (2 * excess + counts[group]) @ counts[group] / shares
        part_of[group] = chosen = int(cost.argmin())
        excess[chosen] += counts[group]
    return float((excess**2 / shares[:, None]).sum()), part_of


def _fill_empty(part_of: AnyArray, sizes: AnyArray, n_part: int) -> None:
    """Move the smallest group of the part with the most groups into each part that has none."""
    for part in range(n_part):
        n_group: Any = np.bincount(part_of, minlength=n_part)
        if not n_group[part]:
            members = np.flatnonzero(part_of == n_group.argmax())
            part_of[members[sizes[members].argmin()]] = part
