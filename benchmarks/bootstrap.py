"""How long 95 % intervals of every metric take: products of sums, against recomputing each resample clip by clip.

Prints the CPU seconds of both on predictions of MOSEI's size, their ratio, and the largest difference between the two
on the same draws.
"""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt

from skesl.metrics import numbers, sentiment_measures
from skesl.statistics import N_RESAMPLE, Measures

N_CLIP, N_RECORDING, N_SLOW = 4659, 676, 20


def main() -> None:
    """Measure and print."""
    rng = np.random.default_rng(0)
    groups = np.unique(rng.integers(0, N_RECORDING, N_CLIP), return_inverse=True)[1]
    labels = np.round(rng.normal(size=N_CLIP) * 3) / 3
    said = labels + rng.normal(size=N_CLIP)
    n_group = int(groups.max()) + 1
    draws = rng.multinomial(n_group, np.full(n_group, 1 / n_group), size=N_RESAMPLE).astype(np.float64)
    measures = sentiment_measures(labels, said)

    fast_s, fast = resampled(measures, draws, groups)
    slow_s, slow = recomputed(labels, said, draws[:N_SLOW], groups)
    slow_s *= N_RESAMPLE / N_SLOW
    error = max(float(np.abs(fast[name][:N_SLOW] - slow[name]).max()) for name in fast)
    print(f"{N_RESAMPLE} resamples of {N_CLIP} clips in {n_group} recordings, {len(measures)} metrics, CPU time")
    print(f"clip by clip with scikit-learn and scipy, {N_SLOW} measured and scaled: {slow_s:.1f} s")
    print(f"products of sums: {fast_s:.2f} s, {slow_s / fast_s:.0f}x; largest difference {error:.0e}")


def resampled(
    measures: Measures, draws: npt.NDArray[np.float64], groups: npt.NDArray[np.int64]
) -> tuple[float, dict[str, npt.NDArray[np.float64]]]:
    """Return the seconds and the numbers of each resample, by products of sums."""
    started = time.process_time()
    found = {name: measure.resampled(draws, groups) for name, measure in measures.items()}
    return time.process_time() - started, found


def recomputed(
    labels: npt.NDArray[np.float64],
    said: npt.NDArray[np.float64],
    draws: npt.NDArray[np.float64],
    groups: npt.NDArray[np.int64],
) -> tuple[float, dict[str, npt.NDArray[np.float64]]]:
    """Return the same, with the clips of each resample taken together and measured anew."""
    started = time.process_time()
    rows = []
    for draw in draws:
        clips = np.repeat(np.arange(groups.size), draw[groups].astype(np.int64))
        rows.append(numbers(sentiment_measures(labels[clips], said[clips])))
    return time.process_time() - started, {name: np.array([row[name] for row in rows]) for name in rows[0]}


if __name__ == "__main__":
    main()
