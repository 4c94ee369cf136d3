"""Training: SKESL's released way against ours, in the same run; speed and error in the same row.

    MMFEAT_REAL_DATA=FOLDER python benchmarks/training.py [--table fusion] [--clips N] [--rounds N] [--write]

Both have the same weights and the shape of bert-base; one thread, batch by batch in turn, CPU time and time on the
clock. The released way pads every clip to 39 tokens, 400 and 55 frames and applies every map to every row. The texts
are those of MOSI with ``MMFEAT_REAL_DATA``, else made with lengths like theirs. ``--write`` puts the tables into
RESULTS.md and README.md.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # before numpy is imported
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import argparse  # noqa: E402
import sys  # noqa: E402
import textwrap  # noqa: E402
from collections.abc import Callable, Iterator, Sequence  # noqa: E402

from fusion_race import fusion_rows  # noqa: E402
from report import README, RESULTS, conditions, put  # noqa: E402
from step_race import step_rows  # noqa: E402

HEADER = [
    "| what | released way | ours | ratio, time of the processor (quartiles) | ratio on the clock | largest error |",
    "|---|---|---|---|---|---|",
]
ABOUT = {
    "fusion": (
        "SKESL's fusion alone, forward and backward, on the same weights (`benchmarks/plain_fusion.py` against "
        "`skesl.nn.fusion`). The error is the largest difference of outputs and of gradients of the weights, each "
        "relative to the largest value."
    ),
}
ABOUT["step"] = (
    "Whole steps: text encoder, fusion, head, gradients, optimiser, on batches that lie in memory. The error is the "
    "largest difference of predictions for the same clips without dropout, relative to the largest; the released "
    "way's mean leaves padding out here, to be comparable. Stored states cost one pass of the text encoder before the "
    "first epoch."
)
Table = Callable[[int, int], Iterator[str]]
TABLES: dict[str, Table] = {"fusion": fusion_rows, "step": step_rows}


def write(name: str, lines: Sequence[str], measured: str) -> None:
    """Put one table into the two documents."""
    made = (
        "CPU time of one thread, median; released way and ours in turn, batch by batch, and a ratio from each round. "
        f"Made by `make bench-training`: {measured}"
    )
    paragraphs = [textwrap.fill(ABOUT[name], 120), "\n".join(lines), textwrap.fill(made, 120)]
    for path, title in ((RESULTS, f"## Training: {name}"), (README, "## How fast, how equal")):
        put(path, title, f"bench-training-{name}", "\n\n".join(paragraphs))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", choices=TABLES, action="append", help="only this one; may be repeated")
    parser.add_argument("--clips", type=int, default=32, help="in a batch")
    parser.add_argument("--rounds", type=int, default=7, help="of which the median is taken")
    parser.add_argument("--write", action="store_true", help="put the tables into RESULTS.md and README.md")
    arguments = parser.parse_args()
    for name in arguments.table or TABLES:
        measured = (
            f"{conditions(('mmfeat', 'torch', 'transformers'))}; {arguments.clips} clips a batch, "
            f"{arguments.rounds} rounds."
        )
        lines = list(HEADER)
        print("\n".join(lines), flush=True)
        for row in TABLES[name](arguments.clips, arguments.rounds):
            print(row, flush=True)
            lines.append(row)
        print(f"\n{measured}", file=sys.stderr)
        if arguments.write:
            write(name, lines, measured)


if __name__ == "__main__":
    main()
