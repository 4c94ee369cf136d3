"""Read every clip once, in batches and in random order; as a program: print the process's peak memory in MB.

python benchmarks/batch_loop.py LAYOUT FOLDER
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
from file_layouts import BATCH, LAYOUTS, Layout, padded


def read_batches(layout: Layout, handle: object, n_clip: int, seed: int, *, pad: bool = False) -> None:
    """Read ``n_clip`` clips in batches of ``BATCH``; pad those that are not yet."""
    order = np.random.default_rng(seed).permutation(n_clip)
    for start in range(0, n_clip, BATCH):
        streams = layout.batch(handle, order[start : start + BATCH])
        if pad:
            for clips in streams:
                padded(clips)


def main() -> None:
    """Print the peak memory after one epoch."""
    name, folder = sys.argv[1:]
    layout = LAYOUTS[name](Path(folder))
    with layout.open() as handle:
        read_batches(layout, handle, layout.n_clip(handle), seed=0, pad=name == "mmfeat")
    status = Path("/proc/self/status").read_text()  # getrusage also counts what the parent had before the fork
    print(int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1e3)


if __name__ == "__main__":
    main()
