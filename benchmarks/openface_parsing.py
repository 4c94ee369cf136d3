"""OpenFace files: mmfeat against pandas and against a loop over rows, speed and equality in the same row.

    python benchmarks/openface_parsing.py [--write] [FILE.csv ...]

All run in this process, in turn, on one thread; times are CPU time. Without files they are made: 714 columns with
OpenFace's numbers of decimals, 55, 300 and 3,000 rows. ``--write`` puts the tables into RESULTS.md and README.md.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"  # before numpy is imported

import argparse  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
from collections.abc import Callable, Iterator, Sequence  # noqa: E402
from functools import partial  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
import numpy.typing as npt  # noqa: E402
import pandas as pd  # noqa: E402
from report import conditions, cpu_time_s, publish  # noqa: E402

from mmfeat import OpenFaceConfig, read_openface_csv  # noqa: E402
from mmfeat.vision import OPENFACE_COLUMNS  # noqa: E402
from mmfeat.vision.columns import UNITS  # noqa: E402
from mmfeat.vision.table import Loader, read_table  # noqa: E402

Values = npt.NDArray[np.float64]
N_ROUND = 9
N_META = 5
META = ("frame", "face_id", "timestamp", "confidence", "success")
DECIMALS = {"px": 1, "mm": 1, "0-5": 2, "0|1": 2}  # 3 for all others
SPREAD = {"px": (600.0, 300.0), "mm": (0.0, 60.0), "0-5": (1.0, 0.8), "0|1": (0.5, 0.5)}  # mean, deviation
ABOUT = (
    "The same file, all of its columns as float64 (`mmfeat.vision.table.read_table`). pandas: `read_csv`, whose "
    'default took the place of `float_precision="round_trip"`. Loop: what the released scripts of SKESL do, '
    "`read_csv` and then every row picked out by its label. The difference is the largest one to what Python's `float` "
    "reads in each cell. The last rows are the call that users make: face chosen, time and validity, float32."
)
HEADER = [
    "| rows | mmfeat | loop / mmfeat (quartiles) | pandas / mmfeat | max abs difference | numpy.loadtxt / mmfeat |",
    "|---|---|---|---|---|---|",
]


def write_file(path: Path, *, n_row: int, seed: int = 0) -> Path:
    """Write a file in OpenFace's layout and with its numbers of decimals."""
    rng = np.random.default_rng(seed)
    columns = [_cells(UNITS[name], n_row, rng) for name in OPENFACE_COLUMNS]
    meta = [[f"{row + 1}", "0", f"{row / 25:.3f}", "0.98", "1"] for row in range(n_row)]
    rows = [", ".join(META + OPENFACE_COLUMNS)]
    rows += [", ".join([*meta[row], *cells]) for row, cells in enumerate(zip(*columns, strict=True))]
    path.write_text("\n".join(rows) + "\n")
    return path


def _cells(unit: str, n_row: int, rng: np.random.Generator) -> list[str]:
    mean, deviation = SPREAD.get(unit, (0.0, 0.5))
    return [f"{value:.{DECIMALS.get(unit, 3)}f}" for value in rng.normal(mean, deviation, n_row)]


def by_mmfeat(path: Path, loader: Loader = "compiled") -> Values:
    """Return all cells by mmfeat."""
    return read_table(path, lambda header: header, loader=loader).values


def by_pandas(path: Path) -> Values:
    """Return all cells by pandas."""
    return np.asarray(pd.read_csv(path), dtype=np.float64)


def by_row_loop(path: Path) -> Values:
    """Return the features row by row, as the released scripts do."""
    table = pd.read_csv(path)
    return np.array([np.array(table.loc[row][table.columns[N_META:]]) for row in range(len(table))])


def truth(path: Path) -> Values:
    """Return all cells by Python's own parser."""
    lines = path.read_text().splitlines()[1:]
    return np.array([[float(cell) for cell in line.split(",")] for line in lines])


def ask(path: Path) -> str:
    """Return one row of the table."""
    ways: list[Callable[[Path], Values]] = [by_mmfeat, by_row_loop, by_pandas, partial(by_mmfeat, loader="numpy")]
    by_mmfeat(path)  # compiled, or loaded from the cache
    rounds = np.array([[cpu_time_s(partial(way, path), n_repeat=1)[0] for way in ways] for _ in range(N_ROUND)])
    values = by_mmfeat(path)
    difference = np.abs(values - truth(path)).max()
    equal = np.array_equal(values[:, N_META:], by_row_loop(path)) and np.array_equal(values, by_pandas(path))
    own_s = np.median(rounds[:, 0])
    low, loop, high = np.quantile(rounds[:, 1] / own_s, [0.25, 0.5, 0.75])
    pandas, numpy = np.median(rounds[:, 2:] / own_s, axis=0)
    speed = path.stat().st_size / own_s / 1e6
    return (
        f"| {len(values):,} x {values.shape[1]} | {1e3 * own_s:.2f} ms ({speed:.0f} MB/s) | "
        f"**{loop:.0f}x** ({low:.0f} to {high:.0f}) | **{pandas:.1f}x** | "
        f"{difference:g}{'' if equal else ', NOT EQUAL to pandas'} | {numpy:.1f}x |"
    )


def ask_for_features(path: Path, groups: tuple[str, ...]) -> str:
    """Return how long the call takes that users make."""
    config = OpenFaceConfig(groups=groups)
    own_s, features = cpu_time_s(lambda: read_openface_csv(path, config), n_repeat=N_ROUND)
    loop_s, _ = cpu_time_s(partial(by_row_loop, path), n_repeat=3)
    return (
        f"| `read_openface_csv`, {','.join(groups)} ({len(features.names)} columns) of {features.n_frame:,} rows | "
        f"{1e3 * own_s:.2f} ms | **{loop_s / own_s:.0f}x** | | | |"
    )


def table(paths: Sequence[Path]) -> Iterator[str]:
    """Yield the lines of the table as they are known."""
    yield from HEADER
    for path in paths:
        yield ask(path)
    for groups in (("all",), ("au", "pose")):
        yield ask_for_features(paths[min(1, len(paths) - 1)], groups)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--write", action="store_true", help="put the table into RESULTS.md and README.md")
    arguments = parser.parse_args()
    measured = f"{conditions(('mmfeat', 'pandas', 'numpy', 'numba'))}."
    with tempfile.TemporaryDirectory() as name:
        made = [] if arguments.files else [write_file(Path(name, f"{n}.csv"), n_row=n) for n in (55, 300, 3_000)]
        lines = []
        for line in table(arguments.files or made):
            print(line, flush=True)
            lines.append(line)
    print(f"\n{measured}", file=sys.stderr)
    if arguments.write:
        made_by = f"CPU time of one thread, {N_ROUND} rounds in turn. Made by `make bench-openface`: {measured}"
        publish("## OpenFace files", "bench-openface", ABOUT, lines, made_by, readme=True)


if __name__ == "__main__":
    main()
