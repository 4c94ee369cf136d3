"""Read every clip once, in batches and in random order; as a program: print the process's peak memory in MB.

python benchmarks/batch_loop.py LAYOUT FOLDER
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
from file_layouts import BATCH, LAYOUTS, Layout


def read_batches(layout: Layout, handle: object, n_clip: int, seed: int, *, pad: bool = False) -> None:
    """Read ``n_clip`` clips in batches of ``BATCH``, as one array each where ``pad`` is true."""
    order = np.random.default_rng(seed).permutation(n_clip)
    read = layout.padded_batch if pad else layout.batch
    for start in range(0, n_clip, BATCH):
        read(handle, order[start : start + BATCH])


def main() -> None:
    """Print the peak memory after one epoch."""
    name, folder = sys.argv[1:]
    layout = LAYOUTS[name](Path(folder))
    with layout.open() as handle:
        read_batches(layout, handle, layout.n_clip(handle), seed=0, pad=True)
    status = Path("/proc/self/status").read_text()  # getrusage also counts what the parent had before the fork
    print(int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1e3)


if __name__ == "__main__":
    main()
